// What one sealed block says of the values of each key: collected column by column while the block
// is written, taken over by the guard once the block stands.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cardinality/heavy_hitters.h"
#include "cardinality/hyper_log_log.h"
#include "cardinality/key_class.h"
#include "cardinality/pattern.h"

namespace fluoro::cardinality {

/// Bits of what has a key; stored: never renumber.
enum Carrier : std::uint8_t {
  kResource = 1U << 0U,
  kScope = 1U << 1U,
  kSpan = 1U << 2U,
  kEvent = 1U << 3U,
  kLink = 1U << 4U,
  kAnnotation = 1U << 5U,  ///< a span's attribute that is an X-Ray annotation
  kCall = 1U << 6U,        ///< calls of models and tools, whatever says it of them
};

/// The first values of a key, by which its kind is told before there are many.
class FirstValues {
 public:
  static constexpr std::size_t kValuesMax = 200;
  struct Value {
    std::uint32_t hash = 0;
    Pattern pattern = Pattern::kText;
    bool operator==(const Value&) const = default;
  };
  /// A value as it came. Beyond kValuesMax nothing is kept.
  void AddOne(std::uint32_t hash) {
    if (ones_.size() < kValuesMax) ones_.push_back(hash);
  }
  /// A value that may have come before.
  void AddDifferent(Value value);
  /// What came behind.
  void Add(const FirstValues& later);
  [[nodiscard]] bool wants_ones() const { return ones_.size() < kValuesMax; }
  [[nodiscard]] bool wants_different() const { return different_.size() < kValuesMax; }

  /// kValuesMax came, and of these 95 % differ.
  [[nodiscard]] bool AreUnique() const;
  /// kValuesMax different ones came, and of these 80 % are id-like.
  [[nodiscard]] bool AreIdLike() const;
  /// Of the different values, that of most; kText if there are none.
  [[nodiscard]] Pattern Prevailing() const;

  [[nodiscard]] const std::vector<std::uint32_t>& ones() const { return ones_; }
  [[nodiscard]] const std::vector<Value>& different() const { return different_; }
  /// Each at most kValuesMax; the second by hash, ascending.
  static FirstValues Of(std::vector<std::uint32_t> ones, std::vector<Value> different);

 private:
  std::vector<std::uint32_t> ones_;
  std::vector<Value> different_;  ///< by hash
};

/// Hashes of different texts, as long as they are few enough to be told one by one.
class HashSet {
 public:
  void Add(std::uint32_t hash);
  /// Ascending. kBudgetMax of them: there may have been more.
  [[nodiscard]] std::span<const std::uint32_t> hashes();

 private:
  void Settle();
  std::vector<std::uint32_t> hashes_;
  std::size_t sorted_ = 0;
};

/// Of one key in one block.
struct KeyValues {
  static constexpr std::size_t kExamplesMax = 4;
  std::uint8_t carriers = 0;
  bool has_texts = false;
  std::uint64_t spans = 0;        ///< values on spans; of resources, about the spans that have them
  std::uint64_t bytes = 0;        ///< of columns as they were sealed
  std::uint64_t index_bytes = 0;  ///< of filters over texts
  HyperLogLog distinct;
  HashSet texts;
  FirstValues first;
  HeavyHitters hitters;  ///< of texts
  std::vector<std::string> examples;
  /// Keeps an example, cut to what is shown.
  void AddExample(std::string_view text);
};

/// Not thread-safe.
class BlockValues {
 public:
  explicit BlockValues(std::size_t keys_max) : keys_max_(keys_max) {}
  /// Null: there are too many keys.
  KeyValues* Of(std::string_view key);
  [[nodiscard]] std::map<std::string, KeyValues, std::less<>>& keys() { return keys_; }
  /// Asked for and not given, a key each time.
  [[nodiscard]] std::uint64_t crowded_out() const { return crowded_out_; }

 private:
  std::size_t keys_max_;
  std::map<std::string, KeyValues, std::less<>> keys_;
  std::uint64_t crowded_out_ = 0;
};

}  // namespace fluoro::cardinality
