// How many traces a kept one stands for.
#pragma once

#include <cstdint>

#include "model/span.h"

namespace fluoro::model {

/// 1 / probability as a whole number: above or below it by a hash of the id, so that its mean over
/// many traces is right. Null: 1. Pure.
std::int64_t WholeWeight(const TraceId& id, const Kept* kept);

}  // namespace fluoro::model
