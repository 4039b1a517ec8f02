#include "cli/demo/services.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <future>
#include <unordered_map>

#include "base/clock.h"
#include "cli/demo/calls.h"
#include "cli/demo/database.h"
#include "cli/demo/model_client.h"
#include "cli/demo/model_service.h"
#include "net/http_client.h"
#include "net/http_server.h"

namespace fluoro::cli::demo {
namespace {

using net::HttpRequest;
using net::HttpResponse;

constexpr std::int64_t kToolTimeoutNs = 120 * kNsPerMs;
constexpr int kPassages = 8;
constexpr int kPassagesShort = 3;

HttpResponse Finish(Scope& span, HttpResponse answer) {
  span.SetStatus(answer.status);
  return answer;
}

}  // namespace

struct Services::Impl {
  Recorder& recorder;
  Metrics& metrics;
  const Service gateway{"gateway", Protocol::kXRay};
  const Service assistant{"assistant", Protocol::kOtlp};
  const Service retriever{"retriever", Protocol::kOtlp};
  const Service reranker{"reranker", Protocol::kOtlp};
  const Service tools{"tools", Protocol::kXRay};
  ModelService model;
  std::unique_ptr<ModelClient> model_client;  ///< fixed after Start
  std::unique_ptr<Database> accounts;
  std::unique_ptr<Database> documents;
  std::unique_ptr<Database> tool_data;
  Mutex cache_mutex;
  std::unordered_map<std::string, std::string> cache FLUORO_GUARDED_BY(cache_mutex);
  std::unordered_map<std::string, std::string> urls;  ///< service -> base URL; fixed after Start
  std::vector<std::unique_ptr<net::HttpServer>> servers;

  Impl(Recorder& recorder_in, Metrics& metrics_in)
      : recorder(recorder_in), metrics(metrics_in), model(recorder_in) {}

  std::string Url(const Service& service, std::string_view path) const {
    return urls.at(service.name) + std::string(path);
  }

  Result<void> Listen(const Service& service, HttpResponse (Impl::*handler)(const HttpRequest&)) {
    net::HttpServerOptions options;
    options.address = "127.0.0.1:0";
    options.name = "demo_" + service.name;
    options.worker_threads = 8;
    FLUORO_TRY(
        auto server,
        net::HttpServer::Start(
            options, [this, handler](HttpRequest&& request) { return (this->*handler)(request); },
            [](const HttpRequest&, int status, std::string_view message) {
              return HttpResponse::Text(status, std::string(message));
            },
            metrics));
    urls[service.name] = "http://" + server->address();
    servers.push_back(std::move(server));
    return {};
  }

  HttpResponse Gateway(const HttpRequest& request) {
    Scope span = Begin(recorder, gateway, request);
    const std::string tenant(request.Header("x-tenant"));
    span.Set("client.address", std::string("203.0.113.7"));
    span.Set("enduser.id", tenant + "-user");
    span.Set("tenant", tenant);
    span.Set("route", std::string("/chat"));
    span.Set("experiment_id", std::string("rerank-v2"));
    span.Set("experiment_arm", std::string(CarriedBy(request).short_context ? "B" : "A"));
    HttpResponse answer = Route(span, tenant, request);
    answer.headers["x-demo-trace"] = span.trace_id();
    return Finish(span, std::move(answer));
  }

  HttpResponse Route(Scope& span, const std::string& tenant, const HttpRequest& request) {
    if (request.body.empty()) {
      span.Fail("ValidationError", "a question is wanted");
      return HttpResponse::Text(400, "a question is wanted");
    }
    const auto plan = accounts->Query(span, "SELECT plan FROM account WHERE tenant = ?1", tenant);
    if (!plan) return HttpResponse::Text(500, plan.error().message);
    const auto answer = CallService(span, {.service = "assistant",
                                           .url = Url(assistant, "/answer"),
                                           .body = request.body,
                                           .carried = CarriedBy(request)});
    if (!answer || answer->status >= 500) {
      span.Fail("UpstreamError", "assistant failed");
      return HttpResponse::Text(502, "assistant failed");
    }
    return HttpResponse::Text(answer->status, answer->body);
  }

  HttpResponse Assistant(const HttpRequest& request) {
    Scope span = Begin(recorder, assistant, request);
    Scope agent = span.Child("invoke_agent support", model::SpanKind::kInternal);
    agent.Set("gen_ai.operation.name", std::string("invoke_agent"));
    agent.Set("gen_ai.agent.name", std::string("support"));
    if (auto cached = ReadCache(agent, request.body))
      return Finish(span, HttpResponse::Text(200, *cached));
    auto text = Think(agent, request);
    if (!text) {
      agent.Fail("AgentError", text.error().message);
      return Finish(span, HttpResponse::Text(500, text.error().message));
    }
    WriteCache(agent, request.body, *text);
    return Finish(span, HttpResponse::Text(200, *std::move(text)));
  }

  // Passages, a turn of the model that asks for tools, the tools, and the turn that answers.
  Result<std::string> Think(Scope& agent, const HttpRequest& request) {
    const Carried carried = CarriedBy(request);
    FLUORO_TRY(const std::string passages, Retrieve(agent, request));
    const std::string prompt = Instructions() + passages + request.body;
    FLUORO_TRY(const ChatAnswer plan,
               model_client->Chat(agent, prompt + "\nWhich tools?", {}, "tool_calls"));
    FLUORO_TRY(const std::string facts, UseTools(agent, request));
    FLUORO_TRY(ChatAnswer answer,
               model_client->Chat(agent, prompt + "\n" + facts, carried, "stop"));
    // As frameworks do: the agent's span repeats what its model used.
    agent.Set("gen_ai.usage.input_tokens", plan.usage.prompt_tokens + answer.usage.prompt_tokens);
    agent.Set("gen_ai.usage.output_tokens",
              plan.usage.completion_tokens + answer.usage.completion_tokens);
    return std::move(answer.text);
  }

  std::optional<std::string> ReadCache(Scope& agent, const std::string& question) {
    Scope span = agent.Child("cache get", model::SpanKind::kInternal);
    span.Set("step_kind", std::string("cache"));
    MutexLock lock(cache_mutex);
    const auto it = cache.find(question);
    span.Set("cache.hit", it != cache.end());
    if (it == cache.end()) return std::nullopt;
    return it->second;
  }

  void WriteCache(Scope& agent, const std::string& question, const std::string& text) {
    Scope span = agent.Child("cache set", model::SpanKind::kInternal);
    span.Set("step_kind", std::string("cache"));
    MutexLock lock(cache_mutex);
    if (cache.size() < 10'000) cache[question] = text;
  }

  Result<std::string> Retrieve(Scope& agent, const HttpRequest& request) {
    Scope span = agent.Child("retrieval documents", model::SpanKind::kInternal);
    span.Set("gen_ai.operation.name", std::string("retrieval"));
    span.Set("gen_ai.data_source.id", std::string("documents"));
    span.Set("gen_ai.retrieval.top_k", std::int64_t{kPassages});
    const Carried carried = CarriedBy(request);
    FLUORO_TRY(const auto found, CallService(span, {.service = "retriever",
                                                    .url = Url(retriever, "/search"),
                                                    .body = request.body,
                                                    .carried = carried}));
    FLUORO_TRY(const auto ranked, CallService(span, {.service = "reranker",
                                                     .url = Url(reranker, "/rank"),
                                                     .body = found.body,
                                                     .carried = carried}));
    return ranked.body;
  }

  // Weather and calculator at the same time, each with a retry.
  Result<std::string> UseTools(Scope& agent, const HttpRequest& request) {
    std::array<std::future<Result<std::string>>, 2> calls;
    const std::array<std::string, 2> names{"weather", "calculator"};
    for (std::size_t i = 0; i < calls.size(); ++i) {
      calls[i] = std::async(std::launch::async, [this, &agent, &request, name = names[i]] {
        return UseTool(agent, request, name);
      });
    }
    std::string facts;
    Result<std::string> failure = std::string();
    for (auto& call : calls) {
      auto result = call.get();
      if (result) {
        facts += *result;
      } else {
        failure = std::move(result);
      }
    }
    if (!failure) return failure;
    return facts;
  }

  Result<std::string> UseTool(Scope& agent, const HttpRequest& request, const std::string& name) {
    Scope span = agent.Child("execute_tool " + name, model::SpanKind::kInternal);
    span.Set("gen_ai.operation.name", std::string("execute_tool"));
    span.Set("gen_ai.tool.name", name);
    const std::int64_t begin_ns = SystemClock().MonotonicNs();
    Carried carried = CarriedBy(request);
    std::string problem;
    for (int attempt = 0; attempt < 2; ++attempt) {
      if (attempt > 0) Work(20);
      carried.attempt = attempt;
      const auto answer = CallService(span, {.service = "tools",
                                             .url = Url(tools, "/" + name),
                                             .body = request.body,
                                             .carried = carried,
                                             .timeout_ns = kToolTimeoutNs});
      if (answer && answer->status == 200) {
        span.Set("tool_latency_ms", (SystemClock().MonotonicNs() - begin_ns) / kNsPerMs);
        span.Set("retry_count", static_cast<std::int64_t>(attempt));
        return answer->body;
      }
      problem = answer ? "status " + std::to_string(answer->status) : answer.error().message;
    }
    span.Set("retry_count", std::int64_t{1});
    span.Fail("ToolError", name + ": " + problem);
    return Fail(ErrorCode::kUnavailable, name + " failed twice");
  }

  HttpResponse Retriever(const HttpRequest& request) {
    Scope span = Begin(recorder, retriever, request);
    if (const auto embedded = model_client->Embed(span, request.body, CarriedBy(request));
        !embedded)
      return Finish(span, HttpResponse::Text(500, embedded.error().message));
    const std::string word = request.body.substr(0, request.body.find(' '));
    const auto rows = documents->Query(
        span,
        fmt::format(
            "SELECT body FROM document WHERE body LIKE '%' || ?1 || '%' ORDER BY id LIMIT {}",
            kPassages),
        word);
    if (!rows) return Finish(span, HttpResponse::Text(500, rows.error().message));
    std::string found;
    for (const auto& row : *rows) found += row + "\n";
    return Finish(span, HttpResponse::Text(200, std::move(found)));
  }

  HttpResponse Reranker(const HttpRequest& request) {
    Scope span = Begin(recorder, reranker, request);
    span.Set("step_kind", std::string("reranker"));
    span.Set("reranker.model_name", std::string("demo-rerank-2"));
    // What fewer passages save the model in reading, the longer look at them costs.
    const bool is_short = CarriedBy(request).short_context;
    Work(is_short ? 18 : 12);
    std::size_t end = 0;
    for (int i = 0; i < (is_short ? kPassagesShort : kPassages) && end < request.body.size(); ++i)
      end = std::min(request.body.find('\n', end), request.body.size() - 1) + 1;
    return Finish(span, HttpResponse::Text(200, request.body.substr(0, end)));
  }

  HttpResponse Model(const HttpRequest& request) { return model.Handle(request); }

  HttpResponse Tools(const HttpRequest& request) {
    Scope span = Begin(recorder, tools, request);
    const std::string name = request.path.substr(1);
    const Carried carried = CarriedBy(request);
    span.Set("tool_name", name);
    switch (name == "weather" ? carried.scenario : Scenario::kPlain) {
      case Scenario::kToolTimeout:
        if (carried.attempt == 0) Work(2 * kToolTimeoutNs / kNsPerMs);
        break;
      case Scenario::kToolFault:
        span.Fail("WeatherServiceError", "station 7 sent no data");
        return Finish(span, HttpResponse::Text(500, "station 7 sent no data"));
      default:
        break;
    }
    Work(15);
    const auto rows = tool_data->Query(span, "SELECT value FROM reading WHERE tool = ?1", name);
    if (!rows) return Finish(span, HttpResponse::Text(500, rows.error().message));
    return Finish(span, HttpResponse::Text(200, rows->empty() ? "" : rows->front()));
  }

  Result<void> Start() {
    FLUORO_TRY(
        accounts,
        Database::Open(
            "accounts",
            "CREATE TABLE account(tenant TEXT PRIMARY KEY, plan TEXT);"
            "INSERT INTO account VALUES ('acme','pro'),('globex','team'),('initech','free');"));
    FLUORO_TRY(
        documents,
        Database::Open(
            "documents",
            "CREATE TABLE document(id INTEGER PRIMARY KEY, body TEXT);"
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
            "INSERT INTO document SELECT i, 'Will it rain? What is the sum? How far? Passage ' || "
            "i || replace(hex(zeroblob(20)), '00', ' and so on, with more') FROM n;"));
    FLUORO_TRY(tool_data,
               Database::Open(
                   "tool-data",
                   "CREATE TABLE reading(tool TEXT, value TEXT);"
                   "INSERT INTO reading VALUES ('weather','rain at four'),('calculator','42');"));
    FLUORO_CHECK_OK(Listen(tools, &Impl::Tools));
    FLUORO_CHECK_OK(Listen(model.service(), &Impl::Model));
    model_client = std::make_unique<ModelClient>(urls.at(model.service().name));
    FLUORO_CHECK_OK(Listen(reranker, &Impl::Reranker));
    FLUORO_CHECK_OK(Listen(retriever, &Impl::Retriever));
    FLUORO_CHECK_OK(Listen(assistant, &Impl::Assistant));
    return Listen(gateway, &Impl::Gateway);
  }
};

Services::Services(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Services::~Services() { Stop(); }

Result<std::unique_ptr<Services>> Services::Start(Recorder& recorder, Metrics& metrics) {
  auto impl = std::make_unique<Impl>(recorder, metrics);
  FLUORO_CHECK_OK(impl->Start());
  return std::unique_ptr<Services>(new Services(std::move(impl)));
}

Result<Services::Answer> Services::Ask(const std::string& tenant, const std::string& question,
                                       const Carried& carried) {
  net::HttpCall call;
  call.method = "POST";
  call.url = impl_->Url(impl_->gateway, "/chat");
  call.headers["x-tenant"] = tenant;
  call.headers["user-agent"] = "demo-client";
  Carry(carried, call.headers);
  if (carried.scenario != Scenario::kBadRequest) call.body = question;
  FLUORO_TRY(const auto answer, net::Call(call));
  const auto trace = answer.headers.find("x-demo-trace");
  return Answer{answer.status, trace == answer.headers.end() ? "" : trace->second};
}

void Services::Stop() {
  // Callers before callees, so that nothing in flight is cut.
  while (!impl_->servers.empty()) {
    impl_->servers.back()->Stop(5 * kNsPerSecond);
    impl_->servers.pop_back();
  }
}

}  // namespace fluoro::cli::demo
