// /ui/api/redaction: rules of redaction, and what they would do to a text.
//   GET                                   {"mode","active","detectors":[...],"rules":[...]}
//   POST {"name","key"|"pattern"|"detector","action"}   makes or replaces a rule; the answer is it
//   DELETE ?name=N
//   POST /test {"text","name","rules"}    {"text","changed","fired":[{"rule","action","count"}]}
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "control/repository.h"
#include "ingest/pipeline.h"

namespace fluoro::api::ui {

struct RedactionContext {
  control::Repository& control;
  ingest::Pipeline* pipeline;  ///< null: a folder that is read only
};

std::string RedactionJson(const RedactionContext& context);
/// What is decided holds for the next batch that comes in. Errors: kInvalidArgument, kTooLarge.
Result<std::string> PutRedactionJson(const RedactionContext& context, std::string_view who,
                                     std::string_view body);
/// Errors: kNotFound.
Result<std::string> DeleteRedactionJson(const RedactionContext& context, std::string_view who,
                                        std::string_view name);
/// "rules" in the body instead of those that stand; "name": of the attribute the text is a value
/// of. Where nothing is redacted (`--content full`) the answer is that of `redacted`. Errors:
/// kInvalidArgument.
Result<std::string> TestRedactionJson(const RedactionContext& context, std::string_view body);

}  // namespace fluoro::api::ui
