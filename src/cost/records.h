// Prices and budgets as the repository holds them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "analysis/budgets.h"
#include "analysis/prices.h"
#include "control/repository.h"

namespace fluoro::cost {

/// One record a row of the table.
inline constexpr std::string_view kPriceKind = "price";
inline constexpr std::string_view kBudgetKind = "budget";

/// "us-east-1/traces_recorded/2023-01-01".
std::string PriceRecordName(const analysis::PriceRow& row);
/// Built-in rows, and those of records in their place or beside them. Records that cannot be read
/// are passed over: the checks below keep them out.
analysis::PriceTable PricesOf(const control::Snapshot& snapshot);
/// By name.
std::vector<analysis::Budget> BudgetsOf(const control::Snapshot& snapshot);

/// Errors: kTooLarge (there are analysis::kPriceRowsMax or kBudgetsMax), those of the repository.
Result<void> PutPrice(control::Transaction& change, const analysis::PriceRow& row);
Result<void> PutBudget(control::Transaction& change, const analysis::Budget& budget);

/// As control::RecordCheck. Errors: kInvalidArgument.
Result<void> CheckPriceRecord(std::string_view name, std::string_view body);
Result<void> CheckBudgetRecord(std::string_view name, std::string_view body);

}  // namespace fluoro::cost
