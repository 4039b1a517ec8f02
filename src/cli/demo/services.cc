#include "cli/demo/services.h"

#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <future>
#include <thread>
#include <unordered_map>

#include "base/clock.h"
#include "cli/demo/database.h"
#include "net/http_client.h"
#include "net/http_server.h"

namespace fluoro::cli::demo {
namespace {

using net::HttpRequest;
using net::HttpResponse;

constexpr std::int64_t kToolTimeoutNs = 120 * kNsPerMs;
constexpr std::string_view kModel = "demo-llm-1";

void Work(std::int64_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

propagation::Context CallerOf(const HttpRequest& request) {
  const auto context =
      propagation::Extract([&request](std::string_view name) -> std::optional<std::string> {
        const std::string_view value = request.Header(name);
        if (value.empty()) return std::nullopt;
        return std::string(value);
      });
  return context ? context->context : propagation::Context{};
}

Scenario ScenarioOf(const HttpRequest& request) {
  int number = 0;
  const std::string_view text = request.Header("x-demo-scenario");
  std::from_chars(text.data(), text.data() + text.size(), number);
  return static_cast<Scenario>(number % kScenariosCount);
}

// One HTTP call recorded as a child of `parent`, with the scenario handed on.
Result<HttpResponse> CallService(Scope& parent, const std::string& service, const std::string& url,
                                 std::string body, const HttpRequest& context, int attempt,
                                 std::int64_t timeout_ns = 10 * kNsPerSecond) {
  Scope span = parent.Child(service, model::SpanKind::kClient);
  span.Set("http.request.method", std::string("POST"));
  span.Set("url.full", url);
  span.Set("peer.service", service);
  if (attempt > 0) span.Set("http.request.resend_count", static_cast<std::int64_t>(attempt));
  net::HttpCall call;
  call.method = "POST";
  call.url = url;
  call.headers = span.Propagate();
  call.headers["x-demo-scenario"] = std::string(context.Header("x-demo-scenario"));
  call.headers["x-demo-attempt"] = std::to_string(attempt);
  call.body = std::move(body);
  call.timeout_ns = timeout_ns;
  auto answer = net::Call(call);
  if (!answer) {
    const bool timeout = answer.error().code == ErrorCode::kDeadlineExceeded;
    span.Fail(timeout ? "ReadTimeout" : "ConnectionError",
              timeout ? "no answer within " + std::to_string(timeout_ns / kNsPerMs) + " ms"
                      : answer.error().message);
    if (timeout) span.Set("timeout", true);
    return answer;
  }
  span.SetStatus(answer->status);
  return answer;
}

HttpResponse Finish(Scope& span, HttpResponse answer) {
  span.SetStatus(answer.status);
  return answer;
}

Scope Begin(Recorder& recorder, const Service& service, const HttpRequest& request) {
  Scope span(recorder, service, CallerOf(request), request.method + " " + request.path);
  span.Set("http.request.method", request.method);
  span.Set("url.full", "http://" + service.name + ".demo" + request.path);
  if (const auto agent = request.Header("user-agent"); !agent.empty())
    span.Set("user_agent.original", std::string(agent));
  return span;
}

}  // namespace

struct Services::Impl {
  Recorder& recorder;
  Metrics& metrics;
  const Service gateway{"gateway", Protocol::kXRay};
  const Service assistant{"assistant", Protocol::kOtlp};
  const Service retriever{"retriever", Protocol::kOtlp};
  const Service reranker{"reranker", Protocol::kOtlp};
  const Service llm{"llm", Protocol::kOtlp};
  const Service tools{"tools", Protocol::kXRay};
  std::unique_ptr<Database> accounts;
  std::unique_ptr<Database> documents;
  std::unique_ptr<Database> tool_data;
  Mutex cache_mutex;
  std::unordered_map<std::string, std::string> cache FLUORO_GUARDED_BY(cache_mutex);
  std::unordered_map<std::string, std::string> urls;  ///< service -> base URL; fixed after Start
  std::vector<std::unique_ptr<net::HttpServer>> servers;

  Impl(Recorder& recorder_in, Metrics& metrics_in) : recorder(recorder_in), metrics(metrics_in) {}

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
    const auto answer =
        CallService(span, "assistant", Url(assistant, "/answer"), request.body, request, 0);
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
    const auto passages = Retrieve(agent, request);
    if (!passages) return Finish(span, HttpResponse::Text(500, passages.error().message));
    const auto facts = UseTools(agent, request);
    if (!facts) {
      agent.Fail("ToolError", facts.error().message);
      return Finish(span, HttpResponse::Text(500, facts.error().message));
    }
    auto text = Generate(agent, request, *passages + *facts);
    if (!text) return Finish(span, HttpResponse::Text(500, text.error().message));
    WriteCache(agent, request.body, *text);
    return Finish(span, HttpResponse::Text(200, *std::move(text)));
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
    FLUORO_TRY(const auto found,
               CallService(span, "retriever", Url(retriever, "/search"), request.body, request, 0));
    FLUORO_TRY(const auto ranked,
               CallService(span, "reranker", Url(reranker, "/rank"), found.body, request, 0));
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
    std::string problem;
    for (int attempt = 0; attempt < 2; ++attempt) {
      if (attempt > 0) Work(20);
      const auto answer = CallService(span, "tools", Url(tools, "/" + name), request.body, request,
                                      attempt, kToolTimeoutNs);
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

  Result<std::string> Generate(Scope& agent, const HttpRequest& request,
                               const std::string& context) {
    std::string problem;
    for (int attempt = 0; attempt < 3; ++attempt) {
      Scope span = agent.Child("chat " + std::string(kModel), model::SpanKind::kClient);
      span.Set("gen_ai.operation.name", std::string("chat"));
      span.Set("gen_ai.provider.name", std::string("demo"));
      span.Set("gen_ai.request.model", std::string(kModel));
      span.Set("peer.service", std::string("llm"));
      span.Set("retry_count", static_cast<std::int64_t>(attempt));
      net::HttpCall call;
      call.method = "POST";
      call.url = Url(llm, "/v1/chat/completions");
      call.headers = span.Propagate();
      call.headers["x-demo-scenario"] = std::string(request.Header("x-demo-scenario"));
      call.headers["x-demo-attempt"] = std::to_string(attempt);
      call.body = request.body + context;
      std::string text;
      std::int64_t tokens = 0;
      bool first = true;
      const auto answer = net::CallStreaming(call, [&](std::string_view piece) {
        if (std::exchange(first, false)) span.AddEvent("gen_ai.first_token");
        for (const char c : piece) tokens += c == '\n' ? 1 : 0;
        text += piece;
        return true;
      });
      if (!answer) {
        span.Fail("ConnectionError", answer.error().message);
        problem = answer.error().message;
        continue;
      }
      span.SetStatus(answer->status);
      if (answer->status == 200) {
        span.Set("gen_ai.usage.input_tokens", static_cast<std::int64_t>(call.body.size() / 4));
        span.Set("gen_ai.usage.output_tokens", tokens);
        return text;
      }
      span.Fail("RateLimitError", "the model answered " + std::to_string(answer->status));
      problem = "status " + std::to_string(answer->status);
      Work(60 << attempt);
    }
    return Fail(ErrorCode::kUnavailable, "the model failed: " + problem);
  }

  HttpResponse Retriever(const HttpRequest& request) {
    Scope span = Begin(recorder, retriever, request);
    Work(8);
    const std::string word = request.body.substr(0, request.body.find(' '));
    const auto rows = documents->Query(
        span, "SELECT body FROM document WHERE body LIKE '%' || ?1 || '%' ORDER BY id LIMIT 8",
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
    Work(12);
    return Finish(span, HttpResponse::Text(200, request.body.substr(0, 400)));
  }

  HttpResponse Llm(const HttpRequest& request) {
    auto span = std::make_shared<Scope>(Begin(recorder, llm, request));
    const Scenario scenario = ScenarioOf(request);
    if (scenario == Scenario::kModelThrottled && request.Header("x-demo-attempt") == "0") {
      return Finish(*span, HttpResponse::Text(429, "slow down"));
    }
    const int tokens = scenario == Scenario::kLongAnswer ? 120 : 25;
    HttpResponse answer;
    answer.headers["content-type"] = "text/event-stream";
    answer.stream = [span, tokens](const net::StreamWriter& write) {
      Work(40);  // until the first token
      for (int i = 0; i < tokens; ++i) {
        if (!write("data: token " + std::to_string(i) + "\n")) {
          span->Fail("ClientClosed", "the caller left");
          return false;
        }
        Work(4);
      }
      span->SetStatus(200);
      return true;
    };
    return answer;
  }

  HttpResponse Tools(const HttpRequest& request) {
    Scope span = Begin(recorder, tools, request);
    const std::string name = request.path.substr(1);
    const bool first_attempt = request.Header("x-demo-attempt") == "0";
    span.Set("tool_name", name);
    switch (name == "weather" ? ScenarioOf(request) : Scenario::kPlain) {
      case Scenario::kToolTimeout:
        if (first_attempt) Work(2 * kToolTimeoutNs / kNsPerMs);
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
    FLUORO_TRY(documents,
               Database::Open(
                   "documents",
                   "CREATE TABLE document(id INTEGER PRIMARY KEY, body TEXT);"
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
                   "INSERT INTO document SELECT i, 'Will it rain? What is the sum? How far? "
                   "Passage ' || i FROM n;"));
    FLUORO_TRY(tool_data,
               Database::Open(
                   "tool-data",
                   "CREATE TABLE reading(tool TEXT, value TEXT);"
                   "INSERT INTO reading VALUES ('weather','rain at four'),('calculator','42');"));
    FLUORO_CHECK_OK(Listen(tools, &Impl::Tools));
    FLUORO_CHECK_OK(Listen(llm, &Impl::Llm));
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
                                       Scenario scenario) {
  net::HttpCall call;
  call.method = "POST";
  call.url = impl_->Url(impl_->gateway, "/chat");
  call.headers["x-tenant"] = tenant;
  call.headers["user-agent"] = "demo-client";
  call.headers["x-demo-scenario"] = std::to_string(static_cast<int>(scenario));
  if (scenario != Scenario::kBadRequest) call.body = question;
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
