#include "codec/xray/decode.h"

#include <utility>

#include "base/json.h"
#include "base/utf8.h"
#include "codec/xray/entity_writer.h"
#include "codec/xray/id_scan.h"
#include "codec/xray/json_tape.h"
#include "model/entity.h"

namespace fluoro::codec::xray {
namespace {

using Kind = JsonTape::Kind;

constexpr std::size_t kQuotedMax = 64;     // bytes of a sender's text in a message
constexpr std::size_t kReportedMax = 100;  // entries an array document adds at most

struct Refusal {
  std::string_view code;
  std::string cause;
};

std::string Quoted(std::string_view text) {
  const std::string_view cut = TruncateUtf8(text, kQuotedMax);
  std::string out = "'";
  out.append(cut).append(cut.size() < text.size() ? "...'" : "'");
  return out;
}

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_.:/%&#=+\\-@ ").find(c) != std::string_view::npos;
}

// Cleaning leaves something of the name.
bool IsName(std::string_view name) {
  for (const char c : name) {
    if (IsNameCharacter(c)) return true;
  }
  return !model::CleanName(name).empty();
}

class DocumentDecoder {
 public:
  DocumentDecoder(const JsonTape& tape, const model::Limits& limits, model::SpanBatch& batch,
                  std::vector<Unprocessed>& unprocessed, model::DecodeStats& stats,
                  ResourceIndex& resources)
      : tape_(tape),
        limits_(limits),
        batch_(batch),
        unprocessed_(unprocessed),
        stats_(stats),
        reader_(tape),
        writer_(reader_, limits, batch, stats, resources) {}

  void set_text_repaired() { text_repaired_ = true; }

  void Run() {
    constexpr std::uint32_t kRoot = JsonTape::kRoot;
    if (tape_.node(kRoot).kind == Kind::kObject) return Document(kRoot);
    if (tape_.node(kRoot).kind != Kind::kArray) {
      return Refuse(kRoot, false,
                    {"ParseError", At("", kRoot) + "an object or an array of objects wanted"});
    }
    if (tape_.node(kRoot).next == kRoot + 1) {
      return Refuse(kRoot, false, {"MissingId", At("", kRoot) + "the array is empty"});
    }
    std::size_t index = 0;
    reader_.ForEachValue(kRoot, [&](std::uint32_t item) {
      path_ = "[" + std::to_string(index++) + "]";
      if (reader_.KindOf(item) == Kind::kObject) return Document(item);
      const bool deep = tape_.node(item).height > limits_.nesting_max;
      Refuse(item, false,
             {"ParseError", At("", item) + (deep ? TooDeep("a value") : "an object wanted")});
    });
  }

 private:
  // "subsegments[2].name at byte 314: "
  [[nodiscard]] std::string At(std::string_view member, std::uint32_t node) const {
    std::string at = path_;
    if (!member.empty()) at.append(at.empty() ? "" : ".").append(member);
    at.append(at.empty() ? "at byte " : " at byte ")
        .append(std::to_string(tape_.node(node).source))
        .append(": ");
    return at;
  }
  [[nodiscard]] std::string TooDeep(std::string_view what) const {
    return std::string(what) + " nested deeper than " + std::to_string(limits_.nesting_max) +
           " levels";
  }
  [[nodiscard]] Refusal Missing(std::string_view code, std::string_view member,
                                std::uint32_t object) const {
    return {code, At("", object) + "no `" + std::string(member) + "` in this object"};
  }
  [[nodiscard]] Refusal Wrong(std::string_view code, std::string_view member, std::uint32_t node,
                              std::string_view wanted) const {
    return {code, At(member, node) + std::string(wanted) + ", found " +
                      Quoted(tape_.Raw(tape_.node(node)))};
  }

  void Refuse(std::uint32_t object, bool subsegment, const Refusal& refusal) {
    ++stats_.rejected_spans;
    if (++reported_ > kReportedMax) {
      unprocessed_.back().message =
          "Invalid segment. ErrorCode: " + unprocessed_.back().error_code + ", Cause: this and " +
          std::to_string(reported_ - kReportedMax) +
          " more elements of the array; first: " + overflow_cause_;
      return;
    }
    Unprocessed& entry = unprocessed_.emplace_back();
    const std::uint32_t id = reader_.Find(object, "id");
    if (const auto text = reader_.Text(id); text) entry.id = TruncateUtf8(*text, kQuotedMax);
    entry.error_code = refusal.code;
    entry.message = subsegment ? "Invalid subsegment. ErrorCode: " : "Invalid segment. ErrorCode: ";
    entry.message.append(refusal.code).append(", Cause: ").append(refusal.cause);
    overflow_cause_ = refusal.cause;
  }

  // One segment, independent subsegment, or element of an array.
  void Document(std::uint32_t object) {
    const Members members = reader_.ReadMembers(object);
    const std::uint32_t type = members[Member::kType];
    const bool subsegment = type != 0 && reader_.Text(type) == "subsegment";
    EntityHeader header;
    header.flags =
        subsegment ? model::kSubsegment | model::kIndependent : std::uint32_t{model::kSegment};
    if (text_repaired_) header.flags |= model::kTextRepaired;
    const model::SpanBatch::Mark mark = batch_.MarkHere();
    const std::uint64_t spans_before = stats_.spans;
    auto refusal = CheckNesting(members);
    if (!refusal) refusal = ReadId(object, members, header);
    if (!refusal) refusal = ReadTraceId(object, members, header);
    if (!refusal) refusal = ReadParentId(object, members, subsegment, header);
    if (!refusal) refusal = ReadNameAndTimes(object, members, header);
    if (!refusal) refusal = CheckAge(members, header);
    if (!refusal) {
      scope_ = writer_.AddScope();
      resource_ = writer_.AddResource(members, !subsegment);
      writer_.AddEntity(object, members, header, resource_, scope_);
      ++stats_.spans;
      refusal = Embedded(members[Member::kSubsegments], header, 1);
    }
    if (!refusal) return;
    batch_.RollbackTo(mark);
    stats_.spans = spans_before;
    Refuse(object, subsegment, *refusal);
  }

  // Adds the subsegments in `array`; bad ones are left out and counted. Refuses what nests too
  // deep.
  std::optional<Refusal> Embedded(std::uint32_t array, const EntityHeader& parent, int level) {
    if (array == 0) return std::nullopt;
    if (reader_.KindOf(array) != Kind::kArray) {
      ++stats_.dropped_subsegments;
      return std::nullopt;
    }
    if (level > limits_.nesting_max && tape_.node(array).next > array + 1) {
      return Refusal{"ParseError", At("", array) + TooDeep("subsegments")};
    }
    const std::uint32_t end = tape_.node(array).next;
    for (std::uint32_t item = array + 1; item < end; item = tape_.node(item).next) {
      if (reader_.KindOf(item) == Kind::kNull) continue;
      if (reader_.KindOf(item) != Kind::kObject) {
        ++stats_.dropped_subsegments;
        continue;
      }
      const Members members = reader_.ReadMembers(item);
      if (auto refusal = CheckNesting(members)) return refusal;
      EntityHeader header{.trace_id = parent.trace_id, .id = {}, .parent_id = parent.id};
      header.flags = model::kSubsegment | (parent.flags & model::kTextRepaired);
      if (ReadId(item, members, header) || ReadNameAndTimes(item, members, header)) {
        stats_.dropped_subsegments += CountSubtree(item, level);
        continue;
      }
      writer_.AddEntity(item, members, header, resource_, scope_);
      ++stats_.spans;
      if (auto refusal = Embedded(members[Member::kSubsegments], header, level + 1)) return refusal;
    }
    return std::nullopt;
  }

  // A dropped subsegment takes those inside it along.
  std::uint64_t CountSubtree(std::uint32_t object, int level) {
    std::uint64_t count = 1;
    const std::uint32_t inner = reader_.Find(object, "subsegments");
    if (inner == 0 || reader_.KindOf(inner) != Kind::kArray || level > limits_.nesting_max)
      return count;
    reader_.ForEachValue(inner, [&](std::uint32_t item) {
      if (reader_.KindOf(item) == Kind::kObject) count += CountSubtree(item, level + 1);
    });
    return count;
  }

  [[nodiscard]] std::optional<Refusal> CheckNesting(const Members& members) const {
    if (members.deepest == 0 || tape_.node(members.deepest).height <= limits_.nesting_max)
      return std::nullopt;
    return Refusal{"ParseError", At("", members.deepest) + TooDeep("a value")};
  }

  std::optional<Refusal> ReadId(std::uint32_t object, const Members& members,
                                EntityHeader& header) {
    const std::uint32_t node = members[Member::kId];
    if (IsAbsent(node)) return Missing("MissingId", "id", object);
    const auto text = StringAt(node);
    const auto id = model::SpanId::Parse(text.value_or(""));
    if (!id) return Wrong("InvalidId", "id", node, "16 hex digits, not all zero, wanted");
    header.id = *id;
    return std::nullopt;
  }

  std::optional<Refusal> ReadTraceId(std::uint32_t object, const Members& members,
                                     EntityHeader& header) {
    const std::uint32_t node = members[Member::kTraceId];
    if (IsAbsent(node)) return Missing("MissingTraceId", "trace_id", object);
    const auto text = StringAt(node);
    const auto id = model::TraceId::Parse(text.value_or(""));
    if (!id) {
      return Wrong("InvalidTraceId", "trace_id", node,
                   "1-<8 hex digits>-<24 hex digits> or 32 hex digits, not all zero, wanted");
    }
    header.trace_id = *id;
    return std::nullopt;
  }

  std::optional<Refusal> ReadParentId(std::uint32_t object, const Members& members, bool required,
                                      EntityHeader& header) {
    const std::uint32_t node = members[Member::kParentId];
    if (required && IsAbsent(node)) return Missing("MissingParentId", "parent_id", object);
    if (node == 0) return std::nullopt;
    const auto text = StringAt(node);
    const auto id = model::SpanId::Parse(text.value_or(""));
    if (id) {
      header.parent_id = *id;
    } else if (required) {
      return Wrong("InvalidParentId", "parent_id", node, "16 hex digits, not all zero, wanted");
    }
    return std::nullopt;
  }

  std::optional<Refusal> ReadNameAndTimes(std::uint32_t object, const Members& members,
                                          EntityHeader& header) {
    const std::uint32_t name = members[Member::kName];
    if (IsAbsent(name)) return Missing("MissingName", "name", object);
    const auto text = StringAt(name);
    if (!text || !IsName(*text)) {
      return Wrong("InvalidName", "name", name,
                   "a string with a letter, digit, space or one of _.:/%&#=+\\-@ wanted");
    }
    const std::uint32_t start = members[Member::kStartTime];
    if (IsAbsent(start)) return Missing("MissingStartTime", "start_time", object);
    const auto start_ns = reader_.Seconds(start);
    if (!start_ns)
      return Wrong("InvalidStartTime", "start_time", start, "seconds since 1970 wanted");
    header.start_ns = *start_ns;
    header.end_ns = *start_ns;
    // .NET writes `end_time` in every document, so `in_progress` wins.
    if (reader_.Bool(members[Member::kInProgress]).value_or(false)) {
      header.flags |= model::kInProgress;
      return std::nullopt;
    }
    const std::uint32_t end = members[Member::kEndTime];
    if (IsAbsent(end)) {
      if ((header.flags & (model::kSegment | model::kIndependent)) != 0) {
        return Refusal{"MissingEndTime",
                       At("", object) + "neither `end_time` nor `in_progress` in this object"};
      }
      header.flags |= model::kInProgress | model::kIncompleteEmbedded;
      return std::nullopt;
    }
    const auto end_ns = reader_.Seconds(end);
    if (!end_ns) return Wrong("InvalidEndTime", "end_time", end, "seconds since 1970 wanted");
    header.end_ns = std::max(*end_ns, *start_ns);
    return std::nullopt;
  }

  [[nodiscard]] std::optional<Refusal> CheckAge(const Members& members,
                                                const EntityHeader& header) const {
    if (header.start_ns >= limits_.start_ns_min && header.start_ns <= limits_.start_ns_max)
      return std::nullopt;
    return Refusal{"InvalidStartTime",
                   At("start_time", members[Member::kStartTime]) + DecimalSeconds(header.start_ns) +
                       " is outside the accepted times " + DecimalSeconds(limits_.start_ns_min) +
                       " to " + DecimalSeconds(limits_.start_ns_max)};
  }

  // Not there, null (both node 0) or "".
  [[nodiscard]] bool IsAbsent(std::uint32_t node) const {
    if (node == 0) return true;
    const JsonTape::Node& n = tape_.node(node);
    return n.kind == Kind::kString && n.end - n.begin == 2;
  }
  std::optional<std::string_view> StringAt(std::uint32_t node) {
    return reader_.KindOf(node) == Kind::kString ? reader_.Text(node) : std::nullopt;
  }

  const JsonTape& tape_;
  const model::Limits& limits_;
  model::SpanBatch& batch_;
  std::vector<Unprocessed>& unprocessed_;
  model::DecodeStats& stats_;
  NodeReader reader_;
  EntityWriter writer_;
  std::string path_;  // of the document inside an array: "[3]"
  std::string overflow_cause_;
  std::size_t reported_ = 0;
  std::uint32_t resource_ = 0;
  std::uint32_t scope_ = 0;
  bool text_repaired_ = false;
};

void RefuseText(std::string_view document, std::string_view code, std::string cause,
                std::vector<Unprocessed>& unprocessed, model::DecodeStats& stats) {
  ++stats.rejected_spans;
  unprocessed.push_back({.id = ScanForId(document),
                         .error_code = std::string(code),
                         .message = "Invalid segment. ErrorCode: " + std::string(code) +
                                    ", Cause: " + std::move(cause)});
}

}  // namespace

void DecodeDocument(std::string_view document, const model::Limits& limits, model::SpanBatch& batch,
                    std::vector<Unprocessed>& unprocessed, model::DecodeStats& stats) {
  DecodeScratch scratch;
  DecodeDocument(document, limits, batch, unprocessed, stats, scratch);
}

void DecodeDocument(std::string_view document, const model::Limits& limits, model::SpanBatch& batch,
                    std::vector<Unprocessed>& unprocessed, model::DecodeStats& stats,
                    DecodeScratch& scratch) {
  if (document.size() > limits.document_bytes_max) {
    return RefuseText(document, "DocumentTooLarge",
                      std::to_string(document.size()) + " bytes, at most " +
                          std::to_string(limits.document_bytes_max) + " are taken",
                      unprocessed, stats);
  }
  std::string repaired;
  const bool valid = IsValidUtf8(document);
  if (!valid) {
    repaired = RepairUtf8(document);
    document = repaired;
  }
  // Subsegments take two levels each (array and object); the values inside the innermost one nest
  // on their own.
  const auto nesting_max = static_cast<std::uint32_t>(limits.nesting_max);
  JsonTape& tape = scratch.tape;
  if (const auto parsed = tape.Parse(document, 3 * nesting_max + 4); !parsed) {
    const bool deep = parsed.error().code == ErrorCode::kTooLarge;
    return RefuseText(document, "ParseError",
                      parsed.error().message +
                          (deep ? ", at most " + std::to_string(nesting_max) + " levels" : ""),
                      unprocessed, stats);
  }
  DocumentDecoder decoder(tape, limits, batch, unprocessed, stats, scratch.resources);
  if (!valid || tape.repaired()) {
    ++stats.repaired_texts;
    decoder.set_text_repaired();
  }
  decoder.Run();
}

}  // namespace fluoro::codec::xray
