// What was decided of keys of attributes: budgets of values (one record), and what is indexed of
// single keys (a record each). docs/cardinality.md.
#pragma once

#include <string_view>

#include "cardinality/key_class.h"
#include "control/repository.h"

namespace fluoro::control {

inline constexpr std::string_view kAttributeKind = "attribute";
/// Records of kAttributeKind.
inline constexpr std::size_t kAttributeRecordsMax = 1'000;
/// The setting (kSettingKind) that holds budgets.
inline constexpr std::string_view kCardinality = "cardinality";

/// Records that cannot be read are passed over: the checks below keep them out.
cardinality::Settings ReadAttributeSettings(const Snapshot& snapshot);

/// In place of what was decided of the key. Neither index nor budget: it is left to the guard.
/// Errors: kInvalidArgument, kTooLarge.
Result<void> PutAttribute(Transaction& transaction, std::string_view key,
                          const cardinality::Settings::Key& decided);
/// {"budgets":{NAME:N},"guarded_index":"lookup"|"none"}; what is not there is as it is by default.
/// Errors: kInvalidArgument.
Result<void> PutCardinality(Transaction& transaction, std::string_view body);

/// RecordChecks; the second of the setting's body.
Result<void> CheckAttributeRecord(std::string_view name, std::string_view body);
Result<void> CheckCardinality(std::string_view body);

}  // namespace fluoro::control
