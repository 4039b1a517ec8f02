// How well insights find what was broken: faults are injected into replayed traffic, one at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "analysis/insight.h"
#include "base/error.h"
#include "traffic.h"

namespace fluoro::judge {

struct Outcome {
  InjectedFault fault;
  std::string service;
  bool found = false;        ///< an insight opened while it lasted
  int delay_minutes = 0;     ///< from the injection to the end of the minute that opened it
  std::optional<int> rank;   ///< of the service among the top services, from 1
  std::string named;         ///< the root cause that was found
  bool plain_found = false;  ///< the plain rule opened for the service itself
};

struct FaultReport {
  std::string traffic;
  std::vector<Outcome> outcomes;
  [[nodiscard]] std::size_t CountFound() const;
  [[nodiscard]] std::size_t CountInTop(int places) const;
  /// Minutes; of those that were found.
  [[nodiscard]] double MeanDelay() const;
};

struct QuietReport {
  std::string traffic;
  double days = 0;
  std::size_t fault_insights = 0;  ///< opened where nothing was injected
  std::size_t latency_insights = 0;
  std::size_t services = 0;
  std::size_t plain_openings = 0;       ///< of the plain rule
  std::vector<std::string> insights{};  ///< what they said last
};

/// Every service with enough traffic in turn, with every kind of fault: an hour of quiet, ten
/// minutes of fault, each with noise of its own. What counts is the state at the end of the sixth
/// minute after the insight opened, or of the fault.
FaultReport JudgeFaults(const Traffic& traffic, std::uint64_t seed, std::size_t faults_max);

/// `days` days without faults, the first two hours of which only teach.
QuietReport JudgeQuiet(const Traffic& traffic, std::uint64_t seed, int days);

/// Traces of CSV files (gzip), as the product assembles them. Errors: kNotFound, kCorruption.
Result<std::vector<model::AssembledTrace>> ReadTraces(
    const std::vector<std::filesystem::path>& files);

/// The folder of recorded workloads beside the checkout; nothing if it is absent.
std::optional<std::filesystem::path> WorkloadsFolder();
Result<Traffic> OnlineBoutique(const std::filesystem::path& folder);
Result<Traffic> TrainTicket(const std::filesystem::path& folder);

/// The one injected fault of which the traces were recorded: network delay at ts-contacts-service,
/// from 11:51:46. The minute before it is replayed as an hour of usual traffic; the two minutes
/// after it come as recorded, three times.
Result<Outcome> JudgeRecordedFault(const std::filesystem::path& folder, std::uint64_t seed);

}  // namespace fluoro::judge
