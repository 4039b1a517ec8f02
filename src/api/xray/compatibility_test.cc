// Makes docs/compatibility.md: for each operation and each field of the service model, whether it
// is done, differs (and how), or is missing. What is done is what answers of a walk through the API
// held, so that the table cannot say more. FLUORO_UPDATE_GOLDEN=1 rewrites the page.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <ranges>
#include <set>
#include <sstream>

#include "api/insights/insight_record.h"
#include "api/xray/shape.h"
#include "api/xray/test_server.h"
#include "base/json.h"

namespace fluoro::api::xray {
namespace {

using simdjson::dom::element;

const std::string kPage = "docs/compatibility.md";

/// What is done otherwise than by AWS, by the beginning of the field's path.
const std::map<std::string, std::string, std::less<>> kDiffers = {
    {"BatchGetTraces.in.TraceIds", "at most 5, as the live service; the model states no limit"},
    {"CreateSamplingRule.in.SamplingRule.Version", "1 only: SDKs pass over all others"},
    {"GetIndexingRules.out.IndexingRules[].Rule.Probabilistic.ActualSamplingPercentage",
     "always 100: every stored trace can be found, whatever the rule says"},
    {"GetRetrievedTracesGraph.out.RetrievalStatus",
     "COMPLETE at once, since reading is immediate; then CANCELLED or TIMEOUT"},
    {"GetSamplingTargets.in.SamplingStatisticsDocuments",
     "may be missing, and may hold 100 documents: OpenTelemetry's Java sampler leaves out an empty "
     "list, and reports 26 rules at once"},
    {"GetSamplingTargets.in.SamplingStatisticsDocuments[].SampledCount",
     "may be missing, or be called SampleCount: so AWS's OpenTelemetry distribution for Python"},
    {"GetServiceGraph.out.ContainsOldGroupVersions",
     "always false: a group is evaluated with its current filter, also for older traces"},
    {"GetServiceGraph.in.StartTime", "windows of any length, unless `aws_quotas` is set"},
    {"GetTimeSeriesServiceStatistics.out.ContainsOldGroupVersions",
     "always false: a group is evaluated with its current filter, also for older traces"},
    {"GetTraceSummaries.in.StartTime", "windows of any length, unless `aws_quotas` is set"},
    {"GetIndexingRules.out.NextToken", "never: there is one rule"},
    {"GetRetrievedTracesGraph.out.NextToken", "beyond 1,000 services"},
    {"GetSamplingRules.out.NextToken",
     "never: SDKs read the first page only, so all rules stand in one"},
    {"ListResourcePolicies.out.NextToken", "never: there are five at most"},
    {"ListTagsForResource.out.NextToken", "never: there are fifty at most"},
    {"ListRetrievedTraces.out.RetrievalStatus",
     "COMPLETE at once, since reading is immediate; then CANCELLED or TIMEOUT"},
    {"ListRetrievedTraces.out.Traces[].Spans[].Document",
     "OTEL: an OTLP/JSON document of one span; both formats may be longer than 204,800 characters"},
    {"PutEncryptionConfig.in.KeyId",
     "any text: its last part names a key of --at-rest-key, else one is made and kept in the "
     "folder"},
    {"PutResourcePolicy.in.PolicyDocument",
     "checked, kept and returned; grants of other accounts are not evaluated"},
    {"PutTelemetryRecords.in", "counted in /metrics, by nobody's name"},
    {"UpdateTraceSegmentDestination.in.Destination",
     "a flag with its states: both destinations store in the same place"},
    {"UpdateIndexingRule.in.Rule", "kept and returned: every stored trace is indexed"},
    {"UpdateIndexingRule.out.IndexingRule.Rule.Probabilistic.ActualSamplingPercentage",
     "always 100: every stored trace can be found, whatever the rule says"},
};

std::string_view DifferenceOf(std::string_view path) {
  // What is said of a member goes before what is said of all that holds it.
  for (const auto& [begin, text] : std::views::reverse(kDiffers)) {
    if (path == begin ||
        (path.starts_with(begin) && (path[begin.size()] == '.' || path[begin.size()] == '['))) {
      return text;
    }
  }
  return "";
}

/// Members of a shape of the model as paths, lists as "[]", maps as "{}".
void Enumerate(const ServiceModel& model, std::string_view shape_name, const std::string& path,
               std::vector<std::string>& paths) {
  const element shape = model.Shape(shape_name);
  const std::string_view type = shape["type"].get_string().value_unsafe();
  if (type == "structure") {
    const simdjson::dom::object members = shape["members"].get_object().value_unsafe();
    for (const auto& [name, member] : members) {
      const std::string at = path + "." + std::string(name);
      paths.push_back(at);
      Enumerate(model, member["shape"].get_string().value_unsafe(), at, paths);
    }
  } else if (type == "list") {
    Enumerate(model, shape["member"]["shape"].get_string().value_unsafe(), path + "[]", paths);
  } else if (type == "map") {
    Enumerate(model, shape["value"]["shape"].get_string().value_unsafe(), path + "{}", paths);
  }
}

/// The same of an answer: what it held.
void Collect(const ServiceModel& model, std::string_view shape_name, element value,
             const std::string& path, std::set<std::string>& seen) {
  const element shape = model.Shape(shape_name);
  const std::string_view type = shape["type"].get_string().value_unsafe();
  if (type == "structure") {
    const simdjson::dom::object members = value.get_object().value_unsafe();
    for (const auto& [name, item] : members) {
      const std::string at = path + "." + std::string(name);
      seen.insert(at);
      Collect(model, shape["members"][name]["shape"].get_string().value_unsafe(), item, at, seen);
    }
  } else if (type == "list") {
    const simdjson::dom::array items = value.get_array().value_unsafe();
    for (const element item : items)
      Collect(model, shape["member"]["shape"].get_string().value_unsafe(), item, path + "[]", seen);
  } else if (type == "map") {
    const simdjson::dom::object entries = value.get_object().value_unsafe();
    for (const auto& [name, item] : entries)
      Collect(model, shape["value"]["shape"].get_string().value_unsafe(), item, path + "{}", seen);
  }
}

/// Calls operations by name, and notes what their answers held.
class Walk {
 public:
  std::string Call(std::string_view operation, const std::string& body) {
    std::string_view path;
    for (const Operation& known : Operations()) {
      if (known.name == operation) path = known.path;
    }
    std::string answer = server_.Call(path, body);
    simdjson::dom::parser parser;
    const element described = model_.Operations()[operation].value_unsafe();
    Collect(model_, described["output"]["shape"].get_string().value_unsafe(),
            parser.parse(simdjson::padded_string(answer)).value_unsafe(),
            std::string(operation) + ".out", seen_);
    called_.insert(std::string(operation));
    return answer;
  }
  /// Follows NextToken to the end.
  void CallAll(std::string_view operation, const std::string& members) {
    std::string more;
    for (int page = 0; page < 100; ++page) {
      const std::string next = At(Call(operation, "{" + members + more + "}"), "/NextToken");
      if (next == "<absent>") return;
      more = (members.empty() ? "" : ",") + (R"("NextToken":")" + next) + '"';
    }
    ADD_FAILURE() << operation << " does not end";
  }
  TestServer& server() { return server_; }
  const ServiceModel& model() { return model_; }
  const std::set<std::string>& seen() { return seen_; }
  const std::set<std::string>& called() { return called_; }

 private:
  TestServer server_;
  ServiceModel model_;
  std::set<std::string> seen_;
  std::set<std::string> called_;
};

void PutTraffic(Walk& walk) {
  std::vector<std::string> documents;
  std::ifstream lines("src/api/xray/testdata/golden/documents.jsonl");
  for (std::string line; std::getline(lines, line);) documents.push_back(line);
  ASSERT_FALSE(documents.empty());
  const std::string host =
      R"(,"user":"alice","origin":"AWS::EC2::Instance","resource_arn":"arn:aws:ec2:us-east-1:1:instance/i-1",)"
      R"("aws":{"account_id":"123456789012","ec2":{"instance_id":"i-1","availability_zone":"us-east-1a"}},)"
      R"("annotations":{"text":"a","number":1.5,"flag":true},)"
      R"("http":{"request":{"url":"http://shop/","method":"GET","user_agent":"curl","client_ip":"10.0.0.1"},)"
      R"("response":{"status":500}},"fault":true,"cause":{"exceptions":[{"id":"53995c3f42cd8ad9",)"
      R"("type":"Broken","message":"it broke"}]})";
  documents.push_back(SegmentText{
      .name = "front", .trace_id = NumberedTraceId(0x101), .id = "70de5b6f19ff9b01", .more = host}
                          .Json());
  documents.push_back(SegmentText{.name = "front",
                                  .trace_id = NumberedTraceId(0x102),
                                  .id = "70de5b6f19ff9b02",
                                  .more = R"(,"aws":{"account_id":"123456789012"},"error":true,)"
                                          R"("http":{"response":{"status":404}},)"
                                          R"("cause":{"exceptions":[{"id":"53995c3f42cd8ad7",)"
                                          R"("type":"Gone","message":"not there"}]})"}
                          .Json());
  // A message: its receiver is linked to the trace of its sender.
  documents.push_back(SegmentText{.name = "worker",
                                  .trace_id = NumberedTraceId(0x101),
                                  .id = "70de5b6f19ff9b03",
                                  .start = 1478293361.6,
                                  .end = 1478293361.7,
                                  .more = R"(,"links":[{"trace_id":")" + NumberedTraceId(0x101) +
                                          R"(","id":"70de5b6f19ff9b01"},{"trace_id":")" +
                                          NumberedTraceId(0x102) + R"(","id":"70de5b6f19ff9b02"}])"}
                          .Json());
  JsonWriter body;
  body.BeginObject().Key("TraceSegmentDocuments").BeginArray();
  for (const std::string& document : documents) body.String(document);
  body.String(R"({"name":"x"})").EndArray().EndObject();
  walk.Call("PutTraceSegments", body.Take());
  walk.Call("PutTraceSegments",
            R"({"TraceSegmentDocuments":["{\"id\":\"70de5b6f19ff9b09\",\"name\":\"x\"}"]})");
}

void WalkReading(Walk& walk) {
  const std::string window = R"("StartTime":1478293000,"EndTime":1478293400)";
  const std::string ids = R"("TraceIds":[")" + NumberedTraceId(0x101) + R"(",")" +
                          NumberedTraceId(0xfff) + R"(","1-581cf771-000000000000000000000001"])";
  walk.CallAll("BatchGetTraces", ids);
  walk.CallAll("GetTraceSummaries", window + R"(,"TimeRangeType":"Event")");
  walk.CallAll("GetTraceGraph", ids);
  walk.CallAll("GetServiceGraph", window);
  walk.CallAll("GetTimeSeriesServiceStatistics", window);
  walk.CallAll(
      "GetTimeSeriesServiceStatistics",
      window +
          R"j(,"EntitySelectorExpression":"service(id(name: \"front\"))","ForecastStatistics":true)j");
  // Enough for second pages.
  std::vector<std::string> many;
  for (unsigned i = 0; i < 120; ++i) {
    many.push_back(SegmentText{.name = "s" + std::to_string(i),
                               .trace_id = NumberedTraceId(0x200 + i),
                               .id = NumberedTraceId(0x5000 + i).substr(19)}
                       .Json());
  }
  walk.server().PutGood(many);
  walk.CallAll("GetTraceSummaries", window);
  walk.CallAll("GetServiceGraph", window);
  std::string hundred;
  for (unsigned i = 0; i < 100; ++i)
    hundred += (i == 0 ? "\"" : ",\"") + NumberedTraceId(0x200 + i) + '"';
  walk.CallAll("GetTraceGraph", R"("TraceIds":[)" + hundred + "]");
}

// Traces of one service, a minute apart, into the past.
void WalkHistory(Walk& walk) {
  std::vector<std::string> minutes;
  for (unsigned i = 0; i < 1'100; ++i) {
    const double start = 1478293361.0 - 60.0 * i;
    minutes.push_back(SegmentText{.name = "front",
                                  .trace_id = NumberedTraceId(0x10000 + i),
                                  .id = NumberedTraceId(0x10000 + i).substr(19),
                                  .start = start,
                                  .end = start + 0.1}
                          .Json());
  }
  walk.server().PutGood(minutes);
  const std::string window = R"("StartTime":1478220000,"EndTime":1478293400)";
  walk.CallAll("GetTimeSeriesServiceStatistics", window);
  walk.CallAll(
      "GetTimeSeriesServiceStatistics",
      window +
          R"j(,"EntitySelectorExpression":"service(id(name: \"front\"))","ForecastStatistics":true)j");

  std::vector<std::string> large;
  const std::string metadata =
      R"(,"metadata":{"default":{"text":")" + std::string(60'000, 'x') + R"("}})";
  for (unsigned i = 0; i < 300; ++i) {
    large.push_back(SegmentText{.trace_id = NumberedTraceId(0x103),
                                .id = NumberedTraceId(0x20000 + i).substr(19),
                                .more = metadata}
                        .Json());
  }
  walk.server().PutGood(large);
  walk.CallAll("BatchGetTraces", R"("TraceIds":[")" + NumberedTraceId(0x103) + R"("])");
}

/// One closed insight, as the service records it.
void WalkInsights(Walk& walk) {
  constexpr std::int64_t kMinuteNs = 60 * kNsPerSecond;
  const model::ServiceKey root{.name = "orders", .type = "AWS::DynamoDB::Table", .account_id = "1"};
  insights::StoredInsight stored{.group_name = "Default",
                                 .group_arn = "arn:aws:xray:us-east-1:000000000000:group/Default"};
  analysis::Insight& insight = stored.insight;
  insight.id = "00000000-0000-4000-8000-000000000001";
  insight.state = analysis::InsightState::kClosed;
  insight.root_cause = root;
  insight.start_ns = TestServer::kNowNs - 30 * kMinuteNs;
  insight.end_ns = insight.start_ns + 5 * kMinuteNs;
  insight.update_ns = insight.end_ns;
  insight.summary = "The anomaly has ended. It was one.";
  insight.top_services = {root};
  insight.events.assign(2, {.time_ns = insight.start_ns,
                            .summary = "It has begun.",
                            .clients = {},
                            .root_cause = {},
                            .top_services = {root}});
  for (int i = 0; i < 101; ++i) {
    insight.graph.services.push_back(
        {.key = root, .first_ns = insight.start_ns, .last_ns = insight.end_ns});
    insight.graph.calls.emplace(i, 0);
  }
  for (const char* id :
       {"00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"}) {
    ASSERT_TRUE(
        walk.server().control().Write("", [&](control::Transaction& change) -> Result<void> {
          FLUORO_CHECK_OK(change.Put(insights::kInsightKind, id, insights::InsightBody(stored)));
          return {};
        }));
  }
  const std::string window = R"("StartTime":1478290000,"EndTime":1478293362)";
  const std::string id = R"("InsightId":"00000000-0000-4000-8000-000000000001")";
  walk.CallAll("GetInsightSummaries", R"("GroupName":"Default","MaxResults":1,)" + window);
  walk.Call("GetInsight", "{" + id + "}");
  walk.CallAll("GetInsightEvents", id + R"(,"MaxResults":1)");
  walk.CallAll("GetInsightImpactGraph", id + "," + window);
}

void WalkSampling(Walk& walk) {
  const std::string rule =
      R"({"SamplingRule":{"RuleName":"pay","Priority":50,"FixedRate":0.01,"ReservoirSize":5,)"
      R"("ServiceName":"payment","ServiceType":"*","Host":"*","HTTPMethod":"POST","URLPath":"*",)"
      R"("ResourceARN":"*","Version":1,"Attributes":{"tenant":"acme"},)"
      R"("SamplingRateBoost":{"MaxRate":1,"CooldownWindowMinutes":5}},"Tags":[{"Key":"a","Value":"b"}]})";
  walk.Call("CreateSamplingRule", rule);
  walk.Call("UpdateSamplingRule", R"({"SamplingRuleUpdate":{"RuleName":"pay","Priority":51}})");
  walk.CallAll("GetSamplingRules", "");
  const std::string report =
      R"("ClientID":"0123456789abcdef01234567","Timestamp":1478293362,"RequestCount":1000,)"
      R"("SampledCount":10,"BorrowCount":1})";
  walk.Call(
      "GetSamplingTargets",
      R"({"SamplingStatisticsDocuments":[{"RuleName":"pay",)" + report + R"(,{"RuleName":"none",)" +
          report +
          R"(],"SamplingBoostStatisticsDocuments":[{"RuleName":"pay","ServiceName":"s",)"
          R"("Timestamp":1478293362,"AnomalyCount":10,"TotalCount":1000,"SampledAnomalyCount":0},)"
          R"({"RuleName":"none","ServiceName":"s","Timestamp":1478293362,"AnomalyCount":1,)"
          R"("TotalCount":1,"SampledAnomalyCount":0}]})");
  walk.CallAll("GetSamplingStatisticSummaries", "");
  const std::string resource =
      R"("ResourceARN":"arn:aws:xray:us-east-1:000000000000:sampling-rule/pay")";
  walk.Call("TagResource", "{" + resource + R"(,"Tags":[{"Key":"c","Value":"d"}]})");
  walk.Call("UntagResource", "{" + resource + R"(,"TagKeys":["a"]})");
  walk.CallAll("ListTagsForResource", resource);
  walk.Call("DeleteSamplingRule", R"({"RuleName":"pay"})");
  // More than a thousand windows of ten seconds.
  std::string reports;
  for (int i = 0; i < 8; ++i) {
    const std::string name = "r" + std::to_string(i);
    walk.Call("CreateSamplingRule", std::string(rule).replace(rule.find("pay"), 3, name));
    reports +=
        (i == 0 ? "" : ",") + (R"({"RuleName":")" + name) +
        R"(","ClientID":"0123456789abcdef01234567","RequestCount":1,"SampledCount":1,"Timestamp":)" +
        "@}";
  }
  for (int window = 0; window < 170; ++window) {
    walk.server().clock().Advance(10 * kNsPerSecond);
    std::string body = reports;
    const std::string now = std::to_string(walk.server().clock().UnixNs() / kNsPerSecond);
    for (std::size_t at = body.find('@'); at != std::string::npos; at = body.find('@'))
      body.replace(at, 1, now);
    walk.Call("GetSamplingTargets", R"({"SamplingStatisticsDocuments":[)" + body + "]}");
  }
  walk.CallAll("GetSamplingStatisticSummaries", "");
}

void WalkSettings(Walk& walk) {
  const std::string group =
      R"({"GroupName":"slow","FilterExpression":"responsetime > 5",)"
      R"("InsightsConfiguration":{"InsightsEnabled":true,"NotificationsEnabled":true}})";
  walk.Call("CreateGroup", group);
  walk.Call("GetGroup", R"({"GroupName":"slow"})");
  walk.Call("UpdateGroup", R"({"GroupName":"slow","FilterExpression":"fault"})");
  for (int i = 0; i < 24; ++i)
    walk.Call("CreateGroup", R"({"GroupName":"g)" + std::to_string(i) + R"("})");
  walk.CallAll("GetGroups", "");
  walk.Call("DeleteGroup", R"({"GroupName":"slow"})");
  walk.Call("PutEncryptionConfig", R"({"Type":"KMS","KeyId":"alias/mine"})");
  walk.Call("GetEncryptionConfig", "");
  walk.Call("PutResourcePolicy",
            R"({"PolicyName":"p","PolicyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[)"
            R"({\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"xray:PutTraceSegments\",)"
            R"(\"Resource\":\"*\"}]}"})");
  walk.CallAll("ListResourcePolicies", "");
  walk.Call("DeleteResourcePolicy", R"({"PolicyName":"p"})");
  walk.CallAll("GetIndexingRules", "");
  walk.Call("UpdateIndexingRule",
            R"({"Name":"Default","Rule":{"Probabilistic":{"DesiredSamplingPercentage":5}}})");
  walk.Call("GetTraceSegmentDestination", "");
  walk.Call("UpdateTraceSegmentDestination", R"({"Destination":"CloudWatchLogs"})");
  walk.Call("PutTelemetryRecords",
            R"({"TelemetryRecords":[{"Timestamp":1478293362,"SegmentsReceivedCount":1}],)"
            R"("EC2InstanceId":"","Hostname":"","ResourceARN":""})");
  std::string ids = '"' + NumberedTraceId(0x101) + "\",\"1-581cf771-000000000000000000000001\"," +
                    "\"1-581cf771-000000000000000000000002\"";
  for (unsigned i = 0; i < 10; ++i) ids += ",\"" + NumberedTraceId(0x200 + i) + '"';
  const std::string token =
      At(walk.Call("StartTraceRetrieval",
                   R"({"TraceIds":[)" + ids + R"(],"StartTime":1478293000,"EndTime":1478293400})"),
         "/RetrievalToken");
  walk.CallAll("ListRetrievedTraces", R"("RetrievalToken":")" + token + '"');
  walk.CallAll("GetRetrievedTracesGraph", R"("RetrievalToken":")" + token + '"');
  walk.Call("CancelTraceRetrieval", R"({"RetrievalToken":")" + token + R"("})");
}

struct Counts {
  int done = 0;
  int differs = 0;
  int missing = 0;
};

class Page {
 public:
  explicit Page(Walk& walk) : walk_(walk) {}

  std::string Print() {
    std::string operations;
    for (const auto& [name, described] : walk_.model().Operations())
      operations += Operation(std::string(name), described);
    return std::string(
               "# Compatibility with the X-Ray API\n\n"
               "Every operation and every field of the service model `xray/2016-04-12`: → of a "
               "request, ← of an answer. A field of an answer is done if\nanswers of a walk "
               "through "
               "the API held it; one of a request if it is checked as the model says and acted "
               "upon. What is done otherwise than by\nthe live service is told. The test "
               "`CompatibilityTest.ThePageIsTrue` makes this page (`FLUORO_UPDATE_GOLDEN=1` "
               "rewrites it).\n\n") +
           "| | operations | fields |\n|---|---|---|\n" +
           Row("done", operations_.done, fields_.done) +
           Row("differs", operations_.differs, fields_.differs) +
           Row("missing", operations_.missing, fields_.missing) + operations;
  }

 private:
  static std::string Row(const std::string& name, int operations, int fields) {
    return "| " + name + " | " + std::to_string(operations) + " | " + std::to_string(fields) +
           " |\n";
  }

  std::string Operation(const std::string& name, element described) {
    std::vector<std::string> inputs;
    std::vector<std::string> outputs;
    Enumerate(walk_.model(), described["input"]["shape"].get_string().value_unsafe(), name + ".in",
              inputs);
    Enumerate(walk_.model(), described["output"]["shape"].get_string().value_unsafe(),
              name + ".out", outputs);
    const bool called = walk_.called().contains(name);
    Counts counts;
    std::string rows;
    for (const std::string& path : inputs) rows += Field(name, path, called, counts);
    for (const std::string& path : outputs)
      rows += Field(name, path, called && walk_.seen().contains(path), counts);
    fields_.done += counts.done;
    fields_.differs += counts.differs;
    fields_.missing += counts.missing;
    if (!called) {
      ++operations_.missing;
    } else if (counts.differs + counts.missing > 0) {
      ++operations_.differs;
    } else {
      ++operations_.done;
    }
    return "\n## " + name + "\n\n" +
           (rows.empty() ? "No fields.\n" : "| field | |\n|---|---|\n" + rows);
  }

  std::string Field(const std::string& operation, const std::string& path, bool done,
                    Counts& counts) {
    const bool called = walk_.called().contains(operation);
    const std::string_view difference = DifferenceOf(path);
    std::string state = "missing";
    if (called && !difference.empty()) {
      state = "differs: " + std::string(difference);
      ++counts.differs;
    } else if (done) {
      state = "done";
      ++counts.done;
    } else {
      ++counts.missing;
    }
    const std::string direction = path.substr(operation.size() + 1);
    const bool input = direction.starts_with("in.");
    return std::string("| ") + (input ? "→ `" : "← `") + direction.substr(input ? 3 : 4) + "` | " +
           state + " |\n";
  }

  Walk& walk_;
  Counts operations_;
  Counts fields_;
};

TEST(CompatibilityTest, ThePageIsTrue) {
  Walk walk;
  PutTraffic(walk);
  WalkReading(walk);
  WalkHistory(walk);
  WalkSettings(walk);
  WalkSampling(walk);
  WalkInsights(walk);
  const std::string page = Page(walk).Print();
  if (std::getenv("FLUORO_UPDATE_GOLDEN") != nullptr) std::ofstream(kPage) << page;
  std::ostringstream standing;
  standing << std::ifstream(kPage).rdbuf();
  EXPECT_TRUE(standing.str() == page) << "FLUORO_UPDATE_GOLDEN=1 rewrites " << kPage;
}

TEST(CompatibilityTest, DifferencesAreOfFieldsThatThereAre) {
  const ServiceModel model;
  std::vector<std::string> paths;
  for (const auto& [name, described] : model.Operations()) {
    paths.push_back(std::string(name) + ".in");
    Enumerate(model, described["input"]["shape"].get_string().value_unsafe(),
              std::string(name) + ".in", paths);
    Enumerate(model, described["output"]["shape"].get_string().value_unsafe(),
              std::string(name) + ".out", paths);
  }
  for (const auto& [path, text] : kDiffers) EXPECT_THAT(paths, testing::Contains(path)) << text;
}

}  // namespace
}  // namespace fluoro::api::xray
