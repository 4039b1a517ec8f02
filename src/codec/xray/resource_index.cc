#include "codec/xray/resource_index.h"

#include <algorithm>
#include <functional>
#include <span>
#include <string_view>

namespace fluoro::codec::xray {
namespace {

using model::AttributeCell;
using model::AttributeType;
using model::ResourceRow;
using model::SpanBatch;

std::span<const AttributeCell> AttributesOf(const SpanBatch& batch, const ResourceRow& row) {
  return std::span(batch.attributes).subspan(row.attributes.begin, row.attributes.size());
}

std::uint64_t HashOf(const SpanBatch& batch, const ResourceRow& row) {
  std::uint64_t hash = row.dropped_attributes;
  const auto mix = [&hash](std::uint64_t word) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
    hash ^= hash >> 29;
  };
  for (const AttributeCell& cell : AttributesOf(batch, row)) {
    mix(cell.key);
    mix(model::IsText(cell.type) ? std::hash<std::string_view>()(batch.Text(cell.text()))
                                 : cell.payload);
  }
  return hash;
}

bool AreEqual(const SpanBatch& batch, const ResourceRow& a, const ResourceRow& b) {
  const auto text = [&batch](model::TextRef ref) { return batch.Text(ref); };
  if (a.dropped_attributes != b.dropped_attributes || text(a.service) != text(b.service) ||
      text(a.schema_url) != text(b.schema_url) || text(a.entity_refs) != text(b.entity_refs)) {
    return false;
  }
  return std::ranges::equal(AttributesOf(batch, a), AttributesOf(batch, b),
                            [&](const AttributeCell& x, const AttributeCell& y) {
                              if (x.key != y.key || x.type != y.type || x.role != y.role)
                                return false;
                              return model::IsText(x.type)
                                         ? batch.Text(x.text()) == batch.Text(y.text())
                                         : x.payload == y.payload;
                            });
}

}  // namespace

std::uint32_t ResourceIndex::Settle(SpanBatch& batch, const SpanBatch::Mark& before) {
  const auto last = static_cast<std::uint32_t>(batch.resource_rows.size() - 1);
  const ResourceRow& row = batch.resource_rows[last];
  const auto [at, is_new] = rows_.try_emplace(HashOf(batch, row), last);
  // What is known may have been taken back, and another stand in its place.
  if (!is_new && at->second < last && AreEqual(batch, batch.resource_rows[at->second], row)) {
    batch.RollbackTo(before);
  } else {
    at->second = last;
  }
  return at->second;
}

}  // namespace fluoro::codec::xray
