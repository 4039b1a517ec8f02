// For tests: what a stored summary must say, from the assembled trace.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "model/assembly.h"
#include "model/stored_summary.h"
#include "model/summary.h"

namespace fluoro::model::testing {

inline std::uint32_t PlaceOf(auto& all, const auto& one) {
  const auto at = std::ranges::find(all, one);
  const auto place = static_cast<std::uint32_t>(at - all.begin());
  if (at == all.end()) all.push_back(one);
  return place;
}

/// Its places are added to `texts`. Nullopt: of such a trace none may be stored (a service looks
/// like a client, or the status is no number that is stored).
inline std::optional<StoredSummary> SummaryOf(const AssembledTrace& trace, SummaryTexts& texts) {
  const TraceSummary summary = Summarise(trace);
  const Entity& root = *trace.Root();
  StoredSummary stored{.start_ns = summary.start_ns,
                       .duration_ns = summary.duration_ns,
                       .response_ns = summary.response_ns.value_or(0),
                       .bits = kSummaryKnown};
  if (summary.http.status) {
    if (*summary.http.status < 0 || *summary.http.status > kSummaryStatusMax) return std::nullopt;
    stored.status = static_cast<std::int32_t>(*summary.http.status);
  }
  bool inferred = false;
  std::vector<std::uint32_t> sets[kServiceSets];
  for (const Entity& entity : trace.entities) {
    if (!entity.IsSegment()) continue;
    const ServiceKey& key = trace.services[static_cast<std::size_t>(entity.service)].key;
    if (key.type == "client") return std::nullopt;
    inferred =
        inferred || entity.role == EntityRole::kInferred ||
        (entity.span->source == SpanSource::kXRay && entity.span->Has(SpanFlag::kSentInferred));
    const std::uint32_t place = PlaceOf(texts.keys, key);
    sets[0].push_back(place);
    if (entity.fault) sets[1].push_back(place);
    if (entity.error) sets[2].push_back(place);
    if (entity.throttle) sets[3].push_back(place);
  }
  const auto set_if = [&](bool is_so, SummaryBit bit) {
    stored.bits |= is_so ? std::uint32_t{bit} : 0U;
  };
  set_if(summary.has_fault, kRootFault);
  set_if(summary.has_error, kRootError);
  set_if(root.throttle, kRootThrottle);
  set_if(summary.has_throttle, kAnyThrottle);
  set_if(summary.is_partial, kAnyInProgress);
  set_if(!summary.response_ns, kRootInProgress);
  set_if(inferred, kAnyInferred);
  if (summary.entry_point >= 0) {
    stored.entry =
        1 + PlaceOf(texts.keys, trace.services[static_cast<std::size_t>(summary.entry_point)].key);
    if (!root.span->name.empty()) stored.name = 1 + PlaceOf(texts.texts, root.span->name);
  }
  for (std::size_t i = 0; i < kServiceSets; ++i) {
    std::ranges::sort(sets[i]);
    sets[i].erase(std::ranges::unique(sets[i]).begin(), sets[i].end());
    stored.services[i] = 1 + PlaceOf(texts.sets, sets[i]);
  }
  return stored;
}

/// As text, whatever the places are.
inline std::string Print(const StoredSummary& summary, const SummaryTexts& texts) {
  std::string text = std::to_string(summary.bits) + " " + std::to_string(summary.start_ns) + " " +
                     std::to_string(summary.duration_ns) + " " +
                     std::to_string(summary.response_ns) + " " + std::to_string(summary.status);
  const auto print = [&](std::uint32_t key) {
    const ServiceKey& of = texts.keys[key];
    return " " + of.name + "|" + of.type + "|" + of.account_id;
  };
  text += summary.name == 0 ? " -" : " " + texts.texts[summary.name - 1];
  text += summary.entry == 0 ? " -" : print(summary.entry - 1);
  for (const std::uint32_t set : summary.services) {
    text += set == 0 ? " -" : " {";
    if (set == 0) continue;
    std::vector<std::string> keys;
    for (const std::uint32_t key : texts.sets[set - 1]) keys.push_back(print(key));
    std::ranges::sort(keys);
    for (const std::string& key : keys) text += key;
    text += "}";
  }
  return text;
}

}  // namespace fluoro::model::testing
