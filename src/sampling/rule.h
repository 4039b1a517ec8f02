// Sampling rules as the X-Ray API knows them. Source: X-Ray developer guide, "Configuring sampling
// rules".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fluoro::sampling {

/// SamplingRateBoost: for a minute a higher rate, when anomalies go unsampled.
struct RateBoost {
  double max_rate = 1;                ///< 0..1
  std::int32_t cooldown_minutes = 1;  ///< between the beginnings of two boosts
  bool operator==(const RateBoost&) const = default;
};

struct Rule {
  std::string name;
  std::int32_t priority = 10'000;
  double fixed_rate = 0.05;    ///< 0..1
  std::int32_t reservoir = 1;  ///< requests a second, over all clients
  std::string service_name = "*";
  std::string service_type = "*";
  std::string host = "*";
  std::string http_method = "*";
  std::string url_path = "*";
  std::string resource_arn = "*";
  std::int32_t version = 1;
  std::map<std::string, std::string> attributes;
  std::optional<RateBoost> boost;
  std::int64_t created_ns = 0;
  std::int64_t modified_ns = 0;
  bool operator==(const Rule&) const = default;
};

/// The rule that every set holds; evaluated last.
inline constexpr std::string_view kDefaultRuleName = "Default";

/// "Default": all traffic, 1/s and 5 % unless changed.
Rule DefaultRule(double fixed_rate = 0.05, std::int32_t reservoir = 1);

/// What a client knows about a request it is asked to decide on; empty fields match only patterns
/// that match "".
struct Request {
  std::string service_name{}, service_type{}, host{}, http_method{}, url_path{}, resource_arn{};
  std::map<std::string, std::string> attributes{};
};
/// `*` any run, `?` any one character (UTF-8); whole text; ASCII letters match either case. At most
/// pattern times text steps.
bool WildcardMatch(std::string_view pattern, std::string_view text);
/// All six patterns and all attributes match; an attribute that the request lacks does not.
bool Matches(const Rule& rule, const Request& request);
/// The order in which rules are tried: by priority, then by name, Default last whatever its
/// priority.
bool IsBefore(const Rule& a, const Rule& b);
/// First match by priority, then by name, Default last whatever its priority; null if none. Points
/// into `rules`.
const Rule* FindRule(const std::vector<Rule>& rules, const Request& request);

}  // namespace fluoro::sampling
