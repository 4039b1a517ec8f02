#include "store/embedded/reference_zones_for_test.h"

#include <bit>

#include "store/embedded/reference_values_for_test.h"

namespace fluoro::store::reference {
namespace {

// Section 15.
bool TextFilterMayHold(const std::string& filter, const std::string& text) {
  const auto mix = [](std::uint64_t h) {
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccd;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53;
    return h ^ (h >> 33);
  };
  Cursor in(filter);
  const std::uint64_t hash = mix(Sum(text, 0) + in.Fixed(8));
  const std::uint64_t bits = in.Fixed(1);
  const std::uint64_t segments = in.Varint();
  const std::string slots = in.Bytes((segments + 2) << bits);
  if (in.failed() || !in.done()) return false;
  const std::uint64_t length = std::uint64_t{1} << bits;
  // The upper half of hash x (segments x length), in halves of the hash.
  const std::uint64_t range = segments * length;
  const std::uint64_t low = ((hash & 0xffffffff) * range) >> 32;
  const std::uint64_t first = ((hash >> 32) * range + low) >> 32;
  const std::uint64_t second = (first + length) ^ ((hash >> 18) % length);
  const std::uint64_t third = (first + 2 * length) ^ (hash % length);
  const auto at = [&](std::uint64_t slot) { return static_cast<std::uint8_t>(slots[slot]); };
  return (at(first) ^ at(second) ^ at(third)) == static_cast<std::uint8_t>(hash ^ (hash >> 32));
}

}  // namespace

Result<void> CheckZones(const std::string& zones, const Columns& filters,
                        const std::vector<AttributeColumn>& directory, bool has_overflow,
                        const std::vector<model::Span>& spans, std::set<std::string>& seen) {
  Cursor in(zones);
  std::uint64_t flags = 0;
  std::uint64_t statuses = 0;
  std::uint64_t bits = 0;
  for (const model::Span& span : spans) {
    flags |= span.flags;
    statuses |= std::uint64_t{1} << static_cast<unsigned>(span.status);
    if (!span.document.empty()) bits |= 1;
  }
  if (has_overflow) bits |= 2;
  if (in.Varint() != flags || in.Varint() != statuses || in.Fixed(1) != bits)
    return Wrong("what zones say of spans");
  std::uint64_t place = 0;
  const std::uint64_t count = in.Count();
  for (const AttributeColumn& column : directory) {
    if (column.owner != 0 && column.owner != 2) continue;
    if (in.Fixed(1) != column.owner || in.Fixed(1) != column.type || in.Fixed(1) != column.role ||
        in.Text() != column.key)
      return Wrong("a column of the zones");
    const std::uint64_t kind = in.Fixed(1);
    seen.insert("zone " + std::to_string(kind));
    if (kind == 1) {
      const double least = std::bit_cast<double>(in.Fixed(8));
      const double greatest = std::bit_cast<double>(in.Fixed(8));
      for (const std::uint64_t value : column.numbers) {
        const double number = column.type == 3   ? static_cast<double>(Cursor::UnZigZag(value))
                              : column.type == 4 ? std::bit_cast<double>(value)
                                                 : static_cast<double>(value);
        if (number < least || number > greatest) return Wrong("a range");
      }
    } else if (kind == 2) {
      const auto filter = filters.find(place);
      if (filter == filters.end()) return Wrong("a filter is missing");
      for (const std::string& text : column.texts) {
        if (!TextFilterMayHold(filter->second, text)) return Wrong("a filter");
      }
    } else if (kind != 0) {
      return Wrong("a kind of zone");
    }
    ++place;
  }
  if (in.failed() || !in.done() || place != count) return Wrong("the zones");
  return {};
}

}  // namespace fluoro::store::reference
