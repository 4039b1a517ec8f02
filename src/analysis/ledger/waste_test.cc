#include "analysis/ledger/waste.h"

#include <gmock/gmock.h>

#include "analysis/ledger/ledger_testing.h"
#include "analysis/ledger/repeated.h"

namespace fluoro::analysis {
namespace {

using model::SpanKind;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Line;
using ::testing::SizeIs;
using testing::Told;

Line Root(std::int64_t end_ms) {
  return {.id = 1, .name = "POST /agent", .kind = SpanKind::kServer, .end_ms = end_ms};
}

Line Step(std::uint64_t id, std::uint64_t parent, std::string_view kind, std::string name,
          std::int64_t from, std::int64_t to,
          std::vector<std::pair<std::string, model::AttributeValue>> more = {}) {
  more.emplace_back("step_kind", testing::Text(kind));
  if (kind == "tool") more.emplace_back("tool_name", testing::Text(name));
  if (kind == "llm") more.emplace_back("model", testing::Text(name));
  return {.id = id,
          .parent = parent,
          .name = std::move(name),
          .start_ms = from,
          .end_ms = to,
          .attributes = std::move(more)};
}

Line Failed(Line line, std::string_view error_type = "boom") {
  line.error = true;
  line.attributes.emplace_back("error.type", testing::Text(error_type));
  return line;
}

struct Asked {
  Told told;
  Waste waste;
  explicit Asked(const std::vector<Line>& lines)
      : told(testing::Decode(lines)), waste(WasteOf(told.trace, told.View().steps, told.cost)) {}
};

TEST(Waste, ATraceWithoutFailuresLostNothing) {
  const Asked asked({Root(100), Step(2, 1, "llm", "m", 10, 40), Step(3, 1, "tool", "t", 40, 60),
                     Step(4, 1, "tool", "t", 60, 90)});
  EXPECT_THAT(asked.waste.lost, IsEmpty());
  EXPECT_THAT(asked.waste.endings, IsEmpty());
  EXPECT_EQ(asked.waste.waste_ns, 0);
}

struct Case {
  std::string_view what;
  std::vector<Line> lines;
  std::size_t findings = 0;
  std::int64_t failed_ms = 0;
  std::int64_t backoff_ms = 0;
  std::int64_t recoverable_ms = 0;
  WasteCause cause = WasteCause::kError;
  bool stood = false;
  bool fallback = false;
};

TEST(Waste, ByTable) {
  const std::vector<Case> cases = {
      {"a tool that was tried again",
       {Root(100), Failed(Step(2, 1, "tool", "t", 10, 30)), Step(3, 1, "tool", "t", 40, 60)},
       1,
       20,
       10,
       30,
       WasteCause::kError,
       true},
      {"a tool that failed for good",
       {Root(100), Failed(Step(2, 1, "tool", "t", 10, 30), "TimeoutError"),
        Step(3, 1, "tool", "other", 40, 60)},
       1,
       20,
       0,
       20,
       WasteCause::kTimeout,
       false},
      {"calls of different tools are no attempts",
       {Root(100), Failed(Step(2, 1, "tool", "a", 10, 30)), Step(3, 1, "tool", "b", 40, 60)},
       1,
       20,
       0,
       20,
       WasteCause::kError,
       false},
      {"what runs beside a failed call is no attempt",
       {Root(100), Failed(Step(2, 1, "tool", "t", 10, 30)), Step(3, 1, "tool", "t", 20, 60)},
       1,
       20,
       0,
       0,
       WasteCause::kError,
       false},
      {"other call ids are other calls",
       {Root(100),
        Failed(Step(2, 1, "tool", "t", 10, 30, {{"gen_ai.tool.call.id", testing::Text("x")}})),
        Step(3, 1, "tool", "t", 40, 60, {{"gen_ai.tool.call.id", testing::Text("y")}})},
       1,
       20,
       0,
       20,
       WasteCause::kError,
       false},
      {"more than a minute later is not again",
       {Root(100'000), Failed(Step(2, 1, "tool", "t", 10, 30)),
        Step(3, 1, "tool", "t", 60'031, 60'060)},
       1,
       20,
       0,
       20,
       WasteCause::kError,
       false},
      {"what a model asked anew is not again",
       {Root(100), Failed(Step(2, 1, "tool", "t", 10, 30)), Step(3, 1, "llm", "m", 31, 50),
        Step(4, 1, "tool", "t", 50, 60)},
       1,
       20,
       0,
       20,
       WasteCause::kError,
       false},
      {"another model, at once",
       {Root(100), Failed(Step(2, 1, "llm", "big", 10, 30), "RateLimitError"),
        Step(3, 1, "llm", "small", 31, 60)},
       1,
       20,
       1,
       21,
       WasteCause::kThrottled,
       true,
       true},
      {"another model, much later",
       {Root(10'000), Failed(Step(2, 1, "llm", "big", 10, 30)),
        Step(3, 1, "llm", "small", 2'031, 2'060)},
       1,
       20,
       0,
       20,
       WasteCause::kError,
       false},
      {"three attempts, all in vain",
       {Root(100), Failed(Step(2, 1, "llm", "m", 10, 20)), Failed(Step(3, 1, "llm", "m", 25, 35)),
        Failed(Step(4, 1, "llm", "m", 45, 55))},
       1,
       30,
       15,
       45,
       WasteCause::kError,
       false},
      {"what failed inside of a failed attempt is counted once",
       {Root(100), Failed(Step(2, 1, "tool", "t", 10, 30)),
        Failed(Step(5, 2, "http", "GET /x", 12, 29), "timeout"), Step(3, 1, "tool", "t", 40, 60)},
       1,
       20,
       10,
       30,
       WasteCause::kError,
       true},
      {"a missing page is an answer",
       {Root(100), Step(2, 1, "tool", "t", 10, 30),
        Failed(Step(3, 2, "http", "GET", 12, 20), "404")},
       0},
      {"a request that ran into a limit is lost",
       {Root(100), Step(2, 1, "tool", "t", 10, 30),
        Failed(Step(3, 2, "http", "GET", 12, 20), "timeout")},
       1,
       8,
       0,
       8,
       WasteCause::kTimeout,
       false},
      {"a client that left",
       {Root(100), Failed(Step(2, 1, "llm", "m", 10, 30), "AbortError")},
       1,
       20,
       0,
       20,
       WasteCause::kCancelled,
       false},
      {"an agent did many things, of which some may be worth something",
       {Root(100), Failed(Step(2, 1, "agent", "a", 10, 30))},
       0},
      {"attempts of a batch job are lost by what they say they are",
       {Root(100), Step(2, 1, "chain", "job", 10, 90),
        Failed(Step(3, 2, "chain", "attempt 0", 10, 28, {{"sub_kind", testing::Text("attempt")}}))},
       1,
       18,
       0,
       18,
       WasteCause::kError,
       false},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.what);
    const Asked asked(one.lines);
    ASSERT_THAT(asked.waste.lost, SizeIs(one.findings));
    if (one.findings == 0) continue;
    const LostWork& work = asked.waste.lost.front();
    EXPECT_EQ(work.failed_ns, one.failed_ms * testing::kMs);
    EXPECT_EQ(work.backoff_ns, one.backoff_ms * testing::kMs);
    EXPECT_EQ(work.recoverable_ns, one.recoverable_ms * testing::kMs);
    EXPECT_EQ(asked.waste.recoverable_ns, one.recoverable_ms * testing::kMs);
    EXPECT_EQ(WasteCauseName(work.cause), WasteCauseName(one.cause));
    EXPECT_EQ(work.stood >= 0, one.stood);
    EXPECT_EQ(work.fallback, one.fallback);
    EXPECT_EQ(
        work.failed.front(),
        asked.told.At(
            one.what.starts_with("a request that") || one.what.starts_with("attempts of") ? 3 : 2));
  }
}

struct RetryCase {
  std::string_view what;
  std::vector<std::pair<std::string, model::AttributeValue>> attributes;
  std::int64_t retries = 0;
};

TEST(Waste, RetriesAreTheMostThatAnySourceTells) {
  const std::vector<RetryCase> cases = {
      {"stated", {{"retry_count", testing::Whole(3)}}, 3},
      {"by the AWS SDK", {{"aws.xray.retries", testing::Whole(2)}}, 2},
      {"a message received a third time", {{"ApproximateReceiveCount", testing::Text("3")}}, 2},
      {"a job's second attempt", {{"AWS_BATCH_JOB_ATTEMPT", testing::Text("2")}}, 1},
      {"a first delivery", {{"ApproximateReceiveCount", testing::Whole(1)}}, 0},
      {"nonsense", {{"ApproximateReceiveCount", testing::Text("-4")}}, 0},
  };
  for (const RetryCase& one : cases) {
    SCOPED_TRACE(one.what);
    const Asked asked({Root(100), Step(2, 1, "tool", "t", 10, 30, one.attributes)});
    ASSERT_THAT(asked.waste.endings, SizeIs(one.retries > 0 ? 1 : 0));
    if (one.retries > 0) {
      EXPECT_EQ(asked.waste.endings[0].retries, one.retries);
      EXPECT_EQ(asked.waste.endings[0].step, asked.told.At(2));
    }
  }
  const Asked asked(
      {Root(100), Step(2, 1, "tool", "t", 10, 90, {{"retry_count", testing::Whole(1)}}),
       Failed(Step(3, 2, "http", "GET", 12, 20)), Failed(Step(4, 2, "http", "GET", 30, 40)),
       Step(5, 2, "http", "GET", 50, 60, {{"http.request.resend_count", testing::Whole(4)}})});
  ASSERT_THAT(asked.waste.endings, SizeIs(1));
  EXPECT_EQ(asked.waste.endings[0].retries, 4) << "one of the requests was not recorded";
}

TEST(Waste, CostOfFailedAttemptsIsLost) {
  const Asked asked({Root(100),
                     Failed(Step(2, 1, "llm", "m", 10, 30,
                                 {{"gen_ai.usage.cost", testing::Real(0.25)},
                                  {"gen_ai.usage.input_tokens", testing::Whole(10)}})),
                     Step(3, 1, "llm", "m", 31, 60,
                          {{"gen_ai.usage.cost", testing::Real(0.5)},
                           {"gen_ai.usage.input_tokens", testing::Whole(10)}})});
  EXPECT_EQ(asked.waste.cost_nano_usd, 250'000'000);
  EXPECT_EQ(asked.told.cost.cost_nano_usd, 750'000'000);
  const Ledger ledger = LedgerOf(asked.told.trace, asked.told.cost, asked.told.labels);
  EXPECT_EQ(ledger.waste_nano_usd, 250'000'000);
}

TEST(Repeated, EqualArgumentsHoweverTheyAreWritten) {
  const auto call = [](std::uint64_t id, std::string_view arguments) {
    const auto at = static_cast<std::int64_t>(id) * 10;
    return Step(id, 1, "tool", "search", at, at + 5,
                {{"gen_ai.tool.call.arguments", testing::Text(arguments)}});
  };
  const Asked asked({Root(100), call(2, R"({"q":"x","n":1})"), call(3, R"({ "n": 1.0, "q": "x" })"),
                     call(4, R"({"q":"x","n":2})"), call(5, R"({"n":1,"q":"\u0078"})")});
  ASSERT_THAT(asked.waste.repeated, SizeIs(1));
  const RepeatedWork& loop = asked.waste.repeated[0];
  EXPECT_EQ(loop.kind, RepeatedWork::Kind::kLoop);
  EXPECT_EQ(loop.name, "search");
  EXPECT_THAT(loop.steps, ElementsAre(asked.told.At(2), asked.told.At(3), asked.told.At(5)));
  EXPECT_EQ(loop.again_ns, 10 * testing::kMs);
  EXPECT_EQ(asked.waste.waste_ns, 0) << "a suspicion is no waste";
}

TEST(Repeated, OneQuestionAskedTwice) {
  const auto ask = [](std::uint64_t id, std::string_view question, bool failed = false) {
    const auto at = static_cast<std::int64_t>(id) * 10;
    Line line = Step(id, 1, "llm", "m", at, at + 5,
                     {{"gen_ai.input.messages", testing::Text(question)},
                      {"gen_ai.usage.cost", testing::Real(0.125)},
                      {"gen_ai.usage.input_tokens", testing::Whole(10)}});
    return failed ? Failed(line) : line;
  };
  const Asked asked({Root(100), ask(2, "[1]", true), ask(3, "[1]"), ask(4, "[2]"), ask(5, "[1]")});
  ASSERT_THAT(asked.waste.repeated, SizeIs(1));
  EXPECT_EQ(asked.waste.repeated[0].kind, RepeatedWork::Kind::kDuplicate);
  EXPECT_THAT(asked.waste.repeated[0].steps, ElementsAre(asked.told.At(3), asked.told.At(5)));
  EXPECT_EQ(asked.waste.repeated[0].again_nano_usd, 125'000'000);
}

TEST(Repeated, TwoViewsOfOneCallAreNoRepetition) {
  const auto view = [](std::uint64_t id, std::uint64_t parent, std::int64_t from, std::int64_t to) {
    return Step(id, parent, "llm", "m", from, to,
                {{"gen_ai.input.messages", testing::Text("[1]")},
                 {"gen_ai.response.id", testing::Text("r-1")},
                 {"gen_ai.usage.input_tokens", testing::Whole(10)},
                 {"gen_ai.usage.output_tokens", testing::Whole(5)}});
  };
  const Asked inside({Root(100), view(2, 1, 10, 50), view(3, 2, 12, 48)});
  EXPECT_THAT(inside.waste.repeated, IsEmpty());
  const Asked beside({Root(100), view(2, 1, 10, 50), view(3, 1, 12, 48)});
  EXPECT_THAT(beside.waste.repeated, IsEmpty());
}

TEST(CanonicalJson, IsOneForm) {
  EXPECT_EQ(CanonicalJson(R"( {"b":[1.0,2.5,null,true],"a":{"d":"x","c":1e2}} )"),
            R"({"a":{"c":100,"d":"x"},"b":[1,2.5,null,true]})");
  EXPECT_EQ(CanonicalJson(" {'a': 1} "), "{'a': 1}");
  EXPECT_EQ(CanonicalJson(""), "");
}

}  // namespace
}  // namespace fluoro::analysis
