// The tail policies of the server: one record, since their order matters.
#pragma once

#include <memory>
#include <string_view>

#include "control/repository.h"
#include "query/tail_filters.h"
#include "sampling/tail_policy.h"

namespace fluoro::control {

inline constexpr std::string_view kTailPoliciesKind = "tail-policies";
inline constexpr std::string_view kTailPoliciesName = "default";

/// None: everything is kept.
sampling::TailPolicies ReadTailPolicies(const Snapshot& snapshot);
/// Instead of those that stand. Errors: kInvalidArgument (a filter).
Result<void> PutTailPolicies(Transaction& transaction, const sampling::TailPolicies& policies);
/// One of them. Errors: kNotFound.
Result<void> DeleteTailPolicy(Transaction& transaction, std::string_view name);

/// A RecordCheck.
Result<void> CheckTailPoliciesRecord(std::string_view name, std::string_view body);

}  // namespace fluoro::control
