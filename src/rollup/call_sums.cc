#include "rollup/call_sums.h"

#include <algorithm>
#include <array>
#include <tuple>

namespace fluoro::rollup {
namespace {

std::int64_t Plus(std::int64_t sum, std::int64_t value, std::int64_t times) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(sum) +
                                   static_cast<std::uint64_t>(value) *
                                       static_cast<std::uint64_t>(times));
}

constexpr std::array kSums = {&CallCell::calls,
                              &CallCell::failed,
                              &CallCell::throttled,
                              &CallCell::timeouts,
                              &CallCell::retries,
                              &CallCell::prompt_tokens,
                              &CallCell::completion_tokens,
                              &CallCell::cached_tokens,
                              &CallCell::cache_write_tokens,
                              &CallCell::reasoning_tokens,
                              &CallCell::cost_nano_usd,
                              &CallCell::duration_ns,
                              &CallCell::cache_write_1h_tokens,
                              &CallCell::engine_ns,
                              &CallCell::milli_units,
                              &CallCell::streamed,
                              &CallCell::first_token_ns};

std::size_t Mix(std::size_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
  return hash ^ (hash >> 29);
}

}  // namespace

void CallCell::Add(const genai::Call& call, std::int64_t times_added) {
  const auto add = [times_added](std::int64_t& sum, std::int64_t value) {
    sum = Plus(sum, value, times_added);
  };
  const std::int64_t duration = std::max<std::int64_t>(0, Plus(call.end_ns, call.start_ns, -1));
  add(calls, 1);
  add(failed, call.failed ? 1 : 0);
  add(throttled, call.throttled ? 1 : 0);
  add(timeouts, call.timeout ? 1 : 0);
  add(retries, call.retries);
  add(prompt_tokens, call.prompt_tokens);
  add(completion_tokens, call.completion_tokens);
  add(cached_tokens, call.cached_tokens);
  add(cache_write_tokens, call.cache_write_tokens);
  add(reasoning_tokens, call.reasoning_tokens);
  add(cost_nano_usd, call.cost_nano_usd.value_or(0));
  add(duration_ns, duration);
  times.Add(duration, times_added);
  add(cache_write_1h_tokens, call.cache_write_1h_tokens);
  add(engine_ns, call.engine_ns);
  add(milli_units, call.milli_units);
  if (!call.first_token_ns) return;
  const std::int64_t first = std::max<std::int64_t>(0, *call.first_token_ns);
  add(streamed, 1);
  add(first_token_ns, first);
  first_tokens.Add(first, times_added);
}

void CallCell::Merge(const CallCell& other, std::int64_t times_added) {
  for (const auto sum : kSums) this->*sum = Plus(this->*sum, other.*sum, times_added);
  times.Merge(other.times, times_added);
  first_tokens.Merge(other.first_tokens, times_added);
}

bool CallCell::IsZero() const {
  return std::ranges::all_of(kSums, [this](const auto sum) { return this->*sum == 0; }) &&
         times.IsZero() && first_tokens.IsZero();
}

CallSums::CallSums(std::int64_t period_ns, std::uint16_t dimensions, const Limits& limits)
    : period_ns_(period_ns), dimensions_(dimensions), limits_(limits) {}

std::size_t CallSums::SeriesHash::operator()(const CallSeries& series) const {
  std::size_t hash = Mix(
      static_cast<std::size_t>(series.prompt_class) << 8U | static_cast<std::size_t>(series.bill),
      series.kind);
  for (const TextId text : series.texts) hash = Mix(hash, text);
  return hash;
}

std::size_t CallSums::PlaceHash::operator()(const Place& place) const {
  return Mix(Mix(0, place.series), static_cast<std::uint64_t>(place.period_ns));
}

TextId CallSums::Text(std::string_view text) {
  if (const auto at = text_ids_.find(text); at != text_ids_.end()) return at->second;
  const auto id = static_cast<TextId>(texts_.size());
  text_ids_.emplace(text, id);
  texts_.emplace_back(text);
  return id;
}

CallBill BillOf(const genai::Call& call) {
  if (call.cost_nano_usd) return CallBill::kStated;
  switch (call.no_bill) {
    case genai::NoBill::kNone:
      return CallBill::kByPrice;
    case genai::NoBill::kLocalCacheHit:
    case genai::NoBill::kThrottled:
    case genai::NoBill::kNotConnected:
      return CallBill::kFree;
    case genai::NoBill::kNoUsage:
      return CallBill::kNoUsage;
    case genai::NoBill::kUsageMissing:
      return CallBill::kUsageMissing;
    case genai::NoBill::kPossiblyBilled:
      return CallBill::kPossiblyBilled;
  }
  return CallBill::kByPrice;
}

CallSeries Reduced(CallSeries series, std::uint16_t dimensions) {
  if (series.kind == CallSeries::kOther) return {.kind = CallSeries::kOther};
  // Requests are no calls, and never summed with them.
  if ((dimensions & kByKind) == 0 && series.kind != CallSeries::kRequest)
    series.kind = CallSeries::kNoKind;
  if ((dimensions & kByPrice) == 0) series.prompt_class = 0;
  for (std::size_t i = 0; i < kCallTexts.size(); ++i) {
    if ((dimensions & kCallTexts[i].dimension) == 0) series.texts[i] = 0;
  }
  return series;
}

std::uint32_t CallSums::FindSeries(const CallSeries& series) {
  CallSeries reduced = Reduced(series, dimensions_);
  const bool no_room = std::ranges::find(reduced.texts, kNoRoom) != reduced.texts.end();
  if (no_room || (series_.size() >= limits_.series_max && !series_ids_.contains(reduced))) {
    if (reduced.kind != CallSeries::kOther) ++crowded_out_;
    reduced = {.kind = CallSeries::kOther};
  }
  const auto [at, is_new] =
      series_ids_.try_emplace(reduced, static_cast<std::uint32_t>(series_.size()));
  if (is_new) series_.push_back(reduced);
  return at->second;
}

// Once there are as many series as there may be, no texts are learnt either.
TextId CallSums::TextIfRoom(CallDimension dimension, std::string_view text) {
  if ((dimensions_ & dimension) == 0) return 0;
  if (series_.size() < limits_.series_max) return Text(text);
  const auto at = text_ids_.find(text);
  return at == text_ids_.end() ? kNoRoom : at->second;
}

template <class GetText>
std::uint32_t CallSums::FindSeries(CallSeries series, const GetText& get_text) {
  for (std::size_t i = 0; i < kCallTexts.size(); ++i)
    series.texts[i] = TextIfRoom(kCallTexts[i].dimension, get_text(i));
  return FindSeries(series);
}

std::uint32_t CallSums::Adopt(const CallSums& other, std::uint32_t series) {
  const CallSeries& theirs = other.series_[series];
  return FindSeries(theirs,
                    [&](std::size_t i) { return std::string_view(other.TextAt(theirs.texts[i])); });
}

CallCell& CallSums::At(std::int64_t ns, std::uint32_t series) {
  const std::int64_t period = PeriodStart(ns, period_ns_);
  if (const auto at = cells_.find({period, series}); at != cells_.end()) return at->second;
  std::size_t& in_period = series_in_[period];
  if (series_[series].kind == CallSeries::kOther) return cells_[{period, series}];
  if (in_period >= limits_.series_per_period_max || cells_.size() >= limits_.cells_max) {
    ++crowded_out_;
    return cells_[{period, FindSeries({.kind = CallSeries::kOther})}];
  }
  ++in_period;
  return cells_[{period, series}];
}

void CallSums::Add(const genai::Call& call, std::int64_t times) {
  const std::uint32_t series = FindSeries(
      {.kind = call.is_request ? CallSeries::kRequest : static_cast<std::uint8_t>(call.kind),
       .bill = BillOf(call),
       .prompt_class = genai::PromptClassOf(call.prompt_tokens)},
      [&](std::size_t i) { return call.*kCallTexts[i].of; });
  Widen(call.end_ns, call.end_ns);
  At(call.end_ns, series).Add(call, times);
}

void CallSums::Merge(const CallSums& other, std::uint32_t series, std::int64_t ns,
                     const CallCell& cell, std::int64_t times) {
  At(ns, Adopt(other, series)).Merge(cell, times);
}

void CallSums::Merge(const CallSums& other, std::int64_t times) {
  for (const Row& row : other.Rows()) Merge(other, row.series, row.period_ns, *row.cell, times);
  crowded_out_ += other.crowded_out_;
  Widen(other.first_ns_, other.last_ns_);
}

void CallSums::MergeFrom(CallSums&& other) {
  std::vector<std::uint32_t> numbers(other.series_.size(), UINT32_MAX);
  for (auto& [place, cell] : other.cells_) {
    if (cell.IsZero()) continue;
    std::uint32_t& number = numbers[place.series];
    if (number == UINT32_MAX) number = Adopt(other, place.series);
    CallCell& to = At(place.period_ns, number);
    if (to.IsZero()) {
      to = std::move(cell);
    } else {
      to.Merge(cell);
    }
  }
  crowded_out_ += other.crowded_out_;
  Widen(other.first_ns_, other.last_ns_);
}

void CallSums::Widen(std::int64_t first_ns, std::int64_t last_ns) {
  first_ns_ = std::min(first_ns_, first_ns);
  last_ns_ = std::max(last_ns_, last_ns);
}

std::vector<CallSums::Row> CallSums::Rows() const {
  std::vector<Row> rows;
  for (const auto& [place, cell] : cells_) {
    if (!cell.IsZero())
      rows.push_back({.period_ns = place.period_ns, .series = place.series, .cell = &cell});
  }
  std::ranges::sort(rows, [](const Row& a, const Row& b) {
    return std::tie(a.period_ns, a.series) < std::tie(b.period_ns, b.series);
  });
  return rows;
}

std::size_t CallSums::bytes() const {
  constexpr std::size_t kNodeBytes = 32;
  std::size_t bytes = series_.size() * (2 * sizeof(CallSeries) + kNodeBytes);
  for (const std::string& text : texts_) bytes += 2 * (sizeof(std::string) + text.size());
  for (const auto& [place, cell] : cells_)
    bytes += sizeof(place) + sizeof(cell) + cell.times.bytes() + kNodeBytes;
  return bytes;
}

}  // namespace fluoro::rollup
