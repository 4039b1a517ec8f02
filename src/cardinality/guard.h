// The cardinality guard: watches how many values each key has, warns before there are too many, and
// demotes a key from the indexes once there are. Nothing is dropped. docs/cardinality.md.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cardinality/block_values.h"
#include "cardinality/key_class.h"
#include "cardinality/key_state.h"

namespace fluoro::cardinality {

/// What values that are not known are grouped as.
inline constexpr std::string_view kOther = "__other__";

/// What is indexed of which key. Immutable.
class IndexPolicy {
 public:
  using Known = std::map<std::string, KnownValues, std::less<>>;
  /// @param unfiltered  keys of which the guard or somebody said that they have no filters.
  /// @param known       what stays grouped, of each key of which new values are not.
  IndexPolicy(const Settings& settings, std::set<std::string, std::less<>> unfiltered, Known known);
  /// Whether filters over the key's texts are written.
  [[nodiscard]] bool HasFilter(std::string_view key) const;
  /// Whether values of the key become known by coming: it is grouped, and not demoted.
  [[nodiscard]] bool IsOpen(std::string_view key) const;
  /// The value as it is grouped: itself or kOther.
  [[nodiscard]] std::string_view Group(std::string_view key, std::string_view value) const;

 private:
  std::map<std::string, Index, std::less<>> by_hand_;
  std::set<std::string, std::less<>> unfiltered_;
  Known known_;
};

struct GuardLimits {
  std::size_t keys_max = 2'000;
  /// Of everything that is remembered. Beyond, sets of values are told less exactly.
  std::size_t bytes_max = std::size_t{16} << 20;
  /// Keys that were not seen for so long are forgotten.
  std::int64_t forget_ns = 7 * 24 * kHourNs;
};

/// A key that came into another state.
struct StateChange {
  std::string key;
  State before = State::kOk;
  State now = State::kOk;
  Why why = Why::kNone;
  std::uint64_t distinct = 0;
  std::uint32_t budget = 0;
};

/// Of one key, as it is told.
struct KeyReport {
  std::string key;
  KeyClass key_class = KeyClass::kGuarded;
  std::string budget_name;              ///< under which it stands in the settings
  std::optional<std::uint32_t> budget;  ///< none: it is not guarded
  std::uint8_t carriers = 0;
  State state = State::kOk;
  Why why = Why::kNone;
  std::int64_t since_ns = 0;
  Index index = Index::kFull;
  bool by_hand = false;                                 ///< somebody decided what is indexed of it
  std::uint64_t distinct = 0;                           ///< in 24 hours
  double error = 0;                                     ///< relative standard error of that
  std::uint64_t spans = 0, bytes = 0, index_bytes = 0;  ///< since first_seen_ns
  std::int64_t first_seen_ns = 0, last_seen_ns = 0;
  std::optional<double> growth_per_hour;  ///< of `distinct`; none: seen for too short
  std::optional<std::int64_t> breach_ns;  ///< when it has as many as its budget, at that growth
  Pattern pattern = Pattern::kText;
  std::vector<std::string> examples;
};

struct KeyDetail {
  KeyReport report;
  std::vector<HeavyHitters::Entry> values;  ///< most frequent first
  std::uint64_t other_spans = 0;            ///< spans with a value that is not among them
  struct HourReport {
    HourCount count;
    std::uint64_t bytes = 0, index_bytes = 0;  ///< of the last 24 hours
  };
  std::vector<HourReport> hours;  ///< ascending
};

struct Census {
  std::int64_t as_of_ns = 0;    ///< what came in since is not counted
  std::vector<KeyReport> keys;  ///< by name
  std::uint64_t keys_max = 0;
  std::uint64_t crowded_out = 0;  ///< keys in blocks for which there was no room
  std::uint64_t memory_bytes = 0, memory_bytes_max = 0;
};

/// Copyable. Not thread-safe, not even for reading.
class Guard {
 public:
  using Keys = std::map<std::string, KeyState, std::less<>>;
  explicit Guard(const GuardLimits& limits) : limits_(limits) {}

  /// Takes over what a block says. `now_ns`: when it was sealed. Returns what changed.
  std::vector<StateChange> Absorb(BlockValues& values, std::int64_t now_ns,
                                  const Settings& settings);
  /// Judges every key anew, as after a change of the settings.
  std::vector<StateChange> JudgeAll(std::int64_t now_ns, const Settings& settings);
  [[nodiscard]] std::shared_ptr<const IndexPolicy> MakePolicy(const Settings& settings) const;

  [[nodiscard]] Census Report(std::int64_t now_ns, const Settings& settings) const;
  /// Null: no such key.
  [[nodiscard]] std::optional<KeyDetail> Report(std::string_view key, std::int64_t now_ns,
                                                const Settings& settings) const;
  [[nodiscard]] std::size_t Count(State state) const;

  /// Forgets all texts that it has of values: spans were deleted that may have had them.
  void ForgetTexts();

  [[nodiscard]] const Keys& keys() const { return keys_; }
  [[nodiscard]] std::uint64_t crowded_out() const { return crowded_out_; }
  [[nodiscard]] std::int64_t as_of_ns() const { return as_of_ns_; }
  [[nodiscard]] const GuardLimits& limits() const { return limits_; }
  [[nodiscard]] std::size_t MemoryBytes() const;
  /// From a file. Keys beyond the limits are left out.
  void Restore(Keys keys, std::uint64_t crowded_out, std::int64_t as_of_ns);

 private:
  KeyState* FindOrMake(const std::string& key, std::int64_t now_ns);
  void ForgetOld(std::int64_t now_ns);
  void Shrink();
  std::optional<StateChange> Judge(const std::string& key, KeyState& state, std::int64_t now_ns,
                                   const Settings& settings, bool anew) const;

  GuardLimits limits_;
  Keys keys_;
  std::uint64_t crowded_out_ = 0;
  std::int64_t as_of_ns_ = 0;
};

}  // namespace fluoro::cardinality
