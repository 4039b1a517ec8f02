// What one trace adds to the service graph: samples of nodes and of edges, each at one instant.
//
// Everything the graph and the time series say is a sum over samples, so that they may be added up
// in any order and kept by minute.
#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/assembly.h"
#include "model/entity.h"

namespace fluoro::rollup {

using TextId = std::uint32_t;
using KeyId = std::uint32_t;

/// Numbers texts and service keys in order of appearance. Text 0 is "". Not thread-safe.
class KeyTable {
 public:
  /// A model::ServiceKey in numbers.
  struct Key {
    TextId name = 0;
    TextId type = 0;
    TextId account = 0;
    bool operator==(const Key&) const = default;
  };

  static constexpr std::string_view kClientType = "client";

  KeyTable();
  TextId Text(std::string_view text);
  KeyId Find(const model::ServiceKey& key);
  KeyId Find(const Key& key);
  /// The key of clients in front of a service.
  KeyId Client(KeyId service);
  /// Whether it is such a key, or looks like one.
  [[nodiscard]] bool IsClient(KeyId id) const { return TextAt(At(id).type) == kClientType; }

  [[nodiscard]] const std::string& TextAt(TextId id) const { return *texts_[id]; }
  [[nodiscard]] const Key& At(KeyId id) const { return keys_[id]; }
  [[nodiscard]] model::ServiceKey KeyAt(KeyId id) const;
  [[nodiscard]] std::size_t size() const { return keys_.size(); }
  [[nodiscard]] std::size_t texts() const { return texts_.size(); }
  void Clear();
  /// Grows with each Clear: ids of another generation mean nothing.
  [[nodiscard]] std::uint64_t generation() const { return generation_; }

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const;
  };
  std::unordered_map<std::string, TextId, TextHash, std::equal_to<>> text_ids_;
  std::vector<const std::string*> texts_;  ///< keys of text_ids_
  std::unordered_map<Key, KeyId, KeyHash> key_ids_;
  std::vector<Key> keys_;
  std::uint64_t generation_ = 0;
};

/// Whose time and outcome a sample has.
struct Measured {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;  ///< = start_ns while in progress
  model::Outcome outcome = model::Outcome::kOk;
  bool in_progress = false;  ///< shown, but not counted
  /// Where it lies: the end, or the start if it is in progress.
  [[nodiscard]] std::int64_t instant_ns() const { return in_progress ? start_ns : end_ns; }
  [[nodiscard]] std::int64_t duration_ns() const { return end_ns - start_ns; }
};

/// One segment, sent or inferred: the callee's view of a request.
struct NodeSample {
  KeyId key = 0;
  bool inferred = false;  ///< the service sent no segment in this trace
  Measured measured;
  std::int64_t last_end_ns = INT64_MIN;  ///< of the subsegments in it: work after the answer
  [[nodiscard]] std::int64_t total_ns() const {
    return (last_end_ns > measured.end_ns ? last_end_ns : measured.end_ns) - measured.start_ns;
  }
};

/// One call: the caller's view, or the receiver's where nobody waited.
struct EdgeSample {
  KeyId from = 0;
  KeyId to = 0;
  bool from_client = false;  ///< `from` is the client in front of `to`
  bool link = false;         ///< asynchronous: the response time says nothing
  bool from_inferred = false;
  bool to_inferred = false;
  Measured measured;
  std::int64_t age_ns = 0;  ///< link only: of the message on receipt
  TextId alias = 0;         ///< another name under which the caller knows the callee; 0: none
};

/// What one span of a trace adds: a segment, a call of one, or both, if they have one time and one
/// outcome.
struct SpanSample {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;    ///< as Measured has it
  std::int64_t other_ns = 0;  ///< segments: NodeSample::total_ns; links: age
  KeyId to = 0;               ///< whose segment it is, or who is called
  KeyId from = 0;             ///< edges, as the rest of these
  TextId alias = 0;
  bool from_client = false;
  bool link = false;  ///< then it is no segment
  bool is_edge = false;
  bool is_node = false;
  bool inferred = false;  ///< `to` sent no segment in this trace
  bool in_progress = false;
  model::Outcome outcome = model::Outcome::kOk;

  [[nodiscard]] Measured measured() const {
    return {.start_ns = start_ns, .end_ns = end_ns, .outcome = outcome, .in_progress = in_progress};
  }
  [[nodiscard]] NodeSample node() const {
    return {.key = to,
            .inferred = inferred,
            .measured = measured(),
            .last_end_ns = start_ns + other_ns};
  }
  [[nodiscard]] EdgeSample edge() const {
    return {.from = from,
            .to = to,
            .from_client = from_client,
            .link = link,
            .to_inferred = inferred,
            .measured = measured(),
            .age_ns = link ? other_ns : 0,
            .alias = alias};
  }
};

class SampleSink {
 public:
  virtual ~SampleSink() = default;
  virtual void Add(const NodeSample& sample) = 0;
  virtual void Add(const EdgeSample& sample) = 0;
  /// The same of each.
  virtual void AddAll(std::span<const SpanSample> samples) {
    for (const SpanSample& sample : samples) {
      if (sample.is_node) Add(sample.node());
      if (sample.is_edge) Add(sample.edge());
    }
  }
};

/// The samples of one assembled trace; their keys are numbered in `keys`. Pure.
void SampleTrace(const model::AssembledTrace& trace, KeyTable& keys, SampleSink& sink);

}  // namespace fluoro::rollup
