// The samples of one trace from the facts of its spans, without making it an object: the same as
// SampleTrace of model::Assemble gives, at a fraction of the work.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "rollup/facts.h"
#include "rollup/sample.h"
#include "rollup/trace_facts.h"

namespace fluoro::rollup {

inline constexpr std::int32_t kNoParent = -1;      ///< none was sent, or the span itself
inline constexpr std::int32_t kAbsentParent = -2;  ///< one was sent that is not in the trace

struct JoinSpan {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  std::int32_t parent = kNoParent;  ///< place of the parent among the trace's spans
  FactsId facts = 0;
};

/// A span link to a span of the same trace.
struct JoinLink {
  std::uint32_t from = 0;           ///< place of the span that has it
  std::int32_t to = kAbsentParent;  ///< place of the span it names
};

/// Reused from trace to trace. Not thread-safe.
class TraceJoin {
 public:
  explicit TraceJoin(FactsTable& table) : table_(table) {}

  enum class Coverage : std::uint8_t {
    kExact,     ///< a trace that needs more is refused
    kAnything,  ///< such a trace is joined all the same, by parents alone
  };
  /// @param spans  of one trace, each once, at most 2^30.
  /// @param links  by `from`, in order.
  /// False: nothing was added, since the trace needs what only model::Assemble does (cycles of
  /// parents, halves of Zipkin that share an id, references that may mean a synthetic segment).
  bool Run(std::span<const JoinSpan> spans, std::span<const JoinLink> links, Coverage coverage,
           SampleSink& sink);

  /// What the trace of the last Run is as a whole. False: it was refused, or joined by parents
  /// alone; or a service in it looks like a client; or its root's status is none that is stored.
  /// @param spans  the same.
  bool Tell(std::span<const JoinSpan> spans, TraceFacts& to) const;

 private:
  // How the last trace was joined.
  enum class Way : std::uint8_t { kNone, kPlain, kNodes };
  // A root that was found, by the order in which model::Assemble looks for one.
  struct RootFound {
    int rank = INT32_MAX;
    std::int64_t start_ns = 0;
    std::size_t place = 0;
  };
  struct Node {
    Measured measured;
    std::int64_t last_end_ns = INT64_MIN;  // of segments
    std::int32_t parent = -1;
    std::int32_t segment = -1;
    FactsId facts = 0;
    bool is_segment = false;
    bool has_callee = false;
    bool linked = false;
  };
  struct Mark {
    std::uint64_t trace = 0;
    bool inferred = true;
    bool client = false;
  };

  void TellPlain(std::span<const JoinSpan> spans, TraceFacts& to) const;
  bool TellNodes(std::size_t spans, TraceFacts& to) const;
  template <class Depth>
  static void Consider(RootFound found, const Depth& depth_of, RootFound& best);
  [[nodiscard]] std::size_t OrderOf(std::size_t node, std::size_t spans) const;

  bool RunPlain(std::span<const JoinSpan> spans, SampleSink& sink);
  void MakeRoom(std::size_t spans);
  bool DescribePlain(std::span<const JoinSpan> spans);
  bool ResolveLater(std::span<const JoinSpan> spans);
  void EndSegments(std::span<const JoinSpan> spans);
  void SampleSegments(std::span<const JoinSpan> spans, SampleSink& sink);
  void SampleCalls(std::span<const JoinSpan> spans, SampleSink& sink);
  SpanSample& NextSample(SampleSink& sink);
  void HandOn(SampleSink& sink);
  [[nodiscard]] bool IsNameOf(TextId name, KeyId key) const {
    return name == table_.keys().At(key).name;
  }

  bool Describe(std::span<const JoinSpan> spans, bool any);
  void AddSynthetic(std::size_t of);
  void EnterServices(std::size_t spans);
  bool FindSegments(bool any);
  Mark& MarkOf(KeyId key) {
    if (key >= marks_.size()) marks_.resize(std::max<std::size_t>(table_.keys().size(), key + 1));
    Mark& mark = marks_[key];
    if (mark.trace != trace_) mark = {.trace = trace_};
    return mark;
  }
  [[nodiscard]] KeyId KeyOf(const Node& segment) const { return table_.At(segment.facts).key; }
  void Count();
  void Infer();
  void FollowLinks(std::span<const JoinLink> links);
  void CallSegments();
  void AddCall(std::int32_t caller, std::int32_t callee, bool link);
  void Emit(SampleSink& sink);

  FactsTable& table_;
  std::uint64_t trace_ = 0;  // number of the trace, for marks
  std::uint64_t generation_ = 0;
  Way way_ = Way::kNone;
  std::vector<Node> nodes_;                  // of the spans, then synthetic segments
  std::vector<std::uint32_t> synthetic_of_;  // of each of the latter, its span
  std::size_t sent_synthetic_ = 0;           // of these, the first: not by entering a service
  std::vector<std::uint32_t> inferred_;      // calls
  std::vector<EdgeSample> edges_;
  std::vector<std::int32_t> walk_;
  std::vector<std::uint8_t> visits_;
  std::vector<Mark> marks_;  // by key
  // Of a trace that needs no synthetic segments, by place of its spans + kInFront: parents that are
  // not in the trace have places, too.
  static constexpr std::int32_t kInFront = 2;
  std::vector<const Facts*> facts_;
  std::vector<TextId> services_;
  std::vector<std::int32_t> segments_;    // in which each span lies
  std::vector<std::int64_t> last_ends_;   // of segments, with what is in them
  std::vector<std::uint8_t> has_callee_;  // a segment is its child
  std::vector<std::uint32_t> entries_;    // spans that are segments
  std::vector<std::uint32_t> calls_;      // others that call out
  std::vector<std::uint32_t> later_;      // whose segments are not found yet
  std::vector<std::uint32_t> left_;       // of these, while they are walked
  std::size_t entries_count_ = 0;
  std::size_t calls_count_ = 0;
  std::size_t later_count_ = 0;
  std::vector<std::uint64_t> sent_by_;  // by key: the last plain trace it sent a segment in
  std::array<SpanSample, 64> samples_;  // not handed on yet
  std::size_t samples_count_ = 0;
};

}  // namespace fluoro::rollup
