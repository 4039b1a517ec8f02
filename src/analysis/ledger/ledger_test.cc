#include "analysis/ledger/ledger.h"

#include <gmock/gmock.h>

#include <random>

#include "analysis/ledger/ledger_table.h"
#include "analysis/ledger/ledger_testing.h"
#include "analysis/ledger/queue_waits.h"

namespace fluoro::analysis {
namespace {

using testing::RandomSteps;

struct Sums {
  std::int64_t path_ns = 0, nano_usd = 0, unpriced_tokens = 0, waste_ns = 0, waste_nano_usd = 0;
  bool operator==(const Sums&) const = default;
};
Sums SumsOf(const Ledger& ledger) {
  Sums sums;
  for (const LedgerLine& line : ledger.lines) {
    sums.path_ns += line.path_ns;
    sums.nano_usd += line.cost_nano_usd;
    sums.unpriced_tokens += line.unpriced_tokens;
    sums.waste_ns += line.waste_ns;
    sums.waste_nano_usd += line.waste_nano_usd;
  }
  return sums;
}

genai::TraceCost RandomCost(std::mt19937_64& rng, std::size_t entities) {
  genai::TraceCost cost;
  for (std::size_t i = 0; i < entities; ++i) {
    if (rng() % 3 != 0) continue;
    genai::PricedStep step;
    step.entity = static_cast<std::int32_t>(i);
    step.role = rng() % 2 == 0 ? genai::UsageRole::kBillable : genai::UsageRole::kRollup;
    if (rng() % 5 != 0) step.cost_nano_usd = static_cast<std::int64_t>(rng() % 1'000'000'007);
    if (!step.cost_nano_usd) {
      step.source = genai::CostSource::kUnpriced;
      step.prompt_tokens = static_cast<std::int64_t>(rng() % 1'000);
      if (step.role == genai::UsageRole::kBillable) cost.unpriced_tokens += step.prompt_tokens;
    }
    if (step.role == genai::UsageRole::kBillable)
      cost.cost_nano_usd += step.cost_nano_usd.value_or(0);
    step.model = "priced";
    cost.steps.push_back(std::move(step));
  }
  return cost;
}

TEST(Ledger, SumsEqualTheRootAndTheCostExactlyOnRandomForests) {
  LedgerDimensions all;
  for (std::size_t i = 0; i < kLedgerDimensions; ++i) all.Add(static_cast<LedgerDimension>(i));
  LedgerDimensions kinds;
  kinds.Add(LedgerDimension::kKind);
  LedgerTable table_by_all(all);
  LedgerTable table_by_kind(kinds);
  Sums everything;
  for (std::uint64_t seed = 0; seed < 1000 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 rng(seed);
    const auto trace = model::testing::AssembleSpans(RandomSteps(rng));
    const genai::TraceCost cost = RandomCost(rng, trace.entities.size());
    const genai::TraceLabels labels = genai::LabelsOf(trace);
    const TraceView view = TraceView::Of(trace, cost, labels);
    const Waste waste = WasteOf(trace, view.steps, cost);
    for (const LedgerClock clock : {LedgerClock::kLastToken, LedgerClock::kFirstToken}) {
      const Ledger ledger = LedgerOf(view, waste, clock);
      const Sums sums = SumsOf(ledger);
      EXPECT_EQ(sums.path_ns, ledger.root_ns);
      EXPECT_EQ(sums.nano_usd, cost.cost_nano_usd);
      EXPECT_EQ(sums.unpriced_tokens, cost.unpriced_tokens);
      EXPECT_EQ(ledger.unpriced_tokens, cost.unpriced_tokens);
      EXPECT_EQ(sums.waste_ns, waste.waste_ns);
      EXPECT_EQ(sums.waste_nano_usd, waste.cost_nano_usd);
      if (clock == LedgerClock::kFirstToken) continue;
      EXPECT_EQ(ledger.root_ns, trace.Root()->duration_ns());
      table_by_all.Add(ledger, 1);
      table_by_kind.Add(ledger, 1);
      everything.path_ns += sums.path_ns;
      everything.nano_usd += sums.nano_usd;
      everything.unpriced_tokens += sums.unpriced_tokens;
      everything.waste_ns += sums.waste_ns;
      everything.waste_nano_usd += sums.waste_nano_usd;
    }
    EXPECT_GE(waste.recoverable_ns, 0);
    EXPECT_LE(waste.recoverable_ns, waste.root_ns);
    for (const LostWork& work : waste.lost) EXPECT_LE(work.recoverable_ns, waste.root_ns);
  }
  for (const LedgerTable* table : {&table_by_all, &table_by_kind}) {
    Sums rows;
    for (const LedgerRow& row : table->Rows()) {
      rows.path_ns += row.path_ns;
      rows.nano_usd += row.cost_nano_usd;
      rows.unpriced_tokens += row.unpriced_tokens;
      rows.waste_ns += row.waste_ns;
      rows.waste_nano_usd += row.waste_nano_usd;
    }
    EXPECT_EQ(rows, everything);
    EXPECT_EQ(table->totals().root_ns, everything.path_ns);
    EXPECT_EQ(table->totals().traces, 1000);
  }
}

TEST(Ledger, SaysWhatIsWrongWithATrace) {
  using model::SpanKind;
  const auto flags = [](std::vector<model::Span> spans) {
    const testing::Told told(model::testing::AssembleSpans(std::move(spans)));
    const Ledger ledger = LedgerOf(told.trace, told.cost, told.labels);
    EXPECT_EQ(SumsOf(ledger).path_ns, std::max<std::int64_t>(told.trace.Root()->duration_ns(), 0));
    return ledger.flags;
  };
  const auto span = [](std::uint64_t id, std::uint64_t parent, std::int64_t from, std::int64_t to) {
    return model::testing::OtelSpan(id, SpanKind::kInternal, "n")
        .Service("s")
        .Parent(parent)
        .Between(from, to);
  };
  EXPECT_TRUE(flags({span(1, 0, 0, 10), span(2, 1, 2, 5)}).empty());
  EXPECT_EQ(flags({span(1, 0, 0, 10), span(2, 1, 2, 50)}).outside_parent, 1);
  EXPECT_EQ(flags({span(1, 0, 0, 10), span(2, 1, -5, 3)}).outside_parent, 1);
  EXPECT_EQ(flags({span(1, 0, 0, 10), span(2, 9, 2, 5)}).missing_parents, 1);
  EXPECT_EQ(flags({span(1, 2, 0, 10), span(2, 1, 2, 5)}).cycles_cut, 1);
  EXPECT_TRUE(flags({model::testing::OtelSpan(1, SpanKind::kServer, "n").InProgressSince(3)})
                  .root_in_progress);
  EXPECT_EQ(
      flags({span(1, 0, 0, 10), span(2, 1, 0, 0).Flags(model::SpanFlag::kInProgress)}).in_progress,
      1);
}

Ledger OneLine(std::string tool, std::int64_t ns) {
  Ledger ledger;
  ledger.root_ns = ns;
  ledger.lines = {{.owner = genai::StepKind::kTool, .tool = std::move(tool), .path_ns = ns}};
  return ledger;
}

TEST(LedgerTable, WeighsByWhatATraceStandsFor) {
  LedgerDimensions by;
  by.Add(LedgerDimension::kTool);
  LedgerTable table(by);
  table.Add(OneLine("fast", 10 * testing::kMs), 9);  // kept one in nine
  table.Add(OneLine("slow", 100 * testing::kMs), 1);
  const auto rows = table.Rows();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].key[static_cast<std::size_t>(LedgerDimension::kTool)], "slow");
  EXPECT_EQ(table.totals().weight, 10);
  EXPECT_EQ(table.totals().weighted_root_ns / table.totals().weight, 19 * testing::kMs);
  EXPECT_NEAR(static_cast<double>(table.totals().root_times.QuantileNs(0.5)), 10e6, 0.2e6);
  EXPECT_EQ(rows[1].weighted_path_ns, 90 * testing::kMs);
}

TEST(LedgerTable, SumsMadeElsewhereAddUp) {
  LedgerDimensions by;
  by.Add(LedgerDimension::kTool);
  LedgerTable one(by), other(by), both(by);
  for (int i = 0; i < 30; ++i) {
    const Ledger ledger = OneLine("t" + std::to_string(i % 4), (i + 1) * testing::kMs);
    (i % 2 == 0 ? one : other).Add(ledger, 1 + i % 3);
    both.Add(ledger, 1 + i % 3);
  }
  one.AddSums(other.Rows(), other.totals());
  const auto merged = one.Rows();
  const auto whole = both.Rows();
  ASSERT_EQ(merged.size(), whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_EQ(merged[i].key, whole[i].key);
    EXPECT_EQ(merged[i].path_ns, whole[i].path_ns);
    EXPECT_EQ(merged[i].path_times.QuantileNs(0.95), whole[i].path_times.QuantileNs(0.95));
  }
  EXPECT_EQ(one.totals().root_ns, both.totals().root_ns);
}

TEST(LedgerTable, KeysBeyondTheBoundAreSummedTogether) {
  LedgerDimensions by;
  by.Add(LedgerDimension::kTool);
  LedgerTable table(by);
  for (std::size_t i = 0; i < kLedgerRowsMax + 5; ++i)
    table.Add(OneLine("t" + std::to_string(i), 7), 1);
  const auto rows = table.Rows();
  ASSERT_EQ(rows.size(), kLedgerRowsMax + 1);
  EXPECT_TRUE(rows.back().is_other);
  EXPECT_EQ(rows.back().path_ns, 35);
  EXPECT_EQ(table.crowded_out(), 5);
}

TEST(LinkWaits, AMessageThatCameBeforeItWasSentIsFlagged) {
  const testing::Told told(testing::Decode({{.id = 1,
                                             .name = "process",
                                             .kind = model::SpanKind::kConsumer,
                                             .start_ms = 100,
                                             .end_ms = 110,
                                             .links = {{std::string(32, 'a'), 7}}}}));
  const auto wait = [&](std::optional<LinkedSpan> linked) {
    return LinkWaitsOf(told.trace, [&](const model::Link&) { return linked; }).links.at(0);
  };
  EXPECT_FALSE(wait(std::nullopt).wait_ns);
  EXPECT_FALSE(wait(LinkedSpan{.end_ns = 1, .in_progress = true}).wait_ns);
  EXPECT_EQ(*wait(LinkedSpan{.end_ns = testing::kBeginNs + 40 * testing::kMs}).wait_ns,
            60 * testing::kMs);
  const LinkWait skewed = wait(LinkedSpan{.end_ns = testing::kBeginNs + 140 * testing::kMs});
  EXPECT_EQ(*skewed.wait_ns, 0);
  EXPECT_TRUE(skewed.clocks_differ);
}

}  // namespace
}  // namespace fluoro::analysis
