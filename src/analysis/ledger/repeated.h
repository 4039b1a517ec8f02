// The same work done again within one trace. Source of the rules: docs/genai.md, "Waste".
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/ledger/waste.h"

namespace fluoro::analysis {

/// `lost`: attempts that failed before one that stood are no repetition. Pure.
std::vector<RepeatedWork> FindRepeated(const model::AssembledTrace& trace,
                                       std::span<const Step> steps, std::span<const LostWork> lost,
                                       const genai::TraceCost& cost);

/// JSON text in one form: members in order of key, no spaces, numbers as the shortest that mean
/// the same. What is no JSON stays as it is, without spaces around. Pure.
std::string CanonicalJson(std::string_view text);

}  // namespace fluoro::analysis
