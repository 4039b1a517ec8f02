// Writes one segment or subsegment of a document into a SpanBatch: the table of
// docs/formats/attributes.md as code.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codec/xray/json_tape.h"
#include "codec/xray/resource_index.h"
#include "model/limits.h"
#include "model/span_batch.h"

namespace fluoro::codec::xray {

/// The members of an entity that the decoder reads; all others live in the document only.
enum class Member : std::uint8_t {
  kAnnotations,
  kAws,
  kCause,
  kEndTime,
  kError,
  kFault,
  kHttp,
  kId,
  kInferred,
  kInProgress,
  kLinks,
  kName,
  kNamespace,
  kOrigin,
  kParentId,
  kResourceArn,
  kService,
  kSql,
  kStartTime,
  kSubsegments,
  kThrottle,
  kTraced,
  kTraceId,
  kType,
  kUser,
};
inline constexpr std::size_t kMembersCount = static_cast<std::size_t>(Member::kUser) + 1;

/// How a stored document ends whose `subsegments` was sent as an empty list. Nothing else ends so:
/// a quote inside a JSON text has a backslash before it.
inline constexpr std::string_view kEmptySubsegments = R"(,"subsegments":[]})";

/// Node of each member's value: the last of that name, 0 where it is absent or null.
struct Members {
  std::array<std::uint32_t, kMembersCount> values{};
  bool cut = false;           ///< some member is named `subsegments`: the document must be cut
  std::uint32_t deepest = 0;  ///< node of the deepest value beside `subsegments`
  [[nodiscard]] std::uint32_t operator[](Member member) const {
    return values[static_cast<std::size_t>(member)];
  }
};

/// What validation has found out about an entity.
struct EntityHeader {
  model::TraceId trace_id;
  model::SpanId id;
  model::SpanId parent_id;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  std::uint32_t flags = 0;  ///< SpanFlag bits of role and progress
  [[nodiscard]] bool IsSegment() const { return (flags & model::kSegment) != 0; }
};

/// Whether an answer with this HTTP status makes a span an error, where neither flags nor a cause
/// do.
[[nodiscard]] constexpr bool IsErrorStatus(std::int64_t status) {
  return status < 100 || status > 399;
}

/// Typed reads of nodes, lenient as X-Ray's senders need it: null and "" are absent, numbers may be
/// strings.
class NodeReader {
 public:
  explicit NodeReader(const JsonTape& tape) : tape_(tape) {}
  [[nodiscard]] const JsonTape& tape() const { return tape_; }
  [[nodiscard]] JsonTape::Kind KindOf(std::uint32_t node) const { return tape_.node(node).kind; }
  /// Content of a string or the digits of a number; nothing otherwise. Valid until the next call.
  std::optional<std::string_view> Text(std::uint32_t node);
  std::optional<std::int64_t> Integer(std::uint32_t node);
  [[nodiscard]] std::optional<bool> Bool(std::uint32_t node) const;
  /// Nanoseconds of a number (or numeric string) of seconds.
  std::optional<std::int64_t> Seconds(std::uint32_t node);
  /// The member's value, last of that name; 0 if absent, null, or `object` is no object.
  std::uint32_t Find(std::uint32_t object, std::string_view name);
  [[nodiscard]] Members ReadMembers(std::uint32_t object);

  /// Calls `visit(name, value node)` for each member of an object. The name is valid during the
  /// call.
  template <class Visit>
  void ForEachMember(std::uint32_t object, Visit&& visit) {
    std::string scratch;
    const std::uint32_t end = tape_.node(object).next;
    for (std::uint32_t key = object + 1; key < end; key = tape_.node(key + 1).next) {
      visit(tape_.String(tape_.node(key), scratch), key + 1);
    }
  }
  /// Calls `visit(value node)` for each value of an array.
  template <class Visit>
  void ForEachValue(std::uint32_t array, Visit&& visit) const {
    const std::uint32_t end = tape_.node(array).next;
    for (std::uint32_t value = array + 1; value < end; value = tape_.node(value).next) visit(value);
  }

 private:
  const JsonTape& tape_;
  std::string scratch_;
};

/// One use a document. Borrows everything.
class EntityWriter {
 public:
  EntityWriter(NodeReader& reader, const model::Limits& limits, model::SpanBatch& batch,
               model::DecodeStats& stats, ResourceIndex& resources)
      : reader_(reader), limits_(limits), batch_(batch), stats_(stats), resources_(resources) {}

  /// Adds the resource of a document (segment or independent subsegment) and returns its index.
  std::uint32_t AddResource(const Members& members, bool segment);
  /// Adds the one scope that X-Ray spans have, or finds the batch's last.
  std::uint32_t AddScope();
  /// Appends the entity at `object` as a span.
  void AddEntity(std::uint32_t object, const Members& members, const EntityHeader& header,
                 std::uint32_t resource, std::uint32_t scope);

 private:
  enum class FieldType : std::uint8_t { kText, kInt, kBool, kTexts };
  struct Field {
    std::string_view member;
    std::string_view attribute;
    FieldType type = FieldType::kText;
  };
  struct Tables;

  // One owner of attributes: a span, resource, event or link.
  void BeginOwner();
  bool HasRoom();
  void AddText(std::string_view key, std::string_view value, std::size_t code_points_max,
               model::AttributeRole role = model::AttributeRole::kPlain);
  void AddLongText(std::string_view key, std::string_view value);
  void AddField(const Field& field, std::uint32_t value);
  void AddTexts(std::string_view key, const std::vector<std::string>& texts);
  void AddTextMember(std::string_view key, std::uint32_t value);
  template <std::size_t N>
  void AddFields(std::uint32_t object, const std::array<Field, N>& fields);
  std::string_view Cut(std::string_view text, std::size_t code_points_max);
  std::string_view CutBytes(std::string_view text, std::size_t bytes_max);

  void AddHttp(const Members& members);
  void AddAws(std::uint32_t aws, bool segment);
  void AddLogs(std::uint32_t logs);
  void AddSql(std::uint32_t sql);
  void AddAnnotations(std::uint32_t annotations);
  void AddAnnotation(std::string_view key, std::uint32_t value);
  void AddCauseReference(std::uint32_t cause, std::uint32_t span);
  void AddExceptions(std::uint32_t cause, const EntityHeader& header);
  void AddException(std::uint32_t exception, std::size_t index, const EntityHeader& header);
  void AddLinks(std::uint32_t links);
  void AddLink(std::uint32_t link);
  model::AttributeValue ToValue(std::uint32_t node);
  model::TextRef AddDocument(std::uint32_t object, const Members& members);
  [[nodiscard]] bool IsError(const Members& members);
  [[nodiscard]] bool LastResourceSaysNothing() const;

  NodeReader& reader_;
  const model::Limits& limits_;
  model::SpanBatch& batch_;
  model::DecodeStats& stats_;
  ResourceIndex& resources_;
  std::size_t attributes_count_ = 0;
  std::uint32_t attributes_dropped_ = 0;
  std::uint32_t events_dropped_ = 0;
  std::uint32_t links_dropped_ = 0;
  bool truncated_ = false;
  bool resource_truncated_ = false;
  std::optional<std::int64_t> http_status_;
  std::string scratch_;
};

}  // namespace fluoro::codec::xray
