#include "api/ui/ui_api.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "analysis/service_graph.h"
#include "api/ui/attributes_json.h"
#include "api/ui/calls_json.h"
#include "api/ui/compare_api.h"
#include "api/ui/conversation_json.h"
#include "api/ui/cost_api.h"
#include "api/ui/differ_api.h"
#include "api/ui/experiments_api.h"
#include "api/ui/export.h"
#include "api/ui/genai_cost.h"
#include "api/ui/graph_json.h"
#include "api/ui/insights_json.h"
#include "api/ui/keys.h"
#include "api/ui/ledger_json.h"
#include "api/ui/model_prices_api.h"
#include "api/ui/propagation.h"
#include "api/ui/redaction.h"
#include "api/ui/request.h"
#include "api/ui/rules.h"
#include "api/ui/suggest_rules.h"
#include "api/ui/tail.h"
#include "api/ui/trace_json.h"
#include "api/ui/what_if.h"
#include "base/json.h"
#include "base/percent.h"
#include "control/groups.h"
#include "control/sampling_rules.h"
#include "cost/model_prices.h"
#include "cost/records.h"
#include "ingest/import.h"
#include "ingest/pipeline.h"
#include "model/summary.h"
#include "query/sieve.h"
#include "store/attribute_census.h"
#include "store/delete_matching.h"

namespace fluoro::api::ui {
namespace {

constexpr std::string_view kPrefix = "/ui/api/";
constexpr std::size_t kExportWriteBytes = std::size_t{1} << 20;

std::string QueryParameter(const net::HttpRequest& request, std::string_view name) {
  for (auto& [key, value] : request.QueryParameters()) {
    if (key == name) return value;
  }
  return {};
}

net::HttpResponse MethodNotAllowed(std::string_view allowed) {
  net::HttpResponse answer = net::HttpResponse::Json(
      405, R"({"error":{"code":"invalid_argument","message":"wrong method"}})");
  answer.headers["allow"] = std::string(allowed);
  return answer;
}

}  // namespace

struct UiApi::Impl {
  store::TraceStore& store;
  ingest::Pipeline* pipeline;
  control::Repository& control;
  cost::CostMeter& cost;
  const Clock& clock;
  TailHub tail;
  cost::ModelPriceCache model_prices = {};

  query::GroupLookup Groups() { return control::LookupIn(control.Read(), {}); }

  net::HttpResponse Trace(const net::HttpRequest& http) {
    std::string_view id_text = http.path;
    id_text.remove_prefix(id_text.rfind('/') + 1);
    const auto id = model::TraceId::Parse(id_text);
    if (!id) return ErrorAnswer(id.error());
    std::uint64_t first_span = 0;
    const std::string first = QueryParameter(http, "first_span");
    const auto [end, error] =
        std::from_chars(first.data(), first.data() + first.size(), first_span);
    if (!first.empty() && (error != std::errc() || end != first.data() + first.size())) {
      return ErrorAnswer(Error{ErrorCode::kInvalidArgument, "first_span: a number wanted"});
    }
    auto trace = store.ReadTrace(*id, first_span);
    if (!trace) return ErrorAnswer(trace.error());
    if (!*trace) return ErrorAnswer(Error{ErrorCode::kNotFound, "no trace " + id->ToXRay()});
    return net::HttpResponse::Json(
        200, TraceJson(model::Assemble(*std::move(trace)), *model_prices.Of(control)));
  }

  net::HttpResponse Conversation(const net::HttpRequest& http) {
    std::string_view id_text = http.path;
    id_text.remove_prefix(id_text.rfind('/') + 1);
    const auto id = model::TraceId::Parse(id_text);
    if (!id) return ErrorAnswer(id.error());
    auto trace = store.ReadTrace(*id, 0);
    if (!trace) return ErrorAnswer(trace.error());
    if (!*trace) return ErrorAnswer(Error{ErrorCode::kNotFound, "no trace " + id->ToXRay()});
    return net::HttpResponse::Json(200, ConversationJson(model::Assemble(*std::move(trace))));
  }

  net::HttpResponse Search(const net::HttpRequest& http) {
    auto request = ParseQueryRequest(http.body);
    if (!request) return ErrorAnswer(request.error());
    const auto plan = MakePlan(*request, clock.MonotonicNs(), Groups());
    if (!plan) return ErrorAnswer(plan.error());
    const std::int64_t begin_ns = clock.MonotonicNs();
    std::string lines;
    std::uint64_t matches = 0;
    const auto add = [&](const std::string& line) {
      lines += line + "\n";
      return ++matches < request->limit;
    };
    const auto result =
        request->brief
            ? store.List(*plan,
                         [&](const store::Outline& outline) { return add(OutlineJson(outline)); })
            : store.Search(*plan, [&](const store::Match& match) {
                return add(SummaryJson(match.trace, match.view.summary()));
              });
    if (!result) return ErrorAnswer(result.error());
    JsonWriter out;
    out.BeginObject().Key("scanned_traces").Uint(result->scanned_traces);
    out.Key("scanned_share").Double(result->scanned_share);
    out.Key("next_token");
    if (!result->complete && result->last) {
      out.String(PrintToken(*result->last));
    } else {
      out.Null();
    }
    out.Key("cut_traces").Uint(result->cut_traces);
    out.Key("damaged").BeginArray();
    for (const auto& block : result->damaged) out.String(block);
    out.EndArray();
    if (request->explain) {
      out.Key("explain")
          .BeginObject()
          .Key("expression")
          .String(plan->filter ? plan->filter->text() : "");
      out.Key("sieve").String(plan->filter ? query::Sieve::Of(*plan->filter).Print()
                                           : "everything");
      out.Key("passed_over").Uint(result->passed_over);
      out.Key("by_summaries").Uint(result->by_summaries);
      out.Key("row_groups").Uint(result->row_groups);
      out.Key("column_bytes").Uint(result->column_bytes);
      out.Key("pruned_by_zones").Uint(result->pruned_by_zones);
      out.Key("pruned_by_filters").Uint(result->pruned_by_filters);
      out.Key("index_bytes").Uint(result->index_bytes);
      out.Key("spans_read").Uint(result->spans_read);
      out.Key("matched")
          .Uint(matches)
          .Key("took_ns")
          .Int(clock.MonotonicNs() - begin_ns)
          .EndObject();
    }
    out.EndObject();
    lines += out.Take() + "\n";
    net::HttpResponse answer = net::HttpResponse::Json(200, std::move(lines));
    answer.headers["content-type"] = "application/x-ndjson";
    return answer;
  }

  net::HttpResponse Graph(const net::HttpRequest& http) {
    auto request = ParseQueryRequest(http.body);
    if (!request) return ErrorAnswer(request.error());
    auto plan = MakePlan(*request, clock.MonotonicNs(), Groups());
    if (!plan) return ErrorAnswer(plan.error());
    analysis::ServiceGraphBuilder builder;
    if (!plan->filter || plan->filter->matches_all()) {
      const auto found = store.Graph({.from_ns = plan->from_ns,
                                      .until_ns = plan->until_ns,
                                      .from_spans = request->from_spans,
                                      .deadline_ns = plan->deadline_ns});
      if (!found) return ErrorAnswer(found.error());
      builder.Add(found->rollup);
    } else {
      plan->time_range = query::TimeRange::kEvent;
      const auto result = store.Search(*plan, [&](const store::Match& match) {
        const double probability = match.trace.trace->kept.probability;
        builder.Add(match.trace, plan->from_ns, plan->until_ns,
                    probability > 0 ? 1 / probability : 1);
        return true;
      });
      if (!result) return ErrorAnswer(result.error());
    }
    return net::HttpResponse::Json(200,
                                   GraphJson(builder.Build(), request->from_ns, request->until_ns));
  }

  net::HttpResponse Calls(const net::HttpRequest& http) {
    const auto request = ParseCallsRequest(http.body);
    if (!request) return ErrorAnswer(request.error());
    const auto prices = model_prices.Of(control);
    const auto found = store.Calls(PlanOf(*request, *prices, clock.MonotonicNs()));
    if (!found) return ErrorAnswer(found.error());
    return net::HttpResponse::Json(200, CallsJson(*request, *found, *prices));
  }

  using AskLedger = Result<std::string> (*)(const LedgerContext&, std::string_view);
  net::HttpResponse OfLedger(const net::HttpRequest& http, AskLedger ask) {
    const auto prices = model_prices.Of(control);
    return JsonOf(ask({.store = store,
                       .prices = *prices,
                       .now_monotonic_ns = clock.MonotonicNs(),
                       .groups = Groups()},
                      http.body));
  }
  net::HttpResponse Ledger(const net::HttpRequest& http) { return OfLedger(http, LedgerJson); }
  net::HttpResponse Waste(const net::HttpRequest& http) { return OfLedger(http, WasteJson); }
  net::HttpResponse Ttft(const net::HttpRequest& http) { return OfLedger(http, TtftJson); }
  net::HttpResponse Propagation(const net::HttpRequest& http) {
    return JsonOf(PropagationJson({.store = store,
                                   .now_monotonic_ns = clock.MonotonicNs(),
                                   .now_ns = clock.UnixNs(),
                                   .groups = Groups()},
                                  http.body));
  }

  net::HttpResponse GenAiCost(const net::HttpRequest& http) {
    const auto request = ParseGenAiCostRequest(http.body, clock.MonotonicNs(), Groups());
    if (!request) return ErrorAnswer(request.error());
    return JsonOf(GenAiCostJson(store, *request, *model_prices.Of(control)));
  }
  net::HttpResponse GenAiAudit(const net::HttpRequest& http) {
    std::string_view id_text = http.path;
    id_text.remove_prefix(id_text.rfind('/') + 1);
    const auto id = model::TraceId::Parse(id_text);
    if (!id) return ErrorAnswer(id.error());
    auto trace = store.ReadTrace(*id);
    if (!trace) return ErrorAnswer(trace.error());
    if (!*trace) return ErrorAnswer(Error{ErrorCode::kNotFound, "no trace " + id->ToXRay()});
    return net::HttpResponse::Json(
        200, AuditJson(model::Assemble(*std::move(trace)), *model_prices.Of(control)));
  }
  net::HttpResponse ModelPrices(const net::HttpRequest& /*http*/) {
    return net::HttpResponse::Json(200, ModelPricesJson(*model_prices.Of(control)));
  }
  net::HttpResponse PutModelPrice(const net::HttpRequest& http) {
    return Change(http, [&] {
      return PutModelPriceJson(control, http.principal, http.body, clock.UnixNs());
    });
  }
  net::HttpResponse DeleteModelPrice(const net::HttpRequest& http) {
    return Change(http, [&] {
      return DeleteModelPriceJson(control, http.principal, QueryParameter(http, "name"));
    });
  }

  net::HttpResponse ListInsights(const net::HttpRequest& http) {
    return net::HttpResponse::Json(
        200, InsightsJson(*control.Read(), {.group = QueryParameter(http, "group"),
                                            .state = QueryParameter(http, "state"),
                                            .category = QueryParameter(http, "category")}));
  }

  net::HttpResponse OneInsight(const net::HttpRequest& http) {
    std::string_view id = http.path;
    id.remove_prefix(id.rfind('/') + 1);
    auto insight = InsightJson(*control.Read(), id);
    if (!insight) return ErrorAnswer(Error{ErrorCode::kNotFound, "no insight " + std::string(id)});
    return net::HttpResponse::Json(200, *std::move(insight));
  }

  using AskTraffic = Result<std::string> (*)(const WhatIfContext&, std::string_view);
  net::HttpResponse OfTraffic(const net::HttpRequest& http, AskTraffic ask) {
    const auto records = control.Read();
    const analysis::PriceTable prices = cost::PricesOf(*records);
    return JsonOf(ask({.store = store,
                       .now_monotonic_ns = clock.MonotonicNs(),
                       .now_ns = clock.UnixNs(),
                       .standing = control::ReadSamplingRules(*records).rules,
                       .prices = prices,
                       .region = cost.options().place.region,
                       .groups = Groups()},
                      http.body));
  }
  net::HttpResponse WhatIf(const net::HttpRequest& http) { return OfTraffic(http, WhatIfJson); }
  net::HttpResponse Suggest(const net::HttpRequest& http) { return OfTraffic(http, SuggestJson); }

  [[nodiscard]] CostContext OfCost() {
    return {.meter = cost, .control = control, .now_ns = clock.UnixNs()};
  }
  static net::HttpResponse JsonOf(Result<std::string> answer) {
    if (!answer) return ErrorAnswer(answer.error());
    return net::HttpResponse::Json(200, *std::move(answer));
  }
  net::HttpResponse Cost(const net::HttpRequest& http) {
    return JsonOf(CostJson(OfCost(), http.body));
  }
  net::HttpResponse Prices(const net::HttpRequest& /*http*/) {
    return JsonOf(PricesJson(OfCost()));
  }
  net::HttpResponse Budgets(const net::HttpRequest& /*http*/) {
    return JsonOf(BudgetsJson(OfCost()));
  }
  /// Changes are sent as JSON, which no page of another origin can do unasked.
  template <class Function>
  net::HttpResponse Change(const net::HttpRequest& http, const Function& change) {
    if (pipeline == nullptr) {
      return ErrorAnswer(
          Error{ErrorCode::kPermissionDenied, "this folder was opened for reading only"});
    }
    if (http.method == "POST" && !http.Header("content-type").starts_with("application/json")) {
      return ErrorAnswer(
          Error{ErrorCode::kInvalidArgument, "content-type: application/json wanted"});
    }
    return JsonOf(change());
  }
  net::HttpResponse PutPrice(const net::HttpRequest& http) {
    return Change(http, [&] { return PutPriceJson(OfCost(), http.principal, http.body); });
  }
  net::HttpResponse DeletePrice(const net::HttpRequest& http) {
    return Change(http, [&] {
      return DeletePriceJson(OfCost(), http.principal, QueryParameter(http, "name"));
    });
  }
  net::HttpResponse PutBudget(const net::HttpRequest& http) {
    return Change(http, [&] { return PutBudgetJson(OfCost(), http.principal, http.body); });
  }
  net::HttpResponse DeleteBudget(const net::HttpRequest& http) {
    return Change(http, [&] {
      return DeleteBudgetJson(OfCost(), http.principal, QueryParameter(http, "name"));
    });
  }

  [[nodiscard]] RedactionContext OfRedaction() {
    return {.control = control, .pipeline = pipeline};
  }
  net::HttpResponse Redaction(const net::HttpRequest& /*http*/) {
    return net::HttpResponse::Json(200, RedactionJson(OfRedaction()));
  }
  net::HttpResponse PutRedaction(const net::HttpRequest& http) {
    return Change(http, [&] { return PutRedactionJson(OfRedaction(), http.principal, http.body); });
  }
  net::HttpResponse DeleteRedaction(const net::HttpRequest& http) {
    return Change(http, [&] {
      return DeleteRedactionJson(OfRedaction(), http.principal, QueryParameter(http, "name"));
    });
  }
  net::HttpResponse TestRedaction(const net::HttpRequest& http) {
    return JsonOf(TestRedactionJson(OfRedaction(), http.body));
  }

  template <class Ask>
  net::HttpResponse OfCensus(const Ask& ask) {
    store::AttributeCensus* census = store::AttributeCensus::Of(store);
    if (census == nullptr)
      return ErrorAnswer(Error{ErrorCode::kUnsupported, "this store counts no values"});
    return JsonOf(ask(*census));
  }
  net::HttpResponse Attributes(const net::HttpRequest& http) {
    return OfCensus([&](store::AttributeCensus& census) {
      return AttributesJson(census, QueryParameter(http, "state"));
    });
  }
  net::HttpResponse Attribute(const net::HttpRequest& http) {
    std::string_view key = http.path;
    key.remove_prefix(key.rfind('/') + 1);
    return OfCensus([&](store::AttributeCensus& census) {
      return AttributeJson(census, PercentDecode(key, false));
    });
  }
  net::HttpResponse ChangeAttributes(const net::HttpRequest& http) {
    return Change(http, [&] { return ChangeAttributesJson(control, http.principal, http.body); });
  }

  net::HttpResponse Tail(const net::HttpRequest& http) {
    const auto filter = query::Filter::Parse(
        QueryParameter(http, "q"), {.case_insensitive_strings = false, .groups = Groups()});
    if (!filter) return ErrorAnswer(filter.error());
    return tail.Subscribe(*filter);
  }

  using AskComparison = Result<std::string> (*)(const CompareContext&, std::string_view);
  net::HttpResponse OfComparison(const net::HttpRequest& http, AskComparison ask) {
    const auto prices = model_prices.Of(control);
    return JsonOf(ask({.store = store,
                       .now_monotonic_ns = clock.MonotonicNs(),
                       .now_ns = clock.UnixNs(),
                       .groups = Groups(),
                       .model_prices = *prices},
                      http.body));
  }
  net::HttpResponse Differ(const net::HttpRequest& http) { return OfComparison(http, DifferJson); }
  net::HttpResponse Experiments(const net::HttpRequest& http) {
    return OfComparison(http, ExperimentsJson);
  }
  net::HttpResponse Compare(const net::HttpRequest& http) {
    return OfComparison(http, CompareJson);
  }

  net::HttpResponse Export(const net::HttpRequest& http) {
    auto request = ParseQueryRequest(http.body);
    if (!request) return ErrorAnswer(request.error());
    const auto format = ParseExportFormat(request->format);
    if (!format) {
      return ErrorAnswer(
          Error{ErrorCode::kInvalidArgument, "format: otlp-json, otlp-proto, xray or csv wanted"});
    }
    auto plan = MakePlan(*request, clock.MonotonicNs(), Groups());
    if (!plan) return ErrorAnswer(plan.error());
    plan->deadline_ns = INT64_MAX;  // an export takes as long as its reader reads
    net::HttpResponse answer;
    answer.headers["content-type"] = std::string(ExportContentType(*format));
    answer.stream = [this, plan = *plan, format = *format](const net::StreamWriter& write) {
      const std::string header = ExportHeader(format);
      return (header.empty() || write(header)) && StreamTraces(plan, format, write);
    };
    return answer;
  }

  // Writes between searches and reads, never inside: a slow reader must not hold the memory that
  // questions share. False: the export is not whole.
  bool StreamTraces(query::Plan plan, ExportFormat format, const net::StreamWriter& write) {
    bool whole = true;
    for (;;) {
      std::string text;
      std::optional<model::TraceId> part_of;
      std::uint64_t next_span = 0;
      const auto result = store.Search(plan, [&](const store::Match& match) {
        const model::Trace& trace = *match.trace.trace;
        text += ExportTrace(match.trace, format);
        if (trace.IsPart()) {
          part_of = trace.id;
          next_span = trace.spans.size();
        }
        return text.size() < kExportWriteBytes && !part_of;
      });
      if (!result || !write(text)) return false;
      if (part_of && !StreamRest(*part_of, next_span, format, write)) return false;
      whole = whole && result->damaged.empty();
      if (result->complete) return whole;
      if (!result->last) return false;
      plan.after = result->last;
    }
  }

  // The parts of one trace from `next_span` on.
  bool StreamRest(const model::TraceId& id, std::uint64_t next_span, ExportFormat format,
                  const net::StreamWriter& write) {
    for (;;) {
      std::string text;
      std::uint64_t left = 0;
      {
        auto part = store.ReadTrace(id, next_span);
        if (!part) return false;
        if (!*part || (*part)->spans.empty()) return true;  // deleted meanwhile
        next_span += (*part)->spans.size();
        left = (*part)->spans_after;
        text = ExportTrace(model::Assemble(*std::move(part)), format);
      }
      if (!write(text)) return false;
      if (left == 0) return true;
    }
  }

  net::HttpResponse Import(const net::HttpRequest& http) {
    if (pipeline == nullptr) {
      return ErrorAnswer(
          Error{ErrorCode::kPermissionDenied, "this folder was opened for reading only"});
    }
    const std::string name = QueryParameter(http, "format");
    std::optional<ingest::ImportFormat> format;
    if (name.empty() || name == "auto") {
      const auto detected = ingest::DetectImportFormat(http.body);
      if (!detected) return ErrorAnswer(detected.error());
      format = *detected;
    } else if (format = ingest::ParseImportFormat(name); !format) {
      return ErrorAnswer(
          Error{ErrorCode::kInvalidArgument,
                "format: auto, otlp-json, otlp-proto, xray, jaeger, zipkin or csv wanted"});
    }
    const auto admitted = pipeline->Admit(http.body.size(), "import");
    if (!admitted) return ErrorAnswer(admitted.error());
    auto imported = ingest::DecodeImport(http.body, *format, pipeline->LimitsNow(http.body.size()));
    if (!imported) {
      return ErrorAnswer(
          Error{imported.error().code, pipeline->Redacted(imported.error().message)});
    }
    const std::size_t spans = imported->batch.size();
    std::vector<model::TraceId> ids = imported->batch.trace_ids;
    std::sort(ids.begin(), ids.end());
    const auto traces = std::unique(ids.begin(), ids.end()) - ids.begin();
    if (spans > 0) {
      if (const auto stored =
              pipeline->PutBatch(std::move(imported->batch), imported->stats, "import");
          !stored) {
        return ErrorAnswer(stored.error());
      }
    }
    JsonWriter out;
    out.BeginObject().Key("format").String(ingest::ImportFormatName(*format));
    out.Key("traces").Int(traces).Key("spans").Uint(spans).Key("refused").Uint(imported->refused);
    out.Key("problems").BeginArray();
    for (const auto& problem : imported->problems) out.String(pipeline->Redacted(problem));
    out.EndArray().EndObject();
    return net::HttpResponse::Json(200, out.Take());
  }

  net::HttpResponse Delete(const net::HttpRequest& http) {
    if (!http.Header("content-type").starts_with("application/json")) {
      return ErrorAnswer(
          Error{ErrorCode::kInvalidArgument, "content-type: application/json wanted"});
    }
    auto request = ParseQueryRequest(http.body);
    if (!request) return ErrorAnswer(request.error());
    if (request->ids.empty() == request->expression.empty()) {
      return ErrorAnswer(Error{ErrorCode::kInvalidArgument, "ids or an expression wanted"});
    }
    if (pipeline == nullptr && !request->dry_run) {
      return ErrorAnswer(
          Error{ErrorCode::kPermissionDenied, "this folder was opened for reading only"});
    }
    const auto plan = MakePlan(*request, clock.MonotonicNs(), Groups());
    if (!plan) return ErrorAnswer(plan.error());
    const auto deleted = request->ids.empty() ? DeleteFound(*plan, request->dry_run)
                                              : DeleteIds(request->ids, request->dry_run);
    if (!deleted) return ErrorAnswer(deleted.error());
    JsonWriter out;
    out.BeginObject().Key("traces").Uint(deleted->traces);
    out.Key("complete").Bool(deleted->complete).Key("damaged").BeginArray();
    for (const auto& block : deleted->damaged) out.String(block);
    out.EndArray().EndObject();
    return net::HttpResponse::Json(200, out.Take());
  }

  net::HttpResponse ListRules(const net::HttpRequest&) { return ui::ListRules(control); }
  net::HttpResponse PutRules(const net::HttpRequest& http) { return ui::PutRules(control, http); }
  net::HttpResponse DeleteRule(const net::HttpRequest& http) {
    return ui::DeleteRule(control, http);
  }
  net::HttpResponse ListTailPolicies(const net::HttpRequest&) {
    return ui::ListTailPolicies(control);
  }
  net::HttpResponse PutTailPolicies(const net::HttpRequest& http) {
    return ui::PutTailPolicies(control, http);
  }
  net::HttpResponse DeleteTailPolicy(const net::HttpRequest& http) {
    return ui::DeleteTailPolicy(control, http);
  }
  net::HttpResponse ExportRecords(const net::HttpRequest& http) {
    return ui::ExportRecords(control, http);
  }
  net::HttpResponse ImportRecords(const net::HttpRequest& http) {
    return ui::ImportRecords(control, http);
  }
  net::HttpResponse Audit(const net::HttpRequest& http) { return ui::Audit(control, http); }
  net::HttpResponse ListKeys(const net::HttpRequest& /*http*/) { return ui::ListKeys(control); }
  net::HttpResponse CreateKey(const net::HttpRequest& http) { return ui::CreateKey(control, http); }
  net::HttpResponse RevokeKey(const net::HttpRequest& http) { return ui::RevokeKey(control, http); }
  net::HttpResponse AttachKeyPolicy(const net::HttpRequest& http) {
    return ui::AttachKeyPolicy(control, http);
  }

  Result<store::Deleted> DeleteIds(const std::vector<model::TraceId>& ids, bool dry_run) {
    store::Deleted deleted;
    if (dry_run) {
      FLUORO_TRY(const std::vector<bool> exist, store.Exist(ids));
      deleted.traces = static_cast<std::uint64_t>(std::ranges::count(exist, true));
    } else {
      FLUORO_TRY(deleted.traces, store.Delete(ids));
    }
    return deleted;
  }

  Result<store::Deleted> DeleteFound(const query::Plan& plan, bool dry_run) {
    if (!dry_run) return store::DeleteMatching(store, plan);
    store::Deleted deleted;
    FLUORO_TRY(const store::SearchResult found, store.Search(plan, [&](const store::Match&) {
      ++deleted.traces;
      return true;
    }));
    deleted.complete = found.complete;
    deleted.damaged = found.damaged;
    return deleted;
  }
};

namespace {

/// One call. Without a rule it does not compile.
struct Route {
  UiApi::Rule rule;
  net::HttpResponse (UiApi::Impl::*handle)(const net::HttpRequest&);
};

constexpr auto kRoutes = std::to_array<Route>({
    {{"GET", "trace/", "xray:BatchGetTraces"}, &UiApi::Impl::Trace},
    {{"GET", "tail", "xray:GetTraceSummaries"}, &UiApi::Impl::Tail},
    {{"GET", "insights", "xray:GetInsightSummaries"}, &UiApi::Impl::ListInsights},
    {{"GET", "insights/", "xray:GetInsight"}, &UiApi::Impl::OneInsight},
    {{"POST", "search", "xray:GetTraceSummaries"}, &UiApi::Impl::Search},
    {{"POST", "graph", "xray:GetServiceGraph"}, &UiApi::Impl::Graph},
    {{"POST", "genai", "xray:GetTraceSummaries"}, &UiApi::Impl::Calls},
    {{"GET", "genai/conversation/", "xray:BatchGetTraces"}, &UiApi::Impl::Conversation},
    {{"POST", "genai/ledger", "xray:BatchGetTraces"}, &UiApi::Impl::Ledger},
    {{"POST", "genai/waste", "xray:BatchGetTraces"}, &UiApi::Impl::Waste},
    {{"POST", "genai/ttft", "xray:BatchGetTraces"}, &UiApi::Impl::Ttft},
    {{"POST", "propagation", "xray:GetTraceSummaries"}, &UiApi::Impl::Propagation},
    {{"POST", "genai/cost", "xray:GetTraceSummaries"}, &UiApi::Impl::GenAiCost},
    {{"GET", "genai/audit/", "xray:BatchGetTraces"}, &UiApi::Impl::GenAiAudit},
    {{"GET", "model-prices", "xray:GetTraceSummaries"}, &UiApi::Impl::ModelPrices},
    {{"POST", "model-prices", "xray:*"}, &UiApi::Impl::PutModelPrice},
    {{"DELETE", "model-prices", "xray:*"}, &UiApi::Impl::DeleteModelPrice},
    {{"POST", "whatif", "xray:GetTraceSummaries"}, &UiApi::Impl::WhatIf},
    {{"POST", "suggest", "xray:GetTraceSummaries"}, &UiApi::Impl::Suggest},
    {{"POST", "cost", "xray:GetTraceSummaries"}, &UiApi::Impl::Cost},
    {{"GET", "prices", "xray:GetTraceSummaries"}, &UiApi::Impl::Prices},
    {{"POST", "prices", "xray:*"}, &UiApi::Impl::PutPrice},
    {{"DELETE", "prices", "xray:*"}, &UiApi::Impl::DeletePrice},
    {{"GET", "budgets", "xray:GetTraceSummaries"}, &UiApi::Impl::Budgets},
    {{"POST", "budgets", "xray:*"}, &UiApi::Impl::PutBudget},
    {{"DELETE", "budgets", "xray:*"}, &UiApi::Impl::DeleteBudget},
    {{"GET", "redaction", "xray:*"}, &UiApi::Impl::Redaction},
    {{"POST", "redaction", "xray:*"}, &UiApi::Impl::PutRedaction},
    {{"DELETE", "redaction", "xray:*"}, &UiApi::Impl::DeleteRedaction},
    {{"POST", "redaction/test", "xray:*"}, &UiApi::Impl::TestRedaction},
    {{"GET", "attributes", "xray:GetTraceSummaries"}, &UiApi::Impl::Attributes},
    {{"GET", "attributes/", "xray:GetTraceSummaries"}, &UiApi::Impl::Attribute},
    {{"POST", "attributes", "xray:*"}, &UiApi::Impl::ChangeAttributes},
    {{"POST", "export", "xray:BatchGetTraces"}, &UiApi::Impl::Export},
    {{"POST", "genai/experiments", "xray:GetTraceSummaries"}, &UiApi::Impl::Experiments},
    {{"POST", "differ", "xray:GetTraceSummaries"}, &UiApi::Impl::Differ},
    {{"POST", "compare", "xray:BatchGetTraces"}, &UiApi::Impl::Compare},
    {{"POST", "delete", "xray:*"}, &UiApi::Impl::Delete},
    {{"POST", "import", "xray:*"}, &UiApi::Impl::Import},
    {{"GET", "keys", "xray:*"}, &UiApi::Impl::ListKeys},
    {{"POST", "keys", "xray:*"}, &UiApi::Impl::CreateKey},
    {{"POST", "keys/revoke", "xray:*"}, &UiApi::Impl::RevokeKey},
    {{"POST", "keys/attach", "xray:*"}, &UiApi::Impl::AttachKeyPolicy},
    {{"GET", "rules", "xray:GetSamplingRules"}, &UiApi::Impl::ListRules},
    {{"PUT", "rules", "xray:*"}, &UiApi::Impl::PutRules},
    {{"DELETE", "rules/", "xray:*"}, &UiApi::Impl::DeleteRule},
    {{"GET", "tail-policies", "xray:GetSamplingRules"}, &UiApi::Impl::ListTailPolicies},
    {{"PUT", "tail-policies", "xray:*"}, &UiApi::Impl::PutTailPolicies},
    {{"DELETE", "tail-policies/", "xray:*"}, &UiApi::Impl::DeleteTailPolicy},
    {{"GET", "records", "xray:*"}, &UiApi::Impl::ExportRecords},
    {{"POST", "records", "xray:*"}, &UiApi::Impl::ImportRecords},
    {{"GET", "audit", "xray:*"}, &UiApi::Impl::Audit},
});

constexpr auto kRules = [] {
  std::array<UiApi::Rule, kRoutes.size()> rules;
  std::ranges::transform(kRoutes, rules.begin(), &Route::rule);
  return rules;
}();

bool IsAt(const UiApi::Rule& route, std::string_view path) {
  if (!route.path.ends_with('/')) return path == route.path;
  return path.starts_with(route.path) && path.size() > route.path.size() &&
         path.find('/', route.path.size()) == std::string_view::npos;
}

}  // namespace

UiApi::UiApi(store::TraceStore& store, ingest::Pipeline* pipeline, control::Repository& control,
             cost::CostMeter& cost, const Clock& clock, Metrics& metrics)
    : impl_(new Impl{store, pipeline, control, cost, clock, {store, clock, metrics}}) {
  store.SetCommitListener(
      [tail = &impl_->tail](const std::shared_ptr<const model::SpanBatch>& batch) {
        tail->OnCommit(*batch);
      });
}

UiApi::~UiApi() { impl_->store.SetCommitListener({}); }

void UiApi::Stop() { impl_->tail.Stop(); }

std::span<const UiApi::Rule> UiApi::Rules() { return kRules; }

net::HttpResponse UiApi::Handle(const net::HttpRequest& request, const auth::Caller& caller) {
  std::string_view path = request.path;
  if (path.starts_with(kPrefix)) path.remove_prefix(kPrefix.size());
  std::string allowed;
  for (const Route& route : kRoutes) {
    if (!IsAt(route.rule, path)) continue;
    if (route.rule.method == request.method) {
      if (const auto may = caller.Check(route.rule.action); !may) return ErrorAnswer(may.error());
      return ((*impl_).*route.handle)(request);
    }
    allowed += (allowed.empty() ? "" : ", ") + std::string(route.rule.method);
  }
  if (!allowed.empty()) return MethodNotAllowed(allowed);
  return ErrorAnswer(Error{ErrorCode::kNotFound, "no such call: " + request.path});
}

}  // namespace fluoro::api::ui
