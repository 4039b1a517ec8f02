#include "api/ui/ledger_request.h"

#include <simdjson.h>

#include <algorithm>

#include "base/json.h"

namespace fluoro::api::ui {
namespace {

std::unexpected<Error> Wrong(std::string_view member, std::string_view wanted) {
  return Fail(ErrorCode::kInvalidArgument,
              std::string(member) + ": " + std::string(wanted) + " wanted");
}

using Dimensions = std::vector<analysis::LedgerDimension>;

Result<Dimensions> TakeBy(simdjson::dom::element value) {
  constexpr std::string_view kWanted = "a list of kind, sub_kind, tool, model, tenant, route";
  simdjson::dom::array array;
  if (value.get(array) != simdjson::SUCCESS) return Wrong("by", kWanted);
  Dimensions dimensions;
  for (const auto item : array) {
    std::string_view name;
    if (item.get(name) != simdjson::SUCCESS) return Wrong("by", kWanted);
    const auto dimension = analysis::LedgerDimensionNamed(name);
    if (!dimension) return Wrong("by", kWanted);
    if (std::ranges::find(dimensions, *dimension) == dimensions.end())
      dimensions.push_back(*dimension);
  }
  return dimensions;
}

Result<void> TakeMember(std::string_view key, simdjson::dom::element value,
                        LedgerRequest& request) {
  std::string_view text;
  const bool is_text = value.get(text) == simdjson::SUCCESS;
  if (key == "trace") {
    const auto id = model::TraceId::Parse(is_text ? text : std::string_view());
    if (!id) return Wrong(key, "a trace id");
    request.trace = *id;
  } else if (key == "by") {
    FLUORO_TRY(Dimensions by, TakeBy(value));
    if (!by.empty()) request.by = std::move(by);
  } else if (key == "clock") {
    if (text != "last_token" && text != "first_token")
      return Wrong(key, "last_token or first_token");
    if (text == "first_token") request.clock = analysis::LedgerClock::kFirstToken;
  } else if (key == "what_if") {
    if (!is_text) return Wrong(key, "a string");
    FLUORO_TRY(request.what_if, analysis::ParseStepWhatIf(text));
  } else if (key == "traces") {
    if (value.get(request.traces_max) != simdjson::SUCCESS || request.traces_max < 1 ||
        request.traces_max > kLedgerTracesMax)
      return Wrong(key, "1 to 200000");
  }
  return {};
}

}  // namespace

analysis::LedgerDimensions LedgerRequest::Dimensions() const {
  analysis::LedgerDimensions dimensions;
  for (const analysis::LedgerDimension dimension : by) dimensions.Add(dimension);
  return dimensions;
}

Result<LedgerRequest> ParseLedgerRequest(std::string_view body) {
  LedgerRequest request;
  FLUORO_TRY(request.query, ParseQueryRequest(body));
  if (body.empty()) return request;
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  const simdjson::padded_string padded(body);
  if (parser.parse(padded).get(object) != simdjson::SUCCESS) return Wrong("body", "a JSON object");
  for (const auto [key, value] : object) {
    if (value.is_null()) continue;
    FLUORO_CHECK_OK(TakeMember(key, value, request));
  }
  return request;
}

Result<LookedAt> LookAt(const LedgerContext& context, const LedgerRequest& request,
                        const TraceVisitor& visit) {
  LookedAt looked_at;
  const auto look = [&](const model::AssembledTrace& trace) {
    const genai::TraceLabels labels = genai::LabelsOf(trace);
    const genai::TraceCost cost = genai::PriceTrace(trace, context.prices);
    const double probability = trace.trace->kept.probability;
    visit(analysis::TraceView::Of(trace, cost, labels), probability > 0 ? 1 / probability : 1);
  };
  if (request.trace) {
    FLUORO_TRY(std::shared_ptr<const model::Trace> trace, context.store.ReadTrace(*request.trace));
    if (!trace) return Fail(ErrorCode::kNotFound, "no trace " + request.trace->ToXRay());
    look(model::Assemble(std::move(trace)));
    return looked_at;
  }
  FLUORO_TRY(const query::Plan plan,
             MakePlan(request.query, context.now_monotonic_ns, context.groups));
  std::uint64_t traces = 0;
  FLUORO_TRY(const store::SearchResult found,
             context.store.Search(plan, [&](const store::Match& match) {
               look(match.trace);
               return ++traces < request.traces_max;
             }));
  looked_at.complete = found.complete;
  looked_at.scanned_share = found.scanned_share;
  looked_at.damaged = found.damaged;
  return looked_at;
}

void WriteAsked(JsonWriter& out, const LedgerRequest& request) {
  WriteTime(out, "from", request.query.from_ns);
  WriteTime(out, "to", request.query.until_ns);
  out.Key("trace_id");
  if (request.trace) {
    out.String(request.trace->ToXRay());
  } else {
    out.Null();
  }
  out.Key("by").BeginArray();
  for (const analysis::LedgerDimension dimension : request.by)
    out.String(analysis::LedgerDimensionName(dimension));
  out.EndArray();
}

void WriteLookedAt(JsonWriter& out, const LookedAt& looked_at) {
  out.Key("complete").Bool(looked_at.complete);
  out.Key("scanned_share").Double(looked_at.scanned_share);
  out.Key("damaged").BeginArray();
  for (const std::string& block : looked_at.damaged) out.String(block);
  out.EndArray();
}

void WriteDimensions(JsonWriter& out, const LedgerRequest& request, const analysis::LedgerKey& key,
                     bool is_other) {
  for (const analysis::LedgerDimension dimension : request.by) {
    const std::string& text = key[static_cast<std::size_t>(dimension)];
    out.Key(analysis::LedgerDimensionName(dimension));
    if (text.empty()) {
      out.Null();
    } else {
      out.String(text);
    }
  }
  if (is_other) out.Key("other").Bool(true);
}

void WriteUsd(JsonWriter& out, std::string_view key, std::int64_t nano_usd,
              std::int64_t unpriced_steps) {
  out.Key(key);
  if (nano_usd == 0 && unpriced_steps > 0) {
    out.Null();
  } else {
    out.Seconds(nano_usd);
  }
}

void WriteSpanId(JsonWriter& out, std::string_view key, const model::AssembledTrace& trace,
                 std::int32_t entity) {
  out.Key(key);
  if (entity < 0) {
    out.Null();
  } else {
    out.String(trace.entities[static_cast<std::size_t>(entity)].id.ToHex());
  }
}

}  // namespace fluoro::api::ui
