#include "codec/xray/encode.h"

#include <algorithm>

#include "base/assert.h"
#include "base/json.h"
#include "codec/xray/decimal.h"
#include "codec/xray/document_parts.h"
#include "codec/xray/entity_writer.h"
#include "codec/xray/json_tape.h"
#include "codec/xray/otel_document.h"

namespace fluoro::codec::xray {
namespace {

using model::AssembledTrace;
using model::Entity;
using model::EntityRole;
using model::Span;

// As deep as the decoder takes subsegments; what nests deeper stands as a document of its own.
constexpr std::size_t kNestingMax = 64;
constexpr std::uint32_t kStoredDepthMax = 1024;

bool CameAsDocument(const Span& span) {
  return span.source == model::SpanSource::kXRay && !span.document.empty();
}
bool IsIndependent(const Span& span) { return span.Has(model::kIndependent); }

// A JSON number of seconds without an exponent.
std::string PlainSeconds(std::string_view number) {
  if (!number.starts_with('"') && number.find_first_of("eE") != std::string_view::npos) {
    if (const auto ns = ParseSeconds(number)) return DecimalSeconds(*ns);
  }
  return std::string(number);
}

// Whether `start_time` or `end_time` may have an exponent.
bool MayHaveExponentTimes(std::string_view document) {
  constexpr std::string_view kTimeKey = R"(_time":)";
  for (std::size_t at = document.find(kTimeKey); at != std::string_view::npos;
       at = document.find(kTimeKey, at)) {
    at += kTimeKey.size();
    const std::size_t end = document.find_first_not_of("-.0123456789", at);
    if (end != std::string_view::npos && (document[end] == 'e' || document[end] == 'E'))
      return true;
  }
  return false;
}

class StoredDocument {
 public:
  explicit StoredDocument(const Span& span) {
    // The decoder stores valid objects only; of anything else nothing is told.
    if (!tape_.Parse(span.document, kStoredDepthMax) ||
        tape_.node(JsonTape::kRoot).kind != JsonTape::Kind::kObject) {
      return;
    }
    const std::uint32_t end = tape_.node(JsonTape::kRoot).next;
    std::string scratch;
    for (std::uint32_t key = JsonTape::kRoot + 1; key < end; key = tape_.node(key + 1).next) {
      members_.emplace_back(tape_.String(tape_.node(key), scratch), key + 1);
    }
  }

  // The value of a member, a time without exponent; empty if absent or null.
  [[nodiscard]] std::string Value(std::string_view name) const {
    for (auto it = members_.rbegin(); it != members_.rend(); ++it) {
      if (it->first != name) continue;
      const JsonTape::Node& node = tape_.node(it->second);
      if (node.kind == JsonTape::Kind::kNull) return {};
      return IsTime(name) ? PlainSeconds(tape_.Raw(node)) : std::string(tape_.Raw(node));
    }
    return {};
  }

  // The object with times without exponents.
  [[nodiscard]] std::string Plain() const { return Written("", true); }

  // The same without the members that place it; `place` stands in for them.
  [[nodiscard]] std::string Replaced(std::string_view place) const { return Written(place, false); }

 private:
  static bool IsTime(std::string_view name) { return name == "start_time" || name == "end_time"; }

  [[nodiscard]] std::string Written(std::string_view place, bool with_its_place) const {
    std::string out = "{";
    out += place;
    for (const auto& [name, value] : members_) {
      const bool places = name == "type" || name == "trace_id" || name == "parent_id";
      if (places && !with_its_place) continue;
      if (out.size() > 1) out += ',';
      const std::uint32_t begin = tape_.node(value - 1).begin;
      const JsonTape::Node& node = tape_.node(value);
      if (IsTime(name)) {
        out.append(tape_.text().substr(begin, node.begin - begin))
            .append(PlainSeconds(tape_.Raw(node)));
      } else {
        out.append(tape_.text().substr(begin, node.end - begin));
      }
    }
    return out + "}";
  }

  JsonTape tape_;
  std::vector<std::pair<std::string, std::uint32_t>> members_;
};

class Encoder {
 public:
  Encoder(const AssembledTrace& trace, const EncodeOptions& options)
      : trace_(trace), options_(options) {}

  std::vector<SegmentDocument> Run() {
    std::vector<std::size_t> orphans;
    for (std::size_t i = 0; i < trace_.entities.size(); ++i) {
      const Entity& entity = trace_.entities[i];
      if (entity.role == EntityRole::kSegment) {
        AddEntry(i);
      } else if (entity.role == EntityRole::kSubsegment && entity.parent < 0) {
        orphans.push_back(i);
      }
    }
    for (const std::size_t orphan : orphans) AddEntry(orphan);
    // Grows while it is worked off: what nests too deep below one of these follows it.
    for (std::size_t i = 0; i < too_deep_.size(); ++i) AddEntry(too_deep_[i]);
    if (options_.inferred) {
      for (const Entity& entity : trace_.entities) {
        if (entity.role == EntityRole::kInferred) AddInferred(entity);
      }
    }
    return std::move(entries_);
  }

 private:
  [[nodiscard]] const Entity& At(std::int32_t index) const {
    return trace_.entities[static_cast<std::size_t>(index)];
  }

  // A segment or a subsegment on its own, and all that nests in it.
  void AddEntry(std::size_t top) {
    SegmentDocument entry{.id = trace_.entities[top].id.ToHex(), .document = {}};
    std::string& out = entry.document;
    struct Level {
      std::vector<std::size_t> children;
      std::size_t next = 0;
    };
    std::vector<Level> levels;
    const auto open = [&](std::size_t entity, bool nested) {
      out += Document(trace_.entities[entity], nested);
      std::vector<std::size_t> children = NestedChildren(entity);
      if (levels.size() == kNestingMax) {
        too_deep_.insert(too_deep_.end(), children.begin(), children.end());
        children.clear();
      }
      if (!children.empty()) {
        out.resize(out.size() - (out.ends_with(kEmptySubsegments) ? kEmptySubsegments.size() : 1));
        out += ",\"subsegments\":[";
      }
      levels.push_back({.children = std::move(children), .next = 0});
    };
    open(top, false);
    while (!levels.empty()) {
      Level& level = levels.back();
      if (level.next < level.children.size()) {
        const std::size_t child = level.children[level.next++];
        if (level.next > 1) out += ',';
        open(child, true);
        continue;
      }
      if (!level.children.empty()) out += "]}";
      levels.pop_back();
    }
    entries_.push_back(std::move(entry));
  }

  // Subsegments of one parent: embedded ones in the order in which they were sent, then the others
  // by start.
  [[nodiscard]] std::vector<std::size_t> NestedChildren(std::size_t parent) const {
    std::vector<std::size_t> children;
    for (const std::int32_t child : trace_.entities[parent].children) {
      if (At(child).role == EntityRole::kSubsegment)
        children.push_back(static_cast<std::size_t>(child));
    }
    const auto embedded = [&](std::size_t i) {
      const Span& span = *trace_.entities[i].span;
      return CameAsDocument(span) && !IsIndependent(span);
    };
    const auto middle = std::stable_partition(children.begin(), children.end(), embedded);
    std::sort(children.begin(), middle, [&](std::size_t a, std::size_t b) {
      return trace_.entities[a].span < trace_.entities[b].span;
    });
    return children;
  }

  std::string Document(const Entity& entity, bool nested) {
    const Span& span = *entity.span;
    const bool subsegment = entity.role == EntityRole::kSubsegment;
    if (CameAsDocument(span)) {
      // A segment, an orphan and an embedded subsegment in its place need no other change.
      if (!subsegment || nested != IsIndependent(span)) {
        if (!MayHaveExponentTimes(span.document)) return span.document;
        return StoredDocument(span).Plain();
      }
      if (nested) return StoredDocument(span).Replaced("");
      return StoredDocument(span).Replaced("\"type\":\"subsegment\",\"trace_id\":\"" +
                                           span.trace_id.ToXRay() + "\",\"parent_id\":\"" +
                                           entity.parent_id.ToHex() + "\"");
    }
    const DocumentPlace place{.id = entity.id,
                              .trace_id = span.trace_id,
                              .parent_id = entity.parent_id,
                              .nested = nested,
                              .subsegment = subsegment,
                              .inferred = false};
    const bool with_resource = !nested || !SharesResource(entity);
    if (!options_.annotations) return WriteDocument(place, OtelParts(entity, with_resource));
    return WriteDocument(place, OtelParts(entity, with_resource, options_.annotations(entity)));
  }

  // The segment around it tells the resource.
  [[nodiscard]] bool SharesResource(const Entity& entity) const {
    if (entity.segment < 0) return false;
    const Span& outer = *At(entity.segment).span;
    return !CameAsDocument(outer) &&
           (outer.resource == entity.span->resource || *outer.resource == *entity.span->resource);
  }

  void AddInferred(const Entity& entity) {
    const Span& span = *entity.span;
    DocumentParts parts;
    if (CameAsDocument(span)) {
      const StoredDocument document(span);
      parts.name = document.Value("name");
      parts.start_time = document.Value("start_time");
      if (entity.in_progress) {
        parts.in_progress = "true";
      } else {
        parts.end_time = document.Value("end_time");
      }
      parts.http = document.Value("http");
      parts.aws = document.Value("aws");
      parts.sql = document.Value("sql");
      parts.cause = document.Value("cause");
      parts.error = document.Value("error");
      parts.throttle = document.Value("throttle");
      parts.fault = document.Value("fault");
    } else {
      FLUORO_ASSERT(entity.parent >= 0);
      DocumentParts call = OtelParts(At(entity.parent), false);
      for (std::string DocumentParts::* member :
           {&DocumentParts::name, &DocumentParts::start_time, &DocumentParts::end_time,
            &DocumentParts::in_progress, &DocumentParts::error, &DocumentParts::throttle,
            &DocumentParts::fault, &DocumentParts::http, &DocumentParts::aws, &DocumentParts::sql,
            &DocumentParts::cause}) {
        parts.*member = std::move(call.*member);
      }
    }
    if (!entity.origin.empty()) parts.origin = JsonText(entity.origin);
    const DocumentPlace place{.id = entity.id,
                              .trace_id = span.trace_id,
                              .parent_id = entity.parent_id,
                              .nested = false,
                              .subsegment = false,
                              .inferred = true};
    entries_.push_back({.id = entity.id.ToHex(), .document = WriteDocument(place, parts)});
  }

  const AssembledTrace& trace_;
  const EncodeOptions& options_;
  std::vector<SegmentDocument> entries_;
  std::vector<std::size_t> too_deep_;
};

}  // namespace

std::vector<SegmentDocument> EncodeSegments(const AssembledTrace& trace,
                                            const EncodeOptions& options) {
  return Encoder(trace, options).Run();
}

}  // namespace fluoro::codec::xray
