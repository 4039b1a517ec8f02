#include "sampling/tail_policy.h"

#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <utility>

#include "base/json.h"
#include "base/json_tree.h"

namespace fluoro::sampling {
namespace {

constexpr std::array<std::pair<std::string_view, TailOutcome>, 4> kOutcomes{
    {{"fault", kTailFault},
     {"error", kTailError},
     {"throttle", kTailThrottle},
     {"timeout", kTailTimeout}}};

std::unexpected<Error> Bad(const std::string& where, const std::string& what) {
  return Fail(ErrorCode::kInvalidArgument, where + ": " + what);
}

std::string NumberText(double value) {
  std::array<char, 32> text;
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

Result<std::string> TakeText(JsonView value, const std::string& where, std::size_t bytes_max) {
  const auto text = value.String();
  if (!text) return Bad(where, "a string was expected");
  if (text->size() > bytes_max)
    return Bad(where, "longer than " + std::to_string(bytes_max) + " bytes");
  return std::string(*text);
}

Result<double> TakeNumber(JsonView value, const std::string& where) {
  const auto number = value.Double();
  if (!number || !std::isfinite(*number)) return Bad(where, "a number was expected");
  return *number;
}

Result<std::uint8_t> TakeOutcomes(JsonView value, const std::string& where) {
  const auto names = value.Elements();
  if (!value.IsArray() || names.empty())
    return Bad(where, "an array of fault, error, throttle, timeout was expected");
  std::uint8_t outcomes = 0;
  for (const JsonView name : names) {
    const auto text = name.String();
    const auto known = std::ranges::find_if(
        kOutcomes, [&](const auto& outcome) { return text && outcome.first == *text; });
    if (known == kOutcomes.end())
      return Bad(where, "fault, error, throttle or timeout was expected");
    outcomes |= known->second;
  }
  return outcomes;
}

Result<void> TakeMember(const JsonView::Member& member, const std::string& where,
                        TailPolicy& policy) {
  const JsonView value = member.value;
  if (member.key == "Name") {
    FLUORO_TRY(policy.name, TakeText(value, where, kTailPolicyNameBytesMax));
    if (policy.name.empty()) return Bad(where, "empty");
  } else if (member.key == "Filter") {
    FLUORO_TRY(policy.filter, TakeText(value, where, kTailFilterBytesMax));
  } else if (member.key == "Outcomes") {
    FLUORO_TRY(policy.outcomes, TakeOutcomes(value, where));
  } else if (member.key == "SlowerThanRouteQuantile") {
    FLUORO_TRY(const double quantile, TakeNumber(value, where));
    if (!(quantile > 0 && quantile < 1))
      return Bad(where, NumberText(quantile) + " is not between 0 and 1, both excluded");
    policy.slower_than_route_quantile = quantile;
  } else if (member.key == "ShapesSeenPerHourBelow") {
    FLUORO_TRY(const double below, TakeNumber(value, where));
    if (!(below > 0)) return Bad(where, NumberText(below) + " is not above 0");
    policy.shapes_seen_per_hour_below = below;
  } else if (member.key == "Keep") {
    FLUORO_TRY(policy.keep, TakeNumber(value, where));
    if (!(policy.keep >= 0 && policy.keep <= 1))
      return Bad(where, NumberText(policy.keep) + " is not between 0 and 1");
  } else if (member.key == "PerSecond") {
    FLUORO_TRY(const double per_second, TakeNumber(value, where));
    if (!(per_second > 0)) return Bad(where, NumberText(per_second) + " is not above 0");
    policy.per_second = per_second;
  } else {
    return Bad(where, "unknown member");
  }
  return {};
}

Result<TailPolicy> TakePolicy(JsonView value, const std::string& where) {
  if (!value.IsObject()) return Bad(where, "an object was expected");
  TailPolicy policy;
  std::set<std::string_view> seen;
  for (const JsonView::Member& member : value.Members()) {
    const std::string name = where + "." + std::string(member.key);
    if (!seen.insert(member.key).second) return Bad(name, "twice");
    FLUORO_CHECK_OK(TakeMember(member, name, policy));
  }
  for (const std::string_view name : {"Name", "Keep"}) {
    if (!seen.contains(name)) return Bad(where + "." + std::string(name), "missing");
  }
  return policy;
}

}  // namespace

Result<TailPolicies> ParseTailPolicies(std::string_view json) {
  if (json.size() > kTailPoliciesBytesMax) {
    return Fail(ErrorCode::kTooLarge, "tail policies: " + std::to_string(json.size()) +
                                          " bytes, at most " +
                                          std::to_string(kTailPoliciesBytesMax) + " are read");
  }
  const auto tree = JsonTree::Parse(json);
  if (!tree) return Bad("not JSON", tree.error().message);
  const JsonView root = tree->root();
  if (!root.IsObject()) return Bad("tail policies", "an object was expected");
  for (const JsonView::Member& member : root.Members()) {
    if (member.key != "TailPolicies" && member.key != "SamplingRules")
      return Bad(std::string(member.key), "unknown member");
  }
  TailPolicies policies;
  const JsonView list = root["TailPolicies"];
  if (!list.exists()) return policies;
  if (!list.IsArray()) return Bad("TailPolicies", "an array was expected");
  std::set<std::string> names;
  for (const JsonView value : list.Elements()) {
    const std::string where = "TailPolicies[" + std::to_string(policies.policies.size()) + "]";
    if (policies.policies.size() == kTailPoliciesMax)
      return Fail(ErrorCode::kTooLarge,
                  where + ": at most " + std::to_string(kTailPoliciesMax) + " policies are taken");
    FLUORO_TRY(TailPolicy policy, TakePolicy(value, where));
    if (policy.name == kUnmatchedReason || policy.name == "all")
      return Bad(where + ".Name", "'" + policy.name + "' is the name of another reason");
    if (!names.insert(policy.name).second)
      return Bad(where + ".Name", "'" + policy.name + "' twice");
    policies.policies.push_back(std::move(policy));
  }
  return policies;
}

std::string PrintTailPolicies(const TailPolicies& policies) {
  JsonWriter out;
  out.BeginObject().Key("TailPolicies").BeginArray();
  for (const TailPolicy& policy : policies.policies) {
    out.BeginObject().Key("Name").String(policy.name);
    if (!policy.filter.empty()) out.Key("Filter").String(policy.filter);
    if (policy.outcomes != 0) {
      out.Key("Outcomes").BeginArray();
      for (const auto& [name, bit] : kOutcomes) {
        if ((policy.outcomes & bit) != 0) out.String(name);
      }
      out.EndArray();
    }
    if (policy.slower_than_route_quantile)
      out.Key("SlowerThanRouteQuantile").Double(*policy.slower_than_route_quantile);
    if (policy.shapes_seen_per_hour_below)
      out.Key("ShapesSeenPerHourBelow").Double(*policy.shapes_seen_per_hour_below);
    out.Key("Keep").Double(policy.keep);
    if (policy.per_second) out.Key("PerSecond").Double(*policy.per_second);
    out.EndObject();
  }
  out.EndArray().EndObject();
  return out.Take();
}

TailPolicies BiasedTailPolicies() {
  TailPolicy bad{.name = "bad"};
  bad.outcomes = kTailFault | kTailError | kTailThrottle | kTailTimeout;
  TailPolicy slow{.name = "slow"};
  slow.slower_than_route_quantile = 0.99;
  TailPolicy rare{.name = "rare"};
  rare.shapes_seen_per_hour_below = 10;
  TailPolicy rest{.name = "rest"};
  rest.keep = 0.05;
  return {.policies = {std::move(bad), std::move(slow), std::move(rare), std::move(rest)}};
}

bool IsInFraction(const std::array<std::uint8_t, 16>& trace_id, double fraction) {
  if (fraction >= 1) return true;
  if (!(fraction > 0)) return false;
  return XXH3_64bits(trace_id.data(), trace_id.size()) <
         static_cast<std::uint64_t>(std::ldexp(fraction, 64));
}

}  // namespace fluoro::sampling
