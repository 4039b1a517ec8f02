#include "store/embedded/call_groups.h"

#include <utility>

namespace fluoro::store {
namespace {

struct Named {
  std::string_view key;
  std::string_view genai::Call::* name;
  bool is_grouped = true;  ///< false: by this name calls are priced
};
constexpr std::array<Named, 7> kNamed{{{"calls/tenant", &genai::Call::tenant},
                                       {"calls/route", &genai::Call::route},
                                       {"calls/model", &genai::Call::model, false},
                                       {"calls/tool_name", &genai::Call::tool, false},
                                       {"calls/agent_name", &genai::Call::agent},
                                       {"calls/experiment_id", &genai::Call::experiment},
                                       {"calls/prompt_name", &genai::Call::prompt}}};

}  // namespace

CallGroups::CallGroups(AttributePolicy policy, cardinality::BlockValues* values)
    : policy_(std::move(policy)) {
  static_assert(kNamed.size() == kFields);
  if (values == nullptr) return;
  for (std::size_t i = 0; i < kFields; ++i) {
    const std::string_view key = kNamed.at(i).key;
    Field& field = fields_.at(i);
    field.is_open = policy_ == nullptr || policy_->IsOpen(key);
    field.slots.resize(kSlots);
  }
  // Keys are made when a call has them, so that a store without calls has none.
  values_ = values;
}

CallGroups::~CallGroups() {
  for (Field& field : fields_) {
    for (Slot& slot : field.slots) Flush(field, slot);
  }
}

void CallGroups::Flush(Field& field, Slot& slot) {
  if (slot.count == 0 || field.seen == nullptr) return;
  cardinality::KeyValues& seen = *field.seen;
  seen.spans += slot.count;
  seen.distinct.Add(slot.hash);
  if (field.is_open) seen.texts.Add(slot.hash);
  if (seen.first.wants_different())
    seen.first.AddDifferent({.hash = slot.hash, .pattern = cardinality::PatternOf(slot.text)});
  seen.hitters.Add(slot.text, slot.count);
  seen.AddExample(slot.text);
  slot.count = 0;
}

void CallGroups::Watch(const genai::Call& call) {
  if (values_ == nullptr || call.is_request) return;  // the calls of a request say what it says
  for (std::size_t i = 0; i < kFields; ++i) {
    const std::string_view text = call.*kNamed.at(i).name;
    if (text.empty()) continue;
    Field& field = fields_.at(i);
    if (field.seen == nullptr) {
      field.seen = values_->Of(kNamed.at(i).key);
      if (field.seen == nullptr) continue;
      field.seen->has_texts = true;
      field.seen->carriers |= cardinality::kCall;
    }
    const std::uint32_t hash = cardinality::HashOf(text);
    if (field.seen->first.wants_ones()) field.seen->first.AddOne(hash);
    Slot& slot = field.slots.at(hash % kSlots);
    if (slot.count == 0 || slot.hash != hash) {
      Flush(field, slot);
      slot.hash = hash;
      slot.text = text;
    }
    ++slot.count;
  }
}

genai::Call CallGroups::Of(const genai::Call& call) const {
  genai::Call grouped = call;
  if (policy_ == nullptr) return grouped;
  for (const Named& named : kNamed) {
    std::string_view& name = grouped.*named.name;
    if (named.is_grouped && !name.empty()) name = policy_->Group(named.key, name);
  }
  return grouped;
}

}  // namespace fluoro::store
