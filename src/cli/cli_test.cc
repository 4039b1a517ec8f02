#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/clock.h"
#include "cli/genai_table.h"
#include "cli/graph_table.h"
#include "cli/serve_config.h"
#include "cli/summary_line.h"
#include "cli/terminal.h"
#include "cli/units.h"
#include "cli/waterfall.h"

namespace fluoro::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Units, ReadsDurationsAndRefusesTheRest) {
  const std::pair<const char*, std::int64_t> cases[] = {
      {"90s", 90 * kNsPerSecond},  {"15m", 900 * kNsPerSecond},
      {"1h", 3600 * kNsPerSecond}, {"7d", 7LL * 86'400 * kNsPerSecond},
      {"250ms", 250 * kNsPerMs},   {"1.5s", 1'500 * kNsPerMs},
      {"3", 3 * kNsPerSecond}};
  for (const auto& [text, ns] : cases) EXPECT_EQ(ParseDuration(text).value_or(-1), ns) << text;
  for (const char* text : {"", "h", "-1s", "5x", "1 h", "nan", "1e30d"})
    EXPECT_FALSE(ParseDuration(text)) << text;
}

TEST(Units, ReadsSizes) {
  EXPECT_EQ(ParseSize("512MiB").value_or(0), std::uint64_t{512} << 20);
  EXPECT_EQ(ParseSize("10GB").value_or(0), 10'000'000'000U);
  EXPECT_EQ(ParseSize("4096").value_or(0), 4096U);
  for (const char* text : {"", "MiB", "-1", "1Mib", "1e30TB"})
    EXPECT_FALSE(ParseSize(text)) << text;
}

TEST(Units, ReadsTimesExactly) {
  const std::int64_t now = 1'700'000'000 * kNsPerSecond;
  const std::pair<const char*, std::int64_t> cases[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"2016-11-04T21:02:41.271Z", 1'478'293'361'271'000'000},
      {"2016-11-04T23:02:41.271+02:00", 1'478'293'361'271'000'000},
      {"2016-11-04", 1'478'217'600'000'000'000},
      {"1478293361.271000001", 1'478'293'361'271'000'001},
      {"1478293361", 1'478'293'361'000'000'000},
      {"now", now},
      {"-15m", now - 900 * kNsPerSecond}};
  for (const auto& [text, ns] : cases) EXPECT_EQ(ParseTime(text, now).value_or(-1), ns) << text;
  for (const char* text :
       {"", "yesterday", "2016-13-01", "2016-11-04T25:00:00Z", "2016-11-04T00:00:00+2", "12:00"}) {
    EXPECT_FALSE(ParseTime(text, now)) << text;
  }
}

TEST(Units, PrintsThreeSignificantDigits) {
  EXPECT_EQ(FormatDuration(12), "12 ns");
  EXPECT_EQ(FormatDuration(1'234), "1.23 µs");
  EXPECT_EQ(FormatDuration(81'240'000), "81.2 ms");
  EXPECT_EQ(FormatDuration(999'600'000), "1.00 s");
  EXPECT_EQ(FormatDuration(2'480'000'000), "2.48 s");
  EXPECT_EQ(FormatDuration(600 * kNsPerSecond), "10m 00s");
  EXPECT_EQ(FormatBytes(1536), "1.5 KiB");
}

TEST(Terminal, FitsTextByColumnsNotBytes) {
  EXPECT_EQ(DisplayWidth("größe"), 5U);
  EXPECT_EQ(DisplayWidth("日本"), 4U);
  EXPECT_EQ(Fit("größe", 7), "größe  ");
  EXPECT_EQ(Fit("a long name", 6), "a lon…");
  EXPECT_EQ(Fit("日本語", 5), "日本…");
  EXPECT_THAT(Sanitise("a\x1b[31mb\n"), Not(HasSubstr("\x1b")));
}

const auto kNoEnvironment = [](const std::string&) -> std::optional<std::string> {
  return std::nullopt;
};

TEST(ServeConfig, FlagsBeatVariablesBeatFileBeatDefaults) {
  const std::string path = testing::TempDir() + "fluoro_serve_config_test.toml";
  std::ofstream(path) << "retention = \"3d\"\nhttp = \"127.0.0.1:3000\"\nudp = "
                         "\"127.0.0.1:3000\"\naws_quotas = true\n";
  const auto environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "FLUORO_HTTP") return "127.0.0.1:4000";
    if (name == "FLUORO_RETENTION") return "4d";
    return std::nullopt;
  };
  const auto resolved = ResolveServeConfig({{"http", "127.0.0.1:5000"}}, environment, path);
  std::filesystem::remove(path);
  ASSERT_TRUE(resolved) << resolved.error().message;
  EXPECT_EQ(resolved->config.http, "127.0.0.1:5000");
  EXPECT_EQ(resolved->config.udp, "127.0.0.1:3000");
  EXPECT_EQ(resolved->config.retention_ns, 4LL * 86'400 * kNsPerSecond);
  EXPECT_TRUE(resolved->config.aws_quotas);
  EXPECT_EQ(resolved->config.otlp_grpc, "127.0.0.1:4317");
  for (const auto& setting : resolved->settings) {
    if (setting.name == "http") {
      EXPECT_EQ(setting.origin, "flag --http");
    }
    if (setting.name == "retention") {
      EXPECT_EQ(setting.origin, "variable FLUORO_RETENTION");
    }
    if (setting.name == "udp") {
      EXPECT_THAT(setting.origin, HasSubstr("file "));
    }
    if (setting.name == "otlp-grpc") {
      EXPECT_EQ(setting.origin, "default");
    }
  }
}

TEST(ServeConfig, NamesTheBadSettingAndItsOrigin) {
  const std::pair<std::map<std::string, std::string, std::less<>>, const char*> cases[] = {
      {{{"retention", "40d"}}, "retention (flag --retention)"},
      {{{"http", "2000"}}, "http (flag --http)"},
      {{{"http", "127.0.0.1:70000"}}, "0 to 65535"},
      {{{"account", "12"}}, "12 digits"},
      {{{"memory", "1MiB"}}, "at least 64MiB"},
      {{{"max-body", "65MiB"}}, "max-body (flag --max-body): a body of 65MiB needs a --memory of"},
      {{{"http", "0.0.0.0:2000"}}, "--insecure"},
      {{{"tls-cert", "a.pem"}}, "go together"},
      {{{"store", "clickhouse://h"}}, "embedded store only"},
      {{{"sync", "never"}}, "always, interval or off"}};
  for (const auto& [flags, words] : cases) {
    const auto resolved = ResolveServeConfig(flags, kNoEnvironment, "");
    ASSERT_FALSE(resolved) << words;
    EXPECT_THAT(resolved.error().message, HasSubstr(words));
  }
  EXPECT_TRUE(
      ResolveServeConfig({{"http", "0.0.0.0:2000"}, {"insecure", "true"}}, kNoEnvironment, ""));
}

TEST(ServeConfig, ABodyIsAtMostAnEighthOfTheMemory) {
  const auto small = ResolveServeConfig({{"memory", "64MiB"}}, kNoEnvironment, "");
  ASSERT_TRUE(small);
  EXPECT_EQ(small->config.max_body_bytes, 8U << 20);
  const auto usual = ResolveServeConfig({}, kNoEnvironment, "");
  EXPECT_EQ(usual->config.max_body_bytes, 64U << 20);
  const auto large =
      ResolveServeConfig({{"memory", "2GiB"}, {"max-body", "256MiB"}}, kNoEnvironment, "");
  ASSERT_TRUE(large) << large.error().message;
  EXPECT_EQ(large->config.max_body_bytes, 256U << 20);
}

TEST(ServeConfig, RefusesUnknownKeysOfTheFile) {
  const std::string path = testing::TempDir() + "fluoro_serve_config_unknown.toml";
  std::ofstream(path) << "retentoin = \"3d\"\n";
  const auto resolved = ResolveServeConfig({}, kNoEnvironment, path);
  std::filesystem::remove(path);
  ASSERT_FALSE(resolved);
  EXPECT_THAT(resolved.error().message, HasSubstr("'retentoin'"));
}

constexpr std::string_view kTrace =
    R"({"trace_id":"1-581cf771-a006649127e371903a2de979","start":"2016-11-04T21:02:41.271000000Z","start_ns":0,
"duration_ns":1000000000,"complete":true,"spans":[
{"id":"a","parent":null,"name":"gateway","service":"gateway","type":"","kind":"server","start_ns":0,"duration_ns":1000000000,"outcome":"fault","in_progress":false,"inferred":false,"step_kind":"gateway","self_ns":1,"attributes":{}},
{"id":"c","parent":"a","name":"late\u001b[2J","service":"gateway","type":"","kind":"client","start_ns":600000000,"duration_ns":400000000,"outcome":"error","in_progress":false,"inferred":true,"step_kind":"http","self_ns":1,"errors":[{"type":"ReadTimeout","message":"no answer"}],"attributes":{}},
{"id":"b","parent":"a","name":"early","service":"gateway","type":"","kind":"client","start_ns":100000000,"duration_ns":100000000,"outcome":"ok","in_progress":true,"inferred":false,"step_kind":"llm","self_ns":1,"attributes":{}}],
"critical_path":[{"span_id":"a","start_ns":0,"end_ns":600000000},{"span_id":"c","start_ns":600000000,"end_ns":1000000000}],
"ledger":[{"step_kind":"gateway","path_ns":600000000},{"step_kind":"http","path_ns":400000000}],
"usage":{"prompt_tokens":10,"completion_tokens":5,"cached_tokens":0}})";

TEST(Waterfall, DrawsTreeBarsErrorsAndLedger) {
  const auto picture = RenderWaterfall(kTrace, {.colours = false, .columns = 100});
  ASSERT_TRUE(picture) << picture.error().message;
  EXPECT_THAT(*picture, HasSubstr("├─ gateway  early"));
  EXPECT_THAT(*picture, HasSubstr("└─ gateway  late [2J (inferred)"));
  EXPECT_THAT(*picture, HasSubstr("! ReadTimeout: no answer"));
  EXPECT_THAT(*picture, HasSubstr("running"));
  EXPECT_THAT(*picture, HasSubstr("gateway 600 ms (60 %)  http 400 ms (40 %)"));
  EXPECT_THAT(*picture, HasSubstr("10 in, 5 out"));
  EXPECT_THAT(*picture, Not(HasSubstr("\x1b")));
  EXPECT_LT(picture->find("early"), picture->find("late"));
}

TEST(Waterfall, EveryRowFitsTheTerminal) {
  for (const std::size_t columns : {60U, 80U, 100U, 160U, 240U}) {
    const auto picture = RenderWaterfall(kTrace, {.colours = false, .columns = columns});
    ASSERT_TRUE(picture);
    std::string_view rest = *picture;
    rest.remove_prefix(rest.find('\n') + 1);
    for (int row = 0; row < 4; ++row) {
      EXPECT_LE(DisplayWidth(rest.substr(0, rest.find('\n'))), columns + 9) << columns;
      rest.remove_prefix(rest.find('\n') + 1);
    }
  }
}

TEST(Waterfall, EndsOnCyclesAndForeignText) {
  EXPECT_FALSE(RenderWaterfall("not json", {}));
  EXPECT_FALSE(RenderWaterfall("{}", {}));
  const auto cycle = RenderWaterfall(
      R"({"duration_ns":1,"spans":[{"id":"a","parent":"b","start_ns":0,"duration_ns":1},{"id":"b","parent":"a","start_ns":0,"duration_ns":1},{"id":"c","parent":"c"}]})",
      {});
  EXPECT_TRUE(cycle);
}

TEST(GraphTable, ShowsServicesAndCalls) {
  const auto table = RenderGraph(
      R"({"services":[{"name":"a","type":"AWS::ECS","ok":3,"error":0,"fault":1,"throttle":0,"total":4,"p50_ns":1000000,"p95_ns":2000000,"p99_ns":0}],
"edges":[{"from":"a","to":"b","type":"async","total":2.5}]})",
      {.colours = false, .columns = 100});
  ASSERT_TRUE(table);
  EXPECT_THAT(*table, HasSubstr("a [AWS::ECS]"));
  EXPECT_THAT(*table, HasSubstr("a ⇢ b"));
  EXPECT_THAT(*table, HasSubstr("2.5"));
  EXPECT_THAT(*table, HasSubstr("1.00 ms"));
}

TEST(Sanitise, LeavesNothingThatDrivesATerminal) {
  EXPECT_EQ(Sanitise("a\x1b[31mb\r\n\x7f"), "a [31mb   ");
  EXPECT_EQ(Sanitise("a\u202eb\u2066c\u200fd\u0085e"), "a b c d e");
  EXPECT_EQ(Sanitise("\u00e9\u20ac\u2028 \U0001f600"), "\u00e9\u20ac\u2028 \U0001f600");
}

TEST(GenAiTable, ShowsGroupsTokensAndWhetherCostsAreWhole) {
  const auto table = RenderCalls(
      R"({"rows":[{"provider":"openai","model":"gpt","calls":2,"failed":1,"prompt_tokens":20,"cost_usd":0.0015,"unpriced_calls":1,"unpriced_tokens":9,"p50_ns":1000000},
{"provider":null,"model":null,"other":true,"calls":1,"cost_usd":null}],"truncated":true})",
      {.colours = false, .columns = 100});
  ASSERT_TRUE(table);
  EXPECT_THAT(*table, HasSubstr("openai"));
  EXPECT_THAT(*table, HasSubstr("0.001500+"));
  EXPECT_THAT(*table, HasSubstr("1 calls with 9 tokens have no price"));
  EXPECT_THAT(*table, HasSubstr("(other)"));
  EXPECT_THAT(*table, HasSubstr("1.00 ms"));
  EXPECT_THAT(*table, HasSubstr("left out"));
  EXPECT_EQ(*RenderCalls(R"({"rows":[]})", {}), "no calls\n");
  EXPECT_FALSE(RenderCalls("{}", {}));
}

TEST(SummaryLine, PrintsRootStatusAndOutcome) {
  const std::string line = RenderSummary(
      R"({"trace_id":"1-x","start_ns":0,"duration_ns":81240000,"root_service":"api","root_name":"api","outcome":"fault","http_status":502,"http_method":"GET","http_url":"http://x/y","spans":7,"partial":true})",
      {.colours = false, .columns = 120});
  EXPECT_THAT(line, HasSubstr("81.2 ms"));
  EXPECT_THAT(line, HasSubstr("api  GET http://x/y  502  (in progress)"));
}

}  // namespace
}  // namespace fluoro::cli
