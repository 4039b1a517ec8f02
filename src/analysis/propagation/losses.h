// The proofs of loss by edge, before they are put into words.
#pragma once

#include <map>
#include <vector>

#include "analysis/propagation/finder.h"

namespace fluoro::analysis::propagation {

/// How a pair shows that its halves are one request.
enum class Proof : std::uint8_t {
  kTime,       ///< lies inside, same method and path
  kHeader,     ///< the callee recorded the header that names the caller
  kShortId,    ///< the callee names the caller's span, in a trace id of 64 bits
  kOtherId,    ///< ... in another trace
  kRewritten,  ///< same trace, another parent
  kDropped,    ///< same trace, the parent did not come
};
inline constexpr std::size_t kProofs = 6;

/// Pairs of one edge with one proof.
struct Losses {
  Weighted lost;
  std::vector<Example> examples;
  Splits splits;
  std::map<std::pair<IdStyle, IdStyle>, double> styles;
  std::map<TextId, double> headers;
  std::map<TextId, double> vias;
  std::uint64_t pairs = 0;
  double by_chance = 0;
  bool xray_caller = false;
  bool xray_callee = false;
};

struct EdgeLosses {
  std::array<Losses, kProofs> by_proof;
  Weighted unpaired;        ///< calls that went the same way and have no callee either
  double callee_roots = 0;  ///< of the callee: what lost calls may have become
  /// Sampling: halves that have no other half.
  Weighted caller_alone;
  Weighted callee_alone;
  std::vector<Example> alone_examples;
};

struct AllLosses {
  std::map<ServicePair, EdgeLosses> edges;
  double calls_without_callee = 0;
};

/// Consumes the rows of `tables`; its edges and texts stay.
AllLosses FindLosses(Tables& tables);

/// Calls and the share that survives. `lost_at_least`: of `lost`, those of which it is certain.
void SetShare(BrokenEdge& edge, const Weighted& survived, const Weighted& lost,
              const Weighted& lost_at_least);

/// Losses through queues, inside services, and clocks that differ: whole edges.
void FindQueues(const Tables& tables, std::map<EdgeKey, BrokenEdge>& edges);
void FindAsync(const Tables& tables, std::map<EdgeKey, BrokenEdge>& edges);
/// Callee's clock less the caller's, of hosts by which it differs more than kSkewNs.
struct Skew {
  TextId caller_host = 0;
  TextId callee_host = 0;
  std::int64_t ns = 0;
  std::size_t calls = 0;
};
std::vector<Skew> SkewsOf(const EdgeTally& edge);
/// By the median of all hosts; 0 if there are too few calls.
std::int64_t OffsetOf(const EdgeTally& edge);

/// Names the causes of an edge of calls, and sets its share. Gives how many of the unpaired calls
/// count as lost.
double NameCauses(const Tables& tables, const AllLosses& all, const ServicePair& edge,
                  const EdgeLosses& losses, BrokenEdge& out);
void NameSkew(const Tables& tables, const EdgeTally& tally, BrokenEdge& out);

}  // namespace fluoro::analysis::propagation
