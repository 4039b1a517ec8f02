#include "rollup/sample.h"

#include <algorithm>

namespace fluoro::rollup {
namespace {

using model::AssembledTrace;
using model::Call;
using model::Entity;
using model::EntityRole;

std::size_t At(std::int32_t index) { return static_cast<std::size_t>(index); }

Measured MeasuredOf(const Entity& entity) {
  return {.start_ns = entity.start_ns,
          .end_ns = entity.in_progress ? entity.start_ns : entity.end_ns,
          .outcome = entity.outcome(),
          .in_progress = entity.in_progress};
}

/// By segment: when the last subsegment ended that belongs to it. Those that nobody waited for end
/// after it.
std::vector<std::int64_t> LastEnds(const AssembledTrace& trace) {
  std::vector<std::int64_t> last_ends(trace.entities.size(), INT64_MIN);
  for (const Entity& entity : trace.entities) {
    if (entity.role != EntityRole::kSubsegment || entity.in_progress || entity.segment < 0)
      continue;
    std::int64_t& last_end_ns = last_ends[At(entity.segment)];
    last_end_ns = std::max(last_end_ns, entity.end_ns);
  }
  return last_ends;
}

EdgeSample SampleOf(const AssembledTrace& trace, const Call& call,
                    const std::vector<KeyId>& service_keys, KeyTable& keys) {
  const bool callers = !call.link && call.caller_entity >= 0;
  const Entity& entity = trace.entities[At(callers ? call.caller_entity : call.callee_entity)];
  const model::ServiceNode& caller = trace.services[At(call.from)];
  const model::ServiceNode& callee = trace.services[At(call.to)];
  EdgeSample sample{.from = service_keys[At(call.from)],
                    .to = service_keys[At(call.to)],
                    .from_client = caller.client,
                    .link = call.link,
                    .from_inferred = caller.inferred,
                    .to_inferred = callee.inferred,
                    .measured = MeasuredOf(entity),
                    .age_ns = call.age_ns};
  if (!callee.inferred && entity.role == EntityRole::kSubsegment && entity.name_space == "remote" &&
      entity.name != callee.key.name) {
    sample.alias = keys.Text(entity.name);
  }
  return sample;
}

}  // namespace

std::size_t KeyTable::KeyHash::operator()(const Key& key) const {
  std::uint64_t hash = key.name * 0x9e3779b97f4a7c15ULL;
  hash = (hash ^ key.type) * 0xff51afd7ed558ccdULL;
  hash = (hash ^ key.account) * 0xc4ceb9fe1a85ec53ULL;
  return hash ^ (hash >> 29);
}

KeyTable::KeyTable() { Text({}); }

void KeyTable::Clear() {
  text_ids_.clear();
  texts_.clear();
  key_ids_.clear();
  keys_.clear();
  ++generation_;
  Text({});
}

TextId KeyTable::Text(std::string_view text) {
  if (const auto known = text_ids_.find(text); known != text_ids_.end()) return known->second;
  const auto id = static_cast<TextId>(texts_.size());
  texts_.push_back(&text_ids_.emplace(text, id).first->first);
  return id;
}

KeyId KeyTable::Find(const model::ServiceKey& key) {
  return Find(Key{.name = Text(key.name), .type = Text(key.type), .account = Text(key.account_id)});
}

KeyId KeyTable::Find(const Key& key) {
  const auto [at, added] = key_ids_.try_emplace(key, static_cast<KeyId>(keys_.size()));
  if (added) keys_.push_back(key);
  return at->second;
}

KeyId KeyTable::Client(KeyId service) {
  Key key = At(service);
  key.type = Text(kClientType);
  return Find(key);
}

model::ServiceKey KeyTable::KeyAt(KeyId id) const {
  const Key& key = At(id);
  return {.name = TextAt(key.name), .type = TextAt(key.type), .account_id = TextAt(key.account)};
}

void SampleTrace(const AssembledTrace& trace, KeyTable& keys, SampleSink& sink) {
  std::vector<KeyId> service_keys;
  service_keys.reserve(trace.services.size());
  for (const model::ServiceNode& service : trace.services)
    service_keys.push_back(keys.Find(service.key));
  const std::vector<std::int64_t> last_ends = LastEnds(trace);
  for (std::size_t i = 0; i < trace.entities.size(); ++i) {
    const Entity& entity = trace.entities[i];
    if (!entity.IsSegment() || entity.service < 0) continue;
    sink.Add(NodeSample{.key = service_keys[At(entity.service)],
                        .inferred = trace.services[At(entity.service)].inferred,
                        .measured = MeasuredOf(entity),
                        .last_end_ns = last_ends[i]});
  }
  for (const Call& call : trace.calls) sink.Add(SampleOf(trace, call, service_keys, keys));
}

}  // namespace fluoro::rollup
