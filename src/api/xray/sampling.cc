#include "api/xray/sampling.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "api/xray/context.h"
#include "base/clock.h"
#include "base/json.h"

namespace fluoro::api::xray {
namespace {

constexpr std::int64_t kReportSkewNs = 600 * kNsPerSecond;
constexpr std::size_t kSummariesPage = 1'000;

struct Unprocessed {
  std::string_view rule_name;
  std::string_view message;
};

void AppendUnprocessed(JsonWriter& out, const std::vector<Unprocessed>& entries) {
  out.BeginArray();
  for (const Unprocessed& entry : entries) {
    out.BeginObject().Key("RuleName").String(entry.rule_name);
    out.Key("ErrorCode").String("400").Key("Message").String(entry.message).EndObject();
  }
  out.EndArray();
}

struct Reported {
  sampling::Report report;
  bool stale = false;  ///< its counts belong to no window
};

/// The reports on one rule, one for each client: what it says several times over is summed.
std::vector<Reported> ReportsOf(const MembersView& request, std::string_view rule_name,
                                std::int64_t now_ns, std::vector<Unprocessed>& unprocessed) {
  std::vector<Reported> reports;
  for (const MembersView& document : request.Structures("SamplingStatisticsDocuments")) {
    const std::string_view name = document.Text("RuleName").value_or("");
    if (name != rule_name) {
      unprocessed.push_back({name, "Unknown rule"});
      continue;
    }
    Reported read{.report = {.client_id = std::string(document.Text("ClientID").value_or("")),
                             .timestamp_ns = document.TimeNs("Timestamp").value_or(0),
                             .request_count = document.Int("RequestCount").value_or(0),
                             .sampled_count = document.Int("SampledCount").value_or(0),
                             .borrow_count = document.Int("BorrowCount").value_or(0)}};
    if (read.report.timestamp_ns < now_ns - kReportSkewNs ||
        read.report.timestamp_ns > now_ns + kReportSkewNs) {
      // A client with a wrong clock still needs its share.
      unprocessed.push_back({name, "Statistics too old"});
      read.report.timestamp_ns = now_ns;
      read.stale = true;
    }
    const auto same = std::ranges::find_if(reports, [&](const Reported& known) {
      return known.stale == read.stale && known.report.client_id == read.report.client_id;
    });
    if (same == reports.end()) {
      reports.push_back(std::move(read));
      continue;
    }
    sampling::Report& sum = same->report;
    sum.timestamp_ns = std::max(sum.timestamp_ns, read.report.timestamp_ns);
    sum.request_count += read.report.request_count;
    sum.sampled_count += read.report.sampled_count;
    sum.borrow_count += read.report.borrow_count;
  }
  return reports;
}

}  // namespace

SamplingService::SamplingService(sampling::Rule default_rule, std::string arn_prefix,
                                 std::int64_t now_ns)
    : default_rule_(std::move(default_rule)),
      arn_prefix_(std::move(arn_prefix)),
      last_modification_ns_(now_ns) {}

std::string SamplingService::RulesJson() const {
  const sampling::Rule& rule = default_rule_;
  JsonWriter out;
  out.BeginObject().Key("SamplingRuleRecords").BeginArray().BeginObject();
  out.Key("SamplingRule").BeginObject();
  out.Key("RuleName").String(rule.name).Key("RuleARN").String(arn_prefix_ + rule.name);
  out.Key("ResourceARN").String(rule.resource_arn).Key("Priority").Int(rule.priority);
  out.Key("FixedRate").Double(rule.fixed_rate).Key("ReservoirSize").Int(rule.reservoir);
  out.Key("ServiceName").String(rule.service_name).Key("ServiceType").String(rule.service_type);
  out.Key("Host").String(rule.host).Key("HTTPMethod").String(rule.http_method);
  out.Key("URLPath").String(rule.url_path).Key("Version").Int(rule.version);
  out.Key("Attributes").BeginObject();
  for (const auto& [key, value] : rule.attributes) out.Key(key).String(value);
  out.EndObject().EndObject();
  out.Key("CreatedAt").Seconds(rule.created_ns).Key("ModifiedAt").Seconds(last_modification_ns_);
  out.EndObject().EndArray().EndObject();
  return out.Take();
}

std::string SamplingService::TargetsJson(const MembersView& request, std::int64_t now_ns) {
  std::vector<Unprocessed> unprocessed;
  std::optional<sampling::Target> target;
  {
    const MutexLock lock(mutex_);
    for (const auto& [report, stale] :
         ReportsOf(request, default_rule_.name, now_ns, unprocessed)) {
      if (!stale) windows_.Add(default_rule_.name, report, now_ns);
      target = assigners_[default_rule_.name].Accept(default_rule_, report, now_ns);
    }
  }
  std::vector<Unprocessed> unprocessed_boosts;
  for (const MembersView& document : request.Structures("SamplingBoostStatisticsDocuments")) {
    const std::string_view name = document.Text("RuleName").value_or("");
    unprocessed_boosts.push_back({name, name == default_rule_.name
                                            ? "The rule has no sampling rate boost"
                                            : "Unknown rule"});
  }

  JsonWriter out;
  out.BeginObject().Key("SamplingTargetDocuments").BeginArray();
  if (target) {
    out.BeginObject().Key("RuleName").String(default_rule_.name);
    out.Key("FixedRate").Double(target->fixed_rate);
    out.Key("ReservoirQuota").Int(target->reservoir_quota);
    out.Key("ReservoirQuotaTTL").Int(target->reservoir_quota_ttl_s);
    out.Key("Interval").Int(target->interval_s).EndObject();
  }
  out.EndArray().Key("LastRuleModification").Seconds(last_modification_ns_);
  out.Key("UnprocessedStatistics");
  AppendUnprocessed(out, unprocessed);
  out.Key("UnprocessedBoostStatistics");
  AppendUnprocessed(out, unprocessed_boosts);
  out.EndObject();
  return out.Take();
}

std::vector<std::string> SamplingService::StatisticSummaries() {
  const MutexLock lock(mutex_);
  std::vector<std::string> summaries;
  for (const auto& [name, windows] : windows_.windows()) {
    for (const auto& [start_s, window] : windows) {
      JsonWriter out;
      out.BeginObject().Key("RuleName").String(name).Key("Timestamp").Int(start_s);
      out.Key("RequestCount").Int(window.request_count).Key("BorrowCount").Int(window.borrow_count);
      out.Key("SampledCount").Int(window.sampled_count).EndObject();
      summaries.push_back(out.Take());
    }
  }
  return summaries;
}

ApiResult<Answer> GetSamplingRules(Context& context, const Request&) {
  return Answer{.body = context.sampling.RulesJson()};
}

ApiResult<Answer> GetSamplingTargets(Context& context, const Request& request) {
  return Answer{.body = context.sampling.TargetsJson(request.members(), context.clock.UnixNs())};
}

ApiResult<Answer> GetSamplingStatisticSummaries(Context& context, const Request& request) {
  auto page = context.pages.Get(request.members().Text("NextToken"),
                                Fingerprint("GetSamplingStatisticSummaries"), kSummariesPage,
                                [&] { return context.sampling.StatisticSummaries(); });
  if (!page) return std::unexpected(std::move(page).error());
  JsonWriter out;
  out.BeginObject().Key("SamplingStatisticSummaries").Raw(page->Json());
  if (page->next_token) out.Key("NextToken").String(*page->next_token);
  out.EndObject();
  return Answer{.body = out.Take()};
}

}  // namespace fluoro::api::xray
