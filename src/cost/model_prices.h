// Prices of models as the repository holds them: docs/genai.md, "What it costs".
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "control/repository.h"
#include "genai/model_prices.h"

namespace fluoro::cost {

/// One record an entry of the table and date.
inline constexpr std::string_view kModelPriceKind = "model-price";

/// "openai/gpt-5.6-terra@2026-08-21".
std::string ModelPriceRecordName(const genai::ModelPrice& price);
/// Built-in entries, and those of records in their place or beside them. Records that cannot be
/// read are passed over: the check below keeps them out.
genai::ModelPrices ModelPricesOf(const control::Snapshot& snapshot);

/// Puts an entry; what held before keeps its record, and holds until the day of this one.
/// Errors: kTooLarge (there are genai::kModelPricesMax), those of the repository.
Result<void> PutModelPrice(control::Transaction& change, const genai::ModelPrice& price);
/// As control::RecordCheck. Errors: kInvalidArgument.
Result<void> CheckModelPriceRecord(std::string_view name, std::string_view body);

/// The table as of now, made anew after a change only. Thread-safe.
class ModelPriceCache {
 public:
  std::shared_ptr<const genai::ModelPrices> Of(control::Repository& repository);

 private:
  Mutex mutex_;
  std::uint64_t generation_ FLUORO_GUARDED_BY(mutex_) = 0;
  std::shared_ptr<const genai::ModelPrices> prices_ FLUORO_GUARDED_BY(mutex_);
};

}  // namespace fluoro::cost
