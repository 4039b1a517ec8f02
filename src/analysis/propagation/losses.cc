#include "analysis/propagation/losses.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "analysis/propagation/pairing.h"

namespace fluoro::analysis::propagation {
namespace {

void AddPair(Losses& losses, const LostCall& call, const LostEntry& entry) {
  losses.lost.Add(call.weight);
  ++losses.pairs;
  losses.styles[{call.style, entry.style}] += call.weight;
  if (entry.header != 0) losses.headers[entry.header] += call.weight;
  if (entry.via != 0) losses.vias[entry.via] += call.weight;
  AddTo(losses.splits,
        {call.host, call.instance, entry.instance, call.request.part, call.request.method},
        call.weight);
  losses.xray_caller |= call.source == model::SpanSource::kXRay;
  losses.xray_callee |= entry.source == model::SpanSource::kXRay;
  if (losses.examples.size() < BrokenEdge::kExamplesMax)
    losses.examples.push_back({call.trace, call.span, entry.trace, entry.span});
}

class LossFinder {
 public:
  explicit LossFinder(Tables& tables) : tables_(tables) {}

  AllLosses Run() {
    WithinTraces();
    ByParent();
    ByTime();
    Dropped();
    Unpaired();
    return std::move(out_);
  }

 private:
  Losses& At(TextId caller, TextId callee, Proof proof) {
    return out_.edges[{caller, callee}].by_proof[static_cast<std::size_t>(proof)];
  }

  static bool Names(const std::vector<TextId>& services, TextId service) {
    return std::ranges::find(services, service) != services.end();
  }

  void WithinTraces() {
    for (const InTrace& one : tables_.in_trace) {
      const std::vector<TextId> reached = tables_.peers.Resolve(one.call);
      const TextId service = one.entry.service;
      if (one.inner) {
        // Spans of the callee are there, its first one is not.
        if (Names(reached, service)) {
          AddPair(At(one.call.service, service, Proof::kDropped), one.call, one.entry);
        } else {
          tables_.calls.push_back(one.call);
        }
        continue;
      }
      if (reached.empty() || Names(reached, service)) {
        AddPair(At(one.call.service, service, Proof::kRewritten), one.call, one.entry);
      } else {
        // The call reached another service, which called this one: its spans did not come.
        AddPair(At(reached.front(), service, Proof::kDropped), one.call, one.entry);
      }
    }
  }

  // Span ids are random: who names one of another trace means it.
  void ByParent() {
    std::unordered_map<model::SpanId, std::uint32_t> calls;
    for (std::size_t i = 0; i < tables_.calls.size(); ++i)
      calls.emplace(tables_.calls[i].span, static_cast<std::uint32_t>(i));
    paired_calls_.assign(tables_.calls.size(), false);
    paired_entries_.assign(tables_.entries.size(), false);
    for (std::size_t i = 0; i < tables_.entries.size(); ++i) {
      const LostEntry& entry = tables_.entries[i];
      const bool header = entry.parent.IsZero();
      const model::SpanId& parent = header ? entry.header_parent : entry.parent;
      if (parent.IsZero()) continue;
      const auto found = calls.find(parent);
      if (found == calls.end() || paired_calls_[found->second]) continue;
      const LostCall& call = tables_.calls[found->second];
      if (call.trace == entry.trace) continue;
      if (header && call.trace != entry.header_trace) continue;
      paired_calls_[found->second] = true;
      paired_entries_[i] = true;
      const bool cut = std::equal(call.trace.bytes.begin() + 8, call.trace.bytes.end(),
                                  entry.trace.bytes.begin() + 8);
      AddPair(At(call.service, entry.service,
                 header ? Proof::kHeader
                 : cut  ? Proof::kShortId
                        : Proof::kOtherId),
              call, entry);
    }
  }

  void ByTime() {
    std::vector<LostCall> calls;
    std::vector<std::uint32_t> call_of;
    std::vector<LostEntry> entries;
    std::vector<std::vector<TextId>> candidates;
    for (std::size_t i = 0; i < tables_.calls.size(); ++i) {
      if (paired_calls_[i]) continue;
      calls.push_back(tables_.calls[i]);
      call_of.push_back(static_cast<std::uint32_t>(i));
      candidates.push_back(tables_.peers.Resolve(calls.back()));
    }
    for (std::size_t i = 0; i < tables_.entries.size(); ++i) {
      const LostEntry& entry = tables_.entries[i];
      if (paired_entries_[i] || !entry.parent.IsZero()) continue;
      entries.push_back(entry);
      roots_[entry.service] += entry.weight;
    }
    std::map<ServicePair, std::int64_t> offsets;
    for (const auto& [key, tally] : tables_.edges) {
      if (key.kind == EdgeKind::kCall) offsets[{key.caller, key.callee}] = OffsetOf(tally);
    }
    const Pairing pairing = PairByTime({.calls = calls,
                                        .entries = entries,
                                        .candidates = candidates,
                                        .offset_ns = [&](TextId caller, TextId callee) {
                                          const auto found = offsets.find({caller, callee});
                                          return found == offsets.end() ? 0 : found->second;
                                        }});
    for (std::size_t i = 0; i < calls.size(); ++i) {
      if (pairing.entry_of[i] < 0) continue;
      const LostEntry& entry = entries[static_cast<std::size_t>(pairing.entry_of[i])];
      paired_calls_[call_of[i]] = true;
      AddPair(At(calls[i].service, entry.service, Proof::kTime), calls[i], entry);
      // Now it is known who answers there.
      if (candidates[i].empty())
        tables_.peers.LearnCall(calls[i].peers, calls[i].request.part, entry.service,
                                calls[i].weight);
    }
    for (const auto& [edge, proven] : pairing.proven)
      At(edge.first, edge.second, Proof::kTime).by_chance = proven.by_chance;
  }

  // Callers of each service, most calls first.
  void FindUsualCallers() {
    for (const auto& [key, tally] : tables_.edges) {
      if (key.kind == EdgeKind::kCall && key.caller != key.callee)
        callers_[key.callee].emplace_back(-tally.survived.count, key.caller);
    }
    for (auto& [callee, callers] : callers_) std::ranges::sort(callers);
  }

  // The first of them of which the trace holds spans, or holds none.
  std::optional<TextId> UsualCaller(const LostEntry& entry, bool there) const {
    const auto found = callers_.find(entry.service);
    if (found == callers_.end()) return std::nullopt;
    for (const auto& [calls, caller] : found->second) {
      const bool has = std::ranges::find(entry.others, caller) != entry.others.end();
      if (has == there) return caller;
    }
    return std::nullopt;
  }

  // Parents that were named and did not come.
  void Dropped() {
    FindUsualCallers();
    for (std::size_t i = 0; i < tables_.entries.size(); ++i) {
      const LostEntry& entry = tables_.entries[i];
      if (paired_entries_[i] || entry.parent.IsZero()) continue;
      if (entry.enclosed) {
        if (const auto caller = UsualCaller(entry, true)) {
          Losses& losses = At(*caller, entry.service, Proof::kDropped);
          losses.lost.Add(entry.weight);
          ++losses.pairs;
          if (losses.examples.size() < BrokenEdge::kExamplesMax)
            losses.examples.push_back({entry.trace, entry.parent, entry.trace, entry.span});
        }
      } else if (const auto caller = UsualCaller(entry, false)) {
        if (UsualCaller(entry, true)) continue;
        EdgeLosses& losses = out_.edges[{*caller, entry.service}];
        losses.callee_alone.Add(entry.weight);
        if (losses.alone_examples.size() < BrokenEdge::kExamplesMax)
          losses.alone_examples.push_back({entry.trace, entry.parent, entry.trace, entry.span});
      }
    }
  }

  void Unpaired() {
    for (std::size_t i = 0; i < tables_.calls.size(); ++i) {
      if (paired_calls_[i]) continue;
      const LostCall& call = tables_.calls[i];
      const std::vector<TextId> reached = tables_.peers.Resolve(call);
      out_.calls_without_callee += call.weight;
      if (reached.size() != 1) continue;
      EdgeLosses& losses = out_.edges[{call.service, reached.front()}];
      losses.unpaired.Add(call.weight);
    }
    for (auto& [edge, losses] : out_.edges) losses.callee_roots = roots_[edge.second];
  }

  Tables& tables_;
  AllLosses out_;
  std::vector<bool> paired_calls_;
  std::vector<bool> paired_entries_;
  std::map<TextId, double> roots_;
  std::map<TextId, std::vector<std::pair<double, TextId>>> callers_;
};

}  // namespace

AllLosses FindLosses(Tables& tables) { return LossFinder(tables).Run(); }

}  // namespace fluoro::analysis::propagation
