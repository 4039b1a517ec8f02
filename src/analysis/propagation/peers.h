// Which service answers to a name that calls address.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "analysis/propagation/records.h"

namespace fluoro::analysis::propagation {

/// Learns from calls whose callee is known and from what services say of themselves. Bounded. Not
/// thread-safe.
class PeerMap {
 public:
  static constexpr std::size_t kPeersMax = 50'000;
  static constexpr std::size_t kServicesMax = 8;  ///< behind one name
  explicit PeerMap(Texts& texts) : texts_(texts) {}

  /// A call that addressed these was answered by `service`.
  void LearnCall(const Peers& peers, TextId part, TextId service, double weight);
  /// A service that sends spans of its own.
  void LearnService(TextId service);
  /// A service says that it was addressed by `host`.
  void LearnHost(TextId host, TextId service);

  /// Services that the call may have reached, the likeliest first; empty: not known.
  [[nodiscard]] std::vector<TextId> Resolve(const LostCall& call) const;
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }

 private:
  using Counts = std::vector<std::pair<TextId, double>>;
  void Add(std::uint64_t key, TextId service, double weight);
  [[nodiscard]] const Counts* Find(std::uint64_t key) const;
  [[nodiscard]] TextId ServiceNamed(TextId peer) const;

  Texts& texts_;
  std::unordered_map<std::uint64_t, Counts> answered_;   ///< by peer and first part of the path
  std::map<std::string, TextId, std::less<>> services_;  ///< by lower-case name
  std::uint64_t left_out_ = 0;
};

}  // namespace fluoro::analysis::propagation
