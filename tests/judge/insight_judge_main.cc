// Judges insights on replayed traffic and prints what it found. Usage: insight_judge [SEED] [DAYS]
// [-v]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include "insight_judge.h"

namespace {

using namespace fluoro;

void Print(const judge::FaultReport& report, bool verbose) {
  const auto faults = report.outcomes.size();
  const auto share = [&](std::size_t count) {
    return 100 * static_cast<double>(count) / static_cast<double>(faults);
  };
  fmt::print(
      "{}: {} faults, found {} ({:.0f} %), root cause {} ({:.0f} %), in the top 3 {} ({:.0f} %), "
      "after {:.1f} minutes\n",
      report.traffic, faults, report.CountFound(), share(report.CountFound()), report.CountInTop(1),
      share(report.CountInTop(1)), report.CountInTop(3), share(report.CountInTop(3)),
      report.MeanDelay());
  for (const auto kind : {judge::FaultKind::kDelay, judge::FaultKind::kErrors,
                          judge::FaultKind::kCpu, judge::FaultKind::kNetwork}) {
    judge::FaultReport part{.traffic = {}, .outcomes = {}};
    for (const auto& outcome : report.outcomes) {
      if (outcome.fault.kind == kind) part.outcomes.push_back(outcome);
    }
    fmt::print(
        "  {:<8} {:>3} faults, found {:>3}, root cause {:>3}, in the top 3 {:>3}, after {:.1f} "
        "minutes\n",
        judge::FaultKindName(kind), part.outcomes.size(), part.CountFound(), part.CountInTop(1),
        part.CountInTop(3), part.MeanDelay());
  }
  fmt::print("  the plain rule opened for the broken service in {}\n",
             std::ranges::count(report.outcomes, true, &judge::Outcome::plain_found));
  for (const auto& outcome : report.outcomes) {
    if (!verbose && outcome.rank && *outcome.rank <= 3) continue;
    fmt::print("    {:<8} {:<28} {} named {} rank {} after {}\n",
               judge::FaultKindName(outcome.fault.kind), outcome.service,
               outcome.found ? "found " : "missed", outcome.named.empty() ? "-" : outcome.named,
               outcome.rank.value_or(0), outcome.delay_minutes);
  }
}

void Print(const judge::QuietReport& report) {
  const auto a_day = [&](std::size_t count) { return static_cast<double>(count) / report.days; };
  fmt::print(
      "{}: quiet for {:.1f} days, {} services: insights a day: {:.2f} of faults, {:.2f} of "
      "latency; "
      "openings of the plain rule: {:.1f}\n",
      report.traffic, report.days, report.services, a_day(report.fault_insights),
      a_day(report.latency_insights), a_day(report.plain_openings));
  for (const std::string& insight : report.insights) fmt::print("    {}\n", insight);
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t seed = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
  const int days = argc > 2 ? std::atoi(argv[2]) : 1;
  const bool verbose = argc > 3 && std::strcmp(argv[3], "-v") == 0;
  std::vector<judge::Traffic> traffics{judge::MadeUpTraffic(seed)};
  if (const auto folder = judge::WorkloadsFolder()) {
    for (auto&& traffic : {judge::OnlineBoutique(*folder), judge::TrainTicket(*folder)}) {
      if (traffic) traffics.push_back(*traffic);
    }
    if (const auto outcome = judge::JudgeRecordedFault(*folder, seed)) {
      fmt::print("recorded network delay at {}: {}, named {}, rank {}, after {} minutes\n",
                 outcome->service, outcome->found ? "found" : "missed", outcome->named,
                 outcome->rank.value_or(0), outcome->delay_minutes);
    }
  } else {
    fmt::print("the recorded workloads are absent: made-up traffic only\n");
  }
  for (const judge::Traffic& traffic : traffics)
    Print(judge::JudgeFaults(traffic, seed, 1'000), verbose);
  for (const judge::Traffic& traffic : traffics) Print(judge::JudgeQuiet(traffic, seed, days));
}
