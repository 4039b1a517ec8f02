// CreateSamplingRule, UpdateSamplingRule, DeleteSamplingRule.
#include "control/sampling_rules.h"

#include <string>
#include <utility>

#include "api/xray/context.h"
#include "api/xray/tags.h"
#include "base/json.h"
#include "control/tags.h"

namespace fluoro::api::xray {
namespace {

constexpr std::string_view kArnPart = ":sampling-rule/";

/// The rule that a request names in one way or the other.
ApiResult<std::string> NameOf(const MembersView& members) {
  const auto name = members.Text("RuleName");
  const auto arn = members.Text("RuleARN");
  if (name.has_value() == arn.has_value())
    return Refuse("Specify a rule by either RuleName or RuleARN, but not both");
  if (name) return std::string(*name);
  const std::size_t at = arn->find(kArnPart);
  if (!arn->starts_with("arn:") || at == std::string_view::npos)
    return Refuse("Sampling rule does not exist");
  return std::string(arn->substr(at + kArnPart.size()));
}

template <class T>
std::optional<T> As(const std::optional<std::int64_t>& number) {
  return number ? std::optional(static_cast<T>(*number)) : std::nullopt;
}

std::optional<std::string> Owned(std::optional<std::string_view> text) {
  return text ? std::optional<std::string>(*text) : std::nullopt;
}

std::optional<sampling::RateBoost> BoostOf(const MembersView& members) {
  const auto boost = members.Structure("SamplingRateBoost");
  if (!boost) return std::nullopt;
  return sampling::RateBoost{.max_rate = boost->Double("MaxRate").value_or(0),
                             .cooldown_minutes = static_cast<std::int32_t>(
                                 boost->Int("CooldownWindowMinutes").value_or(0))};
}

Answer RecordAnswer(const Context& context, const sampling::Rule& rule) {
  JsonWriter out;
  out.BeginObject().Key("SamplingRuleRecord");
  AppendRuleRecord(out, context.place, rule);
  out.EndObject();
  return {.body = out.Take()};
}

}  // namespace

ApiResult<Answer> CreateSamplingRule(Context& context, const Request& request) {
  const MembersView members = *request.members().Structure("SamplingRule");
  sampling::Rule rule;
  if (const auto name = members.Text("RuleName")) {
    rule.name = *name;
  } else {
    auto by_arn = NameOf(members);
    if (!by_arn) return Refuse("RuleName is required");
    rule.name = *std::move(by_arn);
  }
  rule.priority = static_cast<std::int32_t>(members.Int("Priority").value_or(0));
  rule.fixed_rate = members.Double("FixedRate").value_or(0);
  rule.reservoir = static_cast<std::int32_t>(members.Int("ReservoirSize").value_or(0));
  rule.service_name = members.Text("ServiceName").value_or("");
  rule.service_type = members.Text("ServiceType").value_or("");
  rule.host = members.Text("Host").value_or("");
  rule.http_method = members.Text("HTTPMethod").value_or("");
  rule.url_path = members.Text("URLPath").value_or("");
  rule.resource_arn = members.Text("ResourceARN").value_or("");
  rule.version = static_cast<std::int32_t>(members.Int("Version").value_or(0));
  rule.attributes = members.Map("Attributes").value_or(std::map<std::string, std::string>());
  rule.boost = BoostOf(members);
  const control::Tags tags = TagsOf(request.members());
  const auto written = context.control.Write(
      request.principal, [&](control::Transaction& transaction) -> Result<void> {
        FLUORO_TRY(rule, control::CreateSamplingRule(transaction, rule));
        return control::AddTags(transaction, SamplingRuleArn(context.place, rule.name), tags);
      });
  if (!written) {
    ApiError error = FromError(written.error());
    if (written.error().code == ErrorCode::kTooLarge) error.type = "RuleLimitExceededException";
    return std::unexpected(std::move(error));
  }
  return RecordAnswer(context, rule);
}

ApiResult<Answer> UpdateSamplingRule(Context& context, const Request& request) {
  const MembersView members = *request.members().Structure("SamplingRuleUpdate");
  auto name = NameOf(members);
  if (!name) return std::unexpected(std::move(name).error());
  const control::SamplingRuleUpdate update{
      .name = *std::move(name),
      .priority = As<std::int32_t>(members.Int("Priority")),
      .reservoir = As<std::int32_t>(members.Int("ReservoirSize")),
      .fixed_rate = members.Double("FixedRate"),
      .service_name = Owned(members.Text("ServiceName")),
      .service_type = Owned(members.Text("ServiceType")),
      .host = Owned(members.Text("Host")),
      .http_method = Owned(members.Text("HTTPMethod")),
      .url_path = Owned(members.Text("URLPath")),
      .resource_arn = Owned(members.Text("ResourceARN")),
      .attributes = members.Map("Attributes"),
      .boost = BoostOf(members)};
  sampling::Rule rule;
  FLUORO_API_CHECK_OK(context.control.Write(
      request.principal, [&](control::Transaction& transaction) -> Result<void> {
        FLUORO_TRY(rule, control::UpdateSamplingRule(transaction, update));
        return {};
      }));
  return RecordAnswer(context, rule);
}

ApiResult<Answer> DeleteSamplingRule(Context& context, const Request& request) {
  const auto name = NameOf(request.members());
  if (!name) return std::unexpected(name.error());
  sampling::Rule rule;
  FLUORO_API_CHECK_OK(context.control.Write(
      request.principal, [&](control::Transaction& transaction) -> Result<void> {
        FLUORO_TRY(rule, control::DeleteSamplingRule(transaction, *name));
        return control::DeleteTags(transaction, SamplingRuleArn(context.place, rule.name));
      }));
  return RecordAnswer(context, rule);
}

}  // namespace fluoro::api::xray
