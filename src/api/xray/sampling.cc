#include "api/xray/sampling.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "api/xray/context.h"
#include "base/clock.h"
#include "base/json.h"
#include "sampling/rule_json.h"

namespace fluoro::api::xray {
namespace {

constexpr std::int64_t kReportSkewNs = 600 * kNsPerSecond;
constexpr std::size_t kSummariesPage = 1'000;
constexpr std::int64_t kWindowSeconds = 10;

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

/// How many requests the client says it sampled. The sampler of AWS's OpenTelemetry distribution
/// for Python calls this SampleCount, which no model describes and no check has seen.
std::int64_t SampledCountOf(const MembersView& document) {
  if (const auto count = document.Int("SampledCount")) return *count;
  constexpr std::int64_t kCountMax = std::numeric_limits<std::int32_t>::max();
  return std::clamp<std::int64_t>(document.Int("SampleCount").value_or(0), 0, kCountMax);
}

struct Reported {
  std::string_view rule_name;
  sampling::Report report;
  bool stale = false;  ///< its counts belong to no window
};

/// One report for each rule and client: what it says several times over is summed.
std::vector<Reported> ReportsOf(const MembersView& request, std::int64_t now_ns,
                                std::vector<Unprocessed>& unprocessed,
                                const std::function<bool(std::string_view)>& is_rule) {
  std::vector<Reported> reports;
  for (const MembersView& document : request.Structures("SamplingStatisticsDocuments")) {
    const std::string_view name = document.Text("RuleName").value_or("");
    if (!is_rule(name)) {
      unprocessed.push_back({name, "Unknown rule"});
      continue;
    }
    Reported read{.rule_name = name,
                  .report = {.client_id = std::string(document.Text("ClientID").value_or("")),
                             .timestamp_ns = document.TimeNs("Timestamp").value_or(0),
                             .request_count = document.Int("RequestCount").value_or(0),
                             .sampled_count = SampledCountOf(document),
                             .borrow_count = document.Int("BorrowCount").value_or(0)}};
    if (read.report.timestamp_ns < now_ns - kReportSkewNs ||
        read.report.timestamp_ns > now_ns + kReportSkewNs) {
      // A client with a wrong clock still needs its share.
      unprocessed.push_back({name, "Statistics too old"});
      read.report.timestamp_ns = now_ns;
      read.stale = true;
    }
    const auto same = std::ranges::find_if(reports, [&](const Reported& known) {
      return known.stale == read.stale && known.rule_name == name &&
             known.report.client_id == read.report.client_id;
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

void AppendTarget(JsonWriter& out, std::string_view rule_name, const sampling::Target& target,
                  const std::optional<sampling::Boost>& boost) {
  out.BeginObject().Key("RuleName").String(rule_name);
  out.Key("FixedRate").Double(target.fixed_rate);
  out.Key("ReservoirQuota").Int(target.reservoir_quota);
  out.Key("ReservoirQuotaTTL").Int(target.reservoir_quota_ttl_s);
  out.Key("Interval").Int(target.interval_s);
  if (boost) {
    out.Key("SamplingBoost").BeginObject().Key("BoostRate").Double(boost->rate);
    out.Key("BoostRateTTL").Int(boost->until_s).EndObject();
  }
  out.EndObject();
}

/// The order in which rules are answered; none is promised. By priority and name, since
/// OpenTelemetry's sampler for Java takes rules of one priority as they stand; but the youngest comes
/// last where that changes no such pair: X-Ray's SDK for Java looks only there for rules that it does
/// not know, and would otherwise not see a new one before it is started anew.
std::vector<const sampling::Rule*> InOrderOfAnswer(const std::vector<sampling::Rule>& rules) {
  std::vector<const sampling::Rule*> order;
  order.reserve(rules.size());
  for (const sampling::Rule& rule : rules) order.push_back(&rule);
  std::ranges::sort(order, [](const auto* a, const auto* b) { return sampling::IsBefore(*a, *b); });
  // Default is as old as the server.
  const auto youngest =
      std::ranges::max_element(order, {}, [](const auto* rule) { return rule->created_ns; });
  if (youngest == order.end()) return order;
  const auto next = std::next(youngest);
  if (next != order.end() && (*next)->priority == (*youngest)->priority) return order;
  std::rotate(youngest, next, order.end());
  return order;
}

}  // namespace

std::string SamplingRuleArn(const control::Place& place, std::string_view name) {
  return place.Arn("sampling-rule/" + std::string(name));
}

void AppendRuleRecord(JsonWriter& out, const control::Place& place, const sampling::Rule& rule) {
  out.BeginObject().Key("SamplingRule");
  sampling::WriteRule(out, rule, SamplingRuleArn(place, rule.name));
  out.Key("CreatedAt").Seconds(rule.created_ns).Key("ModifiedAt").Seconds(rule.modified_ns);
  out.EndObject();
}

const sampling::Rule* SamplingService::RuleSet::Find(std::string_view name) const {
  const auto at = std::ranges::find(read.rules, name, &sampling::Rule::name);
  return at == read.rules.end() ? nullptr : &*at;
}

SamplingService::SamplingService(control::Repository& control, control::Place place,
                                 Metrics& metrics)
    : control_(control),
      place_(std::move(place)),
      clients_(metrics.GetGauge("fluoro_sampling_clients",
                                "Clients that share the reservoirs of sampling rules, by rule and "
                                "client; at most 20,000 a rule")),
      crowded_out_(metrics.GetCounter("fluoro_sampling_clients_crowded_out_total",
                                      "Clients forgotten because a rule had so many")) {}

std::shared_ptr<const SamplingService::RuleSet> SamplingService::Rules() {
  const auto snapshot = control_.Read();
  if (rules_ && rules_->generation == snapshot->generation()) return rules_;
  auto rules = std::make_shared<RuleSet>();
  rules->generation = snapshot->generation();
  rules->read = control::ReadSamplingRules(*snapshot);
  JsonWriter out;
  out.BeginObject().Key("SamplingRuleRecords").BeginArray();
  for (const sampling::Rule* rule : InOrderOfAnswer(rules->read.rules))
    AppendRuleRecord(out, place_, *rule);
  out.EndArray().EndObject();
  rules->json = out.Take();
  rules_ = rules;
  std::erase_if(states_, [&](const auto& state) {
    if (rules->Find(state.first) != nullptr) return false;
    clients_.Add(-static_cast<double>(state.second.quotas.clients()));
    windows_.Forget(state.first);
    return true;
  });
  return rules;
}

std::string SamplingService::RulesJson() {
  const MutexLock lock(mutex_);
  return Rules()->json;
}

double SamplingService::ObservedRate(const sampling::Rule& rule, std::int64_t now_ns) const {
  const auto windows = windows_.windows().find(rule.name);
  if (windows == windows_.windows().end()) return rule.fixed_rate;
  const auto window = windows->second.find(now_ns / kNsPerSecond / kWindowSeconds * kWindowSeconds);
  if (window == windows->second.end() || window->second.request_count == 0) return rule.fixed_rate;
  // Some SDKs count what they borrowed among the sampled, others do not.
  const auto& counts = window->second;
  return static_cast<double>(std::max(counts.sampled_count, counts.borrow_count)) /
         static_cast<double>(counts.request_count);
}

std::string SamplingService::TargetsJson(const MembersView& request, std::int64_t now_ns) {
  std::vector<Unprocessed> unprocessed;
  std::vector<Unprocessed> unprocessed_boosts;
  JsonWriter out;
  out.BeginObject().Key("SamplingTargetDocuments").BeginArray();

  const MutexLock lock(mutex_);
  const auto rules = Rules();
  std::vector<std::pair<const sampling::Rule*, sampling::Target>> targets;
  for (const Reported& reported :
       ReportsOf(request, now_ns, unprocessed,
                 [&](std::string_view name) { return rules->Find(name) != nullptr; })) {
    const sampling::Rule& rule = *rules->Find(reported.rule_name);
    if (!reported.stale) windows_.Add(rule.name, reported.report, now_ns);
    sampling::QuotaAssigner& quotas = states_[rule.name].quotas;
    const auto clients_before = static_cast<double>(quotas.clients());
    const std::uint64_t crowded_before = quotas.crowded_out();
    const sampling::Target target = quotas.Accept(rule, reported.report, now_ns);
    clients_.Add(static_cast<double>(quotas.clients()) - clients_before);
    crowded_out_.Add(static_cast<double>(quotas.crowded_out() - crowded_before));
    const auto same = std::ranges::find(targets, &rule, [](const auto& t) { return t.first; });
    if (same == targets.end()) {
      targets.emplace_back(&rule, target);
    } else {
      same->second = target;
    }
  }
  for (const MembersView& document : request.Structures("SamplingBoostStatisticsDocuments")) {
    const std::string_view name = document.Text("RuleName").value_or("");
    const sampling::Rule* rule = rules->Find(name);
    if (rule == nullptr || !rule->boost) {
      unprocessed_boosts.push_back(
          {name, rule == nullptr ? "Unknown rule" : "The rule has no sampling rate boost"});
      continue;
    }
    states_[rule->name].boost.Add(
        {.service_name = std::string(document.Text("ServiceName").value_or("")),
         .total_count = document.Int("TotalCount").value_or(0),
         .anomaly_count = document.Int("AnomalyCount").value_or(0),
         .sampled_anomaly_count = document.Int("SampledAnomalyCount").value_or(0)},
        now_ns);
  }
  for (const auto& [rule, target] : targets) {
    AppendTarget(out, rule->name, target,
                 states_[rule->name].boost.At(*rule, ObservedRate(*rule, now_ns), now_ns));
  }
  out.EndArray().Key("LastRuleModification").Seconds(rules->read.last_modification_ns);
  out.Key("UnprocessedStatistics");
  AppendUnprocessed(out, unprocessed);
  out.Key("UnprocessedBoostStatistics");
  AppendUnprocessed(out, unprocessed_boosts);
  out.EndObject();
  return out.Take();
}

std::vector<std::string> SamplingService::StatisticSummaries(std::int64_t now_ns) {
  const MutexLock lock(mutex_);
  (void)Rules();
  windows_.Prune(now_ns);
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
  auto page = context.pages.Get(
      request.members().Text("NextToken"), Fingerprint("GetSamplingStatisticSummaries"),
      kSummariesPage, [&] { return context.sampling.StatisticSummaries(context.clock.UnixNs()); });
  if (!page) return std::unexpected(std::move(page).error());
  JsonWriter out;
  out.BeginObject().Key("SamplingStatisticSummaries").Raw(page->Json());
  if (page->next_token) out.Key("NextToken").String(*page->next_token);
  out.EndObject();
  return Answer{.body = out.Take()};
}

}  // namespace fluoro::api::xray
