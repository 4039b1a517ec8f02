// A random life of one store on a disk that loses power again and again. One integer repeats it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "workload.h"

namespace fluoro::crash {

struct RandomRunCounts {
  std::uint64_t losses = 0;              ///< of power, of all kinds
  std::uint64_t losses_of_kind[5] = {};  ///< in order of PowerLoss
  std::uint64_t process_ends = 0;        ///< the power stays, and nothing becomes durable
  std::uint64_t in_recovery = 0;         ///< of them, while a store was starting
  std::uint64_t most_in_a_row = 0;       ///< starts that were cut one after the other
  std::uint64_t appends = 0, seals = 0, maintenances = 0, merges = 0, deletes = 0, retentions = 0,
                reopens = 0;
  std::uint64_t thinned = 0;  ///< traces that tail policies dropped
  std::uint64_t faults = 0;   ///< calls made to fail
  std::uint64_t checks = 0;
  std::uint64_t wanted_spans = 0;  ///< that were looked for and found, in all checks

  void Add(const RandomRunCounts& other);
};

struct RandomRunOptions {
  std::uint64_t seed = 0;
  bool ignore_syncs = false;  ///< what must be noticed
  bool fail_calls = false;    ///< single calls of every kind fail now and then
  bool tell = false;          ///< each step on standard output
};

/// Empty: the store kept its promise. Otherwise what was wrong after one of the power losses.
std::vector<std::string> RunRandomWorkload(const RandomRunOptions& options,
                                           RandomRunCounts& counts);

}  // namespace fluoro::crash
