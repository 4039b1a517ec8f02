#include "query/keyword.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace fluoro::query {
namespace {

constexpr std::array<std::string_view, 27> kNames = {
    "ok",          "error",          "throttle",      "fault",
    "partial",     "inferred",       "first",         "last",
    "remote",      "root",           "responsetime",  "duration",
    "http.status", "index",          "coverage",      "http.url",
    "http.method", "http.useragent", "http.clientip", "user",
    "name",        "type",           "message",       "availabilityzone",
    "instance.id", "resource.arn",   "account.id"};
static_assert(kNames.size() == std::to_underlying(Keyword::kAccountId) + 1);

constexpr std::array<std::string_view, 14> kComplexNames = {"service",
                                                            "edge",
                                                            "annotation.<key>",
                                                            "group.name",
                                                            "group.arn",
                                                            "rootcause.json",
                                                            "rootcause.responsetime.service",
                                                            "rootcause.responsetime.entity",
                                                            "rootcause.fault.service",
                                                            "rootcause.fault.entity",
                                                            "rootcause.fault.exception",
                                                            "rootcause.error.service",
                                                            "rootcause.error.entity",
                                                            "rootcause.error.exception"};

/// Words of other query languages and the keyword that does the same here.
constexpr std::array<std::pair<std::string_view, std::string_view>, 16> kSynonyms = {{
    {"not", "!"},
    {"like", "CONTAINS"},
    {"matches", "CONTAINS"},
    {"startswith", "BEGINSWITH"},
    {"latency", "responsetime"},
    {"elapsed", "duration"},
    {"url", "http.url"},
    {"path", "http.url"},
    {"status", "http.status"},
    {"statuscode", "http.status"},
    {"ip", "http.clientip"},
    {"zone", "availabilityzone"},
    {"arn", "resource.arn"},
    {"account", "account.id"},
    {"instance", "instance.id"},
    {"group", "group.name"},
}};

/// Edits (insert, delete, replace, swap of neighbours) from a to b.
std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min(
          {last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? std::size_t{0} : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::string WithoutSeparators(std::string_view word) {
  std::string out;
  std::ranges::copy_if(word, std::back_inserter(out), [](char c) { return c != '.' && c != '_'; });
  return out;
}

}  // namespace

KeywordType TypeOf(Keyword keyword) {
  if (keyword <= Keyword::kRoot) return KeywordType::kBoolean;
  return keyword <= Keyword::kCoverage ? KeywordType::kNumber : KeywordType::kString;
}

std::string_view KeywordName(Keyword keyword) { return kNames[std::to_underlying(keyword)]; }

std::optional<Keyword> FindKeyword(std::string_view word) {
  const auto it = std::ranges::find(kNames, AsciiLower(word));
  if (it == kNames.end()) return std::nullopt;
  return static_cast<Keyword>(it - kNames.begin());
}

std::string AsciiLower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string SuggestKeyword(std::string_view word) {
  constexpr std::size_t kLongest = 40;  // no keyword is near a longer word
  if (word.size() > kLongest) return "";
  const std::string wanted = AsciiLower(word);
  for (const auto& [other, ours] : kSynonyms) {
    if (other == WithoutSeparators(wanted)) return std::string(ours);
  }
  if (const auto dot = wanted.find('.'); dot != std::string::npos && dot + 1 < wanted.size()) {
    if (EditDistance(wanted.substr(0, dot), "annotation") <= 2) {
      return "annotation." + std::string(word.substr(dot + 1));
    }
  }
  std::string_view best;
  std::size_t best_edits =
      std::max<std::size_t>(1, std::min<std::size_t>(3, wanted.size() / 3)) + 1;
  const auto consider = [&](std::string_view name) {
    const std::string_view last_piece = name.substr(name.rfind('.') + 1);
    std::size_t edits = std::min(EditDistance(wanted, name),
                                 EditDistance(WithoutSeparators(wanted), WithoutSeparators(name)));
    if (wanted == last_piece) edits = 0;  // "useragent" for "http.useragent"
    if (edits < best_edits) {
      best_edits = edits;
      best = name;
    }
  };
  for (const auto name : kNames) consider(name);
  for (const auto name : kComplexNames) consider(name);
  return std::string(best);
}

}  // namespace fluoro::query
