#include "api/ui/what_if.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "api/ui/request.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/json_tree.h"
#include "sampling/rule_file.h"

namespace fluoro::api::ui {
namespace {

constexpr double kMonthNs = 30.0 * static_cast<double>(analysis::kDayNs);
// Of routes and tenants, those with most traces.
constexpr std::size_t kPartsShown = 50;

// The member as it stands in the text, since the policies' own parser reads text.
Result<std::string> PoliciesText(JsonView root, std::string_view body) {
  const JsonView policies = root["policies"];
  if (!policies.exists()) return Fail(ErrorCode::kInvalidArgument, "policies: an object wanted");
  return std::string(JsonTextAt(body, policies.offset()));
}

Result<std::size_t> ClientsOf(JsonView root) {
  const JsonView clients = root["clients"];
  if (!clients.exists() || clients.IsNull()) return std::size_t{1};
  const auto number = clients.Int();
  if (!number || *number < 1 ||
      *number > static_cast<std::int64_t>(sampling::WhatIf::kClientsMax)) {
    return Fail(ErrorCode::kInvalidArgument,
                "clients: 1 to " + std::to_string(sampling::WhatIf::kClientsMax) + " wanted");
  }
  return static_cast<std::size_t>(*number);
}

std::set<std::string> AttributesOf(const std::vector<sampling::Rule>& rules) {
  std::set<std::string> keys;
  for (const sampling::Rule& rule : rules) {
    for (const auto& [key, pattern] : rule.attributes) keys.insert(key);
  }
  return keys;
}

std::uint64_t Whole(double value) { return static_cast<std::uint64_t>(std::llround(value)); }

void WriteFigure(JsonWriter& out, const sampling::WhatIfFigure& figure) {
  out.Key("expected").Double(figure.expected).Key("low").Double(figure.low);
  out.Key("high").Double(figure.high).Key("certain").Uint(figure.certain);
}

// `traces`, `spans` and `bytes` are whole numbers, the figure says how sure they are.
void WriteCount(JsonWriter& out, std::string_view name, const sampling::WhatIfFigure& figure,
                std::optional<double> spans, std::optional<double> bytes) {
  out.Key(name).BeginObject().Key("traces").Uint(Whole(figure.expected));
  if (spans) out.Key("spans").Uint(Whole(*spans));
  if (bytes) out.Key("bytes").Uint(Whole(*bytes));
  WriteFigure(out, figure);
}

void WriteShare(JsonWriter& out, const sampling::WhatIfFigure& figure) {
  out.Key("seen").Uint(figure.seen).Key("kept").Uint(Whole(figure.expected)).Key("share");
  if (figure.seen == 0) {
    out.Null();
  } else {
    out.Double(figure.expected / static_cast<double>(figure.seen));
  }
  WriteFigure(out, figure);
}

void WriteParts(JsonWriter& out, std::string_view name,
                const sampling::WhatIfResult::Parts& parts) {
  out.Key(name).BeginObject();
  WriteShare(out, parts.covered);
  out.Key("most").BeginArray();
  for (std::size_t i = 0; i < std::min(parts.parts.size(), kPartsShown); ++i) {
    out.BeginObject().Key("name").String(parts.parts[i].name);
    WriteShare(out, parts.parts[i].kept);
    out.EndObject();
  }
  out.EndArray().Key("more").Uint(parts.parts.size() - std::min(parts.parts.size(), kPartsShown));
  out.EndObject();
}

}  // namespace

double MonthlyUsd(const WhatIfContext& context, double traces, std::int64_t window_ns) {
  if (window_ns <= 0) return 0;
  analysis::Amounts amounts{};
  amounts.at(static_cast<std::size_t>(analysis::Meter::kTracesRecorded)) =
      traces * kMonthNs / static_cast<double>(window_ns);
  return BillOf(context.prices, context.region, analysis::DayOf(context.now_ns), amounts).usd;
}

void WriteWhatIf(JsonWriter& out, const WhatIfContext& context,
                 const sampling::WhatIfResult& result, std::int64_t window_ns) {
  out.Key("seen").BeginObject().Key("traces").Uint(result.seen.traces);
  out.Key("spans").Uint(result.seen.spans).Key("bytes").Uint(result.seen.bytes).EndObject();
  WriteCount(out, "recorded", result.recorded, result.recorded_spans, result.recorded_bytes);
  const auto usd = [&](double traces) { return MonthlyUsd(context, traces, window_ns); };
  out.Key("usd_month").Double(usd(result.recorded.expected));
  out.Key("usd_month_low").Double(usd(result.recorded.low));
  out.Key("usd_month_high").Double(usd(result.recorded.high)).EndObject();
  WriteCount(out, "kept", result.kept, result.kept_spans, result.kept_bytes);
  out.EndObject().Key("usd_month_of_all").Double(usd(static_cast<double>(result.seen.traces)));
  out.Key("weight").Double(result.weight);
  out.Key("unknown_requests").Uint(result.unknown_requests);
  out.Key("unknown_filters").Uint(result.unknown_filters);
  out.Key("rules").BeginArray();
  for (const auto& rule : result.rules) {
    out.BeginObject().Key("name").String(rule.name).Key("fixed_rate").Double(rule.fixed_rate);
    out.Key("reservoir").Int(rule.reservoir).Key("matched").Uint(rule.recorded.seen);
    WriteCount(out, "recorded", rule.recorded, std::nullopt, std::nullopt);
    out.EndObject().EndObject();
  }
  out.EndArray().Key("policies").BeginArray();
  for (const auto& policy : result.policies) {
    out.BeginObject().Key("name").String(policy.name).Key("keep").Double(policy.keep);
    WriteCount(out, "taken", policy.taken, std::nullopt, std::nullopt);
    out.EndObject();
    WriteCount(out, "kept", policy.kept, policy.kept_spans, policy.kept_bytes);
    out.EndObject().EndObject();
  }
  out.EndArray().Key("classes").BeginArray();
  for (const auto& one : result.classes) {
    out.BeginObject().Key("name").String(one.name);
    WriteShare(out, one.kept);
    out.EndObject();
  }
  out.EndArray();
  WriteParts(out, "routes", result.routes);
  WriteParts(out, "tenants", result.tenants);
}

Result<Replayed> Replay(store::TraceStore& store, const query::Plan& plan,
                        const query::TailFilters& filters, const std::set<std::string>& attributes,
                        const ReplayVisitor& visit) {
  Replayed out;
  std::uint64_t seen = 0;
  const auto note = [&](const sampling::WhatIf::Trace& trace, std::string_view rule) {
    out.first_ns = std::min(out.first_ns, trace.facts.start_ns);
    out.last_ns = std::max(out.last_ns, trace.facts.start_ns);
    out.chosen_before += rule.empty() ? 0U : 1U;
    ++seen;
    visit(trace, rule);
  };
  query::Plan bounded = plan;
  bounded.scan_max = std::min(plan.scan_max, kWhatIfTracesMax);
  FLUORO_TRY(const store::SearchResult found, store.Search(bounded, [&](const store::Match& match) {
    query::TailTrace trace = query::TailTraceOf(filters, match.view);
    const model::Trace& stored = *match.trace.trace;
    trace.facts.arrival_ns = stored.last_arrival_ns;
    sampling::Request request = query::SamplingRequestOf(query::ViewOf(trace.root));
    if (!attributes.empty()) {
      if (const model::Span* const entry = query::EntryOf(stored))
        request.attributes = query::SamplingAttributesOf(*entry, attributes);
    }
    note({.id = stored.id.bytes,
          .facts = trace.facts,
          .spans = stored.TotalSpans(),
          .bytes = stored.stored_bytes,
          .request = &request,
          .route = trace.route,
          .tenant = trace.root.tenant},
         trace.root.rule);
    return true;
  }));
  // Of a dropped trace no expression can be asked.
  if (!plan.filter || plan.filter->matches_all()) {
    FLUORO_CHECK_OK(
        store.VisitDropped(plan.from_ns, plan.until_ns, [&](const store::DroppedTrace& dropped) {
          sampling::TailFacts facts = query::FactsOfDropped(
              dropped.route, dropped.shape, dropped.duration_ns, dropped.arrival_ns);
          facts.start_ns = dropped.start_ns;
          facts.outcomes = dropped.outcomes;
          const auto request =
              dropped.root ? std::optional(query::SamplingRequestOf(*dropped.root)) : std::nullopt;
          // Attributes are not kept; a rule that asks for some is then not known to match.
          note({.id = dropped.id.bytes,
                .facts = facts,
                .spans = dropped.spans,
                .bytes = dropped.bytes,
                .request = request && attributes.empty() ? &*request : nullptr,
                .route = dropped.route,
                .tenant = dropped.root ? dropped.root->tenant : std::string_view(),
                .filters_known = false},
               dropped.root ? dropped.root->rule : std::string_view());
          ++out.thinned;
          return seen < kWhatIfTracesMax;
        }));
  }
  out.complete = found.complete && seen < kWhatIfTracesMax;
  out.scanned_share = found.scanned_share;
  out.damaged = found.damaged;
  return out;
}

Result<std::string> WhatIfJson(const WhatIfContext& context, std::string_view body) {
  FLUORO_TRY(const QueryRequest request, ParseQueryRequest(body));
  const auto tree = JsonTree::Parse(body);
  if (!tree) return Fail(ErrorCode::kInvalidArgument, "body: " + tree.error().message);
  FLUORO_TRY(const std::string text, PoliciesText(tree->root(), body));
  FLUORO_TRY(const std::size_t clients, ClientsOf(tree->root()));
  FLUORO_TRY(sampling::RuleFile file, sampling::ParseRuleFile(text));
  FLUORO_TRY(
      const query::TailFilters filters,
      query::TailFilters::Compile(std::move(file.policies).value_or(sampling::TailPolicies()),
                                  {.case_insensitive_strings = false, .groups = context.groups}));
  FLUORO_TRY(const query::Plan plan, MakePlan(request, context.now_monotonic_ns, context.groups));

  std::vector<sampling::Rule> rules;
  if (file.rules) {
    rules = sampling::PutOver(context.standing, *file.rules);
    std::ranges::sort(rules, sampling::IsBefore);
  }
  const std::set<std::string> attributes = AttributesOf(rules);
  sampling::WhatIf what_if(std::move(rules));
  what_if.set_clients(clients);
  FLUORO_TRY(const Replayed replayed, Replay(context.store, plan, filters, attributes,
                                             [&](const sampling::WhatIf::Trace& trace,
                                                 std::string_view) { what_if.Add(trace); }));
  const sampling::WhatIfResult result = what_if.Run(filters.policies());

  // Without a window it lasts from the first trace to now.
  const std::int64_t from_ns =
      request.from_ns == INT64_MIN ? std::min(replayed.first_ns, context.now_ns) : request.from_ns;
  const std::int64_t until_ns = request.until_ns == INT64_MAX
                                    ? std::max(replayed.last_ns + 1, context.now_ns)
                                    : request.until_ns;
  JsonWriter out;
  out.BeginObject();
  WriteTime(out, "from", request.from_ns);
  WriteTime(out, "to", request.until_ns);
  out.Key("window_ns").Int(until_ns - from_ns).Key("region").String(context.region);
  out.Key("clients").Uint(clients);
  out.Key("complete").Bool(replayed.complete);
  out.Key("scanned_share").Double(replayed.scanned_share);
  out.Key("thinned_before").Uint(replayed.thinned);
  out.Key("chosen_before").Uint(replayed.chosen_before);
  WriteWhatIf(out, context, result, until_ns - from_ns);
  out.Key("damaged").BeginArray();
  for (const std::string& what : replayed.damaged) out.String(what);
  out.EndArray().EndObject();
  return out.Take();
}

}  // namespace fluoro::api::ui
