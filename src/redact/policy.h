// What a server removes: content mode, detectors, rules and the key of hashes, compiled once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "crypto/aead.h"
#include "redact/detector.h"
#include "redact/pattern.h"
#include "redact/rule.h"

namespace fluoro::redact {

/// How often each rule of a policy acted, by its index.
struct Tally {
  std::vector<std::uint64_t> counts;
  std::size_t steps = 0;  ///< bytes that detectors looked at
  void Add(std::size_t rule) {
    if (counts.size() <= rule) counts.resize(rule + 1);
    ++counts[rule];
  }
};

/// What is to be done with a value because of its name.
struct KeyDecision {
  enum class What : std::uint8_t {
    kScan,  ///< its text is looked at
    kKeep,  ///< as it is
    kRule,  ///< removed by `rule`
  };
  What what = What::kScan;
  std::uint16_t rule = 0;
};

/// A text never grows by more than its own length and this: then values become "*".
inline constexpr std::size_t kGrowthBytes = 64;
/// More matches of one pattern in one text, and the whole text goes: work stays linear.
inline constexpr std::size_t kPatternMatchesMax = 256;

/// Immutable; thread-safe.
class Policy {
 public:
  /// @param key  of this store's hashes. `mode` is not kFull: that is no policy at all.
  /// Errors: those of CheckRule; kTooLarge beyond kRulesMax.
  static Result<std::shared_ptr<const Policy>> Make(ContentMode mode, std::vector<Rule> rules,
                                                    const crypto::Secret& key);

  /// The same with other rules of users. Errors: those of Make.
  [[nodiscard]] Result<std::shared_ptr<const Policy>> WithRules(std::vector<Rule> rules) const;

  [[nodiscard]] ContentMode mode() const { return mode_; }

  /// What a removed value says removed it, and how. Index: that of Tally. Detectors first, then
  /// what is built in, then rules of users.
  struct NamedAction {
    std::string name;
    Action action;
  };
  [[nodiscard]] std::span<const NamedAction> actions() const { return actions_; }

  /// The text without secrets; nullopt: there are none. `name`: of the attribute, where rules may
  /// go by it. JSON inside is read, members are judged by their names.
  [[nodiscard]] std::optional<std::string> Scrub(std::string_view text, Tally& tally,
                                                 std::string_view name = {}) const;

  /// What becomes of a text that is the value of the attribute `name`; empty if it is dropped.
  [[nodiscard]] std::string ScrubValue(std::string_view text, std::string_view name,
                                       Tally& tally) const;

  /// `path`: dotted from the attribute on; `leaf`: the last name of it, which is the attribute's
  /// own where there is nothing inside.
  [[nodiscard]] KeyDecision ForKey(std::string_view path, std::string_view leaf) const;
  /// True where what goes into models and comes out is not kept as it is.
  [[nodiscard]] bool HidesContent() const { return mode_ != ContentMode::kRedacted; }
  [[nodiscard]] KeyDecision ForContent() const;
  [[nodiscard]] bool Drops(std::size_t rule) const {
    return actions_[rule].action == Action::kDrop;
  }

  /// How far texts may still grow. Of one value: that of its size.
  struct Growth {
    explicit Growth(std::size_t bytes) : left(bytes + kGrowthBytes) {}
    std::size_t left;
  };
  /// What stands in the place of `removed`; itself, if it is already such a thing.
  [[nodiscard]] std::string Replace(std::size_t rule, std::string_view removed, Growth& growth,
                                    Tally& tally) const;
  /// Detectors and patterns over plain text, appended to `out`. False: nothing was found.
  bool ScrubPlain(std::string_view text, Growth& growth, Tally& tally, std::string& out) const;
  /// Bytes of what an earlier run left at `at` ("<email:3f9a>"); 0: nothing.
  [[nodiscard]] std::size_t PlaceholderAt(std::string_view text, std::size_t at) const;

  static constexpr std::size_t kContentRule = kDetectorsCount;     ///< content by mode
  static constexpr std::size_t kVectorRule = kDetectorsCount + 1;  ///< embedding vectors
  static constexpr std::size_t kCutRule = kDetectorsCount + 2;     ///< ends of cut texts
  static constexpr std::size_t kFirstUserRule = kDetectorsCount + 3;

 private:
  struct KeyRule {
    std::string glob;
    KeyDecision decision;
  };
  struct PatternRule {
    Pattern pattern;
    std::size_t rule;
  };

  Policy(ContentMode mode, DetectorSet detectors, const crypto::Secret& key)
      : mode_(mode), scanner_(detectors), key_(key) {}

  std::optional<std::string> ScrubPattern(const PatternRule& rule, std::string_view text,
                                          Growth& growth, Tally& tally) const;
  // Calls visit(begin, end) for what stands between placeholders.
  template <class Visit>
  void BetweenPlaceholders(std::string_view text, Visit&& visit) const;

  ContentMode mode_;
  Scanner scanner_;
  crypto::Secret key_;
  std::vector<NamedAction> actions_;
  std::map<std::string, KeyDecision, std::less<>> exact_keys_;
  std::vector<KeyRule> glob_keys_;
  std::vector<PatternRule> patterns_;
  std::map<std::string, std::size_t, std::less<>> names_;
};

/// Vectors of embeddings, which are as good as the text they stand for and far longer.
bool IsEmbeddingKey(std::string_view key);

}  // namespace fluoro::redact
