#include "model/log_record.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <unordered_map>

namespace fluoro::model {

void AttachLogRecords(std::vector<Span>& spans) {
  if (std::none_of(spans.begin(), spans.end(), IsLogRecord)) return;
  std::unordered_map<SpanId, std::size_t> places;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    if (!IsLogRecord(spans[i])) places.try_emplace(spans[i].span_id, i);
  }
  std::vector<std::size_t> owners;
  const auto attach = [&](Span& record) {
    const auto owner = IsLogRecord(record) ? places.find(record.parent_id) : places.end();
    if (owner == places.end()) return false;
    std::vector<Event>& events = spans[owner->second].events;
    std::move(record.events.begin(), record.events.end(), std::back_inserter(events));
    owners.push_back(owner->second);
    return true;
  };
  std::vector<bool> attached(spans.size());
  for (std::size_t i = 0; i < spans.size(); ++i) attached[i] = attach(spans[i]);
  for (const std::size_t owner : owners) {
    std::stable_sort(spans[owner].events.begin(), spans[owner].events.end(),
                     [](const Event& a, const Event& b) { return a.time_ns < b.time_ns; });
  }
  std::size_t place = 0;
  std::erase_if(spans, [&](const Span&) { return attached[place++]; });
}

}  // namespace fluoro::model
