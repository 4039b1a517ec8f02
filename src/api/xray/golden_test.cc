// Whole answers of every operation over one small system, compared with testdata/golden/*.json.
// FLUORO_UPDATE_GOLDEN=1 rewrites the files; the difference is then to be reviewed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "api/xray/test_server.h"

namespace fluoro::api::xray {
namespace {

const std::string kFolder = "src/api/xray/testdata/golden/";

std::string ReadAll(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// One member or element a line, so that differences can be read.
std::string Indented(std::string_view json) {
  std::string out;
  std::size_t depth = 0;
  bool in_string = false;
  const auto new_line = [&] { out += '\n' + std::string(2 * depth, ' '); };
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      out += c;
      if (c == '\\') out += json[++i];
      in_string = c != '"';
      continue;
    }
    const bool empty = i + 1 < json.size() && (json[i + 1] == '}' || json[i + 1] == ']');
    if (c == '{' || c == '[') {
      out += c;
      if (empty) {
        out += json[++i];
      } else {
        ++depth;
        new_line();
      }
    } else if (c == '}' || c == ']') {
      --depth;
      new_line();
      out += c;
    } else {
      out += c;
      if (c == ',') new_line();
      if (c == ':') out += ' ';
      in_string = c == '"';
    }
  }
  return out + "\n";
}

/// The trace of an order: a web shop calls a table, a queue, a database and a payment service; the
/// latter fails and is tried again.
std::vector<std::string> Documents() {
  std::vector<std::string> documents;
  std::istringstream lines(ReadAll(kFolder + "documents.jsonl"));
  for (std::string line; std::getline(lines, line);) documents.push_back(line);
  return documents;
}

struct GoldenCase {
  const char* name;
  const char* path;
  const char* body;
};

void PrintTo(const GoldenCase& c, std::ostream* out) { *out << c.name; }

class GoldenTest : public testing::TestWithParam<GoldenCase> {};

TEST_P(GoldenTest, AnswersAsBefore) {
  TestServer server;
  const std::vector<std::string> documents = Documents();
  ASSERT_FALSE(documents.empty());
  server.PutGood(documents);
  const std::string actual = Indented(server.Call(GetParam().path, GetParam().body));
  const std::string file = kFolder + GetParam().name + ".json";
  if (std::getenv("FLUORO_UPDATE_GOLDEN") != nullptr) std::ofstream(file) << actual;
  EXPECT_EQ(actual, ReadAll(file)) << file;
}

TEST_P(GoldenTest, AnswersTheSameFromBlocks) {
  TestServer server;
  server.PutGood(Documents());
  ASSERT_TRUE(server.store().SealAll());
  EXPECT_EQ(Indented(server.Call(GetParam().path, GetParam().body)),
            ReadAll(kFolder + GetParam().name + ".json"));
}

INSTANTIATE_TEST_SUITE_P(
    Operations, GoldenTest,
    testing::Values(
        GoldenCase{
            "batch_get_traces", "/Traces",
            R"({"TraceIds":["1-581cf771-000000000000000000000001","1-581cf771-000000000000000000000009"]})"},
        GoldenCase{"get_trace_summaries", "/TraceSummaries",
                   R"({"StartTime":1478293361,"EndTime":1478293362,"TimeRangeType":"Event"})"},
        GoldenCase{"get_service_graph", "/ServiceGraph",
                   R"({"StartTime":1478293361,"EndTime":1478293362})"},
        GoldenCase{"get_trace_graph", "/TraceGraph",
                   R"({"TraceIds":["1-581cf771-000000000000000000000002"]})"},
        GoldenCase{
            "get_time_series_service_statistics", "/TimeSeriesServiceStatistics",
            R"j({"StartTime":1478293300,"EndTime":1478293400,"EntitySelectorExpression":"service(\"shop\")"})j"},
        GoldenCase{"get_sampling_rules", "/GetSamplingRules", ""},
        GoldenCase{
            "get_sampling_targets", "/SamplingTargets",
            R"({"SamplingStatisticsDocuments":[{"RuleName":"Default","ClientID":"0123456789abcdef01234567",)"
            R"("Timestamp":1478293362,"RequestCount":10,"SampledCount":2,"BorrowCount":1}]})"}),
    [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace fluoro::api::xray
