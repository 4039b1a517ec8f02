// What a row group tells of the values of its attributes while it is written: they are made
// distinct for its dictionaries anyway. And whose filters are written with it. docs/cardinality.md.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "cardinality/block_values.h"
#include "cardinality/guard.h"
#include "model/span_batch.h"
#include "store/embedded/columns.h"

namespace fluoro::store {

/// Whose attributes a column holds. Stored: never renumber.
enum class AttributeOwner : std::uint8_t { kResource, kScope, kSpan, kEvent, kLink };
inline constexpr std::size_t kAttributeOwners = 5;

using AttributePolicy = std::shared_ptr<const cardinality::IndexPolicy>;

struct AttributeWatch {
  cardinality::BlockValues* values = nullptr;  ///< told of every column; null: nobody is
  AttributePolicy policy;                      ///< null: every key may have filters
};

std::uint8_t CarrierOf(AttributeOwner owner, model::AttributeRole role);

/// Of a column of texts. @param hashes   XXH3-64 of all, where they are not interned.
/// @param weights  of each value: spans that have it; empty: one each.
/// @param is_open  values of the key become known by coming.
void WatchTexts(const TextColumn& texts, std::span<const std::uint64_t> hashes,
                std::span<const std::uint32_t> weights, bool is_open, cardinality::KeyValues& seen);
/// Of a column of numbers, as it has them.
void WatchNumbers(std::span<const std::uint64_t> numbers, std::span<const std::uint32_t> weights,
                  cardinality::KeyValues& seen);

}  // namespace fluoro::store
