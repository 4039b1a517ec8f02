#include "api/xray/sampling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "api/xray/model_check.h"
#include "base/clock.h"

namespace fluoro::api::xray {
namespace {

constexpr std::int64_t kNowNs = 1'530'922'806 * kNsPerSecond;

/// The service over records in which the Default rule has a reservoir of 10.
struct Service {
  Service() { EXPECT_TRUE(Change({.name = "Default", .reservoir = 10})); }
  Result<void> Change(const control::SamplingRuleUpdate& update) {
    return control->Write("t", [&](control::Transaction& transaction) -> Result<void> {
      FLUORO_CHECK_OK(control::UpdateSamplingRule(transaction, update));
      return {};
    });
  }
  Result<void> Create(const sampling::Rule& rule) {
    return control->Write("t", [&](control::Transaction& transaction) -> Result<void> {
      FLUORO_CHECK_OK(control::CreateSamplingRule(transaction, rule));
      return {};
    });
  }
  ManualClock clock{kNowNs};
  std::unique_ptr<control::Repository> control = *control::Repository::Open(":memory:", clock);
  Metrics metrics;
  SamplingService sampling{*control, {}, metrics};
};

std::string Targets(Service& service, const std::string& body, std::int64_t now_ns = kNowNs) {
  const auto request = Request::Parse(body, *FindOperation("/SamplingTargets")->input);
  EXPECT_TRUE(request) << request.error().message;
  return request ? service.sampling.TargetsJson(request->members(), now_ns) : "";
}

std::string Report(const std::string& rule, const std::string& client, const std::string& timestamp,
                   int requests) {
  return R"({"RuleName":")" + rule + R"(","ClientID":")" + client + R"(","Timestamp":)" +
         timestamp + R"(,"RequestCount":)" + std::to_string(requests) +
         R"(,"SampledCount":1,"BorrowCount":0})";
}

const std::string kClient = "d0d4a2f2f2f2f2f2f2f2f2f2";

TEST(SamplingRules, TheDefaultRuleHasEveryMember) {
  const std::string json = Service().sampling.RulesJson();
  EXPECT_EQ(
      json,
      R"({"SamplingRuleRecords":[{"SamplingRule":{"RuleName":"Default","RuleARN":"arn:aws:xray:us-east-1:000000000000:)"
      R"(sampling-rule/Default","ResourceARN":"*","Priority":10000,"FixedRate":0.05,"ReservoirSize":10,"ServiceName":"*",)"
      R"("ServiceType":"*","Host":"*","HTTPMethod":"*","URLPath":"*","Version":1,"Attributes":{}},"CreatedAt":0,)"
      R"("ModifiedAt":1530922806}]})");
  EXPECT_THAT(ServiceModel().ProblemsOf("GetSamplingRules", json), testing::IsEmpty());
}

TEST(SamplingTargets, OneClientGetsTheWholeReservoir) {
  Service service;
  const std::string json =
      Targets(service, R"({"SamplingStatisticsDocuments":[)" +
                           Report("Default", kClient, "1530922806", 100) + "]}");
  EXPECT_EQ(
      json,
      R"({"SamplingTargetDocuments":[{"RuleName":"Default","FixedRate":0.05,"ReservoirQuota":10,"ReservoirQuotaTTL":)"
      R"(1530923106,"Interval":10}],"LastRuleModification":1530922806,"UnprocessedStatistics":[],)"
      R"("UnprocessedBoostStatistics":[]})");
  EXPECT_THAT(ServiceModel().ProblemsOf("GetSamplingTargets", json), testing::IsEmpty());
}

TEST(SamplingTargets, ListsAreThereWithoutReports) {
  Service service;
  EXPECT_EQ(
      Targets(service, R"({"SamplingStatisticsDocuments":[]})"),
      R"({"SamplingTargetDocuments":[],"LastRuleModification":1530922806,"UnprocessedStatistics":[],)"
      R"("UnprocessedBoostStatistics":[]})");
}

TEST(SamplingTargets, UnknownRulesAndStaleReportsAreNamed) {
  Service service;
  const std::string json = Targets(service, R"({"SamplingStatisticsDocuments":[)" +
                                                Report("gone", kClient, "1530922806", 1) + "," +
                                                Report("Default", kClient, "1530922205", 1) + "]}");
  EXPECT_NE(
      json.find(
          R"("UnprocessedStatistics":[{"RuleName":"gone","ErrorCode":"400","Message":"Unknown rule"},)"
          R"({"RuleName":"Default","ErrorCode":"400","Message":"Statistics too old"}])"),
      std::string::npos)
      << json;
  EXPECT_NE(json.find(R"([{"RuleName":"Default","FixedRate":0.05,"ReservoirQuota":10,)"),
            std::string::npos)
      << json;
  EXPECT_TRUE(service.sampling.StatisticSummaries(kNowNs).empty());
}

TEST(SamplingTargets, MillisecondsOfTheJavaSdkAreTaken) {
  Service service;
  const std::string json =
      Targets(service, R"({"SamplingStatisticsDocuments":[)" +
                           Report("Default", kClient, "1530922806123", 1) + "]}");
  EXPECT_NE(json.find(R"("UnprocessedStatistics":[])"), std::string::npos) << json;
}

TEST(SamplingTargets, TwoReportsOfOneRuleGiveOneDocument) {
  Service service;
  const std::string json = Targets(
      service, R"({"SamplingStatisticsDocuments":[)" + Report("Default", kClient, "1530922806", 1) +
                   "," + Report("Default", "0123456789abcdef01234567", "1530922806", 1) + "]}");
  EXPECT_EQ(json.find("ReservoirQuota\""), json.rfind("ReservoirQuota\"")) << json;
}

TEST(SamplingTargets, RepeatedReportsOfOneRequestAreSummed) {
  Service service;
  const std::string request = R"({"SamplingStatisticsDocuments":[)" +
                              Report("Default", kClient, "1530922801", 7) + "," +
                              Report("Default", kClient, "1530922801", 100) + "," +
                              Report("Default", kClient, "1530922200", 5) + "]}";
  const std::vector<std::string> sums = {
      R"({"RuleName":"Default","Timestamp":1530922800,"RequestCount":107,"BorrowCount":0,"SampledCount":2})"};
  Targets(service, request);
  EXPECT_EQ(service.sampling.StatisticSummaries(kNowNs), sums);
  Targets(service, request);
  EXPECT_EQ(service.sampling.StatisticSummaries(kNowNs), sums) << "sent again";
}

TEST(SamplingTargets, TakesAReportOnEveryRuleAtOnce) {
  const auto request = [](int reports) {
    std::string documents;
    for (int i = 0; i < reports; ++i)
      documents += (i == 0 ? "" : ",") + Report("Default", kClient, "1530922806", 1);
    return R"({"SamplingStatisticsDocuments":[)" + documents + "]}";
  };
  const Shape& shape = *FindOperation("/SamplingTargets")->input;
  EXPECT_TRUE(Request::Parse(request(26), shape)) << "25 rules and Default";
  EXPECT_TRUE(Request::Parse(request(100), shape));
  EXPECT_FALSE(Request::Parse(request(101), shape));
}

TEST(SamplingTargets, BoostReportsNeverFail) {
  Service service;
  const std::string json = Targets(
      service,
      R"({"SamplingStatisticsDocuments":[],"SamplingBoostStatisticsDocuments":[{"RuleName":"Default","ServiceName":"s","ClientID":"x",)"
      R"("Timestamp":1530922806,"AnomalyCount":1,"TotalCount":2,"SampledAnomalyCount":0}]})");
  EXPECT_NE(json.find(R"("UnprocessedBoostStatistics":[{"RuleName":"Default","ErrorCode":"400")"),
            std::string::npos)
      << json;
}

TEST(SamplingTargets, EachRuleHasTargetsOfItsOwn) {
  Service service;
  sampling::Rule rule;
  rule.name = "pay";
  rule.priority = 1;
  rule.reservoir = 3;
  rule.fixed_rate = 0.5;
  ASSERT_TRUE(service.Create(rule));
  const std::string report = R"({"SamplingStatisticsDocuments":[)" +
                             Report("pay", kClient, "1530922806", 1) + "," +
                             Report("Default", kClient, "1530922806", 1) + "]}";
  const std::string json = Targets(service, report);
  EXPECT_NE(json.find(R"({"RuleName":"pay","FixedRate":0.5,"ReservoirQuota":3,)"),
            std::string::npos)
      << json;
  EXPECT_NE(json.find(R"({"RuleName":"Default","FixedRate":0.05,"ReservoirQuota":10,)"),
            std::string::npos)
      << json;
  EXPECT_EQ(service.sampling.StatisticSummaries(kNowNs).size(), 2U);

  ASSERT_TRUE(service.control->Write("t", [](control::Transaction& transaction) -> Result<void> {
    FLUORO_CHECK_OK(control::DeleteSamplingRule(transaction, "pay"));
    return {};
  }));
  EXPECT_EQ(service.sampling.StatisticSummaries(kNowNs).size(), 1U) << "its counts go with it";
  EXPECT_NE(Targets(service, report).find(R"([{"RuleName":"pay","ErrorCode":"400",)"),
            std::string::npos);
}

TEST(SamplingTargets, ClientsAreBoundedAndCounted) {
  Service service;
  for (unsigned i = 0; i < sampling::kClientsPerRuleMax + 3; ++i) {
    std::string id = std::to_string(i);
    id.insert(0, 24 - id.size(), '0');
    Targets(service,
            R"({"SamplingStatisticsDocuments":[)" + Report("Default", id, "1530922806", 1) + "]}");
  }
  const std::string metrics = service.metrics.Render();
  EXPECT_NE(metrics.find("fluoro_sampling_clients 20000"), std::string::npos);
  EXPECT_NE(metrics.find("fluoro_sampling_clients_crowded_out_total 3"), std::string::npos);
}

TEST(SamplingTargets, AChangedRateIsHandedOutAtOnce) {
  Service service;
  ASSERT_TRUE(service.Change({.name = "Default", .fixed_rate = 0.75}));
  EXPECT_NE(Targets(service, R"({"SamplingStatisticsDocuments":[)" +
                                 Report("Default", kClient, "1530922806", 1) + "]}")
                .find(R"("FixedRate":0.75)"),
            std::string::npos);
}

TEST(SamplingTargets, AnomaliesThatGoUnsampledRaiseTheRate) {
  Service service;
  sampling::Rule rule;
  rule.name = "pay";
  rule.priority = 1;
  rule.fixed_rate = 0.01;
  rule.boost = sampling::RateBoost{.max_rate = 1, .cooldown_minutes = 5};
  ASSERT_TRUE(service.Create(rule));
  const std::string json = Targets(
      service,
      R"({"SamplingStatisticsDocuments":[{"RuleName":"pay","ClientID":")" + kClient +
          R"(","Timestamp":1530922806,"RequestCount":1000,"SampledCount":10}],)"
          R"("SamplingBoostStatisticsDocuments":[{"RuleName":"pay","ServiceName":"s",)"
          R"("Timestamp":1530922806,"AnomalyCount":10,"TotalCount":1000,"SampledAnomalyCount":0}]})");
  EXPECT_NE(json.find(R"("SamplingBoost":{"BoostRate":0.258)"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("BoostRateTTL":1530922866)"), std::string::npos) << json;
  EXPECT_THAT(ServiceModel().ProblemsOf("GetSamplingTargets", json), testing::IsEmpty());
  // Who reports the rule within that minute has it too.
  EXPECT_NE(Targets(service,
                    R"({"SamplingStatisticsDocuments":[)" +
                        Report("pay", "0123456789abcdef01234567", "1530922836", 1) + "]}",
                    kNowNs + 30 * kNsPerSecond)
                .find("SamplingBoost"),
            std::string::npos);
  EXPECT_EQ(Targets(service,
                    R"({"SamplingStatisticsDocuments":[)" +
                        Report("pay", kClient, "1530922866", 1) + "]}",
                    kNowNs + 60 * kNsPerSecond)
                .find("SamplingBoost"),
            std::string::npos);
}

TEST(SamplingStatisticSummaries, CountPerTenSeconds) {
  Service service;
  Targets(service, R"({"SamplingStatisticsDocuments":[)" +
                       Report("Default", kClient, "1530922806", 100) + "]}");
  EXPECT_THAT(
      service.sampling.StatisticSummaries(kNowNs),
      testing::ElementsAre(
          R"({"RuleName":"Default","Timestamp":1530922800,"RequestCount":100,"BorrowCount":0,"SampledCount":1})"));
}

std::vector<std::string> NamesOf(const std::string& rules_json) {
  std::vector<std::string> names;
  const std::string key = R"("RuleName":")";
  for (auto at = rules_json.find(key); at != std::string::npos; at = rules_json.find(key, at + 1)) {
    const auto begin = at + key.size();
    names.push_back(rules_json.substr(begin, rules_json.find('"', begin) - begin));
  }
  return names;
}

// aws-xray-recorder-sdk-core 2.20.0 for Java takes up new rules when the last of the answer is one.
TEST(SamplingRules, TheYoungestStandsLastUnlessATieWouldBeBroken) {
  Service service;
  const auto create = [&](const std::string& name, std::int32_t priority) {
    service.clock.Advance(kNsPerSecond);
    sampling::Rule rule;
    rule.name = name;
    rule.priority = priority;
    ASSERT_TRUE(service.Create(rule));
  };
  create("b", 20);
  create("a", 10);
  EXPECT_THAT(NamesOf(service.sampling.RulesJson()), testing::ElementsAre("b", "Default", "a"));
  create("c", 30);
  EXPECT_THAT(NamesOf(service.sampling.RulesJson()),
              testing::ElementsAre("a", "b", "Default", "c"));
  // Of two with one priority the name decides, for clients that do not look at names too.
  create("aa", 20);
  EXPECT_THAT(NamesOf(service.sampling.RulesJson()),
              testing::ElementsAre("a", "aa", "b", "c", "Default"));
}

// Seen from aws-opentelemetry-distro 0.21.0 for Python: SampleCount, and fractions of a second.
TEST(SamplingTargets, TakesTheMisspeltCountOfThePythonDistribution) {
  Service service;
  const auto report = [](const std::string& timestamp, const std::string& count) {
    return R"({"SamplingStatisticsDocuments":[{"ClientID":")" + kClient +
           R"(","RuleName":"Default","Timestamp":)" + timestamp +
           R"(,"RequestCount":100,"BorrowCount":3)" + count +
           R"(}],"SamplingBoostStatisticsDocuments":[]})";
  };
  EXPECT_NE(Targets(service, report("1530922801.25", R"(,"SampleCount":17)"))
                .find(R"("ReservoirQuota":10)"),
            std::string::npos);
  EXPECT_THAT(
      service.sampling.StatisticSummaries(kNowNs),
      testing::ElementsAre(
          R"({"RuleName":"Default","Timestamp":1530922800,"RequestCount":100,"BorrowCount":3,"SampledCount":17})"));
  // Whatever stands there, the counts stay counts.
  Targets(service, report("1530922802", R"(,"SampleCount":-5)"));
  Targets(service, report("1530922803", R"(,"SampleCount":"many")"));
  Targets(service, report("1530922804", ""));
  EXPECT_THAT(
      service.sampling.StatisticSummaries(kNowNs),
      testing::ElementsAre(
          R"({"RuleName":"Default","Timestamp":1530922800,"RequestCount":400,"BorrowCount":12,"SampledCount":17})"));
}

// Seen from opentelemetry-aws-xray 1.43.0 for Java: its empty lists are left out.
TEST(SamplingTargets, ARequestWithoutReportsIsAnswered) {
  Service service;
  const std::string json = Targets(service, "{}");
  EXPECT_TRUE(json.starts_with(R"({"SamplingTargetDocuments":[],"LastRuleModification":)")) << json;
  EXPECT_THAT(ServiceModel().ProblemsOf("GetSamplingTargets", json), testing::IsEmpty());
}

TEST(SamplingTargets, TakesTheRequestOfTheJavaSampler) {
  const std::filesystem::path path =
      "../shared/data/xray/sampling/central-java-get-sampling-targets-request.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is absent";
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_TRUE(Request::Parse(text.str(), *FindOperation("/SamplingTargets")->input));
}

}  // namespace
}  // namespace fluoro::api::xray
