// Times of streamed answers over many traces, by model.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "analysis/ledger/token_estimate.h"
#include "analysis/ledger/token_times.h"
#include "analysis/statistics.h"

namespace fluoro::analysis {

/// Models that are told apart; calls of others are counted and left out.
inline constexpr std::size_t kTokenModelsMax = 500;

/// Sums weighted by 1 / kept probability.
struct TokenRow {
  std::string model;
  std::int64_t calls = 0;
  double weight = 0;
  double first_token_ns = 0;
  double decode_ns = 0;
  double tail_ns = 0;
  DurationHistogram first_tokens;
  DurationHistogram per_token;         ///< of calls with two tokens or more
  std::int64_t calls_with_phases = 0;  ///< an engine told of
  double phases_weight = 0;
  double phases_first_token_ns = 0;
  double connect_send_ns = 0;
  double queue_ns = 0;
  double prefill_ns = 0;
  double first_token_return_ns = 0;
  std::int64_t stalled_calls = 0;
  std::int64_t stalls = 0;
  std::int64_t stall_ns = 0;
  std::int64_t clocks_differ = 0;  ///< calls
  std::int64_t early_ends = 0;     ///< calls
  TokenSamples first;              ///< of calls that no engine told of: until the first token
  TokenSamples rest;               ///< and after it
};

/// Not thread-safe. Memory: kTokenModelsMax rows of at most 15 kilobytes.
class TokenTable {
 public:
  /// @param weight  1 / kept probability, > 0.
  void Add(const TokenTimes& times, double weight);
  /// Most calls first.
  [[nodiscard]] std::vector<const TokenRow*> Rows() const;
  /// Calls of models for which there was no room.
  [[nodiscard]] std::int64_t crowded_out() const { return crowded_out_; }

 private:
  std::map<std::string, TokenRow, std::less<>> rows_;
  std::int64_t crowded_out_ = 0;
};

}  // namespace fluoro::analysis
