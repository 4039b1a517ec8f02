#include "store/embedded/reference_values_for_test.h"

#include <xxhash.h>

#include <bit>

#include "model/any_value.h"

namespace fluoro::store::reference {

std::unexpected<Error> Wrong(const std::string& what) {
  return Fail(ErrorCode::kCorruption, "reference reader: " + what);
}

std::uint64_t Sum(std::string_view bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

std::string Little(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}

model::AttributeValue ValueOf(std::uint64_t type, std::uint64_t number, const std::string& text,
                              Cursor& in) {
  switch (type) {
    case 0:
      return {};
    case 1:
      return {text};
    case 2:
      return {number != 0};
    case 3:
      return {static_cast<std::int64_t>(number)};
    case 4:
      return {std::bit_cast<double>(number)};
    case 5:
      return {model::AttributeValue::Bytes{text}};
    default:
      break;
  }
  auto value = model::DecodeAnyValue(text);
  if (type > 7 || !value) {
    in.Fail();
    return {};
  }
  return *std::move(value);
}

}  // namespace fluoro::store::reference
