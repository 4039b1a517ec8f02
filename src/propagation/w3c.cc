// traceparent and tracestate. Source: W3C Trace Context level 2.
#include <algorithm>
#include <optional>
#include <set>

#include "base/hex.h"
#include "propagation/context.h"
#include "propagation/text.h"

namespace fluoro::propagation {
namespace {

using internal::Bad;

// version "-" trace-id "-" parent-id "-" flags
constexpr std::size_t kTraceparentBytes = 55;
constexpr std::size_t kTraceIdAt = 3;
constexpr std::size_t kParentIdAt = 36;
constexpr std::size_t kFlagsAt = 53;

constexpr std::size_t kMembersMax = 32;
constexpr std::size_t kTextBytesMax = 256;  // of a key, of a value
constexpr std::size_t kLongMemberBytes = 128;

struct Member {
  std::string_view key;
  std::string_view value;
};

bool IsKey(std::string_view key) {
  constexpr std::string_view kFirst = "abcdefghijklmnopqrstuvwxyz0123456789";
  constexpr std::string_view kRest = "abcdefghijklmnopqrstuvwxyz0123456789_-*/@";
  return !key.empty() && key.size() <= kTextBytesMax &&
         kFirst.find(key[0]) != std::string_view::npos &&
         key.find_first_not_of(kRest) == std::string_view::npos;
}

bool IsValue(std::string_view value) {
  return !value.empty() && value.size() <= kTextBytesMax && value.back() != ' ' &&
         std::all_of(value.begin(), value.end(), [](char c) {
           return c == ' ' || (internal::IsVisible(c) && c != ',' && c != '=');
         });
}

// nullopt if malformed.
std::optional<std::vector<Member>> ReadMembers(std::string_view tracestate) {
  std::vector<Member> members;
  std::set<std::string_view> keys;
  while (!tracestate.empty()) {
    const std::string_view text = internal::Trim(internal::TakeUntil(tracestate, ','));
    if (text.empty()) continue;
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const Member member{text.substr(0, equals), text.substr(equals + 1)};
    const bool good = IsKey(member.key) && IsValue(member.value) &&
                      keys.insert(member.key).second && members.size() < kMembersMax;
    if (!good) return std::nullopt;
    members.push_back(member);
  }
  return members;
}

std::string Join(const std::vector<Member>& members) {
  std::string text;
  for (const Member& member : members) {
    if (!text.empty()) text += ',';
    text.append(member.key).append("=").append(member.value);
  }
  return text;
}

}  // namespace

std::string CleanTraceState(std::string_view tracestate) {
  const auto members = ReadMembers(tracestate);
  return members ? Join(*members) : std::string();
}

Result<std::string> SetTraceStateMember(std::string_view tracestate, std::string_view key,
                                        std::string_view value) {
  if (!IsKey(key)) return Bad("tracestate: bad key");
  if (!IsValue(value)) return Bad("tracestate: bad value");
  std::vector<Member> members = ReadMembers(tracestate).value_or(std::vector<Member>());
  std::erase_if(members, [&](const Member& member) { return member.key == key; });
  members.insert(members.begin(), {key, value});
  if (members.size() > kMembersMax) members.pop_back();
  return Join(members);
}

std::string CutTraceState(std::string_view tracestate, std::size_t bytes_max) {
  std::vector<Member> members = ReadMembers(tracestate).value_or(std::vector<Member>());
  const auto bytes = [&] { return Join(members).size(); };
  const auto is_long = [](const Member& member) {
    return member.key.size() + 1 + member.value.size() > kLongMemberBytes;
  };
  while (bytes() > bytes_max) {
    const auto last_long = std::find_if(members.rbegin(), members.rend(), is_long);
    members.erase(last_long == members.rend() ? members.end() - 1 : last_long.base() - 1);
  }
  return Join(members);
}

Result<Context> ParseW3c(std::string_view traceparent, std::string_view tracestate) {
  const std::string_view text = internal::Trim(traceparent);
  if (text.size() < kTraceparentBytes) return Bad("traceparent: 55 characters were expected");
  const std::string_view version = text.substr(0, 2);
  if (!internal::IsLowerHex(version) || version == "ff") return Bad("traceparent: bad version");
  if (version == "00" && text.size() != kTraceparentBytes) {
    return Bad("traceparent: 55 characters were expected");
  }
  if (text.size() > kTraceparentBytes && text[kTraceparentBytes] != '-') {
    return Bad("traceparent: a dash was expected after the flags");
  }
  const std::string_view fields = text.substr(0, kTraceparentBytes);
  for (const std::size_t at : {kTraceIdAt, kParentIdAt, kFlagsAt}) {
    if (fields[at - 1] != '-') return Bad("traceparent: dashes were expected between the fields");
  }
  const std::string_view trace_id = fields.substr(kTraceIdAt, 32);
  const std::string_view parent_id = fields.substr(kParentIdAt, 16);
  const std::string_view flags = fields.substr(kFlagsAt, 2);
  if (!internal::IsLowerHex(trace_id) || !internal::IsLowerHex(parent_id) ||
      !internal::IsLowerHex(flags)) {
    return Bad("traceparent: lower-case hex digits were expected");
  }
  Context context;
  FLUORO_TRY(context.trace_id, model::TraceId::Parse(trace_id));
  FLUORO_TRY(context.parent_id, model::SpanId::Parse(parent_id));
  std::uint8_t bits = 0;
  FromHex(flags, {&bits, 1});
  context.trace_flags = static_cast<std::uint8_t>(bits & (kSampledFlag | kRandomFlag));
  context.sampled = (bits & kSampledFlag) != 0 ? Sampled::kYes : Sampled::kNo;
  context.trace_state = CleanTraceState(tracestate);
  return context;
}

std::string PrintTraceparent(const Context& context) {
  if (!context.trace_id || !context.parent_id) return {};
  const bool sampled = context.sampled == Sampled::kYes || context.sampled == Sampled::kDebug;
  const auto flags =
      static_cast<std::uint8_t>((context.trace_flags & kRandomFlag) | (sampled ? kSampledFlag : 0));
  return "00-" + context.trace_id->ToHex() + "-" + context.parent_id->ToHex() + "-" +
         ToHex({&flags, 1});
}

}  // namespace fluoro::propagation
