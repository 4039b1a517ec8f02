#include "redact/policy.h"

#include <algorithm>

#include "base/assert.h"
#include "model/content.h"
#include "redact/glob.h"
#include "redact/json_scrub.h"
#include "redact/keyed_hash.h"

namespace fluoro::redact {
namespace {

constexpr std::string_view kNoRoom = "*";  // for what would make a text grow beyond its bound
constexpr std::size_t kHashDigits = 4;
constexpr std::size_t kContentHashDigits = 12;  // too few for a card number
constexpr std::size_t kRuleNameMax = 32;
constexpr std::size_t kBytesPerToken = 4;  // what tokenisers of today make of plain English

bool IsHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// " 20480 bytes ~5120 tokens>" from `at` on; its end, or 0.
std::size_t SizesEnd(std::string_view text, std::size_t at) {
  for (const std::string_view word : {" ", " bytes ~"}) {
    if (!text.substr(at).starts_with(word)) return 0;
    at += word.size();
    const std::size_t begin = at;
    while (at < text.size() && at < begin + 12 && IsDigit(text[at])) ++at;
    if (at == begin) return 0;
  }
  constexpr std::string_view kEnd = " tokens>";
  return text.substr(at).starts_with(kEnd) ? at + kEnd.size() : 0;
}

}  // namespace

bool IsEmbeddingKey(std::string_view key) {
  return key == "ai.embedding" || key == "ai.embeddings" || key.ends_with("embedding.vector") ||
         key == "gen_ai.embeddings" || key == "gen_ai.response.embeddings";
}

Result<std::shared_ptr<const Policy>> Policy::Make(ContentMode mode, std::vector<Rule> rules,
                                                   const crypto::Secret& key) {
  FLUORO_ASSERT(mode != ContentMode::kFull);
  if (rules.size() > kRulesMax) {
    return Fail(ErrorCode::kTooLarge, std::to_string(rules.size()) + " redaction rules, at most " +
                                          std::to_string(kRulesMax) + " are taken");
  }
  for (const Rule& rule : rules) FLUORO_CHECK_OK(CheckRule(rule));

  DetectorSet detectors;
  std::vector<NamedAction> actions;
  for (std::size_t i = 0; i < kDetectorsCount; ++i) {
    const auto detector = static_cast<Detector>(i);
    detectors.set(i, IsOnByDefault(detector));
    actions.push_back({std::string(DetectorName(detector)), Action::kHash});
  }
  for (const Rule& rule : rules) {
    if (rule.kind != RuleKind::kDetector) continue;
    const auto i = static_cast<std::size_t>(*ParseDetector(rule.match));
    detectors.set(i, rule.action != Action::kKeep);
    actions[i].action = rule.action;
  }
  actions.push_back({"content", mode == ContentMode::kNone ? Action::kDrop : Action::kHash});
  actions.push_back({"embedding", Action::kDrop});
  actions.push_back({"cut", Action::kMask});

  std::shared_ptr<Policy> policy(new Policy(mode, detectors, key));
  for (const Rule& rule : rules) {
    if (rule.kind == RuleKind::kDetector) continue;
    const std::size_t index = actions.size();
    actions.push_back({rule.name, rule.action});
    if (rule.kind == RuleKind::kPattern) {
      FLUORO_TRY(Pattern pattern, Pattern::Compile(rule.match));
      policy->patterns_.push_back({std::move(pattern), index});
      continue;
    }
    const KeyDecision decision{
        .what = rule.action == Action::kKeep ? KeyDecision::What::kKeep : KeyDecision::What::kRule,
        .rule = static_cast<std::uint16_t>(index)};
    if (rule.match.find('*') == std::string::npos) {
      policy->exact_keys_.try_emplace(rule.match, decision);
    } else {
      policy->glob_keys_.push_back({rule.match, decision});
    }
  }
  policy->actions_ = std::move(actions);
  for (std::size_t i = 0; i < policy->actions_.size(); ++i)
    policy->names_.try_emplace(policy->actions_[i].name, i);
  return policy;
}

Result<std::shared_ptr<const Policy>> Policy::WithRules(std::vector<Rule> rules) const {
  return Make(mode_, std::move(rules), key_);
}

std::string Policy::ScrubValue(std::string_view text, std::string_view name, Tally& tally) const {
  const KeyDecision decision = ForKey(name, name);
  if (decision.what == KeyDecision::What::kKeep) return std::string(text);
  if (decision.what == KeyDecision::What::kScan)
    return Scrub(text, tally, name).value_or(std::string(text));
  Growth growth(text.size());
  return Replace(decision.rule, text, growth, tally);
}

KeyDecision Policy::ForContent() const {
  return {.what = KeyDecision::What::kRule, .rule = static_cast<std::uint16_t>(kContentRule)};
}

KeyDecision Policy::ForKey(std::string_view path, std::string_view leaf) const {
  if (!exact_keys_.empty()) {
    auto found = exact_keys_.find(path);
    if (found == exact_keys_.end()) found = exact_keys_.find(leaf);
    if (found != exact_keys_.end()) return found->second;
  }
  for (const KeyRule& rule : glob_keys_) {
    if (MatchesGlob(rule.glob, path) || MatchesGlob(rule.glob, leaf)) return rule.decision;
  }
  if (IsEmbeddingKey(leaf))
    return {.what = KeyDecision::What::kRule, .rule = static_cast<std::uint16_t>(kVectorRule)};
  if (HidesContent() && model::IsContentKey(leaf)) return ForContent();
  if (scanner_.detectors().test(static_cast<std::size_t>(Detector::kSecret)) && IsSecretName(leaf))
    return {.what = KeyDecision::What::kRule,
            .rule = static_cast<std::uint16_t>(Detector::kSecret)};
  return {};
}

std::size_t Policy::PlaceholderAt(std::string_view text, std::size_t at) const {
  if (at >= text.size() || text[at] != '<') return 0;
  std::size_t end = at + 1;
  while (end < text.size() && end - at <= kRuleNameMax + 1 && text[end] != '>' && text[end] != ':')
    ++end;
  if (end >= text.size() || !names_.contains(text.substr(at + 1, end - at - 1))) return 0;
  if (text[end] == '>') return end + 1 - at;
  if (text[end] != ':') return 0;
  const std::size_t hash = ++end;
  while (end < text.size() && end - hash < kContentHashDigits && IsHex(text[end])) ++end;
  if (end - hash == kHashDigits && end < text.size() && text[end] == '>') return end + 1 - at;
  if (end - hash != kContentHashDigits) return 0;
  const std::size_t sizes = SizesEnd(text, end);
  return sizes == 0 ? 0 : sizes - at;
}

std::string Policy::Replace(std::size_t rule, std::string_view removed, Growth& growth,
                            Tally& tally) const {
  if (removed == kNoRoom || (!removed.empty() && PlaceholderAt(removed, 0) == removed.size()))
    return std::string(removed);
  tally.Add(rule);
  const NamedAction& by = actions_[rule];
  if (by.action == Action::kDrop) return {};
  std::string out = "<" + by.name;
  if (rule == kContentRule) {
    out += ":" + KeyedHash(key_, removed, kContentHashDigits) + " " +
           std::to_string(removed.size()) + " bytes ~" +
           std::to_string((removed.size() + kBytesPerToken - 1) / kBytesPerToken) + " tokens";
  } else if (by.action == Action::kHash) {
    out += ":" + KeyedHash(key_, removed, kHashDigits);
  }
  out += ">";
  if (out.size() > removed.size()) {
    const std::size_t more = out.size() - removed.size();
    if (more > growth.left) return std::string(kNoRoom);
    growth.left -= more;
  }
  return out;
}

template <class Visit>
void Policy::BetweenPlaceholders(std::string_view text, Visit&& visit) const {
  std::size_t begin = 0;
  for (std::size_t at = text.find('<'); at != std::string_view::npos; at = text.find('<', at)) {
    const std::size_t bytes = PlaceholderAt(text, at);
    if (bytes == 0) {
      ++at;
      continue;
    }
    visit(begin, at);
    begin = at += bytes;
  }
  visit(begin, text.size());
}

std::optional<std::string> Policy::ScrubPattern(const PatternRule& rule, std::string_view text,
                                                Growth& growth, Tally& tally) const {
  std::string out;
  std::size_t done = 0;
  std::size_t matches = 0;
  BetweenPlaceholders(text, [&](std::size_t begin, std::size_t end) {
    const std::string_view window = text.substr(0, end);
    while (matches <= kPatternMatchesMax) {
      const auto found = rule.pattern.Find(window, begin);
      if (!found) return;
      ++matches;
      out.append(text.substr(done, found->first - done));
      out += Replace(rule.rule, text.substr(found->first, found->second - found->first), growth,
                     tally);
      begin = done = found->second;
    }
  });
  if (matches == 0) return std::nullopt;
  if (matches > kPatternMatchesMax) return Replace(rule.rule, text, growth, tally);
  out.append(text.substr(done));
  return out;
}

bool Policy::ScrubPlain(std::string_view text, Growth& growth, Tally& tally,
                        std::string& out) const {
  std::string scrubbed;
  std::size_t done = 0;
  BetweenPlaceholders(text, [&](std::size_t begin, std::size_t end) {
    const std::string_view window = text.substr(0, end);
    while (const auto found = scanner_.Next(window, begin, tally.steps)) {
      scrubbed.append(text.substr(done, found->begin - done));
      scrubbed += Replace(static_cast<std::size_t>(found->detector),
                          text.substr(found->begin, found->end - found->begin), growth, tally);
      begin = done = found->end;
    }
  });
  bool changed = done > 0;
  if (changed) scrubbed.append(text.substr(done));
  for (const PatternRule& rule : patterns_) {
    auto next = ScrubPattern(rule, changed ? std::string_view(scrubbed) : text, growth, tally);
    if (!next) continue;
    scrubbed = *std::move(next);
    changed = true;
  }
  if (!changed || scrubbed == text) return false;
  out += scrubbed;
  return true;
}

std::optional<std::string> Policy::Scrub(std::string_view text, Tally& tally,
                                         std::string_view name) const {
  Growth growth(text.size());
  std::string out;
  if (LooksLikeJson(text)) {
    JsonScrubber scrubber(*this, growth, tally);
    if (scrubber.Run(text, name, out)) return out;
    return std::nullopt;
  }
  if (ScrubPlain(text, growth, tally, out)) return out;
  return std::nullopt;
}

}  // namespace fluoro::redact
