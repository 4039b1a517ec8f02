// What is indexed of a key, and how many values it may have, by its name. docs/cardinality.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace fluoro::cardinality {

enum class KeyClass : std::uint8_t {
  kGrouped,  ///< grouped; its budget is a backstop
  kGuarded,  ///< grouped, as long as it has few values: every key that is not known
  kNumeric,  ///< numbers: filtered by range, not guarded
  kLookup,   ///< names one thing: found by exact match, never grouped
  kContent,  ///< prompts, answers, statements, stack traces: never indexed
};
/// "grouped", "guarded", "numeric", "lookup", "content".
std::string_view KeyClassName(KeyClass key_class);

struct KeyKind {
  KeyClass key_class = KeyClass::kGuarded;
  /// The budget it falls under: a canonical field of docs/genai.md, or kUserKey.
  std::string_view budget;
};
inline constexpr std::string_view kUserKey = "user_key";
/// Canonical fields behind "calls/" are those of calls of models and tools. Pure.
KeyKind KindOf(std::string_view key);

/// Budgets of different values in 24 hours, by name.
using Budgets = std::map<std::string, std::uint32_t, std::less<>>;
const Budgets& DefaultBudgets();
inline constexpr std::uint32_t kBudgetMax = 65'536;

/// What is done so that a value is found fast.
enum class Index : std::uint8_t {
  kFull,    ///< grouped and completed, and in filters over texts
  kLookup,  ///< in filters over texts alone: found by exact match; new values are not grouped
  kNone,    ///< found by reading the key's column
};
/// "full", "lookup", "none".
std::string_view IndexName(Index index);
std::optional<Index> ParseIndex(std::string_view name);

/// What was decided by hand.
struct Settings {
  struct Key {
    std::optional<Index> index;  ///< kFull: it is not guarded, however many values it has
    std::optional<std::uint32_t> budget;
    bool operator==(const Key&) const = default;
  };
  Budgets budgets;  ///< instead of the default ones
  /// What a key is left with that the guard demotes: kLookup or kNone.
  Index guarded_index = Index::kLookup;
  std::map<std::string, Key, std::less<>> keys;
  bool operator==(const Settings&) const = default;

  [[nodiscard]] std::uint32_t BudgetOf(std::string_view key, const KeyKind& kind) const;
  [[nodiscard]] const Key* Find(std::string_view key) const;
};

}  // namespace fluoro::cardinality
