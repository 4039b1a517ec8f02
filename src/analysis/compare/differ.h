// What differs between selected traces and the others: every attribute by how its values are
// shared. How it is counted, tested and ranked, and why: docs/compare.md.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "analysis/compare/attributes.h"
#include "model/assembly.h"

namespace fluoro::analysis::compare {

enum class Side : std::uint8_t { kSelection, kBaseline };
inline constexpr std::size_t kSides = 2;
/// One number a side, by Side.
using BySide = std::array<double, kSides>;

enum class Verdict : std::uint8_t {
  kSure,   ///< a find, with at most 5 % of all finds false
  kMaybe,  ///< would be a find if it were the only key looked at
  kThin,   ///< so many traces may differ so much by chance
};
/// "sure", "maybe", "thin".
std::string_view VerdictName(Verdict verdict);

/// One value of a key, and how many of each side have it.
struct ValueShare {
  enum class Kind : std::uint8_t {
    kValue,
    kRange,   ///< numbers in [low, high)
    kAbsent,  ///< no span of the trace has the key
    kOther,   ///< values for which there was no room
  };
  Kind kind = Kind::kValue;
  std::string text;  ///< of a value; cut at DifferBounds::value_bytes_max
  model::AttributeType type = model::AttributeType::kString;
  double low = 0, high = 0;  ///< of a range
  BySide share{};            ///< 0..1; of all values of the key they sum to 1
  std::array<std::optional<model::TraceId>, kSides> example{};  ///< the first that had it
};

struct KeyName {
  Origin origin = Origin::kSpan;
  std::string key;
  auto operator<=>(const KeyName&) const = default;
};

struct Finding {
  KeyName name;
  Verdict verdict = Verdict::kThin;
  double distance = 0;               ///< Jensen-Shannon, 0..1, shrunk for small counts
  double p = 1;                      ///< of the G-test
  double q = 1;                      ///< least share of false finds at which it still is a find
  std::vector<ValueShare> values{};  ///< those that differ most first, at most kValuesShown
  std::size_t values_more = 0;
  std::vector<KeyName> same_as{};  ///< keys that divide the traces in the same way
};

/// A key of which nearly every trace has another value.
struct IdKey {
  KeyName name;
  double distinct = 1;  ///< distinct values for each trace that has one
};

struct DifferReport {
  struct Set {
    std::uint64_t traces = 0;
    double weight = 0;     ///< sum of 1/probability
    double effective = 0;  ///< traces of equal weight that would tell as much
  };
  std::array<Set, kSides> sets{};
  std::vector<Finding> findings{};  ///< by distance
  std::vector<Finding> given{};     ///< of keys that the selection asks for
  std::vector<IdKey> ids{};
  std::size_t tested = 0;             ///< keys
  std::size_t alike = 0;              ///< of them, those without any difference
  std::uint64_t values_left_out = 0;  ///< of keys for which there was no room
};

struct DifferBounds {
  std::size_t keys_max = 400;
  std::size_t values_max = 256;  ///< of a key; beyond, the rarer half becomes "other"
  std::size_t value_bytes_max = 128;
  std::size_t buckets_max = 512;  ///< of the numbers of a key
};

/// Takes traces one by one. A trace counts once for each key, with its weight, divided over the
/// values that its spans have. Memory: about 250 bytes a value, so 30 MB at most. Not thread-safe.
class Differ {
 public:
  static constexpr std::size_t kValuesShown = 6;

  explicit Differ(DifferBounds bounds = {}) : bounds_(bounds) {}
  /// @param weight  1/probability with which the trace was kept, > 0.
  void Add(const model::AssembledTrace& trace, Side side, double weight);
  /// @param given  names of keys of which it is known that they differ.
  [[nodiscard]] DifferReport Report(const std::set<std::string>& given) const;

 private:
  /// Sums of f*w and f*w*w over traces of weight w, of which a part f has the value.
  struct Sums {
    BySide weight{}, squares{};
    void Add(std::size_t side, double part, double w) {
      weight[side] += part * w;
      squares[side] += part * w * w;
    }
    void Add(const Sums& other);
  };
  struct Value {
    Sums sums{};
    std::array<std::optional<model::TraceId>, kSides> example{};
  };
  struct Seen {
    std::string_view text;
    model::AttributeType type = model::AttributeType::kString;
    double number = 0;
    std::uint32_t count = 0;
  };
  struct Key {
    KeyName name;
    std::map<std::pair<model::AttributeType, std::string>, Value> values{};
    std::map<std::int32_t, Sums> buckets{};  ///< numbers, by BucketOf
    Sums carried{};                          ///< traces that have the key
    Sums other{};                            ///< texts that were dropped
    std::uint64_t texts = 0;     ///< pairs of a trace and a text, until values were dropped
    std::uint64_t distinct = 0;  ///< texts that were new, likewise
    bool dropped_numbers = false;
    bool dropped = false;
    std::vector<Seen> seen{};  ///< of the trace that is being added
    std::uint32_t seen_spans = 0;
  };
  struct Cell {
    ValueShare value;
    Sums sums;
  };
  struct Judged;

  void See(Origin origin, std::string_view key, const model::AttributeValue& value);
  void Count(Key& key, const model::TraceId& id, std::size_t side, double weight);
  void MakeRoom(Key& key) const;
  [[nodiscard]] std::vector<Cell> CellsOf(const Key& key) const;
  [[nodiscard]] Judged Judge(const Key& key) const;

  DifferBounds bounds_;
  std::array<std::uint64_t, kSides> traces_{};
  Sums total_;
  std::vector<Key> keys_;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  std::array<std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>>, kOrigins> index_;
  std::vector<std::size_t> touched_;  ///< keys of the trace that is being added
  std::deque<std::string> texts_;     ///< values of it that had to be printed
  std::uint64_t values_left_out_ = 0;
};

}  // namespace fluoro::analysis::compare
