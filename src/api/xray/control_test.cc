// Operations on records: rules, groups, tags, policies, settings, retrievals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/xray/test_server.h"

namespace fluoro::api::xray {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

constexpr std::string_view kRule =
    R"("Priority":50,"FixedRate":0.2,"ReservoirSize":5,"ServiceName":"payment","ServiceType":"*",)"
    R"("Host":"*","HTTPMethod":"POST","URLPath":"*","ResourceARN":"*","Version":1)";

std::string Rule(std::string_view name, std::string_view more = "") {
  return R"({"SamplingRule":{"RuleName":")" + std::string(name) + R"(",)" + std::string(kRule) +
         "}" + std::string(more) + "}";
}

/// "<status> <type>: <message>" of an answer that must be an error.
std::string Refused(TestServer& server, std::string_view path, const std::string& body) {
  const net::HttpResponse response = server.Send(path, body);
  return std::to_string(response.status) + " " + At(response.body, "/__type") + ": " +
         At(response.body, "/Message");
}

TEST(SamplingRuleOperations, CreateUpdateDelete) {
  TestServer server;
  const std::string created = server.Call("/CreateSamplingRule", Rule("pay"));
  EXPECT_EQ(At(created, "/SamplingRuleRecord/SamplingRule/RuleARN"),
            "arn:aws:xray:us-east-1:000000000000:sampling-rule/pay");
  EXPECT_EQ(At(created, "/SamplingRuleRecord/CreatedAt"), "1478293362");
  EXPECT_EQ(CountAt(created, "/SamplingRuleRecord/SamplingRule/Attributes"), 0);

  server.clock().Advance(kNsPerSecond);
  const std::string updated = server.Call(
      "/UpdateSamplingRule",
      R"({"SamplingRuleUpdate":{"RuleARN":"arn:aws:xray:us-east-1:000000000000:sampling-rule/pay",)"
      R"("FixedRate":1,"Attributes":{"tenant":"acme"}}})");
  EXPECT_EQ(At(updated, "/SamplingRuleRecord/SamplingRule/FixedRate"), "1");
  EXPECT_EQ(At(updated, "/SamplingRuleRecord/SamplingRule/Attributes/tenant"), "acme");
  EXPECT_EQ(At(updated, "/SamplingRuleRecord/SamplingRule/HTTPMethod"), "POST");
  EXPECT_EQ(At(updated, "/SamplingRuleRecord/ModifiedAt"), "1478293363");
  EXPECT_THAT(EachAt(server.Call("/GetSamplingRules", ""), "/SamplingRuleRecords", "SamplingRule"),
              testing::SizeIs(2));

  const std::string deleted = server.Call("/DeleteSamplingRule", R"({"RuleName":"pay"})");
  EXPECT_EQ(At(deleted, "/SamplingRuleRecord/SamplingRule/RuleName"), "pay");
  EXPECT_EQ(Refused(server, "/DeleteSamplingRule", R"({"RuleName":"pay"})"),
            "400 InvalidRequestException: Sampling rule does not exist");
  EXPECT_EQ(Refused(server, "/UpdateSamplingRule", R"({"SamplingRuleUpdate":{"RuleName":"pay"}})"),
            "400 InvalidRequestException: Sampling rule does not exist");
}

TEST(SamplingRuleOperations, RefuseBadOnes) {
  TestServer server;
  server.Call("/CreateSamplingRule", Rule("pay"));
  EXPECT_EQ(Refused(server, "/CreateSamplingRule", Rule("pay")),
            "400 InvalidRequestException: Rule already exists");
  EXPECT_EQ(
      Refused(server, "/CreateSamplingRule", R"({"SamplingRule":{"Priority":0}})"),
      "400 InvalidRequestException: 10 validation errors detected: "
      "Value at 'samplingRule.resourceARN' failed to satisfy constraint: Member must not be null; "
      "Value at 'samplingRule.priority' failed to satisfy constraint: Member must have value "
      "greater than or equal to 1; "
      "Value at 'samplingRule.fixedRate' failed to satisfy constraint: Member must not be null; "
      "Value at 'samplingRule.reservoirSize' failed to satisfy constraint: Member must not be "
      "null; "
      "Value at 'samplingRule.serviceName' failed to satisfy constraint: Member must not be null; "
      "Value at 'samplingRule.serviceType' failed to satisfy constraint: Member must not be null; "
      "Value at 'samplingRule.host' failed to satisfy constraint: Member must not be null; "
      "Value at 'samplingRule.hTTPMethod' failed to satisfy constraint: Member must not be null; "
      "Value at 'samplingRule.uRLPath' failed to satisfy constraint: Member must not be null; "
      "Value at 'samplingRule.version' failed to satisfy constraint: Member must not be null");
  EXPECT_EQ(Refused(server, "/CreateSamplingRule",
                    R"({"SamplingRule":{"RuleName":"r",)" + std::string(kRule) +
                        R"(,"Attributes":{"a":"1","b":"1","c":"1","d":"1","e":"1","f":"1"}}})"),
            "400 InvalidRequestException: 1 validation error detected: Value at "
            "'samplingRule.attributes' failed to satisfy constraint: Member must have length less "
            "than or equal to 5");
  EXPECT_EQ(
      Refused(server, "/CreateSamplingRule", R"({"SamplingRule":{)" + std::string(kRule) + "}}"),
      "400 InvalidRequestException: RuleName is required");
  EXPECT_EQ(Refused(server, "/UpdateSamplingRule",
                    R"({"SamplingRuleUpdate":{"RuleName":"pay","FixedRate":1.5}})"),
            "400 InvalidRequestException: FixedRate: 1.5 is not between 0 and 1");
  EXPECT_EQ(
      Refused(server, "/UpdateSamplingRule",
              R"({"SamplingRuleUpdate":{"RuleName":"pay","RuleARN":"arn:x"}})"),
      "400 InvalidRequestException: Specify a rule by either RuleName or RuleARN, but not both");
  EXPECT_EQ(Refused(server, "/DeleteSamplingRule", R"({"RuleName":"Default"})"),
            "400 InvalidRequestException: Default rule cannot be deleted");
  EXPECT_EQ(Refused(server, "/UpdateSamplingRule",
                    R"({"SamplingRuleUpdate":{"RuleName":"Default","Host":"a"}})"),
            "400 InvalidRequestException: Host: cannot be changed for the Default rule");
  for (int i = 0; i < 24; ++i) server.Call("/CreateSamplingRule", Rule("r" + std::to_string(i)));
  EXPECT_THAT(Refused(server, "/CreateSamplingRule", Rule("more")),
              HasSubstr("400 RuleLimitExceededException: "));
}

TEST(SamplingRuleOperations, TheCallersNameStandsInTheAuditTrail) {
  TestServer server;
  server.Call("/CreateSamplingRule", Rule("pay"));
  const auto lines = server.control().Audit("sampling-rule", 1);
  ASSERT_TRUE(lines);
  EXPECT_EQ(lines->front().who, "arn:aws:iam::000000000000:root");
}

TEST(GroupOperations, CreateGetUpdateDelete) {
  TestServer server;
  const std::string created =
      server.Call("/CreateGroup", R"({"GroupName":"slow","FilterExpression":"responsetime > 5",)"
                                  R"("InsightsConfiguration":{"InsightsEnabled":true}})");
  const std::string arn = At(created, "/Group/GroupARN");
  EXPECT_THAT(arn, MatchesRegex("arn:aws:xray:us-east-1:000000000000:group/slow/[A-Z2-7]{52}"));
  EXPECT_EQ(At(created, "/Group/InsightsConfiguration"),
            R"({"InsightsEnabled":true,"NotificationsEnabled":false})");
  const std::string by_arn = R"({"GroupARN":")" + arn + R"("})";
  EXPECT_EQ(server.Call("/GetGroup", by_arn), created);
  EXPECT_EQ(server.Call("/GetGroup", R"({"GroupName":"slow"})"), created);
  EXPECT_THAT(EachAt(server.Call("/Groups", "{}"), "/Groups", "GroupName"),
              ElementsAre("Default", "slow"));
  const std::string updated =
      server.Call("/UpdateGroup", R"({"GroupARN":")" + arn + R"(","FilterExpression":"fault"})");
  EXPECT_EQ(At(updated, "/Group/FilterExpression"), "fault");
  EXPECT_EQ(At(updated, "/Group/InsightsConfiguration/InsightsEnabled"), "true");
  EXPECT_EQ(server.Call("/DeleteGroup", by_arn), "{}");
  for (const char* path : {"/GetGroup", "/UpdateGroup", "/DeleteGroup"})
    EXPECT_EQ(Refused(server, path, by_arn), "400 InvalidRequestException: Group not found");
}

TEST(GroupOperations, RefuseBadOnes) {
  TestServer server;
  EXPECT_EQ(Refused(server, "/GetGroup", "{}"),
            "400 InvalidRequestException: Specify a group by either GroupName or GroupARN, but not "
            "both");
  EXPECT_THAT(Refused(server, "/CreateGroup", R"({"GroupName":"a","FilterExpression":"(("})"),
              HasSubstr("400 InvalidRequestException: Invalid input symbol"));
  EXPECT_EQ(Refused(server, "/CreateGroup", R"({"GroupName":"Default"})"),
            "400 InvalidRequestException: Group name already exists");
}

TEST(GroupOperations, TwentySixGroupsTakeTwoPages) {
  TestServer server;
  for (int i = 0; i < 25; ++i)
    server.Call("/CreateGroup", R"({"GroupName":"g)" + std::to_string(i) + R"("})");
  EXPECT_THAT(Refused(server, "/CreateGroup", R"({"GroupName":"more"})"),
              HasSubstr("400 InvalidRequestException: "));
  const std::string first = server.Call("/Groups", "{}");
  EXPECT_EQ(CountAt(first, "/Groups"), 25);
  const std::string last =
      server.Call("/Groups", R"({"NextToken":")" + At(first, "/NextToken") + R"("})");
  EXPECT_EQ(CountAt(last, "/Groups"), 1);
  EXPECT_EQ(At(last, "/NextToken"), "<absent>");
}

TEST(GroupOperations, NarrowGraphsStatisticsAndSearches) {
  TestServer server;
  server.PutGood({SegmentText{.name = "shop", .trace_id = NumberedTraceId(1)}.Json(),
                  SegmentText{.name = "pay",
                              .trace_id = NumberedTraceId(2),
                              .id = "70de5b6f19ff9a0b",
                              .more = R"(,"fault":true)"}
                      .Json()});
  server.Call("/CreateGroup", R"({"GroupName":"bad","FilterExpression":"fault"})");
  const std::string window = R"("StartTime":1478293300,"EndTime":1478293400)";
  const auto services = [&](const std::string& group) {
    std::vector<std::string> names =
        EachAt(server.Call("/ServiceGraph", "{" + window + group + "}"), "/Services", "Name");
    return std::set<std::string>(names.begin(), names.end());
  };
  EXPECT_THAT(services(""), ElementsAre("pay", "shop"));
  EXPECT_THAT(services(R"(,"GroupName":"Default")"), ElementsAre("pay", "shop"));
  EXPECT_THAT(services(R"(,"GroupName":"bad")"), ElementsAre("pay"));
  EXPECT_EQ(Refused(server, "/ServiceGraph", "{" + window + R"(,"GroupName":"none"})"),
            "400 InvalidRequestException: Group not found");
  EXPECT_EQ(Refused(server, "/ServiceGraph",
                    "{" + window +
                        R"(,"GroupName":"bad","GroupARN":)"
                        R"("arn:aws:xray:us-east-1:000000000000:group/Default"})"),
            "400 InvalidRequestException: Group not found");
  const auto total = [&](const std::string& group) {
    return At(server.Call("/TimeSeriesServiceStatistics", "{" + window + group + "}"),
              "/TimeSeriesServiceStatistics/0/EdgeSummaryStatistics/TotalCount");
  };
  EXPECT_EQ(total(""), "2");
  EXPECT_EQ(total(R"(,"GroupName":"bad")"), "1");
  const std::string found = server.Call(
      "/TraceSummaries", "{" + window + R"(,"FilterExpression":"group.name = \"bad\""})");
  EXPECT_THAT(EachAt(found, "/TraceSummaries", "Id"), ElementsAre(NumberedTraceId(2)));
}

TEST(TagOperations, OnGroupsAndRules) {
  TestServer server;
  server.Call("/CreateSamplingRule",
              Rule("pay", R"(,"Tags":[{"Key":"team","Value":"a"},{"Key":"stage","Value":""}])"));
  const std::string resource =
      R"("ResourceARN":"arn:aws:xray:us-east-1:000000000000:sampling-rule/pay")";
  server.Call("/TagResource", "{" + resource + R"(,"Tags":[{"Key":"team","Value":"b"}]})");
  server.Call("/UntagResource", "{" + resource + R"(,"TagKeys":["stage","none"]})");
  const std::string tags = server.Call("/ListTagsForResource", "{" + resource + "}");
  EXPECT_EQ(tags, R"({"Tags":[{"Key":"team","Value":"b"}]})");

  std::string many;
  for (int i = 0; i < 50; ++i)
    many += (i == 0 ? "" : ",") + (R"({"Key":"k)" + std::to_string(i)) + R"(","Value":"v"})";
  const net::HttpResponse refused =
      server.Send("/TagResource", "{" + resource + R"(,"Tags":[)" + many + "]}");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(At(refused.body, "/__type"), "TooManyTagsException");
  EXPECT_EQ(At(refused.body, "/ResourceName"),
            "arn:aws:xray:us-east-1:000000000000:sampling-rule/pay");

  // Gone with the rule, also for one of the same name later.
  server.Call("/DeleteSamplingRule", R"({"RuleName":"pay"})");
  for (const char* path : {"/ListTagsForResource", "/TagResource", "/UntagResource"}) {
    EXPECT_EQ(Refused(server, path, "{" + resource + R"(,"Tags":[],"TagKeys":[]})"),
              "404 ResourceNotFoundException: The resource was not found");
  }
  server.Call("/CreateSamplingRule", Rule("pay"));
  EXPECT_EQ(server.Call("/ListTagsForResource", "{" + resource + "}"), R"({"Tags":[]})");
  EXPECT_THAT(Refused(server, "/CreateSamplingRule",
                      Rule("other", R"(,"Tags":[{"Key":"aws:x","Value":"v"}])")),
              HasSubstr("400 InvalidRequestException: "));
  EXPECT_EQ(CountAt(server.Call("/GetSamplingRules", ""), "/SamplingRuleRecords"), 2);
}

constexpr std::string_view kPolicy =
    R"({\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":)"
    R"(\"sns.amazonaws.com\"},\"Action\":\"xray:PutTraceSegments\",\"Resource\":\"*\"}]})";

std::string PutPolicy(std::string_view name, std::string_view more = "",
                      std::string_view document = kPolicy) {
  return R"({"PolicyName":")" + std::string(name) + R"(","PolicyDocument":")" +
         std::string(document) + R"(")" + std::string(more) + "}";
}

TEST(ResourcePolicyOperations, CountRevisions) {
  TestServer server;
  const std::string first = server.Call("/PutResourcePolicy", PutPolicy("p"));
  EXPECT_EQ(At(first, "/ResourcePolicy/PolicyRevisionId"), "1");
  EXPECT_EQ(At(first, "/ResourcePolicy/LastUpdatedTime"), "1478293362");
  EXPECT_THAT(At(first, "/ResourcePolicy/PolicyDocument"), HasSubstr("sns.amazonaws.com"));
  EXPECT_EQ(At(server.Call("/PutResourcePolicy", PutPolicy("p", R"(,"PolicyRevisionId":"1")")),
               "/ResourcePolicy/PolicyRevisionId"),
            "2");
  for (const char* revision : {"0", "1", "x"}) {
    EXPECT_EQ(Refused(server, "/PutResourcePolicy",
                      PutPolicy("p", R"(,"PolicyRevisionId":")" + std::string(revision) + '"')),
              "400 InvalidPolicyRevisionIdException: The policy is at revision 2");
  }
  EXPECT_THAT(Refused(server, "/PutResourcePolicy", PutPolicy("q", R"(,"PolicyRevisionId":"1")")),
              HasSubstr("400 InvalidPolicyRevisionIdException: "));
  server.Call("/PutResourcePolicy", PutPolicy("q", R"(,"PolicyRevisionId":"0")"));
  EXPECT_THAT(EachAt(server.Call("/ListResourcePolicies", ""), "/ResourcePolicies", "PolicyName"),
              ElementsAre("p", "q"));
  EXPECT_EQ(
      Refused(server, "/DeleteResourcePolicy", R"({"PolicyName":"p","PolicyRevisionId":"1"})"),
      "400 InvalidPolicyRevisionIdException: The policy is at revision 2");
  server.Call("/DeleteResourcePolicy", R"({"PolicyName":"p","PolicyRevisionId":"2"})");
  EXPECT_EQ(server.Call("/DeleteResourcePolicy", R"({"PolicyName":"p"})"), "{}") << "gone already";
  EXPECT_EQ(CountAt(server.Call("/ListResourcePolicies", "{}"), "/ResourcePolicies"), 1);
}

TEST(ResourcePolicyOperations, HaveLimits) {
  TestServer server;
  for (int i = 0; i < 5; ++i) server.Call("/PutResourcePolicy", PutPolicy("p" + std::to_string(i)));
  EXPECT_THAT(Refused(server, "/PutResourcePolicy", PutPolicy("more")),
              HasSubstr("400 PolicyCountLimitExceededException: "));
  server.Call("/PutResourcePolicy", PutPolicy("p0"));
  EXPECT_THAT(Refused(server, "/PutResourcePolicy", PutPolicy("p0", "", std::string(5'121, ' '))),
              HasSubstr("400 PolicySizeLimitExceededException: "));
  EXPECT_THAT(Refused(server, "/PutResourcePolicy", PutPolicy("p0", "", "{}")),
              HasSubstr("400 MalformedPolicyDocumentException: "));
  EXPECT_THAT(Refused(server, "/PutResourcePolicy", PutPolicy("no spaces")),
              HasSubstr("Member must satisfy regular expression pattern"));
}

TEST(ResourcePolicyOperations, DoNotLockTheCallerOut) {
  TestServer server;
  const std::string_view deny =
      R"({\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Deny\",\"Principal\":\"*\",)"
      R"(\"Action\":\"xray:*\",\"Resource\":\"*\"}]})";
  EXPECT_THAT(Refused(server, "/PutResourcePolicy", PutPolicy("p", "", deny)),
              HasSubstr("400 LockoutPreventionException: "));
  server.Call("/PutResourcePolicy", PutPolicy("p", R"(,"BypassPolicyLockoutCheck":true)", deny));
}

TEST(EncryptionOperations, NameKeysByArn) {
  TestServer server;
  EXPECT_EQ(server.Call("/EncryptionConfig", ""),
            R"({"EncryptionConfig":{"Status":"ACTIVE","Type":"NONE"}})");
  EXPECT_EQ(server.Call("/PutEncryptionConfig", R"({"Type":"KMS","KeyId":"alias/mine"})"),
            R"({"EncryptionConfig":{"KeyId":"arn:aws:kms:us-east-1:000000000000:alias/mine",)"
            R"("Status":"ACTIVE","Type":"KMS"}})");
  EXPECT_EQ(server.store().wrapping_key(), "mine");
  const std::string arn =
      "arn:aws:kms:eu-west-1:123456789012:key/c7cf3cf5-1b9c-4f0c-9f6a-2a2f2b1c3d4e";
  server.Call("/PutEncryptionConfig", R"({"Type":"KMS","KeyId":")" + arn + R"("})");
  EXPECT_EQ(At(server.Call("/EncryptionConfig", "{}"), "/EncryptionConfig/KeyId"), arn);
  EXPECT_EQ(server.store().wrapping_key(), "c7cf3cf5-1b9c-4f0c-9f6a-2a2f2b1c3d4e");
  server.Call("/PutEncryptionConfig", R"({"Type":"NONE"})");
  EXPECT_EQ(server.store().wrapping_key(), "");
  EXPECT_THAT(Refused(server, "/PutEncryptionConfig", R"({"Type":"KMS"})"),
              HasSubstr("400 InvalidRequestException: KeyId is required"));
  EXPECT_THAT(Refused(server, "/PutEncryptionConfig", R"({"Type":"NONE","KeyId":"a"})"),
              HasSubstr("400 InvalidRequestException: "));
  EXPECT_THAT(Refused(server, "/PutEncryptionConfig", R"({"Type":"AES"})"),
              HasSubstr("Member must satisfy enum value set: [NONE, KMS]"));
}

TEST(IndexingRuleOperations, ThereIsOne) {
  TestServer server;
  EXPECT_EQ(At(server.Call("/GetIndexingRules", ""),
               "/IndexingRules/0/Rule/Probabilistic/DesiredSamplingPercentage"),
            "1");
  const std::string updated =
      server.Call("/UpdateIndexingRule",
                  R"({"Name":"Default","Rule":{"Probabilistic":{"DesiredSamplingPercentage":5}}})");
  EXPECT_EQ(At(updated, "/IndexingRule/Rule/Probabilistic/DesiredSamplingPercentage"), "5");
  EXPECT_EQ(At(updated, "/IndexingRule/ModifiedAt"), "1478293362");
  EXPECT_EQ(Refused(server, "/UpdateIndexingRule",
                    R"({"Name":"x","Rule":{"Probabilistic":{"DesiredSamplingPercentage":5}}})"),
            "404 ResourceNotFoundException: Indexing rule not found");
  EXPECT_THAT(Refused(server, "/UpdateIndexingRule", R"({"Name":"Default","Rule":{}})"),
              HasSubstr("400 InvalidRequestException: Rule must have exactly one member"));
  EXPECT_THAT(
      Refused(server, "/UpdateIndexingRule",
              R"({"Name":"Default","Rule":{"Probabilistic":{"DesiredSamplingPercentage":101}}})"),
      HasSubstr("400 InvalidRequestException: DesiredSamplingPercentage"));
}

TEST(DestinationOperations, PassThroughPending) {
  TestServer server;
  EXPECT_EQ(server.Call("/GetTraceSegmentDestination", ""),
            R"({"Destination":"XRay","Status":"ACTIVE"})");
  EXPECT_EQ(Refused(server, "/UpdateTraceSegmentDestination", R"({"Destination":"XRay"})"),
            "400 InvalidRequestException: The destination is already set to XRay");
  EXPECT_EQ(server.Call("/UpdateTraceSegmentDestination", R"({"Destination":"CloudWatchLogs"})"),
            R"({"Destination":"CloudWatchLogs","Status":"PENDING"})");
  EXPECT_EQ(
      Refused(server, "/UpdateTraceSegmentDestination", R"({"Destination":"XRay"})"),
      "400 InvalidRequestException: Updates are not allowed while the current status is PENDING");
  server.clock().Advance(3 * kNsPerSecond);
  EXPECT_EQ(server.Call("/GetTraceSegmentDestination", "{}"),
            R"({"Destination":"CloudWatchLogs","Status":"ACTIVE"})");
  EXPECT_EQ(Refused(server, "/UpdateTraceSegmentDestination", "{}"),
            "400 InvalidRequestException: Destination is required");
}

std::string Retrieve(TestServer& server, const std::vector<std::string>& ids,
                     std::string_view window = R"("StartTime":1478293300,"EndTime":1478293400)") {
  std::string list;
  for (const std::string& id : ids) list += (list.empty() ? "" : ",") + ('"' + id + '"');
  return At(server.Call("/StartTraceRetrieval",
                        R"({"TraceIds":[)" + list + "]," + std::string(window) + "}"),
            "/RetrievalToken");
}

std::string ByToken(const std::string& token, std::string_view more = "") {
  return R"({"RetrievalToken":")" + token + '"' + std::string(more) + "}";
}

TEST(RetrievalOperations, ListTracesInBothFormats) {
  TestServer server;
  server.PutGood({SegmentText{.trace_id = NumberedTraceId(1)}.Json()});
  const std::string token = Retrieve(server, {NumberedTraceId(1), NumberedTraceId(9)});
  const std::string xray = server.Call("/ListRetrievedTraces", ByToken(token));
  EXPECT_EQ(At(xray, "/RetrievalStatus"), "COMPLETE");
  EXPECT_EQ(At(xray, "/TraceFormat"), "XRAY");
  EXPECT_THAT(EachAt(xray, "/Traces", "Id"), ElementsAre(NumberedTraceId(1)));
  EXPECT_THAT(At(xray, "/Traces/0/Spans/0/Document"), HasSubstr(R"("name":"shop")"));
  EXPECT_EQ(At(xray, "/NextToken"), "<absent>");
  const std::string otel =
      server.Call("/ListRetrievedTraces", ByToken(token, R"(,"TraceFormat":"OTEL")"));
  EXPECT_EQ(At(otel, "/TraceFormat"), "OTEL");
  EXPECT_EQ(At(otel, "/Traces/0/Spans/0/Id"), "70de5b6f19ff9a0a");
  EXPECT_THAT(At(otel, "/Traces/0/Spans/0/Document"), HasSubstr(R"("resourceSpans")"));
}

TEST(RetrievalOperations, PagesHoldFiveTracesAndAHundredSpans) {
  TestServer server;
  std::vector<std::string> ids;
  for (unsigned i = 1; i <= 12; ++i) {
    ids.push_back(NumberedTraceId(i));
    server.PutGood({SegmentText{.trace_id = ids.back()}.Json()});
  }
  std::vector<std::string> documents;
  for (unsigned i = 0; i < 250; ++i) {
    documents.push_back(
        SegmentText{.trace_id = ids[2], .id = NumberedTraceId(0x1000 + i).substr(19)}.Json());
  }
  server.PutGood(documents);
  const std::string token = Retrieve(server, ids);
  std::map<std::string, int> spans;
  std::string more;
  for (int pages = 0; pages < 20; ++pages) {
    const std::string page = server.Call("/ListRetrievedTraces", ByToken(token, more));
    EXPECT_LE(CountAt(page, "/Traces"), 5);
    for (int i = 0; i < CountAt(page, "/Traces"); ++i) {
      const std::string trace = "/Traces/" + std::to_string(i);
      EXPECT_LE(CountAt(page, trace + "/Spans"), 100);
      spans[At(page, trace + "/Id")] += CountAt(page, trace + "/Spans");
    }
    const std::string next = At(page, "/NextToken");
    if (next == "<absent>") break;
    EXPECT_NE(R"(,"NextToken":")" + next + '"', more);
    more = R"(,"NextToken":")" + next + '"';
  }
  EXPECT_EQ(spans.size(), 12U);
  EXPECT_EQ(spans[ids[2]], 251);
  EXPECT_EQ(spans[ids[11]], 1);
  EXPECT_EQ(server.Send("/ListRetrievedTraces", ByToken(token, R"(,"NextToken":"00")")).status,
            400);
}

TEST(RetrievalOperations, TracesOutsideTheWindowAreLeftOut) {
  TestServer server;
  server.PutGood({SegmentText{.trace_id = NumberedTraceId(1)}.Json()});
  const auto found = [&](std::string_view window) {
    return CountAt(server.Call("/ListRetrievedTraces",
                               ByToken(Retrieve(server, {NumberedTraceId(1)}, window))),
                   "/Traces");
  };
  EXPECT_EQ(found(R"("StartTime":1478293000,"EndTime":1478293360)"), 0);
  EXPECT_EQ(found(R"("StartTime":1478293000,"EndTime":1478293361)"), 1) << "both ends count";
  EXPECT_EQ(found(R"("StartTime":1478293362,"EndTime":1478293370)"), 0);
}

TEST(RetrievalOperations, EndByCancelAndByTime) {
  TestServer server;
  server.PutGood({SegmentText{.trace_id = NumberedTraceId(1)}.Json()});
  const std::string cancelled = Retrieve(server, {NumberedTraceId(1)});
  EXPECT_EQ(server.Call("/CancelTraceRetrieval", ByToken(cancelled)), "{}");
  const std::string listed = server.Call("/ListRetrievedTraces", ByToken(cancelled));
  EXPECT_EQ(At(listed, "/RetrievalStatus"), "CANCELLED");
  EXPECT_EQ(CountAt(listed, "/Traces"), 0);
  const std::string token = Retrieve(server, {NumberedTraceId(1)});
  server.clock().Advance(3'600 * kNsPerSecond);
  EXPECT_EQ(At(server.Call("/GetRetrievedTracesGraph", ByToken(token)), "/RetrievalStatus"),
            "TIMEOUT");
  server.clock().Advance(3'600 * kNsPerSecond);
  EXPECT_EQ(Refused(server, "/ListRetrievedTraces", ByToken(token)),
            "404 ResourceNotFoundException: Retrieval token not found");
  for (const char* path :
       {"/ListRetrievedTraces", "/GetRetrievedTracesGraph", "/CancelTraceRetrieval"})
    EXPECT_EQ(server.Send(path, ByToken("unknown")).status, 404);
  EXPECT_THAT(server.control().Audit("trace-retrieval", 10).value(), IsEmpty());
}

TEST(RetrievalOperations, RefuseBadOnes) {
  TestServer server;
  const std::string window = R"("StartTime":1,"EndTime":2)";
  EXPECT_THAT(Refused(server, "/StartTraceRetrieval", R"({"TraceIds":[],)" + window + "}"),
              HasSubstr("400 InvalidRequestException: "));
  EXPECT_THAT(Refused(server, "/StartTraceRetrieval", R"({"TraceIds":["x"],)" + window + "}"),
              HasSubstr("400 InvalidRequestException: Not a trace id: x"));
  EXPECT_THAT(
      Refused(server, "/StartTraceRetrieval",
              R"({"TraceIds":[")" + NumberedTraceId(1) + R"("],"StartTime":2,"EndTime":1})"),
      HasSubstr("400 InvalidRequestException: EndTime"));
}

TEST(RetrievalOperations, TheGraphTellsLinksToOtherTraces) {
  TestServer server;
  server.PutGood({SegmentText{
      .trace_id = NumberedTraceId(1),
      .more = R"(,"links":[{"trace_id":")" + NumberedTraceId(2) + R"(","id":"53995c3f42cd8ad8"}])"}
                      .Json()});
  const std::string graph =
      server.Call("/GetRetrievedTracesGraph", ByToken(Retrieve(server, {NumberedTraceId(1)})));
  ASSERT_EQ(CountAt(graph, "/Services"), 2) << "client and shop";
  int links = 0;
  for (int i = 0; i < 2; ++i) {
    const std::string at = "/Services/" + std::to_string(i);
    if (CountAt(graph, at + "/Links") == 0) continue;
    ++links;
    EXPECT_EQ(At(graph, at + "/Service/Name"), "shop");
    EXPECT_EQ(At(graph, at + "/Links/0/SourceTraceId"), NumberedTraceId(1));
    EXPECT_EQ(At(graph, at + "/Links/0/DestinationTraceIds/0"), NumberedTraceId(2));
  }
  EXPECT_EQ(links, 1);
}

}  // namespace
}  // namespace fluoro::api::xray
