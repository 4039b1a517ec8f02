// Four requests whose times and costs are known to the millisecond and the billionth of a dollar,
// sent as OTLP through the decoder: docs/genai.md, "Four requests".
#include <gmock/gmock.h>

#include <cstdio>
#include <map>

#include "analysis/ledger/bills.h"
#include "analysis/ledger/ledger_table.h"
#include "analysis/ledger/ledger_testing.h"
#include "analysis/ledger/queue_waits.h"
#include "analysis/ledger/step_what_if.h"
#include "analysis/ledger/token_times.h"

namespace fluoro::analysis {
namespace {

using model::SpanKind;
using ::testing::ElementsAre;
using testing::kMs;
using testing::Line;
using ::testing::Pair;
using testing::Real;
using ::testing::SizeIs;
using testing::Text;
using testing::Told;
using testing::Whole;

using Milliseconds = std::map<std::string, std::int64_t>;

// In whole milliseconds, which all times of these requests are.
Milliseconds ByOwner(const Ledger& ledger) {
  Milliseconds by;
  for (const LedgerLine& line : ledger.lines) {
    EXPECT_EQ(line.path_ns % kMs, 0);
    if (line.path_ns > 0) by[std::string(genai::StepKindName(line.owner))] += line.path_ns / kMs;
  }
  return by;
}

Milliseconds ByStep(const TraceView& view) {
  Milliseconds by;
  for (const PathInterval& part : view.path) {
    const Step& step = view.steps[static_cast<std::size_t>(part.entity)];
    by[std::string(genai::StepKindName(step.kind))] += (part.end_ns - part.start_ns) / kMs;
  }
  return by;
}

void PrintTable(std::string_view name, const Ledger& ledger, const Waste& waste) {
  fmt::print("\n{}: {} ms, {:.9f} USD, waste {} ms, recoverable {} ms\n", name,
             ledger.root_ns / kMs, static_cast<double>(ledger.cost_nano_usd) / 1e9,
             ledger.waste_ns / kMs, waste.recoverable_ns / kMs);
  fmt::print("  {:<10}{:<12}{:<14}{:<24}{:>8}{:>14}{:>8}\n", "owner", "class", "tool", "model",
             "ms", "USD", "waste");
  for (const LedgerLine& line : ledger.lines)
    fmt::print("  {:<10}{:<12}{:<14}{:<24}{:>8}{:>14.9f}{:>8}\n", genai::StepKindName(line.owner),
               line.sub_kind, line.tool, line.model, line.path_ns / kMs,
               static_cast<double>(line.cost_nano_usd) / 1e9, line.waste_ns / kMs);
  std::fflush(stdout);
}

struct Result {
  Told told;
  TraceView view;
  Waste waste;
  Ledger ledger;
  Result(std::string_view name, const std::vector<Line>& lines,
         std::string_view trace_id = testing::kTraceHex)
      : told(testing::Decode(lines, trace_id)),
        view(told.View()),
        waste(WasteOf(told.trace, view.steps, told.cost)),
        ledger(LedgerOf(view, waste)) {
    PrintTable(name, ledger, waste);
    std::int64_t path_ns = 0;
    std::int64_t nano_usd = 0;
    for (const LedgerLine& line : ledger.lines) {
      path_ns += line.path_ns;
      nano_usd += line.cost_nano_usd;
    }
    EXPECT_EQ(path_ns, told.trace.Root()->duration_ns());
    EXPECT_EQ(nano_usd, told.cost.cost_nano_usd);
  }
  Result(const Result&) = delete;  // the view borrows from `told`
};

std::vector<Line> RagChat() {
  return {
      {1,
       0,
       "POST /v1/chat",
       SpanKind::kServer,
       0,
       2480,
       {{"http.route", Text("/v1/chat")},
        {"http.request.method", Text("POST")},
        {"tenant", Text("acme")},
        {"experiment_id", Text("rerank_v2")},
        {"experiment_arm", Text("B")}}},
      {2,
       1,
       "apply_guardrail input",
       SpanKind::kInternal,
       5,
       65,
       {{"gen_ai.operation.name", Text("apply_guardrail")}}},
      {3, 1, "rag_answer", SpanKind::kInternal, 70, 2470},
      {4,
       3,
       "embeddings text-embedding-3-small",
       SpanKind::kClient,
       75,
       135,
       {{"gen_ai.operation.name", Text("embeddings")},
        {"gen_ai.provider.name", Text("openai")},
        {"gen_ai.request.model", Text("text-embedding-3-small")},
        {"gen_ai.usage.input_tokens", Whole(18)}}},
      {5,
       3,
       "retrieval kb-main",
       SpanKind::kInternal,
       140,
       330,
       {{"gen_ai.operation.name", Text("retrieval")},
        {"gen_ai.data_source.id", Text("kb-main")},
        {"top_k", Whole(20)},
        {"doc_count", Whole(20)}}},
      {6,
       5,
       "opensearch _search",
       SpanKind::kClient,
       150,
       320,
       {{"db.system.name", Text("opensearch")}, {"db.operation.name", Text("search")}}},
      {7,
       3,
       "rerank",
       SpanKind::kInternal,
       335,
       515,
       {{"gen_ai.operation.name", Text("rerank")}, {"doc_count", Whole(5)}}},
      {8,
       3,
       "GET answer:*",
       SpanKind::kClient,
       520,
       523,
       {{"db.system.name", Text("redis")}, {"db.operation.name", Text("GET")}}},
      {9,
       3,
       "chat gpt-5.6-terra",
       SpanKind::kClient,
       525,
       2440,
       {{"gen_ai.operation.name", Text("chat")},
        {"gen_ai.provider.name", Text("openai")},
        {"gen_ai.request.model", Text("gpt-5.6-terra")},
        {"gen_ai.usage.input_tokens", Whole(6120)},
        {"gen_ai.usage.cache_read.input_tokens", Whole(4096)},
        {"gen_ai.usage.output_tokens", Whole(412)},
        {"gen_ai.usage.reasoning.output_tokens", Whole(128)},
        {"gen_ai.response.finish_reasons", Text(R"(["stop"])")}}},
      {10,
       9,
       "POST",
       SpanKind::kClient,
       530,
       2435,
       {{"http.request.method", Text("POST")},
        {"server.address", Text("api.openai.com")},
        {"url.full", Text("https://api.openai.com/v1/responses")}}},
      {11,
       3,
       "INSERT chat_log",
       SpanKind::kClient,
       2442,
       2466,
       {{"db.system.name", Text("postgresql")}, {"db.operation.name", Text("INSERT")}}},
  };
}

TEST(Fixtures, ARagChat) {
  const Result result("A: RAG chat", RagChat());
  EXPECT_EQ(ByStep(result.view), (Milliseconds{{"gateway", 20},
                                               {"guardrail", 60},
                                               {"chain", 28},
                                               {"embedding", 60},
                                               {"retriever", 20},
                                               {"reranker", 180},
                                               {"cache", 3},
                                               {"llm", 10},
                                               {"http", 1905},
                                               {"db", 194}}));
  EXPECT_EQ(ByOwner(result.ledger), (Milliseconds{{"gateway", 20},
                                                  {"guardrail", 60},
                                                  {"chain", 28},
                                                  {"embedding", 60},
                                                  {"retriever", 190},
                                                  {"reranker", 180},
                                                  {"cache", 3},
                                                  {"llm", 1915},
                                                  {"db", 24}}));
  EXPECT_EQ(result.ledger.cost_nano_usd, 9'811'560);
  std::map<std::string, std::int64_t> by_model;
  for (const LedgerLine& line : result.ledger.lines) {
    if (line.cost_nano_usd != 0) by_model[line.model] += line.cost_nano_usd;
    EXPECT_EQ(line.tenant, "acme");
    EXPECT_EQ(line.route, "/v1/chat");
  }
  EXPECT_THAT(by_model,
              ElementsAre(Pair("gpt-5.6-terra", 9'811'200), Pair("text-embedding-3-small", 360)));
  EXPECT_EQ(result.ledger.waste_ns, 0);
  EXPECT_TRUE(result.ledger.flags.empty());
}

std::vector<Line> AgentWithTools() {
  const auto tool = [](std::uint64_t id, std::string name, std::int64_t end) {
    return Line{
        id,
        2,
        "execute_tool " + name,
        SpanKind::kInternal,
        1530,
        end,
        {{"gen_ai.operation.name", Text("execute_tool")}, {"gen_ai.tool.name", Text(name)}}};
  };
  const auto chat = [](std::uint64_t id, std::int64_t from, std::int64_t to, std::int64_t prompt,
                       std::int64_t cached, std::int64_t written, std::int64_t completion) {
    return Line{id,
                2,
                "chat claude-sonnet-5",
                SpanKind::kClient,
                from,
                to,
                {{"gen_ai.operation.name", Text("chat")},
                 {"gen_ai.provider.name", Text("anthropic")},
                 {"gen_ai.request.model", Text("claude-sonnet-5")},
                 {"gen_ai.usage.input_tokens", Whole(prompt)},
                 {"gen_ai.usage.cache_read.input_tokens", Whole(cached)},
                 {"gen_ai.usage.cache_creation.input_tokens", Whole(written)},
                 {"gen_ai.usage.output_tokens", Whole(completion)}}};
  };
  Line refund = tool(6, "refund_quote", 5630);
  refund.attributes.emplace_back("retry_count", Whole(1));
  refund.attributes.emplace_back("timeout", testing::Flag(false));
  Line attempt0{7,
                6,
                "POST",
                SpanKind::kClient,
                1530,
                4530,
                {{"http.request.method", Text("POST")},
                 {"error.type", Text("timeout")},
                 {"timeout", testing::Flag(true)}}};
  attempt0.error = true;
  return {
      {1,
       0,
       "POST /agent",
       SpanKind::kServer,
       0,
       9320,
       {{"http.route", Text("/agent")}, {"tenant", Text("globex")}}},
      {2,
       1,
       "invoke_agent support",
       SpanKind::kInternal,
       10,
       9310,
       {{"gen_ai.operation.name", Text("invoke_agent")},
        {"gen_ai.usage.input_tokens", Whole(7300)},
        {"gen_ai.usage.output_tokens", Whole(530)}}},
      chat(3, 20, 1520, 3200, 0, 3200, 180),
      tool(4, "get_order", 1770),
      tool(5, "search_kb", 2330),
      refund,
      attempt0,
      {8,
       6,
       "POST",
       SpanKind::kClient,
       5030,
       5630,
       {{"http.request.method", Text("POST")}, {"http.request.resend_count", Whole(1)}}},
      chat(9, 5640, 9290, 4100, 3200, 0, 350),
  };
}

TEST(Fixtures, BAgentWithToolsInParallel) {
  const Result result("B: agent, three tools in parallel, one timeout", AgentWithTools());
  EXPECT_EQ(ByOwner(result.ledger),
            (Milliseconds{{"gateway", 20}, {"agent", 50}, {"llm", 5150}, {"tool", 4100}}));
  EXPECT_EQ(result.ledger.cost_nano_usd, 15'740'000);
  for (const LedgerLine& line : result.ledger.lines) {
    EXPECT_EQ(line.tenant, "globex");
    if (line.owner == genai::StepKind::kTool) {
      EXPECT_EQ(line.tool, "refund_quote") << "the others are off the path";
      EXPECT_EQ(line.waste_ns, 3500 * kMs);
    } else {
      EXPECT_EQ(line.waste_ns, 0);
    }
  }
  ASSERT_THAT(result.waste.lost, SizeIs(1));
  const LostWork& work = result.waste.lost[0];
  EXPECT_EQ(work.owner, result.told.At(6));
  EXPECT_THAT(work.failed, ElementsAre(result.told.At(7)));
  EXPECT_EQ(work.stood, result.told.At(8));
  EXPECT_EQ(work.failed_ns, 3000 * kMs);
  EXPECT_EQ(work.backoff_ns, 500 * kMs);
  EXPECT_EQ(work.recoverable_ns, 3300 * kMs);
  EXPECT_EQ(result.waste.root_ns - result.waste.recoverable_ns, 6020 * kMs);
  EXPECT_EQ(work.cause, WasteCause::kTimeout);
  const auto ending = std::ranges::find(result.waste.endings, result.told.At(6), &StepEnding::step);
  ASSERT_NE(ending, result.waste.endings.end());
  EXPECT_EQ(ending->retries, 1);
  EXPECT_FALSE(ending->timeout);
  EXPECT_TRUE(ending->timeout_partial);

  const auto ms = [&](std::string_view what_if) {
    return ReplayWith(result.view, *ParseStepWhatIf(what_if)).new_root_ns / kMs;
  };
  EXPECT_EQ(ms("tool=refund_quote:2x"), 9320 - 2050);
  EXPECT_EQ(ms("tool=refund_quote:cached"), 6020) << "search_kb ends last";
  EXPECT_EQ(ms("tool=get_order:cached"), 9320);
  EXPECT_EQ(ms("model=claude-sonnet-5:2x"), 9320 - 2575);
  EXPECT_EQ(ms("kind=tool:parallel"), 9320) << "they are";
  const auto cached = ReplayWith(result.view, *ParseStepWhatIf("model=claude-sonnet-5:cached"));
  EXPECT_EQ(cached.new_cost_nano_usd, 0);
  EXPECT_EQ(cached.steps, 2);
}

std::vector<Line> SelfHosted() {
  return {
      {1, 0, "POST /v1/chat", SpanKind::kServer, 0, 6200, {{"http.route", Text("/v1/chat")}}},
      {2,
       1,
       "chat llama-3.3-70b",
       SpanKind::kClient,
       20,
       6180,
       {{"gen_ai.operation.name", Text("chat")},
        {"gen_ai.request.model", Text("llama-3.3-70b")},
        {"gen_ai.request.stream", testing::Flag(true)},
        {"gen_ai.usage.output_tokens", Whole(240)},
        {"gen_ai.usage.input_tokens", Whole(900)},
        {"gen_ai.response.time_to_first_chunk", Real(1.420)}}},
      {3,
       2,
       "POST",
       SpanKind::kClient,
       25,
       6178,
       {{"http.request.method", Text("POST")},
        {"server.address", Text("vllm")},
        {"server.port", Whole(8000)}}},
      {4,
       3,
       "llm_request",
       SpanKind::kServer,
       60,
       6150,
       {{"gen_ai.request.id", Text("r-1")},
        {"gen_ai.latency.time_in_queue", Real(0.900)},
        {"gen_ai.latency.time_in_model_prefill", Real(0.430)},
        {"gen_ai.latency.time_in_model_decode", Real(4.760)},
        {"gen_ai.latency.time_to_first_token", Real(1.330)},
        {"gen_ai.latency.e2e", Real(6.090)},
        {"gen_ai.usage.prompt_tokens", Whole(900)},
        {"gen_ai.usage.completion_tokens", Whole(240)}}},
  };
}

TEST(Fixtures, CStreamingFromAnEngineOfOnesOwn) {
  const Result result("C: streaming from a self-hosted engine", SelfHosted());
  EXPECT_EQ(ByOwner(result.ledger), (Milliseconds{{"gateway", 40}, {"llm", 6160}}));
  for (const LedgerLine& line : result.ledger.lines) {
    if (line.owner == genai::StepKind::kLlm) {
      EXPECT_EQ(line.model, "llama-3.3-70b");
    }
  }
  const auto all = TokenTimesOf(result.told.trace, result.view.steps);
  ASSERT_THAT(all, SizeIs(1));
  const TokenTimes& times = all[0];
  EXPECT_EQ(times.step, result.told.At(2));
  EXPECT_EQ(times.first_token_ns, 1420 * kMs);
  EXPECT_EQ(times.connect_send_ns, 40 * kMs);
  EXPECT_EQ(times.queue_ns, 900 * kMs);
  EXPECT_EQ(times.prefill_ns, 430 * kMs);
  EXPECT_EQ(times.first_token_return_ns, 50 * kMs);
  EXPECT_EQ(times.decode_ns, 4710 * kMs) << "from the first token here to the engine's end";
  EXPECT_EQ(times.tail_ns, 30 * kMs);
  EXPECT_EQ(times.engine_decode_ns, 4760 * kMs);
  EXPECT_NEAR(*times.per_token_ms, 19.83, 0.005);
  EXPECT_EQ(times.queue_ns * 100 / times.first_token_ns, 63);
  EXPECT_FALSE(times.clocks_differ);
  // The other clock: until the user sees something.
  const Ledger first = LedgerOf(result.view, result.waste, LedgerClock::kFirstToken);
  EXPECT_EQ(first.root_ns, 1440 * kMs);
  EXPECT_EQ(ByOwner(first), (Milliseconds{{"gateway", 20}, {"llm", 1420}}));
  for (const genai::PricedStep& step : result.told.cost.steps) {
    if (step.entity == result.told.At(4)) {
      EXPECT_EQ(step.role, genai::UsageRole::kEngineShadow);
    }
  }
}

constexpr std::string_view kFirstTrace = "11111111111111111111111111111111";
constexpr std::string_view kSecondTrace = "22222222222222222222222222222222";
constexpr std::int64_t kReceivedMs = 12'398;

std::vector<Line> Ingest() {
  return {
      {1, 0, "POST /ingest", SpanKind::kServer, 0, 410, {{"http.route", Text("/ingest")}}},
      {2,
       1,
       "ingest",
       SpanKind::kInternal,
       5,
       405,
       {{"faas.name", Text("ingest")}, {"faas.coldstart", testing::Flag(true)}}},
      {3,
       2,
       "Initialization",
       SpanKind::kInternal,
       5,
       325,
       {{"step_kind", Text("http")}, {"sub_kind", Text("cold_start")}}},
      {4,
       2,
       "S3.PutObject",
       SpanKind::kClient,
       330,
       370,
       {{"rpc.system", Text("aws-api")},
        {"rpc.service", Text("S3")},
        {"rpc.method", Text("PutObject")}}},
      {5,
       2,
       "jobs send",
       SpanKind::kProducer,
       372,
       398,
       {{"messaging.system", Text("aws_sqs")}, {"messaging.message.id", Text("m-1")}}},
  };
}

std::vector<Line> Batch() {
  const auto at = [](Line line) {
    line.start_ms += kReceivedMs;
    line.end_ms += kReceivedMs;
    return line;
  };
  Line process{1,
               0,
               "jobs process",
               SpanKind::kConsumer,
               0,
               60'300,
               {{"messaging.system", Text("aws_sqs")}, {"messaging.message.id", Text("m-1")}}};
  process.links.emplace_back(std::string(kFirstTrace), 5);
  for (int i = 0; i < 9; ++i)
    process.links.emplace_back(std::string(31, '3') + std::to_string(i), 5);
  Line reclaimed{4,
                 3,
                 "attempt 0",
                 SpanKind::kInternal,
                 300,
                 18'300,
                 {{"step_kind", Text("chain")},
                  {"sub_kind", Text("attempt")},
                  {"error.type", Text("SpotReclaimed")}}};
  reclaimed.error = true;
  return {
      at(process),
      at({2, 1, "dispatcher", SpanKind::kInternal, 10, 300, {{"faas.name", Text("dispatcher")}}}),
      at({3,
          2,
          "embed-docs",
          SpanKind::kInternal,
          300,
          60'250,
          {{"step_kind", Text("chain")},
           {"sub_kind", Text("batch")},
           {"AWS_BATCH_JOB_ATTEMPT", Whole(2)}}}),
      at(reclaimed),
      at({5,
          3,
          "read shard",
          SpanKind::kInternal,
          18'400,
          21'000,
          {{"step_kind", Text("chain")}, {"sub_kind", Text("loader")}}}),
      at({6,
          3,
          "embeddings text-embedding-3-small",
          SpanKind::kClient,
          21'000,
          27'500,
          {{"gen_ai.operation.name", Text("embeddings")},
           {"gen_ai.provider.name", Text("openai")},
           {"gen_ai.request.model", Text("text-embedding-3-small")},
           {"gen_ai.usage.input_tokens", Whole(210'000)}}}),
      at({7,
          3,
          "fine-tune epoch 1",
          SpanKind::kInternal,
          27'500,
          55'000,
          {{"step_kind", Text("chain")}, {"sub_kind", Text("train")}}}),
      at({8,
          3,
          "vector upsert",
          SpanKind::kClient,
          55'000,
          60'200,
          {{"db.system.name", Text("qdrant")}, {"db.operation.name", Text("upsert")}}}),
  };
}

TEST(Fixtures, DPipelineOverTwoLinkedTraces) {
  const Result first("D1: API gateway to queue", Ingest(), kFirstTrace);
  std::map<std::string, std::int64_t> by_class;
  for (const LedgerLine& line : first.ledger.lines)
    by_class[std::string(genai::StepKindName(line.owner)) + "/" + line.sub_kind] +=
        line.path_ns / kMs;
  EXPECT_EQ(by_class.at("http/cold_start"), 320) << "a bucket of its own";
  EXPECT_EQ(by_class.at("http/lambda"), 14);
  EXPECT_EQ(by_class.at("http/queue"), 26);
  EXPECT_EQ(by_class.at("db/storage"), 40);
  EXPECT_EQ(ByOwner(first.ledger), (Milliseconds{{"gateway", 10}, {"http", 360}, {"db", 40}}));

  const Result second("D2: queue to batch job", Batch(), kSecondTrace);
  // The job runs after the function that started it has ended: it is beyond its parent, and links
  // are not followed. The queue's consumer holds the path.
  EXPECT_EQ(ByOwner(second.ledger), (Milliseconds{{"http", 60'300}}));
  EXPECT_EQ(second.ledger.flags.outside_parent, 1);
  EXPECT_EQ(second.ledger.cost_nano_usd, 4'200'000);
  ASSERT_THAT(second.waste.lost, SizeIs(1));
  EXPECT_EQ(second.waste.waste_ns, 18'000 * kMs);
  const auto job = std::ranges::find(second.waste.endings, second.told.At(3), &StepEnding::step);
  ASSERT_NE(job, second.waste.endings.end());
  EXPECT_EQ(job->retries, 1);

  const LinkWaits waits = LinkWaitsOf(second.told.trace, [&](const model::Link& link) {
    const std::int32_t entity =
        link.trace_id == first.told.trace.trace->id ? first.told.trace.Find(link.span_id) : -1;
    return entity < 0
               ? std::nullopt
               : std::optional(LinkedSpan{
                     .end_ns = first.told.trace.entities[static_cast<std::size_t>(entity)].end_ns});
  });
  EXPECT_EQ(waits.count, 10);
  ASSERT_THAT(waits.links, SizeIs(10));
  EXPECT_EQ(*waits.links[0].wait_ns, 12'000 * kMs);
  EXPECT_TRUE(waits.links[0].other_trace);
  EXPECT_FALSE(waits.links[1].wait_ns);
  EXPECT_THAT(DivideEqually(second.ledger.cost_nano_usd, 10), ::testing::Each(420'000));
  EXPECT_THAT(DivideEqually(second.ledger.root_ns, 10), ::testing::Each(6'030 * kMs));
  EXPECT_THAT(DivideEqually(11, 4), ElementsAre(3, 3, 3, 2));
}

}  // namespace
}  // namespace fluoro::analysis
