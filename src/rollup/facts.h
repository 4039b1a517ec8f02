// What the service graph needs to know of one span, by itself: which document it becomes, under
// which service, whom it calls, how it ended.
//
// The rules are model::DescribeSpan's and model::InferSegment's. They look at few facts of a span,
// and spans repeat them: a description (those facts as bytes) is judged once and remembered.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/entity.h"
#include "model/span_batch.h"
#include "model/span_flags.h"
#include "rollup/sample.h"

namespace fluoro::rollup {

using FactsId = std::uint32_t;

struct Facts {
  static constexpr std::int32_t kNoStatus = -1;
  static constexpr std::int32_t kOtherStatus = -2;  ///< one outside 0 to model::kSummaryStatusMax

  KeyId key = 0;                    ///< of its segment: its own, or the synthetic one that holds it
  KeyId client = 0;                 ///< of the client in front of that segment
  KeyId callee = 0;                 ///< of the segment inferred for it (calls_out)
  TextId name = 0;                  ///< if remote
  TextId service = 0;               ///< service.name; 0: none
  TextId enters = 0;                ///< the service, if its parent may show that it is entered
  FactsId entered = 0;              ///< the facts if its parent belongs to another service
  std::int32_t status = kNoStatus;  ///< of HTTP
  model::Outcome outcome = model::Outcome::kOk;
  model::SpanKind kind = model::SpanKind::kUnspecified;
  bool fault = false;  ///< outcome says which of these three counts
  bool error = false;
  bool throttle = false;
  bool segment = false;        ///< else a subsegment
  bool two_documents = false;  ///< a subsegment in a synthetic segment of its own
  bool calls_out = false;
  bool remote = false;  ///< namespace "remote"
  bool sent_inferred = false;
  bool in_progress = false;
  bool xray = false;
  bool shares_id = false;  ///< Zipkin: may be one half of a call whose halves share an id
  /// TraceJoin's short way is enough. Else: it shares its id or has two documents; or whether its
  /// services sent segments, or are clients, takes a look at the whole trace.
  bool plain = false;
};

/// One span's facts as bytes. Reused from span to span.
class Description {
 public:
  /// Those that facts are read from.
  static constexpr std::uint32_t kFlags =
      model::SpanFlag::kFault | model::SpanFlag::kError | model::SpanFlag::kThrottle |
      model::SpanFlag::kInProgress | model::SpanFlag::kSubsegment | model::SpanFlag::kSentInferred;
  static constexpr std::uint32_t kOtelFlags = 0x300;  ///< the parent is known to be remote, and is

  struct Head {
    model::SpanKind kind = model::SpanKind::kUnspecified;
    model::StatusCode status = model::StatusCode::kUnset;
    model::SpanSource source = model::SpanSource::kOtlp;
    bool has_parent = false;
    std::uint32_t flags = 0;
    std::uint32_t otel_flags = 0;
    std::uint32_t resource = 0;  ///< FactsTable::Resource

    /// Equal for heads that mean the same.
    [[nodiscard]] constexpr std::uint64_t Packed() const {
      return std::uint64_t{resource} << 32 | std::uint64_t{flags & kFlags} << 16 |
             std::uint64_t{static_cast<std::uint8_t>(kind) & 15U} << 12 |
             std::uint64_t{static_cast<std::uint8_t>(status) & 7U} << 9 |
             std::uint64_t{static_cast<std::uint8_t>(source) & 15U} << 5 |
             ((otel_flags & kOtelFlags) == kOtelFlags ? 1U << 1 : 0U) | (has_parent ? 1U : 0U);
    }
  };
  void Begin(const Head& head) { Begin(head.Packed()); }
  void Begin(std::uint64_t packed_head);
  void BeginResource() { used_ = 0; }
  /// @param key  number of a key that KeyOf or ResourceKeyOf gave. In order of the attributes.
  void AddText(std::uint8_t key, model::AttributeType type, std::string_view text);
  void AddBits(std::uint8_t key, model::AttributeType type, std::uint64_t bits);
  [[nodiscard]] std::string_view bytes() const { return {room_.data(), used_}; }

  /// Number of a span attribute's key, if facts are read from it.
  static std::optional<std::uint8_t> KeyOf(std::string_view key);
  static std::optional<std::uint8_t> ResourceKeyOf(std::string_view key);

 private:
  // For so many bytes more.
  char* Take(std::size_t bytes) {
    if (room_.size() - used_ < bytes) room_.resize(2 * (used_ + bytes));
    char* const taken = room_.data() + used_;
    used_ += bytes;
    return taken;
  }
  std::string room_ = std::string(256, '\0');
  std::size_t used_ = 0;
};

/// Remembers what descriptions mean. Not thread-safe.
class FactsTable {
 public:
  /// Beyond so many descriptions, or numbered bytes, IsFull.
  static constexpr std::size_t kDescriptionsMax = 32'768;
  static constexpr std::size_t kNumbersMax = 131'072;
  static constexpr std::size_t kNumberedBytesMax = std::size_t{16} << 20;

  /// The number of a resource, by those of its attributes that facts are read from.
  std::uint32_t Resource(const Description& description);

  struct Found {
    std::uint32_t id = 0;  ///< FactsId; if by_name: of the description
    bool by_name = false;  ///< the span's name matters: ask FindNamed
  };
  Found Find(const Description& description);
  FactsId FindNamed(std::uint32_t description, std::string_view name);
  /// A number for bytes that are compared again and again: equal for equal ones until Clear.
  std::uint32_t Number(std::string_view bytes);

  [[nodiscard]] const Facts& At(FactsId id) const { return facts_[id]; }
  [[nodiscard]] const KeyTable& keys() const { return keys_; }
  [[nodiscard]] KeyTable& keys() { return keys_; }
  [[nodiscard]] bool IsFull() const {
    return descriptions_count_ >= kDescriptionsMax || numbers_.size() >= kNumbersMax ||
           numbers_.bytes() >= kNumberedBytesMax;
  }
  /// Forgets everything: no number given before means anything. keys().generation() tells.
  void Clear();

 private:
  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t offset = 0;
    std::uint32_t bytes = 0;
    std::uint32_t id = 0;
    bool by_name = false;
    bool used = false;
  };
  /// Descriptions (and names, and resources) by their bytes.
  class Index {
   public:
    /// The slot of these bytes; `used` is false if they are new, then fill it and call Filled.
    Slot& Find(std::string_view bytes);
    void Filled(Slot& slot, std::string_view bytes);
    void Clear();
    [[nodiscard]] std::string_view BytesOf(const Slot& slot) const {
      return std::string_view(bytes_).substr(slot.offset, slot.bytes);
    }
    [[nodiscard]] std::size_t size() const { return used_; }
    [[nodiscard]] std::size_t bytes() const { return bytes_.size(); }

   private:
    void Grow();
    std::vector<Slot> slots_;
    std::size_t used_ = 0;
    std::string bytes_;
  };
  FactsId Add(const model::Span& span);
  Facts Judge(const model::Span& span, bool enters);
  [[nodiscard]] model::Span SpanOf(std::string_view description, std::string_view name) const;

  KeyTable keys_;
  std::vector<Facts> facts_;
  Index resources_;
  std::vector<std::shared_ptr<const model::Resource>> resource_objects_;
  Index descriptions_;
  std::vector<std::string> named_;  ///< descriptions whose spans' names matter
  Index names_;
  Index numbers_;
  std::size_t descriptions_count_ = 0;
};

/// Describes rows of batches. Not thread-safe.
class BatchDescriber {
 public:
  explicit BatchDescriber(FactsTable& table) : table_(table) {}
  /// Facts of one row. The batch must live until Forget.
  FactsId Describe(const model::SpanBatch& batch, std::uint32_t row);
  void Forget();

 private:
  /// What is known of one batch.
  struct Known {
    std::vector<std::uint8_t> keys;        ///< by key: number + 1; 0: of no interest
    std::vector<std::uint32_t> resources;  ///< by resource
  };
  void Enter(const model::SpanBatch& batch);
  std::uint32_t ResourceOf(std::uint32_t resource);

  static constexpr std::uint32_t kUnknown = UINT32_MAX;
  FactsTable& table_;
  std::unordered_map<const model::SpanBatch*, Known> known_;
  const model::SpanBatch* batch_ = nullptr;  ///< the last one
  Known* last_ = nullptr;
  std::uint64_t generation_ = 0;
  Description description_;
};

}  // namespace fluoro::rollup
