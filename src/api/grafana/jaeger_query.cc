#include "api/grafana/jaeger_query.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "api/grafana/span_query.h"
#include "base/json.h"
#include "base/log.h"
#include "codec/jaeger/jaeger.h"
#include "query/plan.h"

namespace fluoro::api::grafana {
namespace {

constexpr std::size_t kNamesMax = 10'000;
constexpr std::int64_t kQueryDeadlineNs = 30 * kNsPerSecond;
constexpr std::int64_t kDependenciesLookbackMs = 24LL * 3600 * 1000;
constexpr std::int64_t kMsMax = 9'000'000'000'000;

struct Problem {
  int code = 500;
  std::string message{};
  std::string trace_id{};
};

/// `data` with Jaeger's envelope. `total`: elements of data; `limit`: 0 where none was asked for.
struct Reply {
  std::string data{};
  std::size_t total = 0;
  std::size_t limit = 0;
  std::vector<Problem> problems{};
};

void AppendProblems(JsonWriter& out, const std::vector<Problem>& problems) {
  out.Key("errors");
  if (problems.empty()) {
    out.Null();
    return;
  }
  out.BeginArray();
  for (const Problem& problem : problems) {
    out.BeginObject().Key("code").Int(problem.code).Key("msg").String(problem.message);
    if (!problem.trace_id.empty()) out.Key("traceID").String(problem.trace_id);
    out.EndObject();
  }
  out.EndArray();
}

net::HttpResponse Respond(int status, const Reply& reply) {
  JsonWriter out;
  out.BeginObject().Key("data").Raw(reply.data.empty() ? "null" : reply.data);
  out.Key("total").Uint(reply.total).Key("limit").Uint(reply.limit).Key("offset").Int(0);
  AppendProblems(out, reply.problems);
  out.EndObject();
  return net::HttpResponse::Json(status, out.Take());
}

net::HttpResponse RespondProblem(int code, std::string message) {
  Reply reply;
  reply.problems.push_back({.code = code, .message = std::move(message)});
  return Respond(code, reply);
}

net::HttpResponse RespondError(const Error& error) {
  switch (error.code) {
    case ErrorCode::kInvalidArgument:
      return RespondProblem(400, error.message);
    case ErrorCode::kUnavailable:
      return RespondProblem(503, "the store is busy or shutting down");
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kCancelled:
      return RespondProblem(504, "the query took too long");
    default:
      log::Error("jaeger query: internal failure",
                 {{"code", std::string(ErrorCodeName(error.code))}, {"error", error.message}});
      return RespondProblem(500, "internal failure");
  }
}

std::string ParameterOr(const Parameters& parameters, std::string_view name, std::string fallback) {
  for (const auto& [key, value] : parameters) {
    if (key == name) return value;
  }
  return fallback;
}

Result<std::int64_t> MillisecondsOr(const Parameters& parameters, std::string_view name,
                                    std::int64_t fallback) {
  const std::string text = ParameterOr(parameters, name, "");
  if (text.empty()) return fallback;
  std::int64_t ms = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
  if (error != std::errc() || end != text.data() + text.size() || ms < 0 || ms > kMsMax) {
    return Fail(ErrorCode::kInvalidArgument,
                "parameter '" + std::string(name) + "': milliseconds wanted");
  }
  return ms;
}

/// service.name of every span; spans without one (independent X-Ray subsegments) take that of their
/// nearest ancestor.
class ServiceNames {
 public:
  explicit ServiceNames(const model::Trace& trace) : trace_(trace), names_(trace.spans.size()) {
    for (std::size_t i = 0; i < trace.spans.size(); ++i) by_id_.emplace(trace.spans[i].span_id, i);
    for (std::size_t i = 0; i < trace.spans.size(); ++i) Resolve(i);
  }
  [[nodiscard]] std::string_view Of(std::size_t span) const { return names_[span]; }

 private:
  // Index of the parent inside the trace.
  [[nodiscard]] std::optional<std::size_t> Parent(std::size_t span) const {
    const auto found = by_id_.find(trace_.spans[span].parent_id);
    if (found == by_id_.end() || found->second == span) return std::nullopt;
    return found->second;
  }
  void Resolve(std::size_t span) {
    // Cycles of parents end after as many steps as there are spans.
    std::vector<std::size_t> nameless;
    std::optional<std::size_t> at = span;
    while (at && names_[*at].empty() && nameless.size() < names_.size()) {
      names_[*at] = trace_.spans[*at].service();
      if (!names_[*at].empty()) break;
      nameless.push_back(*at);
      at = Parent(*at);
    }
    if (!at) return;
    for (const std::size_t i : nameless) names_[i] = names_[*at];
  }

  const model::Trace& trace_;
  std::vector<std::string_view> names_;
  std::unordered_map<model::SpanId, std::size_t> by_id_;
};

std::string StringArray(const std::set<std::string>& texts) {
  JsonWriter out;
  out.BeginArray();
  for (const std::string& text : texts) out.String(text);
  out.EndArray();
  return out.Take();
}

net::HttpResponse Services(store::TraceStore& store) {
  const auto names = store.Services(kNamesMax);
  if (!names) return RespondError(names.error());
  return Respond(200,
                 {.data = StringArray({names->begin(), names->end()}), .total = names->size()});
}

net::HttpResponse OperationNames(store::TraceStore& store, const std::string& service) {
  const auto operations = store.Operations(service, kNamesMax);
  if (!operations) return RespondError(operations.error());
  std::set<std::string> names;
  for (const auto& operation : *operations) names.insert(operation.name);
  return Respond(200, {.data = StringArray(names), .total = names.size()});
}

net::HttpResponse Operations(store::TraceStore& store, const Parameters& parameters) {
  const std::string service = ParameterOr(parameters, "service", "");
  if (service.empty()) return RespondProblem(400, "parameter 'service' is required");
  const std::string kind = ParameterOr(parameters, "spanKind", "");
  const auto operations = store.Operations(service, kNamesMax);
  if (!operations) return RespondError(operations.error());
  JsonWriter out;
  out.BeginArray();
  std::size_t count = 0;
  for (const auto& operation : *operations) {
    if (!kind.empty() && SpanKindName(operation.kind) != kind) continue;
    ++count;
    out.BeginObject().Key("name").String(operation.name);
    out.Key("spanKind").String(SpanKindName(operation.kind)).EndObject();
  }
  out.EndArray();
  return Respond(200, {.data = out.Take(), .total = count});
}

net::HttpResponse TracesById(store::TraceStore& store, const std::vector<model::TraceId>& ids) {
  Reply reply;
  JsonWriter out;
  out.BeginArray();
  for (const model::TraceId& id : ids) {
    const auto trace = store.ReadTrace(id);
    if (!trace) return RespondError(trace.error());
    if (!*trace) {
      reply.problems.push_back({.code = 404, .message = "trace not found", .trace_id = id.ToHex()});
      continue;
    }
    codec::jaeger::AppendTrace(**trace, out);
    ++reply.total;
  }
  out.EndArray();
  reply.data = out.Take();
  return Respond(200, reply);
}

net::HttpResponse SearchTraces(store::TraceStore& store, const Clock& clock,
                               const Parameters& parameters) {
  const auto query = SpanQuery::Parse(parameters, clock.UnixNs());
  if (!query) return RespondError(query.error());
  if (!query->trace_ids.empty()) return TracesById(store, query->trace_ids);
  query::Plan plan;
  plan.from_ns = query->from_ns;
  plan.until_ns = query->until_ns + 1;
  plan.time_range = query::TimeRange::kEvent;
  plan.deadline_ns = clock.MonotonicNs() + kQueryDeadlineNs;
  JsonWriter out;
  out.BeginArray();
  std::size_t count = 0;
  const auto found = store.Search(plan, [&](const store::Match& match) {
    const model::Trace& trace = *match.trace.trace;
    const ServiceNames services(trace);
    for (std::size_t i = 0; i < trace.spans.size(); ++i) {
      if (!query->Matches(trace.spans[i], services.Of(i))) continue;
      codec::jaeger::AppendTrace(trace, out);
      ++count;
      break;
    }
    return count < query->limit;
  });
  if (!found) return RespondError(found.error());
  out.EndArray();
  return Respond(200, {.data = out.Take(), .total = count, .limit = query->limit});
}

net::HttpResponse OneTrace(store::TraceStore& store, std::string_view text) {
  const auto id = ParseJaegerTraceId(text);
  if (!id) return RespondProblem(400, "cannot parse the trace id: " + id.error().message);
  const auto trace = store.ReadTrace(*id);
  if (!trace) return RespondError(trace.error());
  if (!*trace) return RespondProblem(404, "trace not found");
  JsonWriter out;
  out.BeginArray();
  codec::jaeger::AppendTrace(**trace, out);
  out.EndArray();
  return Respond(200, {.data = out.Take(), .total = 1});
}

net::HttpResponse Dependencies(store::TraceStore& store, const Clock& clock,
                               const Parameters& parameters) {
  const auto end_ms = MillisecondsOr(parameters, "endTs", clock.UnixNs() / kNsPerMs);
  if (!end_ms) return RespondError(end_ms.error());
  const auto lookback_ms = MillisecondsOr(parameters, "lookback", kDependenciesLookbackMs);
  if (!lookback_ms) return RespondError(lookback_ms.error());
  query::Plan plan;
  plan.until_ns = *end_ms * kNsPerMs;
  plan.from_ns = plan.until_ns - *lookback_ms * kNsPerMs;
  plan.deadline_ns = clock.MonotonicNs() + kQueryDeadlineNs;
  std::map<std::pair<std::string, std::string>, std::uint64_t> calls;
  const auto found = store.Search(plan, [&](const store::Match& match) {
    const model::Trace& trace = *match.trace.trace;
    const ServiceNames services(trace);
    const auto service_of = [&](const model::Entity& entity) {
      return services.Of(static_cast<std::size_t>(entity.span - trace.spans.data()));
    };
    for (const model::Entity& entity : match.trace.entities) {
      if (entity.synthetic || entity.role == model::EntityRole::kInferred) continue;
      // A call may stand under a segment made of itself.
      const model::Entity* parent = &entity;
      while (parent != nullptr && parent->span == entity.span) {
        parent = parent->parent < 0
                     ? nullptr
                     : &match.trace.entities[static_cast<std::size_t>(parent->parent)];
      }
      if (parent == nullptr || service_of(*parent) == service_of(entity)) continue;
      ++calls[{std::string(service_of(*parent)), std::string(service_of(entity))}];
    }
    return true;
  });
  if (!found) return RespondError(found.error());
  JsonWriter out;
  out.BeginArray();
  for (const auto& [services, count] : calls) {
    out.BeginObject().Key("parent").String(services.first).Key("child").String(services.second);
    out.Key("callCount").Uint(count).EndObject();
  }
  out.EndArray();
  return Respond(200, {.data = out.Take(), .total = calls.size()});
}

/// The text between `prefix` and `suffix`, decoded; nothing if the path is not of this form.
std::optional<std::string> PathPart(std::string_view path, std::string_view prefix,
                                    std::string_view suffix) {
  if (path.size() <= prefix.size() + suffix.size() || !path.starts_with(prefix) ||
      !path.ends_with(suffix))
    return std::nullopt;
  path.remove_prefix(prefix.size());
  path.remove_suffix(suffix.size());
  if (path.find('/') != std::string_view::npos) return std::nullopt;
  return net::PercentDecode(path, false);
}

}  // namespace

net::HttpResponse JaegerQuery::Handle(const net::HttpRequest& request) {
  if (request.method != "GET" && request.method != "HEAD")
    return RespondProblem(405, "only GET is answered here");
  if (request.path == "/api/services") return Services(store_);
  if (request.path == "/api/operations") return Operations(store_, request.QueryParameters());
  if (request.path == "/api/traces") return SearchTraces(store_, clock_, request.QueryParameters());
  if (request.path == "/api/dependencies")
    return Dependencies(store_, clock_, request.QueryParameters());
  if (const auto service = PathPart(request.path, "/api/services/", "/operations"))
    return OperationNames(store_, *service);
  if (const auto id = PathPart(request.path, "/api/traces/", "")) return OneTrace(store_, *id);
  return RespondProblem(404, "unknown path");
}

}  // namespace fluoro::api::grafana
