// Small parts of the reference reader: errors, sums, numbers, ids and the values of attributes.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/error.h"
#include "model/span.h"
#include "store/embedded/reference_cursor_for_test.h"

namespace fluoro::store::reference {

std::unexpected<Error> Wrong(const std::string& what);

/// XXH3-64.
std::uint64_t Sum(std::string_view bytes, std::uint64_t seed);

/// Little-endian.
std::string Little(std::uint64_t value, int bytes);

template <class Id>
Id TakeId(Cursor& in) {
  Id id;
  const std::string bytes = in.Bytes(id.bytes.size());
  if (!in.failed()) std::memcpy(id.bytes.data(), bytes.data(), bytes.size());
  return id;
}

/// Wraps.
inline std::int64_t Plus(std::int64_t time, std::uint64_t more) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(time) + more);
}

/// Whether values of this type are kept as text, else as a number.
inline bool IsText(std::uint64_t type) { return type == 1 || type >= 5; }

/// @param in  fails if there is no such value.
model::AttributeValue ValueOf(std::uint64_t type, std::uint64_t number, const std::string& text,
                              Cursor& in);

}  // namespace fluoro::store::reference
