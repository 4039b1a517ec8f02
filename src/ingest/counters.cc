#include "ingest/counters.h"

namespace fluoro::ingest {
namespace {

constexpr const char* kDroppedHelp = "Parts of accepted spans beyond the limits, left out";

void AddIfAny(Counter& counter, std::uint64_t count) {
  if (count > 0) counter.Add(static_cast<double>(count));
}

}  // namespace

ProtocolCounters::ProtocolCounters(Metrics& metrics, const std::string& protocol)
    : metrics_(metrics),
      protocol_(protocol),
      spans_(metrics.GetCounter("fluoro_ingest_spans_total", "Spans stored",
                                {{"protocol", protocol}})),
      truncated_(metrics.GetCounter("fluoro_ingest_truncated_values_total",
                                    "Values of accepted spans that were cut",
                                    {{"protocol", protocol}})),
      repaired_(metrics.GetCounter("fluoro_ingest_repaired_texts_total",
                                   "Texts with invalid UTF-8 that was replaced",
                                   {{"protocol", protocol}})),
      dropped_attributes_(metrics.GetCounter("fluoro_ingest_dropped_total", kDroppedHelp,
                                             {{"protocol", protocol}, {"part", "attribute"}})),
      dropped_events_(metrics.GetCounter("fluoro_ingest_dropped_total", kDroppedHelp,
                                         {{"protocol", protocol}, {"part", "event"}})),
      dropped_links_(metrics.GetCounter("fluoro_ingest_dropped_total", kDroppedHelp,
                                        {{"protocol", protocol}, {"part", "link"}})),
      dropped_subsegments_(metrics.GetCounter("fluoro_ingest_dropped_total", kDroppedHelp,
                                              {{"protocol", protocol}, {"part", "subsegment"}})),
      folded_chunks_(metrics.GetCounter("fluoro_ingest_folded_chunks_total",
                                        "Events of chunks of streamed answers, kept as sums",
                                        {{"protocol", protocol}})) {}

void ProtocolCounters::Decoded(const model::DecodeStats& stats) {
  AddIfAny(truncated_, stats.truncated_values);
  AddIfAny(repaired_, stats.repaired_texts);
  AddIfAny(dropped_attributes_, stats.dropped_attributes);
  AddIfAny(dropped_events_, stats.dropped_events);
  AddIfAny(dropped_links_, stats.dropped_links);
  AddIfAny(dropped_subsegments_, stats.dropped_subsegments);
}

void ProtocolCounters::Folded(std::uint64_t chunks) { AddIfAny(folded_chunks_, chunks); }

void ProtocolCounters::Rejected(std::string_view reason, std::uint64_t count) {
  if (count == 0) return;
  MutexLock lock(mutex_);
  auto found = rejected_.find(reason);
  if (found == rejected_.end()) {
    found = rejected_
                .emplace(reason, metrics_.GetCounter(
                                     "fluoro_ingest_rejected_total",
                                     "Spans, documents, datagrams and requests not stored",
                                     {{"protocol", protocol_}, {"reason", std::string(reason)}}))
                .first;
  }
  found->second.Add(static_cast<double>(count));
}

std::string_view ReasonOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kCorruption:
      return "undecodable";
    case ErrorCode::kTooLarge:
      return "too_large";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kNoSpace:
      return "no_space";
    case ErrorCode::kIo:
      return "io";
    default:
      return "other";
  }
}

}  // namespace fluoro::ingest
