#include <algorithm>
#include <cmath>
#include <optional>

#include "analysis/propagation/losses.h"

namespace fluoro::analysis::propagation {
namespace {

constexpr std::uint64_t kPairsMin = 5;
constexpr std::uint64_t kExactPairsMin = 3;
constexpr double kLostShareMin = 0.01;
constexpr double kAloneShareMin = 0.02;
// Fewer survive: none does.
constexpr double kNone = 0.02;

constexpr std::string_view kAllFormats = "OTEL_PROPAGATORS=tracecontext,baggage,b3,b3multi,xray";

std::string Number(double count) { return std::to_string(std::llround(count)); }
/// Without "host:".
std::string_view HostText(std::string_view peer) { return peer.substr(peer.find(':') + 1); }

bool IsExact(Proof proof) {
  return proof == Proof::kHeader || proof == Proof::kShortId || proof == Proof::kOtherId;
}
/// The call is there without callee: others like it count as lost too.
bool LosesCallee(Proof proof) { return proof == Proof::kTime || IsExact(proof); }

std::string_view StyleText(IdStyle style) {
  switch (style) {
    case IdStyle::kTimed:
      return "begin with a time, as X-Ray makes them";
    case IdStyle::kShort:
      return "have 64 bits, as B3 allows";
    case IdStyle::kRandom:
      break;
  }
  return "are random";
}

/// Where all loss lies at some values of a dimension, and what survives lies at others.
struct Explained {
  Dimension by = Dimension::kHost;
  std::vector<TextId> values;
};
std::optional<Explained> Explain(const Splits& survived, const Splits& lost, Dimension by) {
  const Split& kept = survived[static_cast<std::size_t>(by)];
  const Split& gone = lost[static_cast<std::size_t>(by)];
  double kept_sum = 0, gone_sum = 0;
  for (const auto& [value, weight] : kept) kept_sum += weight;
  for (const auto& [value, weight] : gone) gone_sum += weight;
  if (kept_sum < kPairsMin || gone_sum < kPairsMin) return std::nullopt;
  Explained out{.by = by, .values = {}};
  double explained = 0;
  for (const auto& [value, weight] : gone) {
    const auto found = kept.find(value);
    const double kept_there = found == kept.end() ? 0 : found->second;
    if (kept_there > 0.05 * (kept_there + weight)) continue;
    explained += weight;
    out.values.push_back(value);
  }
  if (explained < 0.9 * gone_sum || out.values.size() > 8) return std::nullopt;
  return out;
}

class Namer {
 public:
  Namer(const Tables& tables, const AllLosses& all, const ServicePair& edge,
        const EdgeLosses& losses, BrokenEdge& out)
      : tables_(tables),
        all_(all),
        edge_(edge),
        losses_(losses),
        out_(out),
        caller_(tables.texts.At(edge.first)),
        callee_(tables.texts.At(edge.second)) {
    const auto found = tables.edges.find({edge.first, edge.second, EdgeKind::kCall});
    if (found != tables.edges.end()) tally_ = &found->second;
  }

  double Run() {
    Weighted lost, certain;
    std::array<bool, kProofs> accepted{};
    const double seen = survived().count + losses_.unpaired.count;
    double pairs = 0;
    for (const Losses& one : losses_.by_proof) pairs += one.lost.count;
    bool loses_callee = false;
    for (std::size_t i = 0; i < kProofs; ++i) {
      const auto proof = static_cast<Proof>(i);
      const Losses& one = losses_.by_proof[i];
      const double part = one.lost.count + (LosesCallee(proof) ? losses_.unpaired.count : 0);
      accepted[i] = one.pairs >= (IsExact(proof) ? kExactPairsMin : kPairsMin) &&
                    part >= kLostShareMin * (seen + pairs);
      if (!accepted[i]) continue;
      Add(lost, one.lost);
      loses_callee |= LosesCallee(proof);
    }
    certain = lost;
    if (loses_callee) {
      Add(lost, losses_.unpaired);
      // Not more can have become traces of their own than the callee has.
      const double paired = losses_.by_proof[static_cast<std::size_t>(Proof::kTime)].lost.count;
      const double rest =
          std::min(losses_.unpaired.count, std::max(0.0, losses_.callee_roots - paired));
      if (losses_.unpaired.count > 0) {
        certain.count += rest;
        certain.squares += losses_.unpaired.squares * rest / losses_.unpaired.count;
      }
    }
    const bool sampling = std::ranges::none_of(accepted, std::identity()) && SamplingDiffers();
    if (sampling) certain = lost = losses_.unpaired;
    SetShare(out_, survived(), lost, certain);
    NameAll(accepted);
    if (sampling) NameSampling();
    // What has no callee and was not paired went the way of most.
    if (loses_callee) {
      const auto most = std::ranges::max_element(out_.causes, {}, [](const Cause& cause) {
        return cause.kind == CauseKind::kSpansDropped || cause.kind == CauseKind::kParentRewritten
                   ? -1
                   : cause.calls;
      });
      most->calls += losses_.unpaired.count;
    }
    std::ranges::stable_sort(out_.causes, {}, [](const Cause& cause) { return -cause.calls; });
    return loses_callee || sampling ? losses_.unpaired.count : 0;
  }

 private:
  static void Add(Weighted& to, const Weighted& from) {
    to.count += from.count;
    to.squares += from.squares;
  }

  [[nodiscard]] Weighted survived() const {
    return tally_ == nullptr ? Weighted() : tally_->survived;
  }

  // Each side has halves that the other has not, and nothing pairs them.
  [[nodiscard]] bool SamplingDiffers() const {
    const double kept = survived().count;
    const auto counts = [&](const Weighted& alone) {
      return alone.count >= kPairsMin && alone.count >= kAloneShareMin * (alone.count + kept);
    };
    return counts(losses_.unpaired) && counts(losses_.callee_alone);
  }

  void NameAll(const std::array<bool, kProofs>& accepted) {
    for (std::size_t i = 0; i < kProofs; ++i) {
      if (!accepted[i]) continue;
      const Losses& one = losses_.by_proof[i];
      Cause cause{.calls = one.lost.count, .examples = one.examples};
      switch (static_cast<Proof>(i)) {
        case Proof::kTime:
          NameByTime(one, cause);
          break;
        case Proof::kHeader:
          NameByHeader(one, cause);
          break;
        case Proof::kShortId:
          cause.kind = CauseKind::kIdTruncated;
          cause.confidence = Confidence::kHigh;
          cause.evidence.push_back(
              Number(static_cast<double>(one.pairs)) + " spans of " + callee_ + " name a call of " +
              caller_ +
              " as their parent, in traces whose id is the last 64 bits of the caller's.");
          cause.fix = "Somebody between reads or writes B3 with trace ids of 16 digits: have " +
                      callee_ +
                      " and what stands before it take 128 bits (Brave: traceId128Bit(true)), or "
                      "propagate traceparent (OTEL_PROPAGATORS=tracecontext,baggage,b3) on " +
                      callee_ + ".";
          break;
        case Proof::kOtherId:
          cause.kind = CauseKind::kTraceIdChanged;
          cause.confidence = Confidence::kHigh;
          cause.evidence.push_back(Number(static_cast<double>(one.pairs)) + " spans of " + callee_ +
                                   " name a call of " + caller_ +
                                   " as their parent, in traces with another id.");
          cause.fix =
              "The parent arrives and the trace id does not: look for code or a proxy before " +
              callee_ + " that makes trace ids of its own, and hand on the header unchanged.";
          break;
        case Proof::kRewritten:
          NameRewritten(one, cause);
          break;
        case Proof::kDropped:
          NameDropped(one, cause);
          break;
      }
      out_.causes.push_back(std::move(cause));
    }
  }

  [[nodiscard]] bool CallerSends() const {
    return std::ranges::any_of(tables_.edges, [&](const auto& entry) {
      const auto& [key, tally] = entry;
      return key.kind == EdgeKind::kCall && key.caller == edge_.first &&
             key.callee != edge_.second && tally.calls >= kPairsMin;
    });
  }
  [[nodiscard]] bool CalleeReads() const {
    return std::ranges::any_of(tables_.edges, [&](const auto& entry) {
      const auto& [key, tally] = entry;
      return key.kind == EdgeKind::kCall && key.callee == edge_.second &&
             key.caller != edge_.first && tally.calls >= kPairsMin;
    });
  }
  [[nodiscard]] bool OthersLoseAt(bool caller) const {
    return std::ranges::any_of(all_.edges, [&](const auto& entry) {
      const auto& [edge, losses] = entry;
      const bool near = caller ? edge.first == edge_.first && edge.second != edge_.second
                               : edge.second == edge_.second && edge.first != edge_.first;
      return near && losses.by_proof[static_cast<std::size_t>(Proof::kTime)].pairs >= kPairsMin;
    });
  }

  [[nodiscard]] std::string Names(const std::vector<TextId>& values) const {
    std::string out;
    for (const TextId value : values) {
      const std::string_view text = tables_.texts.At(value);
      out += (out.empty() ? "" : ", ") +
             std::string(text.starts_with("host:") ? HostText(text) : text);
    }
    return out;
  }

  static std::optional<std::pair<IdStyle, IdStyle>> DifferentStyles(const Losses& one) {
    for (const auto& [styles, weight] : one.styles) {
      if (styles.first != styles.second && weight >= 0.8 * one.lost.count) return styles;
    }
    return std::nullopt;
  }

  // The same list on the side that does not have it: SDKs of X-Ray know one format only.
  [[nodiscard]] std::string FormatsFix(const Losses& one) const {
    if (one.xray_caller && !one.xray_callee) {
      return "OTEL_PROPAGATORS=tracecontext,baggage,xray on " + callee_ + ": " + caller_ +
             " has an X-Ray SDK, which sends X-Amzn-Trace-Id only.";
    }
    if (one.xray_callee && !one.xray_caller) {
      return "OTEL_PROPAGATORS=tracecontext,baggage,xray on " + caller_ + ": " + callee_ +
             " has an X-Ray SDK, which reads X-Amzn-Trace-Id only (behind a load balancer it "
             "follows the id made there).";
    }
    return {};
  }

  void NameByHeader(const Losses& one, Cause& cause) {
    cause.kind = CauseKind::kDifferentPropagator;
    cause.confidence = Confidence::kHigh;
    const auto most =
        std::ranges::max_element(one.headers, {}, [](const auto& entry) { return entry.second; });
    const std::string format(tables_.texts.At(most->first));
    cause.evidence.push_back(
        Number(static_cast<double>(one.pairs)) + " requests came to " + callee_ +
        " with a header (" + format + ") that names the call of " + caller_ +
        ", and began a trace of their own: the header arrives and is not read.");
    const std::string name = format == "w3c" ? "tracecontext" : format;
    cause.fix = "OTEL_PROPAGATORS=tracecontext,baggage" +
                (name == "tracecontext" ? "" : "," + name) + " on " + callee_ +
                " (it takes what it finds of the list).";
  }

  void NameByTime(const Losses& one, Cause& cause) {
    cause.evidence.push_back(
        Number(static_cast<double>(one.pairs)) + " calls of " + caller_ +
        " have no callee, and each has a trace that begins in " + callee_ +
        " within its time, with the same method and path where both tell them (" +
        Number(one.by_chance) + " would by chance).");
    const double kept = survived().count;
    const double share = kept / std::max(kept + one.lost.count + losses_.unpaired.count, 1.0);
    const auto styles = DifferentStyles(one);
    if (styles) {
      cause.evidence.push_back("Trace ids of " + caller_ + " " +
                               std::string(StyleText(styles->first)) + ", those that " + callee_ +
                               " makes " + std::string(StyleText(styles->second)) +
                               ": their SDKs are set up differently.");
    }
    for (const auto& [via, weight] : one.vias) {
      cause.evidence.push_back("They came through " + std::string(tables_.texts.At(via)) + ".");
    }
    if (share > kNone) {
      NamePartly(one, styles.has_value(), cause);
    } else {
      NameNever(one, styles.has_value(), cause);
    }
  }

  void NamePartly(const Losses& one, bool other_ids, Cause& cause) {
    for (const Dimension by : {Dimension::kCalleeInstance, Dimension::kCallerInstance,
                               Dimension::kHost, Dimension::kPart, Dimension::kMethod}) {
      const auto explained =
          tally_ == nullptr ? std::nullopt : Explain(tally_->splits, one.splits, by);
      if (!explained) continue;
      const std::string names = Names(explained->values);
      cause.confidence = Confidence::kHigh;
      switch (by) {
        case Dimension::kCalleeInstance:
        case Dimension::kCallerInstance: {
          const bool at_callee = by == Dimension::kCalleeInstance;
          cause.kind = CauseKind::kDifferentPropagator;
          cause.evidence.push_back("All of it at instances of " + (at_callee ? callee_ : caller_) +
                                   ": " + names + "; at the others the context arrives.");
          cause.fix = "Give these instances what the others have: the same SDK and " +
                      std::string(kAllFormats) + ".";
          return;
        }
        case Dimension::kHost:
          cause.kind = CauseKind::kHeaderStripped;
          cause.evidence.push_back("All of it through " + names +
                                   "; calls to other addresses keep the context.");
          cause.fix =
              "Allow traceparent, tracestate, baggage and X-Amzn-Trace-Id through " + names + ".";
          return;
        case Dimension::kPart:
        case Dimension::kMethod:
          cause.kind = CauseKind::kHeaderStripped;
          cause.evidence.push_back(
              "All of it with " + std::string(by == Dimension::kPart ? "paths below " : "method ") +
              names + "; other requests keep the context.");
          cause.fix = "Look at what stands before " + callee_ + " for " + names +
                      " (rule of a proxy or gateway, a handler without instrumentation): allow "
                      "traceparent, tracestate, baggage and X-Amzn-Trace-Id there.";
          return;
      }
    }
    if (other_ids) {
      cause.kind = CauseKind::kDifferentPropagator;
      cause.confidence = Confidence::kMedium;
      cause.fix = FormatsFix(one);
      if (cause.fix.empty())
        cause.fix =
            std::string(kAllFormats) + " on every instance of " + caller_ + " and " + callee_ + ".";
      return;
    }
    cause.kind = CauseKind::kHeaderStripped;
    cause.confidence = Confidence::kMedium;
    cause.evidence.push_back(
        "Others on the same way arrive with it: both sides can, something between "
        "takes it away from a part.");
    const std::string host = SingleHost(one);
    cause.fix =
        "Allow traceparent, tracestate, baggage and X-Amzn-Trace-Id through every proxy, load "
        "balancer and gateway" +
        (host.empty() ? " before " + callee_ : " behind " + host) +
        "; look for one of several that is set up differently, and for a client in " + caller_ +
        " that is not instrumented.";
  }

  void NameNever(const Losses& one, bool other_ids, Cause& cause) {
    cause.kind = CauseKind::kDifferentPropagator;
    const bool sends = CallerSends();
    const bool reads = CalleeReads();
    cause.evidence.push_back("Of the calls of " + caller_ + " to " + callee_ +
                             " none keeps its context.");
    if (sends) cause.evidence.push_back(caller_ + "'s calls to others keep it.");
    if (reads) cause.evidence.push_back(callee_ + " keeps that of other callers.");
    cause.confidence = other_ids || sends != reads ? Confidence::kHigh
                       : sends || reads            ? Confidence::kMedium
                                                   : Confidence::kLow;
    cause.fix = FormatsFix(one);
    if (!cause.fix.empty()) return;
    const std::string formats(kAllFormats);
    if (sends && reads) {
      cause.confidence = Confidence::kMedium;
      const std::string host = SingleHost(one);
      cause.fix = formats +
                  " on both (they may have no format in common); else allow traceparent and "
                  "X-Amzn-Trace-Id through what stands between" +
                  (host.empty() ? "." : ": " + host + ".");
    } else if (sends) {
      cause.fix = formats + " on " + callee_ + ", whose server does not read what " + caller_ +
                  " sends; check that its server library is instrumented.";
    } else if (reads) {
      cause.fix = formats + " on " + caller_ + ", which sends nothing that " + callee_ +
                  " reads; check that its HTTP or RPC client is instrumented" +
                  (OthersLoseAt(true) ? " (it loses the context to others too)." : ".");
    } else {
      cause.fix =
          formats + " on " + caller_ + " and " + callee_ +
          "; if they have that, allow traceparent and X-Amzn-Trace-Id through what stands between.";
    }
  }

  [[nodiscard]] std::string SingleHost(const Losses& one) const {
    const Split& hosts = one.splits[static_cast<std::size_t>(Dimension::kHost)];
    return hosts.size() == 1 ? std::string(HostText(tables_.texts.At(hosts.begin()->first))) : "";
  }

  void NameRewritten(const Losses& one, Cause& cause) {
    cause.kind = CauseKind::kParentRewritten;
    cause.confidence = one.pairs >= 20 ? Confidence::kHigh : Confidence::kMedium;
    cause.evidence.push_back(
        Number(static_cast<double>(one.pairs)) + " spans of " + callee_ + " lie in a call of " +
        caller_ +
        " of the same trace and name a parent that never came: a hop between puts "
        "its own span id into the header.");
    cause.fix =
        "Have the proxy, mesh or gateway between " + caller_ + " and " + callee_ +
        " send its spans here, or switch its tracing off so that it hands on the header unchanged.";
  }

  void NameDropped(const Losses& one, Cause& cause) {
    cause.kind = CauseKind::kSpansDropped;
    cause.confidence = one.pairs >= 20 ? Confidence::kHigh : Confidence::kMedium;
    cause.evidence.push_back(
        Number(static_cast<double>(one.pairs)) + " calls between " + caller_ + " and " + callee_ +
        " lack a span in the middle of traces that are whole around it: the context "
        "arrived, the span was lost on its way here.");
    cause.fix =
        "Look at the exporters of " + caller_ + " and " + callee_ +
        " for dropped spans (OTEL_BSP_MAX_QUEUE_SIZE, export timeouts, shutdown without flush, "
        "datagrams over 64 KB) and for a collector that samples single spans instead of traces.";
  }

  void NameSampling() {
    Cause cause{.kind = CauseKind::kSamplingDiffers,
                .confidence = Confidence::kMedium,
                .calls = losses_.unpaired.count,
                .examples = losses_.alone_examples};
    cause.evidence.push_back(Number(losses_.unpaired.count) + " calls of " + caller_ +
                             " have no spans of " + callee_ + ", and " +
                             Number(losses_.callee_alone.count) + " traces hold " + callee_ +
                             " below a parent of which nothing came: each side decides "
                             "for itself whether to record.");
    cause.fix =
        "Let the first service decide and the others follow: OTEL_TRACES_SAMPLER="
        "parentbased_traceidratio (or parentbased_always_on) on " +
        callee_ + ", and hand on the sampled flag; collectors sample by trace id.";
    out_.causes.push_back(std::move(cause));
  }

  const Tables& tables_;
  const AllLosses& all_;
  const ServicePair& edge_;
  const EdgeLosses& losses_;
  BrokenEdge& out_;
  const std::string caller_;
  const std::string callee_;
  const EdgeTally* tally_ = nullptr;
};

}  // namespace

double NameCauses(const Tables& tables, const AllLosses& all, const ServicePair& edge,
                  const EdgeLosses& losses, BrokenEdge& out) {
  return Namer(tables, all, edge, losses, out).Run();
}

void NameSkew(const Tables& tables, const EdgeTally& tally, BrokenEdge& out) {
  const std::vector<Skew> skews = SkewsOf(tally);
  if (skews.empty()) return;
  const Skew& worst = skews.front();
  const std::string host(tables.texts.At(worst.callee_host));
  const std::string from(tables.texts.At(worst.caller_host));
  Cause cause{.kind = CauseKind::kClock,
              .confidence = worst.calls >= 20 ? Confidence::kHigh : Confidence::kMedium,
              .skew_ns = worst.ns};
  const std::string ms = std::to_string(std::abs(worst.ns) / 1'000'000);
  cause.evidence.push_back("Spans of " + out.callee + (host.empty() ? "" : " on " + host) +
                           " lie outside the calls they "
                           "answer by " +
                           ms + " ms, always as much: its clock is " +
                           (worst.ns > 0 ? "ahead of" : "behind") + " that of " + out.caller +
                           (from.empty() ? "" : " on " + from) + ". No context is lost.");
  if (skews.size() > 1)
    cause.evidence.push_back("So do " + std::to_string(skews.size() - 1) + " more pairs of hosts.");
  cause.fix = "Check time synchronisation (chronyd, ntpd, the platform's time service) on " +
              (host.empty() ? "the hosts of " + out.callee : host) +
              (from.empty() ? "" : " and " + from) + ".";
  cause.examples.push_back({tally.example, {}, tally.example, {}});
  out.causes.push_back(std::move(cause));
}

}  // namespace fluoro::analysis::propagation
