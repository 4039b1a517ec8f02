#include "genai/stream.h"

#include <algorithm>
#include <charconv>
#include <span>
#include <string>

#include "genai/reading.h"

namespace fluoro::genai {
namespace {

using model::Span;
using model::SpanBatch;

constexpr std::string_view kChunks = "fluoro.stream.chunks";
constexpr std::string_view kFirst = "fluoro.stream.first_ns";
constexpr std::string_view kLast = "fluoro.stream.last_ns";
constexpr std::string_view kP50 = "fluoro.stream.gap_p50_ns";
constexpr std::string_view kP95 = "fluoro.stream.gap_p95_ns";
constexpr std::string_view kMax = "fluoro.stream.gap_max_ns";
constexpr std::string_view kGaps = "fluoro.stream.gaps";
constexpr std::string_view kStalls = "fluoro.stream.stalls";
constexpr std::string_view kStallTime = "fluoro.stream.stall_ns";
constexpr std::string_view kLongestStalls = "fluoro.stream.longest_stalls";
constexpr std::string_view kReportedEnd = "fluoro.stream.reported_end_ns";

constexpr std::int64_t kAfterEndNs = 3'600'000'000'000;
constexpr std::int64_t kEarlyNs = 50'000'000;
constexpr std::int64_t kStallNs = 500'000'000;
constexpr std::int64_t kStallMedians = 5;

constexpr std::array<std::int64_t, kGapBuckets> kBucketBegins = [] {
  std::array<std::int64_t, kGapBuckets> begins{};
  std::int64_t octave = 64'000;
  for (std::size_t i = 1; i < kGapBuckets; i += 2, octave *= 2) {
    begins[i] = octave;
    if (i + 1 < kGapBuckets) begins[i + 1] = octave * 1'414 / 1'000;
  }
  return begins;
}();

std::size_t BucketOf(std::int64_t gap_ns) {
  const auto above = std::upper_bound(kBucketBegins.begin(), kBucketBegins.end(), gap_ns);
  return static_cast<std::size_t>(above - kBucketBegins.begin()) - 1;
}

/// @param times  absolute, none before `start_ns`; sorted here.
StreamSummary SummaryOf(std::vector<std::int64_t>& times, std::int64_t start_ns) {
  std::sort(times.begin(), times.end());
  StreamSummary summary;
  summary.chunks = static_cast<std::int64_t>(times.size());
  summary.first_ns = times.front() - start_ns;
  summary.last_ns = times.back() - start_ns;
  if (times.size() < 2) return summary;
  std::vector<std::int64_t> gaps;
  gaps.reserve(times.size() - 1);
  for (std::size_t i = 1; i < times.size(); ++i) {
    gaps.push_back(times[i] - times[i - 1]);
    ++summary.gaps[BucketOf(gaps.back())];
  }
  std::vector<std::int64_t> ranked = gaps;
  std::sort(ranked.begin(), ranked.end());
  const auto rank = [&](std::size_t percent) {
    return ranked[(ranked.size() * percent + 99) / 100 - 1];
  };
  summary.gap_p50_ns = rank(50);
  summary.gap_p95_ns = rank(95);
  summary.gap_max_ns = ranked.back();
  const std::int64_t limit = std::max(kStallMedians * summary.gap_p50_ns, kStallNs);
  for (std::size_t i = 0; i < gaps.size(); ++i) {
    if (gaps[i] <= limit) continue;
    ++summary.stalls;
    summary.stall_ns += gaps[i];
    summary.longest_stalls.push_back({.at_ns = times[i] - start_ns, .gap_ns = gaps[i]});
  }
  std::vector<Stall>& stalls = summary.longest_stalls;
  if (stalls.size() > kStallsMax) {
    std::stable_sort(stalls.begin(), stalls.end(),
                     [](const Stall& a, const Stall& b) { return a.gap_ns > b.gap_ns; });
    stalls.resize(kStallsMax);
    std::sort(stalls.begin(), stalls.end(),
              [](const Stall& a, const Stall& b) { return a.at_ns < b.at_ns; });
  }
  return summary;
}

bool IsUsable(std::int64_t time_ns, std::int64_t start_ns, std::int64_t end_ns) {
  return time_ns >= start_ns && (time_ns <= end_ns || time_ns - end_ns <= kAfterEndNs);
}

// ---- As attributes: lists of numbers as text ----

std::string PrintGaps(const StreamSummary& summary) {
  std::string text;
  const auto last = std::find_if(summary.gaps.rbegin(), summary.gaps.rend(),
                                 [](std::uint32_t count) { return count > 0; });
  for (auto it = summary.gaps.begin(); it != last.base(); ++it) {
    if (!text.empty()) text += ',';
    text += std::to_string(*it);
  }
  return text;
}

std::string PrintStalls(const StreamSummary& summary) {
  std::string text;
  for (const Stall& stall : summary.longest_stalls) {
    if (!text.empty()) text += ',';
    text += std::to_string(stall.at_ns) + "+" + std::to_string(stall.gap_ns);
  }
  return text;
}

// False at what is no number, or at the end.
bool TakeNumber(std::string_view& text, std::int64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!text.empty()) text.remove_prefix(1);
  return true;
}

std::int64_t Number(const Span& span, std::string_view key) {
  const model::AttributeValue* value = FindAny(span, key);
  const std::int64_t* number = value == nullptr ? nullptr : value->AsInt();
  return number == nullptr || *number < 0 ? 0 : *number;
}

std::optional<StreamSummary> FromAttributes(const Span& span) {
  StreamSummary summary{.chunks = Number(span, kChunks),
                        .first_ns = Number(span, kFirst),
                        .last_ns = Number(span, kLast),
                        .gap_p50_ns = Number(span, kP50),
                        .gap_p95_ns = Number(span, kP95),
                        .gap_max_ns = Number(span, kMax),
                        .stalls = Number(span, kStalls),
                        .stall_ns = Number(span, kStallTime),
                        .longest_stalls = {}};
  if (summary.chunks == 0) return std::nullopt;
  const std::string gaps = TextAt(span, kGaps);
  std::string_view left = gaps;
  std::int64_t number = 0;
  for (std::size_t i = 0; i < kGapBuckets && TakeNumber(left, number); ++i) {
    summary.gaps[i] = static_cast<std::uint32_t>(number);
  }
  const std::string stalls = TextAt(span, kLongestStalls);
  left = stalls;
  for (Stall stall; summary.longest_stalls.size() < kStallsMax && TakeNumber(left, stall.at_ns) &&
                    TakeNumber(left, stall.gap_ns);) {
    summary.longest_stalls.push_back(stall);
  }
  return summary;
}

void AddSummary(SpanBatch& batch, const StreamSummary& summary) {
  batch.AddInt(kChunks, summary.chunks);
  batch.AddInt(kFirst, summary.first_ns);
  batch.AddInt(kLast, summary.last_ns);
  if (summary.chunks < 2) return;
  batch.AddInt(kP50, summary.gap_p50_ns);
  batch.AddInt(kP95, summary.gap_p95_ns);
  batch.AddInt(kMax, summary.gap_max_ns);
  batch.AddString(kGaps, PrintGaps(summary));
  if (summary.stalls == 0) return;
  batch.AddInt(kStalls, summary.stalls);
  batch.AddInt(kStallTime, summary.stall_ns);
  batch.AddString(kLongestStalls, PrintStalls(summary));
}

bool IsChunk(const SpanBatch& batch, const model::EventRow& event) {
  return IsChunkEvent(batch.Text(event.name));
}

}  // namespace

std::int64_t GapBucketBeginNs(std::size_t bucket) { return kBucketBegins[bucket]; }

bool IsChunkEvent(std::string_view name) {
  return name == "gen_ai.content.completion.chunk" || name == "llm.content.completion.chunk";
}

std::optional<StreamSummary> StreamOf(const Span& span) {
  if (auto kept = FromAttributes(span)) return kept;
  std::vector<std::int64_t> times;
  for (const model::Event& event : span.events) {
    if (IsChunkEvent(event.name) && IsUsable(event.time_ns, span.start_ns, span.end_ns)) {
      times.push_back(event.time_ns);
    }
  }
  if (times.empty()) return std::nullopt;
  return SummaryOf(times, span.start_ns);
}

bool EndsEarly(const Span& span) { return FindAny(span, kReportedEnd) != nullptr; }

Folded FoldChunks(SpanBatch& batch) {
  Folded folded;
  const auto first =
      std::find_if(batch.events.begin(), batch.events.end(),
                   [&](const model::EventRow& event) { return IsChunk(batch, event); });
  if (first == batch.events.end()) return folded;

  std::vector<model::EventRow> kept;
  std::vector<std::int64_t> times;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const model::Range events = batch.span_events[i];
    model::Range& left = batch.span_events[i];
    left.begin = static_cast<std::uint32_t>(kept.size());
    times.clear();
    std::uint64_t chunks = 0;
    for (std::uint32_t at = events.begin; at < events.end; ++at) {
      const model::EventRow event = batch.events[at];
      const bool is_chunk = IsChunk(batch, event);
      if (is_chunk && IsUsable(event.time_ns, batch.start_ns[i], batch.end_ns[i])) {
        times.push_back(event.time_ns);
      }
      if (is_chunk && event.attributes.size() == 0) {
        ++chunks;
      } else {
        kept.push_back(event);
      }
    }
    left.end = static_cast<std::uint32_t>(kept.size());
    folded.chunks += chunks;
    if (times.empty()) continue;
    ++folded.spans;
    // Attributes of a span stand together: they go behind all others, with the new ones.
    const model::Range own = batch.span_attributes[i];
    const std::uint32_t begin = batch.AttributesEnd();
    for (std::uint32_t at = own.begin; at < own.end; ++at) {
      const model::AttributeCell cell = batch.attributes[at];
      batch.attributes.push_back(cell);
    }
    const StreamSummary summary = SummaryOf(times, batch.start_ns[i]);
    AddSummary(batch, summary);
    const bool ended = (batch.flags[i] & model::SpanFlag::kInProgress) == 0;
    if (ended && times.back() - batch.end_ns[i] > kEarlyNs) {
      batch.AddInt(kReportedEnd, batch.end_ns[i]);
      batch.end_ns[i] = times.back();
    }
    batch.span_attributes[i] = {.begin = begin, .end = batch.AttributesEnd()};
  }
  batch.events = std::move(kept);
  return folded;
}

}  // namespace fluoro::genai
