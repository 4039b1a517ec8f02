#include "cost/records.h"

#include <algorithm>
#include <utility>

#include "cost/put_record.h"

namespace fluoro::cost {
Result<void> PutRecord(control::Transaction& change, std::string_view kind, std::string_view name,
                       std::string_view body, std::size_t count_max) {
  FLUORO_TRY(const auto records, change.List(kind));
  const bool is_new = std::ranges::none_of(
      records, [&](const control::Record& record) { return record.name == name; });
  if (is_new && records.size() >= count_max) {
    return Fail(ErrorCode::kTooLarge,
                "at most " + std::to_string(count_max) + " " + std::string(kind) + "s are kept");
  }
  FLUORO_TRY(const auto put, change.Put(kind, name, body));
  return {};
}

std::string PriceRecordName(const analysis::PriceRow& row) {
  return row.region + "/" + std::string(analysis::MeterName(row.meter)) + "/" +
         analysis::DayText(row.valid_from);
}

analysis::PriceTable PricesOf(const control::Snapshot& snapshot) {
  analysis::PriceTable table = analysis::PriceTable::BuiltIn();
  for (const control::Record& record : snapshot.List(kPriceKind)) {
    if (auto row = analysis::ParsePriceRow(record.body)) (void)table.Put(*std::move(row));
  }
  return table;
}

std::vector<analysis::Budget> BudgetsOf(const control::Snapshot& snapshot) {
  std::vector<analysis::Budget> budgets;
  for (const control::Record& record : snapshot.List(kBudgetKind)) {
    if (auto budget = analysis::ParseBudget(record.body)) budgets.push_back(*std::move(budget));
  }
  return budgets;
}

Result<void> PutPrice(control::Transaction& change, const analysis::PriceRow& row) {
  return PutRecord(change, kPriceKind, PriceRecordName(row), analysis::PrintPriceRow(row),
                   analysis::kPriceRowsMax / 2);
}

Result<void> PutBudget(control::Transaction& change, const analysis::Budget& budget) {
  return PutRecord(change, kBudgetKind, budget.name, analysis::PrintBudget(budget),
                   analysis::kBudgetsMax);
}

Result<void> CheckPriceRecord(std::string_view name, std::string_view body) {
  FLUORO_TRY(const analysis::PriceRow row, analysis::ParsePriceRow(body));
  if (PriceRecordName(row) != name)
    return Fail(ErrorCode::kInvalidArgument, "this is the price " + PriceRecordName(row));
  return {};
}

Result<void> CheckBudgetRecord(std::string_view name, std::string_view body) {
  FLUORO_TRY(const analysis::Budget budget, analysis::ParseBudget(body));
  if (budget.name != name)
    return Fail(ErrorCode::kInvalidArgument, "this is the budget " + budget.name);
  return {};
}

}  // namespace fluoro::cost
