#include "codec/csv/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <set>

#include "codec/common/canonical_json_for_test.h"

namespace fluoro::codec::csv {
namespace {

using common::ReadFileForTest;
using model::Span;
using model::SpanKind;

std::vector<Span> Decode(std::string_view text, const model::Limits& limits = {}) {
  model::DecodeStats stats;
  const auto batch = DecodeSpans(text, limits, stats);
  EXPECT_TRUE(batch.has_value()) << (batch ? "" : batch.error().message);
  std::vector<Span> spans;
  if (!batch) return spans;
  EXPECT_EQ(stats.spans, batch->size());
  model::SpanReader reader(*batch);
  for (std::uint32_t i = 0; i < batch->size(); ++i) spans.push_back(reader.Read(i));
  return spans;
}

std::string Gunzip(const std::filesystem::path& path) {
  std::string text;
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return text;
  std::array<char, 65'536> buffer;
  int bytes = 0;
  while ((bytes = gzread(file, buffer.data(), buffer.size())) > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(bytes));
  }
  gzclose(file);
  return text;
}

TEST(Csv, BecomesSpans) {
  const auto spans = Decode(ReadFileForTest("src/codec/csv/testdata/spans.csv"));
  ASSERT_EQ(spans.size(), 5U);
  const Span& root = spans[0];
  EXPECT_EQ(root.trace_id.ToHex(), "5759e988bd862e3fe1be46a994272793");
  EXPECT_TRUE(root.parent_id.IsZero());
  EXPECT_EQ(root.source, model::SpanSource::kCsv);
  EXPECT_EQ(root.service(), "frontend");
  EXPECT_EQ(*root.resource->Find("k8s.pod.name")->AsString(), "frontend-579b9bff58-t2dbm");
  EXPECT_EQ(root.start_ns, 1'661'256'099'750'950'941);
  EXPECT_EQ(root.end_ns, 1'661'256'100'951'532'472);
  EXPECT_EQ(root.kind, SpanKind::kServer);
  EXPECT_EQ(spans[1].name, "call \"cart\", again");
  EXPECT_EQ(spans[1].kind, SpanKind::kClient);
  EXPECT_EQ(spans[1].parent_id, root.span_id);
  EXPECT_EQ(spans[2].name, "Get\nCart");
  EXPECT_EQ(spans[2].kind, SpanKind::kServer);
  EXPECT_EQ(spans[2].service(), "cartservice");
  EXPECT_EQ(spans[3].name, "=SUM(A1)");
  EXPECT_EQ(spans[3].kind, SpanKind::kInternal);
  EXPECT_EQ(spans[4].name, "'@x");
  EXPECT_EQ(spans[4].service(), "redis-0");
  EXPECT_EQ(spans[4].kind, SpanKind::kServer);
}

TEST(Csv, ComesBackEqual) {
  const std::string text = ReadFileForTest("src/codec/csv/testdata/spans.csv");
  EXPECT_EQ(EncodeSpans(Decode(text), true), text);
  const std::string without_header = text.substr(text.find('\n') + 1);
  EXPECT_EQ(EncodeSpans(Decode(without_header), false), without_header);
}

TEST(Csv, GuardsCellsThatASpreadsheetWouldRun) {
  for (const std::string_view name :
       {"=1+1", "+1", "-1", "@x", "'=1", "''+", "'plain", "a=b", "", "\ttab", "\rcr", "'"}) {
    auto spans = Decode("1,2,root,p,n,10,20,0\n");
    spans[0].name = name;
    const std::string text = EncodeSpans(spans, false);
    const auto cell = text.find("root,p,") + 7;
    EXPECT_EQ(std::string_view("=+-@\t\r").find(text[cell]), std::string_view::npos) << text;
    EXPECT_EQ(Decode(text)[0].name, name) << text;
  }
}

TEST(Csv, ServicesThatDifferOnlyInBrokenTextAreOne) {
  const auto spans = Decode(
      "TraceID,SpanID,ParentID,PodName,OperationName,StartTimeUnixNano,EndTimeUnixNano\n"
      "1,1,root,cart\xff,a,1,9\n"
      "1,2,1,cart\xfe,b,2,3\n");
  ASSERT_EQ(spans.size(), 2U);
  EXPECT_EQ(spans[0].service(), spans[1].service());
  EXPECT_EQ(spans[1].kind, SpanKind::kInternal) << "no call into another service";
}

TEST(Csv, TakesColumnsInAnyOrderAndPadsIds) {
  const auto spans = Decode(
      "\xef\xbb\xbf"
      "Duration,StartTimeUnixNano,Other,SpanID,TraceID\r\n"
      "5,100,\"x\r\ny\",2,1\r\n\r\n7,200,,3,1");
  ASSERT_EQ(spans.size(), 2U);
  EXPECT_EQ(spans[0].trace_id.ToHex(), "00000000000000000000000000000001");
  EXPECT_EQ(spans[0].span_id.ToHex(), "0000000000000002");
  EXPECT_EQ(spans[0].end_ns, 5'100);
  EXPECT_EQ(spans[0].service(), "");
  EXPECT_EQ(spans[1].start_ns, 200);
  EXPECT_TRUE(Decode("").empty());
  EXPECT_TRUE(Decode("TraceID,SpanID,StartTimeUnixNano,Duration\n").empty());
}

TEST(Csv, SaysTheLineAndColumn) {
  struct Case {
    std::string text, message;
  };
  const Case cases[] = {
      {"x,2,root,p,n,1,2,3",
       "line 1, column 1: TraceID: 1 to 32 hex digits, not all zero, were expected"},
      {"1,2,root,p,n,1,2,3\n1,,root,p,n,1,2,3",
       "line 2, column 3: SpanID: 1 to 16 hex digits, not all zero, were expected"},
      {"1,2,roo,p,n,1,2,3",
       "line 1, column 5: ParentID: `root` or 1 to 16 hex digits, not all zero, were expected"},
      {"1,2,root,p,n,x,2,3", "line 1, column 14: StartTimeUnixNano: a whole number was expected"},
      {"1,2,root,p,n,-1,2,3", "line 1, column 14: StartTimeUnixNano: a whole number was expected"},
      {"1,2,root,p,n,1,2x,3", "line 1, column 16: EndTimeUnixNano: a whole number was expected"},
      {"1,2,root,p,n,99999999999999999999,2,3",
       "line 1, column 14: StartTimeUnixNano: a whole number was expected"},
      {"1,2,root,p,n,5,4,3", "line 1, column 16: EndTimeUnixNano: before the start"},
      {"1,2,root,p,n,5,,9223372036854775807", "line 1, column 17: Duration: out of range"},
      {"1,2,root", "line 1, column 1: StartTimeUnixNano: missing"},
      {"1,2,root,p,n,5", "line 1, column 1: EndTimeUnixNano: missing"},
      {"1,2,root,p,\"a\nb", "line 1, column 12: a quote that does not end"},
      {"1,2,root,p,a\"b,1,2,3",
       "line 1, column 13: a quote inside a cell that does not begin with one"},
      {"1,2,root,p,\"a\"b,1,2,3", "line 1, column 15: a comma or a line end was expected"},
      {"1,2,root,p,\"a\nb\"c", "line 2, column 3: a comma or a line end was expected"},
      {"TraceID,SpanID,Duration", "line 1, column 1: StartTimeUnixNano: no such column"},
      {"TraceID,SpanID,StartTimeUnixNano",
       "line 1, column 1: EndTimeUnixNano, Duration: neither column is there"},
      {"TraceID,TraceID", "line 1, column 9: TraceID: a second column of this name"},
      {std::string(300, ','), "line 1, column 257: more than 256 cells"},
  };
  for (const Case& c : cases) {
    model::DecodeStats stats;
    const auto batch = DecodeSpans(c.text, {}, stats);
    ASSERT_FALSE(batch.has_value()) << c.text;
    EXPECT_EQ(batch.error().message, c.message) << c.text;
    EXPECT_EQ(batch.error().code, ErrorCode::kCorruption);
  }
}

TEST(Csv, ChecksItsLimits) {
  model::DecodeStats stats;
  model::Limits limits;
  limits.body_bytes_max = 5;
  EXPECT_EQ(DecodeSpans("1,2,root,", limits, stats).error().code, ErrorCode::kTooLarge);
  limits = {};
  limits.start_ns_min = 100;
  limits.start_ns_max = 200;
  limits.name_bytes_max = 2;
  const auto batch = DecodeSpans(
      "1,1,root,p,abc,99,300,\n1,2,root,p,abc,100,300,\n1,3,root,p,abc,201,300,\n", limits, stats);
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->size(), 1U);
  EXPECT_EQ(stats.rejected_spans, 2U);
  EXPECT_EQ(batch->MakeSpan(0).name, "ab");
}

TEST(ServiceOfPod, TakesAwayWhatADeploymentAdds) {
  struct Case {
    std::string_view pod, service;
  };
  static constexpr Case kCases[] = {
      {"ts-gateway-service-6f6cfc45b-d9pnv", "ts-gateway-service"},
      {"frontend-579b9bff58-t2dbm", "frontend"},
      {"currencyservice-cf787dd48-vpjrd", "currencyservice"},
      {"redis-0", "redis-0"},
      {"my-cool-store", "my-cool-store"},
      {"db-abcde-fghij", "db-abcde-fghij"},
      {"x-6f6cfc45b-d9pn", "x-6f6cfc45b-d9pn"},
      {"-6f6cfc45b-d9pnv", "-6f6cfc45b-d9pnv"},
      {"plain", "plain"},
      {"", ""},
  };
  for (const Case& c : kCases) EXPECT_EQ(ServiceOfPod(c.pod), c.service);
}

TEST(CsvData, MinutesOfRealSystemsLoadWholeAndComeBackEqual) {
  const std::filesystem::path folder = "../shared/data/workloads";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is absent";
  struct Case {
    std::string_view file;
    std::size_t traces;
    std::size_t spans;
  };
  static constexpr Case kCases[] = {
      {"nezha-onlineboutique-2022-08-23-12_02.csv.gz", 372, 17'184},
      {"nezha-onlineboutique-2022-08-23-12_03.csv.gz", 366, 17'021},
      {"nezha-trainticket-2023-01-30-11_51.csv.gz", 52, 3'789},
      {"nezha-trainticket-2023-01-30-11_52.csv.gz", 41, 2'694},
      {"nezha-trainticket-2023-01-30-11_53.csv.gz", 50, 3'463},
  };
  std::set<model::TraceId> all;
  std::set<std::string, std::less<>> services;
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.file);
    const std::string text = Gunzip(folder / c.file);
    const auto spans = Decode(text);
    EXPECT_EQ(spans.size(), c.spans);
    std::set<model::TraceId> traces;
    for (const Span& span : spans) {
      traces.insert(span.trace_id);
      services.emplace(span.service());
    }
    EXPECT_EQ(traces.size(), c.traces);
    all.insert(traces.begin(), traces.end());
    EXPECT_TRUE(EncodeSpans(spans, true) == text);
  }
  EXPECT_EQ(all.size(), 870U);
  EXPECT_TRUE(services.contains("ts-gateway-service"));
  EXPECT_TRUE(services.contains("frontend"));
  EXPECT_EQ(services.size(), 38U);
}

}  // namespace
}  // namespace fluoro::codec::csv
