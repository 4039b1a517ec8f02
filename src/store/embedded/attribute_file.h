// What the cardinality guard remembers, as a file: ATTRIBUTES in the data folder.
// docs/formats/attribute-values.md.
//
// file := magic:8 "FLORATT1" major:2 minor:2 encrypted:1 zero:3 [envelope:208] bytes:varint state
//         sum:8
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "cardinality/guard.h"
#include "crypto/keyring.h"

namespace fluoro::store {

struct AttributeState {
  cardinality::Guard::Keys keys;
  std::uint64_t crowded_out = 0;
  std::int64_t as_of_ns = 0;
};

/// With a key in use among `keys` encrypted under a data key of its own.
std::string EncodeAttributeFile(const AttributeState& state, const crypto::Keyring* keys);
/// Errors: kCorruption, kUnsupported, kPermissionDenied (its key is not available). Pure.
Result<AttributeState> DecodeAttributeFile(std::string_view bytes, const crypto::Keyring* keys);

/// Of what stands in it, without header and sum. Errors: kCorruption. Pure.
Result<AttributeState> DecodeAttributeState(std::string_view bytes);

}  // namespace fluoro::store
