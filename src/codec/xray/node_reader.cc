// NodeReader: typed, lenient reads of a tape.
#include "codec/xray/decimal.h"
#include "codec/xray/entity_writer.h"

namespace fluoro::codec::xray {
namespace {

using Kind = JsonTape::Kind;

// Which member a name is; nothing for names that only the document keeps.
std::optional<Member> MemberOf(std::string_view name) {
  using enum Member;
  struct Entry {
    std::string_view name;
    Member member;
  };
  // By length: one or two comparisons a name.
  static constexpr std::array<Entry, kMembersCount> kByLength = {{{"id", kId},
                                                                  {"aws", kAws},
                                                                  {"sql", kSql},
                                                                  {"http", kHttp},
                                                                  {"name", kName},
                                                                  {"type", kType},
                                                                  {"user", kUser},
                                                                  {"cause", kCause},
                                                                  {"error", kError},
                                                                  {"fault", kFault},
                                                                  {"links", kLinks},
                                                                  {"origin", kOrigin},
                                                                  {"traced", kTraced},
                                                                  {"service", kService},
                                                                  {"end_time", kEndTime},
                                                                  {"inferred", kInferred},
                                                                  {"throttle", kThrottle},
                                                                  {"trace_id", kTraceId},
                                                                  {"namespace", kNamespace},
                                                                  {"parent_id", kParentId},
                                                                  {"start_time", kStartTime},
                                                                  {"annotations", kAnnotations},
                                                                  {"in_progress", kInProgress},
                                                                  {"subsegments", kSubsegments},
                                                                  {"resource_arn", kResourceArn}}};
  static constexpr std::size_t kLengthMax = 12;
  static constexpr auto kFirst = [] {
    std::array<std::size_t, kLengthMax + 2> first{};
    for (std::size_t length = 0; length < first.size(); ++length) {
      std::size_t i = 0;
      while (i < kByLength.size() && kByLength[i].name.size() < length) ++i;
      first[length] = i;
    }
    return first;
  }();
  if (name.size() > kLengthMax) return std::nullopt;
  for (std::size_t i = kFirst[name.size()]; i < kFirst[name.size() + 1]; ++i) {
    if (kByLength[i].name == name) return kByLength[i].member;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> NodeReader::Text(std::uint32_t node) {
  if (node == 0) return std::nullopt;
  const JsonTape::Node& n = tape_.node(node);
  std::string_view text;
  if (n.kind == Kind::kString) {
    text = tape_.String(n, scratch_);
  } else if (n.kind == Kind::kNumber) {
    text = tape_.Raw(n);
  }
  if (text.empty()) return std::nullopt;
  return text;
}

std::optional<std::int64_t> NodeReader::Integer(std::uint32_t node) {
  const auto text = Text(node);
  return text ? ParseInteger(*text) : std::nullopt;
}

std::optional<bool> NodeReader::Bool(std::uint32_t node) const {
  if (node == 0) return std::nullopt;
  const JsonTape::Node& n = tape_.node(node);
  if (n.kind == Kind::kTrue || (n.kind == Kind::kString && tape_.Raw(n) == "\"true\"")) return true;
  if (n.kind == Kind::kFalse || (n.kind == Kind::kString && tape_.Raw(n) == "\"false\""))
    return false;
  return std::nullopt;
}

std::optional<std::int64_t> NodeReader::Seconds(std::uint32_t node) {
  const auto text = Text(node);
  return text ? ParseSeconds(*text) : std::nullopt;
}

std::uint32_t NodeReader::Find(std::uint32_t object, std::string_view name) {
  if (KindOf(object) != Kind::kObject) return 0;
  std::uint32_t found = 0;
  ForEachMember(object, [&](std::string_view key, std::uint32_t value) {
    if (key == name) found = KindOf(value) == Kind::kNull ? 0 : value;
  });
  return found;
}

Members NodeReader::ReadMembers(std::uint32_t object) {
  Members members;
  std::uint16_t height = 0;
  ForEachMember(object, [&](std::string_view name, std::uint32_t value) {
    const JsonTape::Node& node = tape_.node(value);
    const auto member = MemberOf(name);
    if (member == Member::kSubsegments) {
      members.cut = true;
    } else if (node.height > height) {
      height = node.height;
      members.deepest = value;
    }
    if (member)
      members.values[static_cast<std::size_t>(*member)] = node.kind == Kind::kNull ? 0 : value;
  });
  return members;
}

}  // namespace fluoro::codec::xray
