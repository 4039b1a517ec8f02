#include "sampling/rule.h"

#include <tuple>

namespace fluoro::sampling {
namespace {

char Folded(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool ContinuesCodePoint(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

// The first position behind the character that starts at `at`.
std::size_t NextCharacter(std::string_view text, std::size_t at) {
  do {
    ++at;
  } while (at < text.size() && ContinuesCodePoint(text[at]));
  return at;
}

struct FieldRule {
  std::string Rule::* pattern;
  std::string Request::* value;
};
constexpr FieldRule kFields[] = {
    {&Rule::service_name, &Request::service_name},
    {&Rule::service_type, &Request::service_type},
    {&Rule::host, &Request::host},
    {&Rule::http_method, &Request::http_method},
    {&Rule::url_path, &Request::url_path},
    {&Rule::resource_arn, &Request::resource_arn},
};

// Order of evaluation: the Default rule last whatever its number.
auto EvaluationKey(const Rule& rule) {
  return std::make_tuple(rule.name == kDefaultRuleName, rule.priority, std::string_view(rule.name));
}

}  // namespace

Rule DefaultRule(double fixed_rate, std::int32_t reservoir) {
  Rule rule;
  rule.name = kDefaultRuleName;
  rule.fixed_rate = fixed_rate;
  rule.reservoir = reservoir;
  return rule;
}

bool WildcardMatch(std::string_view pattern, std::string_view text) {
  // Two positions and the last star to come back to: no recursion, so `*a*a*a*b` stays cheap.
  constexpr std::size_t kNone = std::string_view::npos;
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = kNone;
  std::size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && pattern[p] == '?') {
      ++p;
      t = NextCharacter(text, t);
    } else if (p < pattern.size() && Folded(pattern[p]) == Folded(text[t])) {
      ++p;
      ++t;
    } else if (star != kNone) {
      p = star + 1;
      t = star_text = NextCharacter(text, star_text);
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool Matches(const Rule& rule, const Request& request) {
  for (const FieldRule& field : kFields) {
    if (!WildcardMatch(rule.*field.pattern, request.*field.value)) return false;
  }
  for (const auto& [key, pattern] : rule.attributes) {
    const auto it = request.attributes.find(key);
    if (it == request.attributes.end() || !WildcardMatch(pattern, it->second)) return false;
  }
  return true;
}

bool IsBefore(const Rule& a, const Rule& b) { return EvaluationKey(a) < EvaluationKey(b); }

const Rule* FindRule(const std::vector<Rule>& rules, const Request& request) {
  const Rule* best = nullptr;
  for (const Rule& rule : rules) {
    if (best != nullptr && EvaluationKey(*best) <= EvaluationKey(rule)) continue;
    if (Matches(rule, request)) best = &rule;
  }
  return best;
}

}  // namespace fluoro::sampling
