#include "cost/model_prices.h"

#include <utility>
#include <vector>

#include "cost/put_record.h"

namespace fluoro::cost {

std::string ModelPriceRecordName(const genai::ModelPrice& price) {
  return price.id + "@" + DayText(price.valid_from);
}

genai::ModelPrices ModelPricesOf(const control::Snapshot& snapshot) {
  std::vector<genai::ModelPrice> entries;
  for (const control::Record& record : snapshot.List(kModelPriceKind)) {
    if (auto entry = genai::ParseModelPrice(record.body, 0)) entries.push_back(*std::move(entry));
  }
  return genai::ModelPrices::With(std::move(entries));
}

Result<void> PutModelPrice(control::Transaction& change, const genai::ModelPrice& price) {
  return PutRecord(change, kModelPriceKind, ModelPriceRecordName(price),
                   genai::PrintModelPrice(price), genai::kModelPricesMax);
}

Result<void> CheckModelPriceRecord(std::string_view name, std::string_view body) {
  FLUORO_TRY(const genai::ModelPrice price, genai::ParseModelPrice(body, 0));
  if (ModelPriceRecordName(price) != name)
    return Fail(ErrorCode::kInvalidArgument, "this is the price " + ModelPriceRecordName(price));
  return {};
}

std::shared_ptr<const genai::ModelPrices> ModelPriceCache::Of(control::Repository& repository) {
  const auto snapshot = repository.Read();
  {
    const MutexLock lock(mutex_);
    if (prices_ != nullptr && generation_ == snapshot->generation()) return prices_;
  }
  auto prices = std::make_shared<const genai::ModelPrices>(ModelPricesOf(*snapshot));
  const MutexLock lock(mutex_);
  generation_ = snapshot->generation();
  prices_ = prices;
  return prices;
}

}  // namespace fluoro::cost
