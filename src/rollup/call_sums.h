// Sums of the calls of models and tools by period and series: what a block keeps of its traces'
// calls, and what answers over a window are made from.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "genai/calls.h"
#include "rollup/counts.h"
#include "rollup/rollup.h"

namespace fluoro::rollup {

/// By what calls are told apart. Stored: never renumber.
enum CallDimension : std::uint16_t {
  kByKind = 1U << 0,
  kByProvider = 1U << 1,
  kByModel = 1U << 2,
  kByTool = 1U << 3,
  kByTenant = 1U << 4,
  kByRoute = 1U << 5,
  kByAgent = 1U << 6,
  kByExperiment = 1U << 7,
  kByArm = 1U << 8,
  kByPrompt = 1U << 9,
  /// What besides the model decides the price: service tier and size of the prompt.
  kByPrice = 1U << 10,
};
inline constexpr std::uint16_t kByAllDimensions = 0x7ff;

/// What prices need.
inline constexpr std::uint16_t kByPriced = kByKind | kByProvider | kByModel | kByTool | kByPrice;
/// Sums over all dimensions have nearly as many series as there are calls; these have few, and
/// answer nearly all questions: merged blocks keep them by hour. Stored: never renumber.
inline constexpr auto kCallFacets = std::to_array<std::uint16_t>(
    {kByPriced, kByPriced | kByTenant, kByPriced | kByRoute, kByPriced | kByAgent,
     kByPriced | kByExperiment | kByArm, kByPriced | kByPrompt});
inline constexpr std::int64_t kHourNs = 60 * kMinuteNs;
/// The first that tells these dimensions apart.
constexpr std::optional<std::uint8_t> FacetOf(std::uint16_t dimensions) {
  for (std::uint8_t facet = 0; facet < kCallFacets.size(); ++facet) {
    if ((dimensions & ~kCallFacets[facet]) == 0) return facet;
  }
  return std::nullopt;
}

struct CallText {
  std::string_view genai::Call::* of;
  CallDimension dimension;
};
/// The texts of a series, in the order in which they are stored.
inline constexpr auto kCallTexts = std::to_array<CallText>({
    {&genai::Call::provider, kByProvider},
    {&genai::Call::model, kByModel},
    {&genai::Call::tool, kByTool},
    {&genai::Call::tenant, kByTenant},
    {&genai::Call::route, kByRoute},
    {&genai::Call::agent, kByAgent},
    {&genai::Call::experiment, kByExperiment},
    {&genai::Call::experiment_arm, kByArm},
    {&genai::Call::prompt, kByPrompt},
    {&genai::Call::service_tier, kByPrice},
    {&genai::Call::asked_model, kByPrice},
});

/// What is known of what calls cost; whoever reads the sums prices those that do not state it.
/// Stored: never renumber.
enum class CallBill : std::uint8_t {
  kByPrice,         ///< by their tokens
  kStated,          ///< they state it: CallCell::cost_nano_usd
  kFree,            ///< refused, or never reached the provider
  kNoUsage,         ///< state no usage: are not paid by tokens, or failed before the first
  kUsageMissing,    ///< succeeded and should state usage
  kPossiblyBilled,  ///< failed after the first token
};
inline constexpr std::uint8_t kCallBills = 6;
CallBill BillOf(const genai::Call& call);

struct CallSeries {
  /// genai::StepKind; kRequest: whole requests with calls; kNoKind where kinds are not told apart;
  /// kOther: what had no place any more.
  std::uint8_t kind = kNoKind;
  CallBill bill = CallBill::kByPrice;
  std::uint8_t prompt_class = 0;  ///< genai::PromptClassOf
  std::array<TextId, kCallTexts.size()> texts{};
  static constexpr std::uint8_t kRequest = 253;
  static constexpr std::uint8_t kNoKind = 254;
  static constexpr std::uint8_t kOther = 255;
  /// That of its one dimension.
  [[nodiscard]] TextId Text(CallDimension dimension) const {
    const auto* const at = std::ranges::find(kCallTexts, dimension, &CallText::dimension);
    return texts[static_cast<std::size_t>(at - kCallTexts.begin())];
  }
  [[nodiscard]] TextId service_tier() const { return texts[9]; }
  [[nodiscard]] TextId asked_model() const { return texts[10]; }
  bool operator==(const CallSeries&) const = default;
};
/// Without the dimensions that are left out. Pure.
CallSeries Reduced(CallSeries series, std::uint16_t dimensions);

/// Sums of one series in one period. All can be taken away again: they may be below zero where
/// another part of the sum holds more.
struct CallCell {
  std::int64_t calls = 0;
  std::int64_t failed = 0;  ///< with those throttled and timed out
  std::int64_t throttled = 0;
  std::int64_t timeouts = 0;
  std::int64_t retries = 0;
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  std::int64_t cached_tokens = 0;
  std::int64_t cache_write_tokens = 0;
  std::int64_t reasoning_tokens = 0;
  std::int64_t cost_nano_usd = 0;
  std::int64_t duration_ns = 0;
  std::int64_t cache_write_1h_tokens = 0;
  std::int64_t engine_ns = 0;
  std::int64_t milli_units = 0;
  std::int64_t streamed = 0;  ///< calls that state their first token
  std::int64_t first_token_ns = 0;
  DurationCounts times = DurationCounts::BucketsOnly();
  DurationCounts first_tokens = DurationCounts::BucketsOnly();  ///< times to them

  void Add(const genai::Call& call, std::int64_t times_added);
  void Merge(const CallCell& other, std::int64_t times_added = 1);
  [[nodiscard]] bool IsZero() const;
};

/// Whole numbers: equal in whatever order they were summed; sums wrap at 2^64. Not thread-safe.
class CallSums {
 public:
  struct Limits {
    std::size_t series_per_period_max = 10'000;
    std::size_t cells_max = SIZE_MAX;
    std::size_t series_max = 100'000;  ///< over all periods
  };
  /// `period_ns` 0: one period for all time, which starts at 0. Dimensions left out of
  /// `dimensions` are summed over.
  explicit CallSums(std::int64_t period_ns, std::uint16_t dimensions = kByAllDimensions)
      : CallSums(period_ns, dimensions, Limits()) {}
  CallSums(std::int64_t period_ns, std::uint16_t dimensions, const Limits& limits);

  /// The call lies in the period in which it ended. `times` -1 takes it away.
  void Add(const genai::Call& call, std::int64_t times = 1);
  void Merge(const CallSums& other, std::int64_t times = 1);
  /// As Merge, at the price of moving where this has nothing yet.
  void MergeFrom(CallSums&& other);
  /// Adds a cell of a series of another.
  void Merge(const CallSums& other, std::uint32_t series, std::int64_t ns, const CallCell& cell,
             std::int64_t times = 1);

  [[nodiscard]] std::int64_t period_ns() const { return period_ns_; }
  [[nodiscard]] const std::vector<CallSeries>& series() const { return series_; }
  [[nodiscard]] const std::string& TextAt(TextId id) const { return texts_[id]; }
  [[nodiscard]] std::size_t texts() const { return texts_.size(); }
  TextId Text(std::string_view text);
  /// The series of these dimensions.
  std::uint32_t FindSeries(const CallSeries& series);
  /// The number of another's series in this one.
  std::uint32_t Adopt(const CallSums& other, std::uint32_t series);
  /// That of kOther beyond the limits.
  CallCell& At(std::int64_t ns, std::uint32_t series);

  struct Row {
    std::int64_t period_ns = 0;  ///< its start
    std::uint32_t series = 0;
    const CallCell* cell = nullptr;
  };
  /// Those that are not zero, in order of (period, series).
  [[nodiscard]] std::vector<Row> Rows() const;
  [[nodiscard]] bool empty() const { return cells_.empty(); }
  /// Calls and cells that went to kOther.
  [[nodiscard]] std::uint64_t crowded_out() const { return crowded_out_; }
  /// Of the ends of all calls ever added or taken away; first > last: none.
  [[nodiscard]] std::int64_t first_ns() const { return first_ns_; }
  [[nodiscard]] std::int64_t last_ns() const { return last_ns_; }
  void Widen(std::int64_t first_ns, std::int64_t last_ns);
  /// About the memory it holds.
  [[nodiscard]] std::size_t bytes() const;

 private:
  struct SeriesHash {
    std::size_t operator()(const CallSeries& series) const;
  };
  struct Place {
    std::int64_t period_ns = 0;
    std::uint32_t series = 0;
    bool operator==(const Place&) const = default;
  };
  struct PlaceHash {
    std::size_t operator()(const Place& place) const;
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  static constexpr TextId kNoRoom = UINT32_MAX;
  TextId TextIfRoom(CallDimension dimension, std::string_view text);
  template <class GetText>
  std::uint32_t FindSeries(CallSeries series, const GetText& get_text);

  std::int64_t period_ns_;
  std::uint16_t dimensions_;
  Limits limits_;
  std::vector<std::string> texts_ = {""};
  std::unordered_map<std::string, TextId, TextHash, std::equal_to<>> text_ids_ = {{"", 0}};
  std::vector<CallSeries> series_;
  std::unordered_map<CallSeries, std::uint32_t, SeriesHash> series_ids_;
  std::unordered_map<Place, CallCell, PlaceHash> cells_;
  std::unordered_map<std::int64_t, std::size_t> series_in_;  ///< by period
  std::uint64_t crowded_out_ = 0;
  std::int64_t first_ns_ = INT64_MAX;
  std::int64_t last_ns_ = INT64_MIN;
};

}  // namespace fluoro::rollup
