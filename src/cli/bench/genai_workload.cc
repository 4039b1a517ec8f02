// Requests of agents that retrieve, call models and tools, as the newest GenAI conventions tell
// them.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/clock.h"
#include "cli/bench/workload.h"

namespace fluoro::cli::bench {
namespace {

constexpr std::size_t kTenants = 50;
constexpr std::size_t kPrompts = 20;
constexpr std::size_t kPromptVersions = 3;
constexpr double kErrors = 0.02;
constexpr std::array kRoutes{"/v1/chat",   "/v1/agent",  "/v1/search",
                             "/v1/report", "/v1/triage", "/v1/summary"};
constexpr std::array kAgents{"support", "planner", "analyst", "writer"};
constexpr std::array kTools{"get_order",     "search_kb",  "refund_quote", "web_search",
                            "run_sql",       "send_mail",  "get_weather",  "book_train",
                            "read_calendar", "find_files", "translate",    "calculate"};
constexpr std::array kExperiments{"rerank_v2", "short_prompt", "cheap_model"};

struct Model {
  const char* provider;
  const char* name;
  double output_ms;  // a token
};
constexpr std::array kModels{
    Model{"openai", "gpt-5.6-terra", 11}, Model{"openai", "gpt-5.6-luna", 6},
    Model{"anthropic", "claude-sonnet-5", 14}, Model{"anthropic", "claude-haiku-4-5", 8},
    Model{"gcp.gemini", "gemini-3.5-flash", 7}};

class GenAiWorkload final : public Workload {
 public:
  explicit GenAiWorkload(std::uint64_t seed) : Workload(seed) {
    auto scope = std::make_shared<model::Scope>();
    scope->name = "opentelemetry.instrumentation.openai_v2";
    scope->version = "2.3";
    scope_ = std::move(scope);
    for (const char* const service : {"gateway", "agent", "search"}) {
      auto resource = std::make_shared<model::Resource>();
      resource->attributes.push_back({"service.name", Value(std::string(service))});
      resource->attributes.push_back({"service.version", Value(std::string("2.14.0"))});
      resource->attributes.push_back(
          {"deployment.environment.name", Value(std::string("production"))});
      resources_.push_back(std::move(resource));
    }
  }

  // A gateway, an agent, a retriever with its store, a reranker, a model, tools with their
  // requests, a model.
  std::vector<model::Span> NextTrace(std::int64_t start_ns) override {
    trace_.clear();
    id_ = NewTraceId(start_ns);
    const std::size_t experiment = rng_.Below(kExperiments.size());
    const Model& model =
        kModels[std::min<std::size_t>(Zipf(kModels.size() + 1), kModels.size() - 1)];
    const std::size_t root = Begin(kNone, 0, "POST " + Text(kRoutes[Zipf(kRoutes.size())]),
                                   model::SpanKind::kServer, start_ns);
    Set(root, "http.request.method", "POST");
    Set(root, "http.route", trace_[root].name.substr(5));
    Set(root, "tenant", fmt::format("tenant-{}", Zipf(kTenants)));
    Set(root, "enduser.id", fmt::format("user-{:06}", rng_.Below(100'000)));
    Set(root, "url.full", fmt::format("https://api.example/{}", rng_.Below(1'000'000)));
    Set(root, "experiment_id", kExperiments[experiment]);
    Set(root, "experiment_arm", rng_.Chance(0.5) ? "A" : "B");
    Set(root, "gen_ai.conversation.id", Uuid());
    const std::size_t agent_kind = rng_.Below(kAgents.size());
    const std::size_t agent = Begin(root, 1, "invoke_agent " + Text(kAgents[agent_kind]),
                                    model::SpanKind::kInternal, start_ns + 2 * kNsPerMs);
    Set(agent, "gen_ai.operation.name", "invoke_agent");
    Set(agent, "gen_ai.agent.name", kAgents[agent_kind]);
    std::int64_t at_ns = Retrieve(agent, start_ns + 4 * kNsPerMs);
    at_ns = Ask(agent, model, at_ns, "tool_calls");
    const std::size_t tools = 1 + Zipf(4);
    std::int64_t done_ns = at_ns;
    for (std::size_t i = 0; i < tools; ++i) done_ns = std::max(done_ns, UseTool(agent, at_ns));
    at_ns = Ask(agent, model, done_ns, "stop");
    trace_[agent].end_ns = at_ns + kNsPerMs;
    trace_[root].end_ns = at_ns + 3 * kNsPerMs;
    const bool fails = rng_.Chance(kErrors);
    Number(root, "http.response.status_code", fails ? 500 : 200);
    if (fails) trace_[root].status = model::StatusCode::kError;
    Set(trace_.size() - 1, "request.id", fmt::format("{:016x}", rng_.Next()));
    return std::move(trace_);
  }

 private:
  static constexpr std::size_t kNone = SIZE_MAX;
  static std::string Text(std::string_view text) { return std::string(text); }

  std::size_t Begin(std::size_t parent, std::size_t service, std::string name, model::SpanKind kind,
                    std::int64_t start_ns) {
    model::Span span;
    span.trace_id = id_;
    span.span_id = NewSpanId();
    if (parent != kNone) span.parent_id = trace_[parent].span_id;
    span.name = std::move(name);
    span.kind = kind;
    span.start_ns = span.end_ns = start_ns;
    span.resource = resources_[service];
    span.scope = scope_;
    trace_.push_back(std::move(span));
    return trace_.size() - 1;
  }
  void Set(std::size_t span, const char* key, std::string value) {
    trace_[span].attributes.push_back({key, Value(std::move(value))});
  }
  void Number(std::size_t span, const char* key, std::uint64_t value) {
    trace_[span].attributes.push_back({key, Value(static_cast<std::int64_t>(value))});
  }
  std::int64_t End(std::size_t span, double median_ms) {
    trace_[span].end_ns =
        trace_[span].start_ns +
        static_cast<std::int64_t>(median_ms * std::exp(0.6 * Normal()) * kNsPerMs);
    return trace_[span].end_ns;
  }

  std::int64_t Retrieve(std::size_t agent, std::int64_t start_ns) {
    const std::size_t retriever =
        Begin(agent, 1, "retrieval kb-main", model::SpanKind::kClient, start_ns);
    Set(retriever, "gen_ai.operation.name", "retrieval");
    Set(retriever, "gen_ai.data_source.id", "kb-main");
    Number(retriever, "gen_ai.retrieval.top_k", 20);
    const std::size_t store =
        Begin(retriever, 2, "opensearch _search", model::SpanKind::kClient, start_ns + kNsPerMs);
    Set(store, "db.system.name", "opensearch");
    Set(store, "db.operation.name", "_search");
    trace_[retriever].end_ns = End(store, 60) + kNsPerMs;
    const std::size_t reranker =
        Begin(agent, 1, "rerank", model::SpanKind::kClient, trace_[retriever].end_ns);
    Set(reranker, "gen_ai.operation.name", "rerank");
    Number(reranker, "doc_count", 5);
    return End(reranker, 90);
  }

  std::int64_t Ask(std::size_t agent, const Model& model, std::int64_t start_ns,
                   const char* finish) {
    const std::size_t span =
        Begin(agent, 1, "chat " + Text(model.name), model::SpanKind::kClient, start_ns);
    const std::uint64_t in = 400 + static_cast<std::uint64_t>(std::exp(7.5 + 0.9 * Normal()));
    const std::uint64_t out = 20 + static_cast<std::uint64_t>(std::exp(5 + 0.8 * Normal()));
    Set(span, "gen_ai.operation.name", "chat");
    Set(span, "gen_ai.provider.name", model.provider);
    Set(span, "gen_ai.request.model", model.name);
    Set(span, "gen_ai.response.model", model.name);
    Set(span, "gen_ai.response.finish_reasons", fmt::format("[\"{}\"]", finish));
    Set(span, "gen_ai.response.id", fmt::format("resp_{:016x}", rng_.Next()));
    Set(span, "gen_ai.prompt.name", fmt::format("prompt-{:02}", Zipf(kPrompts)));
    Set(span, "gen_ai.prompt.version", fmt::format("{}", 1 + rng_.Below(kPromptVersions)));
    Number(span, "gen_ai.usage.input_tokens", in);
    Number(span, "gen_ai.usage.output_tokens", out);
    Number(span, "gen_ai.usage.cache_read.input_tokens", rng_.Chance(0.4) ? in / 2 : 0);
    const double first_ms = 200 + static_cast<double>(in) * 0.05 + 80 * std::exp(Normal());
    trace_[span].attributes.push_back(
        {"gen_ai.response.time_to_first_chunk", Value(first_ms / 1e3)});
    const double whole_ms = first_ms + static_cast<double>(out) * model.output_ms;
    trace_[span].end_ns = start_ns + static_cast<std::int64_t>(whole_ms * kNsPerMs);
    if (rng_.Chance(kErrors)) {
      trace_[span].status = model::StatusCode::kError;
      Set(span, "error.type", rng_.Chance(0.3) ? "timeout" : "rate_limit_exceeded");
    }
    return trace_[span].end_ns;
  }

  std::int64_t UseTool(std::size_t agent, std::int64_t start_ns) {
    const std::string name = kTools[Zipf(kTools.size())];
    const std::size_t tool =
        Begin(agent, 1, "execute_tool " + name, model::SpanKind::kInternal, start_ns);
    Set(tool, "gen_ai.operation.name", "execute_tool");
    Set(tool, "gen_ai.tool.name", name);
    Set(tool, "gen_ai.tool.call.id", fmt::format("call_{:012x}", rng_.Next() >> 16));
    const std::size_t http = Begin(tool, 1, "GET", model::SpanKind::kClient, start_ns + kNsPerMs);
    Set(http, "http.request.method", "GET");
    Set(http, "server.address", name + ".internal");
    Number(http, "http.response.status_code", 200);
    trace_[tool].end_ns = End(http, 150) + kNsPerMs;
    if (rng_.Chance(kErrors)) trace_[tool].status = model::StatusCode::kError;
    return trace_[tool].end_ns;
  }

  std::shared_ptr<const model::Scope> scope_;
  std::vector<std::shared_ptr<model::Resource>> resources_;
  std::vector<model::Span> trace_;
  model::TraceId id_;
};

}  // namespace

std::unique_ptr<Workload> MakeGenAiWorkload(std::uint64_t seed) {
  return std::make_unique<GenAiWorkload>(seed);
}

}  // namespace fluoro::cli::bench
