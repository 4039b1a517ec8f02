// /ui/api/attributes: keys of attributes, their values and what the cardinality guard makes of
// them. docs/cardinality.md, shapes in docs/api.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "control/repository.h"
#include "store/attribute_census.h"

namespace fluoro::api::ui {

/// GET attributes. @param state  "ok", "watch", "guarded", or empty: all. Errors: kInvalidArgument,
/// those of the store.
Result<std::string> AttributesJson(store::AttributeCensus& store, std::string_view state);
/// GET attributes/{key}. Errors: kNotFound, those of the store.
Result<std::string> AttributeJson(store::AttributeCensus& store, std::string_view key);

/// POST attributes: {"key","action":"index"|"demote"|"auto","to":"lookup"|"none","budget":N}, or
/// {"budgets":{NAME:N},"guarded_index":"lookup"|"none"} for all keys. Answers with what stands now.
/// @param who  for the audit trail. Errors: kInvalidArgument, kTooLarge, those of the repository.
Result<std::string> ChangeAttributesJson(control::Repository& control, std::string_view who,
                                         std::string_view body);

}  // namespace fluoro::api::ui
