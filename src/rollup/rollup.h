// Sums of samples by period and series: what a block keeps of its traces' graph, and what the
// graph of a window is made from.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "rollup/accumulators.h"
#include "rollup/counts.h"
#include "rollup/sample.h"

namespace fluoro::rollup {

inline constexpr std::int64_t kMinuteNs = 60'000'000'000;

/// Stored: never renumber.
enum class SeriesKind : std::uint8_t {
  kNode = 0,   ///< one service: key `to`
  kEdge = 1,   ///< calls from a service to a service
  kAlias = 2,  ///< of these, those under another name; only `seen` counts
  kOther = 3,  ///< what had no place any more
};

struct Series {
  SeriesKind kind = SeriesKind::kNode;
  bool client = false;  ///< `from` is the client in front of `to`
  bool link = false;
  KeyId from = 0;
  KeyId to = 0;
  TextId alias = 0;
  bool operator==(const Series&) const = default;
};

/// What a sample adds to its cell.
struct CellSample {
  enum class Kind : std::uint8_t { kNode, kCall, kLink };
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  std::int64_t other_ns = 0;  ///< nodes: with what went on after the answer; links: age
  std::int64_t times = 1;     ///< it is added
  Kind kind = Kind::kNode;
  model::Outcome outcome = model::Outcome::kOk;
  bool in_progress = false;
  bool real = false;
  bool from_real = false;
};

/// Sums of one series in one period. Everything but the extent can be taken away again, so counts
/// may be below zero where another part of the sum holds more.
struct Cell {
  std::int64_t seen = 0;  ///< samples, with those in progress
  std::int64_t ok = 0, error = 0, throttle = 0, fault = 0;
  std::int64_t real = 0;       ///< of a service (`to`) that sent segments of its own
  std::int64_t from_real = 0;  ///< edges: likewise `from`
  std::int64_t response_ns = 0;
  /// First start and last end of all that was ever added; what is taken away leaves it.
  std::int64_t start_ns = INT64_MAX;
  std::int64_t end_ns = INT64_MIN;
  DurationCounts times;  ///< response times; of links nothing
  /// Nodes: with what went on after the answer, null while that is nothing. Links: ages.
  std::unique_ptr<DurationCounts> second;

  void Add(const CellSample& sample);
  void Merge(const Cell& other, SeriesKind kind, std::int64_t times_added = 1);
  [[nodiscard]] bool IsZero() const;
  [[nodiscard]] std::size_t bytes() const;

  // What Add does, in parts.
  /// Whether the sample, which is not in progress, belongs into `second`, null or not.
  [[nodiscard]] static bool NeedsSecond(const CellSample& sample) {
    return sample.kind == CellSample::Kind::kLink ||
           (sample.kind == CellSample::Kind::kNode &&
            sample.other_ns != sample.end_ns - sample.start_ns);
  }
  /// Makes `second`.
  void AddSecond(SeriesKind kind);
  /// Samples that have ended, by outcome.
  void AddEnded(const std::array<std::int64_t, 4>& outcomes, std::int64_t added_real,
                std::int64_t added_from_real);
  void AddResponse(std::int64_t added_ns);
};

struct RollupLimits {
  std::size_t series_per_period_max = 10'000;
  std::size_t cells_max = SIZE_MAX;
};

/// The start of the period in which an instant lies; 0 where one period is all time. Never
/// overflows: at the edges of time the instant itself. Pure.
constexpr std::int64_t PeriodStart(std::int64_t ns, std::int64_t period_ns) {
  if (period_ns == 0) return 0;
  const std::int64_t remainder = ns % period_ns;
  const std::int64_t back = remainder < 0 ? remainder + period_ns : remainder;
  return ns < INT64_MIN + back ? INT64_MIN : ns - back;
}
/// The first start of a period that is not before the instant; INT64_MAX where there is none. Pure.
constexpr std::int64_t PeriodAfter(std::int64_t ns, std::int64_t period_ns) {
  const std::int64_t before = PeriodStart(ns, period_ns);
  if (before == ns) return ns;
  return before > INT64_MAX - period_ns ? INT64_MAX : before + period_ns;
}

/// Instants [from_ns, until_ns).
struct RollupWindow {
  std::int64_t from_ns = INT64_MIN;
  std::int64_t until_ns = INT64_MAX;
  [[nodiscard]] bool Holds(std::int64_t ns) const { return ns >= from_ns && ns < until_ns; }
};

/// Not thread-safe.
class Rollup {
  friend class Accumulators;

 public:
  using Limits = RollupLimits;
  /// `period_ns` 0: one period for all time, which starts at 0.
  explicit Rollup(std::int64_t period_ns, const Limits& limits = {});

  using Window = RollupWindow;
  /// Adds samples whose instant lies in one of the windows; `sign` -1 takes them away, 20 adds each
  /// twenty times. The keys
  /// must outlive the sink. Reused as long as the rollup lives.
  class Sink final : public SampleSink {
   public:
    Sink(Rollup& rollup, const KeyTable& keys) : rollup_(rollup), keys_(keys) {}
    void Add(const NodeSample& sample) override;
    void Add(const EdgeSample& sample) override;
    void AddAll(std::span<const SpanSample> samples) override;
    void set_sign(std::int64_t sign) { sign_ = sign; }
    /// Borrowed; empty: all time.
    void set_windows(std::span<const Window> windows) { windows_ = windows; }
    /// Samples go there first. Borrowed; null: straight into the rollup.
    void set_accumulators(Accumulators* accumulators) { accumulators_ = accumulators; }

   private:
    struct Near;
    [[nodiscard]] bool Wants(const Measured& measured) const;
    void AddWanted(const NodeSample& sample);
    void AddWanted(const EdgeSample& sample);
    KeyId Key(KeyId id);
    TextId Text(TextId id);
    void Follow();
    /// The cell of a series, whose keys and texts are theirs.
    std::uint32_t CellOf(const Series& theirs, std::int64_t ns);
    std::uint32_t NearCellOf(const Series& theirs, std::int64_t ns);
    std::uint32_t AliasCellOf(const Series& theirs, std::int64_t ns);
    void Put(std::uint32_t cell, const CellSample& sample);
    template <bool kIsWanted>
    void AddSpans(std::span<const SpanSample> samples, const Near* near);
    void AddAlias(Series series, TextId alias, std::int64_t ns);

    Rollup& rollup_;
    const KeyTable& keys_;
    std::int64_t sign_ = 1;
    std::span<const Window> windows_;
    std::uint64_t generation_ = 0;
    std::vector<KeyId> key_ids_;    ///< theirs -> ours + 1
    std::vector<TextId> text_ids_;  ///< theirs -> ours + 1
    Accumulators* accumulators_ = nullptr;
    struct Known {
      std::uint64_t keys = 0;  ///< of their series
      std::uint64_t rest = 0;
      std::uint32_t number_plus_one = 0;
      std::uint32_t period = 0;
      std::uint32_t cell_plus_one = 0;  ///< in that period
    };
    static constexpr std::size_t kKnown = 4'096;
    static constexpr std::size_t kKnownTries = 4;
    Known& KnownOf(const Series& theirs);
    /// A period's cells of nodes and edges by the numbers of their keys, as long as these are few:
    /// what is asked for with each sample must stay in the fast caches.
    static constexpr std::size_t kNearKeys = 128;
    struct Near {
      using Cells = std::array<std::uint32_t, kNearKeys>;  ///< cell + 1; 0: not known
      Cells nodes{};
      std::array<std::array<Cells, kNearKeys>, 2> edges{};  ///< by client, from, to
      struct Alias {
        TextId name = 0;
        std::uint32_t cell = 0;  ///< + 1
      };
      std::array<std::array<Alias, kNearKeys>, kNearKeys>
          aliases{};  ///< the last name of each edge
    };
    /// So many samples in a row that lie in no period with a Near, but in one: it gets its own. To
    /// make one takes as long as some hundreds of them.
    static constexpr std::size_t kNearTrial = 1'024;
    struct NearPeriod {
      Window window{.from_ns = 0, .until_ns = 0};
      std::unique_ptr<Near> near;
    };
    void AddEnded(const SpanSample& sample, const DurationBuckets& buckets, const Near* near,
                  Accumulators& accumulators);
    /// Null: the instant's period has none.
    Near* NearAt(std::int64_t ns) {
      return near_ != nullptr && near_->window.Holds(ns) ? near_->near.get() : FindNear(ns);
    }
    Near* FindNear(std::int64_t ns);
    /// Null: also if they do not all lie in one.
    const Near* NearOf(std::int64_t first_ns, std::int64_t last_ns) {
      const Near* const near = NearAt(first_ns);
      return near != nullptr && near_->window.Holds(last_ns) ? near : nullptr;
    }
    static bool IsNear(const Series& theirs) {
      return (theirs.from | theirs.to) < kNearKeys && !theirs.link;
    }
    std::array<NearPeriod, 2> nears_;  ///< traces in order of start end in few periods at a time
    NearPeriod* near_ = nullptr;       ///< the last of them that was asked for
    std::int64_t tried_ns_ = 0;        ///< start of a period without
    std::size_t tries_ = 0;
    std::vector<Known> known_;  ///< by hash; a later one takes the place of an earlier
  };

  [[nodiscard]] std::int64_t period_ns() const { return period_ns_; }
  [[nodiscard]] KeyTable& keys() { return keys_; }
  [[nodiscard]] const KeyTable& keys() const { return keys_; }
  [[nodiscard]] const std::vector<Series>& series() const { return series_; }
  std::uint32_t FindSeries(const Series& series);
  /// The number of another rollup's series in this one.
  std::uint32_t Adopt(const Rollup& other, std::uint32_t series);
  /// The cell of a series in the period that holds `ns`; that of kOther beyond the limits.
  Cell& At(std::int64_t ns, std::uint32_t series);
  /// Adds cells of another, of whose series the periods start in the window.
  void Merge(const Rollup& other, const Window& periods = {}, std::int64_t times = 1);

  struct Row {
    std::int64_t period_ns = 0;  ///< its start
    std::uint32_t series = 0;
    const Cell* cell = nullptr;
  };
  /// Those that are not zero, in order of (period, series).
  [[nodiscard]] std::vector<Row> Rows() const;
  [[nodiscard]] bool empty() const { return cells_.empty(); }
  [[nodiscard]] std::size_t cells() const { return cells_.size(); }
  /// Samples and cells that went to kOther.
  [[nodiscard]] std::uint64_t crowded_out() const { return crowded_out_; }
  /// Of the instants of all samples that were ever added or taken away; first > last: none.
  [[nodiscard]] std::int64_t first_ns() const { return first_ns_; }
  [[nodiscard]] std::int64_t last_ns() const { return last_ns_; }
  void Widen(std::int64_t first_ns, std::int64_t last_ns);
  /// About the memory it holds.
  [[nodiscard]] std::size_t bytes() const;

 private:
  struct SeriesHash {
    std::size_t operator()(const Series& series) const;
  };
  struct Place {
    std::uint32_t period = 0;
    std::uint32_t series = 0;
  };
  struct Period {
    std::int64_t start_ns = 0;
    std::size_t series = 0;
  };
  [[nodiscard]] std::int64_t StartOf(std::int64_t ns) const;
  std::uint32_t PeriodAt(std::int64_t ns);
  Cell* Find(std::uint32_t period, std::uint32_t series, bool may_add);
  void GrowSlots();

  std::int64_t period_ns_;
  Limits limits_;
  KeyTable keys_;
  std::vector<Series> series_;
  std::unordered_map<Series, std::uint32_t, SeriesHash> series_ids_;
  std::vector<Period> periods_;
  std::unordered_map<std::int64_t, std::uint32_t> period_ids_;
  std::uint32_t last_period_ = 0;
  std::vector<Cell> cells_;
  std::vector<Place> places_;         ///< of cells
  std::vector<std::uint32_t> slots_;  ///< cell + 1, by hash of the place; 0: free
  std::uint64_t crowded_out_ = 0;
  std::int64_t first_ns_ = INT64_MAX;
  std::int64_t last_ns_ = INT64_MIN;
};

}  // namespace fluoro::rollup
