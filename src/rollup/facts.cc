#include "rollup/facts.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "model/any_value.h"
#include "model/inferred.h"
#include "model/stored_summary.h"

namespace fluoro::rollup {
namespace {

using model::AttributeType;
using model::AttributeValue;
using model::Entity;
using model::Span;
using model::SpanFlag;
using model::SpanSource;

// What DescribeSpan and InferSegment read for Facts. facts_test.cc holds the lists against them.
constexpr std::array<std::string_view, 41> kKeys = {
    "aws.xray.fault",
    "aws.xray.error",
    "aws.xray.throttle",
    "aws.xray.inprogress",
    "aws.xray.namespace",
    "aws.xray.sql",
    "aws.xray.resource_names",
    "aws.span.kind",
    "aws.local.service",
    "aws.remote.service",
    "aws.remote.resource.identifier",
    "aws.remote.resource.type",
    "aws.service",
    "aws.account_id",
    "aws.dynamodb.table_names",
    "aws.table_name",
    "aws.table.name",
    "messaging.url",
    "aws.queue_url",
    "aws.queue.url",
    "aws.sqs.queue.url",
    "aws.sns.topic.arn",
    "aws.lambda.function_name",
    "faas.invoked_name",
    "http.response.status_code",
    "http.status_code",
    "http.host",
    "rpc.system.name",
    "rpc.system",
    "rpc.service",
    "rpc.method",
    "peer.service",
    "service.peer.name",
    "db.system.name",
    "db.system",
    "db.namespace",
    "db.name",
    "db.connection_string",
    "server.address",
    "net.peer.name",
    "zipkin.id",
};
constexpr std::array<std::string_view, 6> kResourceKeys = {"service.name",    "cloud.provider",
                                                           "cloud.platform",  "aws.ecs.launchtype",
                                                           "aws.xray.origin", "cloud.account.id"};

using Places = std::unordered_map<std::string_view, std::uint8_t>;
template <std::size_t kCount>
Places PlacesOf(const std::array<std::string_view, kCount>& keys) {
  Places places;
  for (std::size_t i = 0; i < kCount; ++i) places.emplace(keys[i], static_cast<std::uint8_t>(i));
  return places;
}

std::optional<std::uint8_t> PlaceOf(const Places& places, std::string_view key) {
  const auto at = places.find(key);
  return at == places.end() ? std::nullopt : std::optional(at->second);
}

AttributeValue ValueOf(AttributeType type, std::string_view text) {
  switch (type) {
    case AttributeType::kString:
      return {std::string(text)};
    case AttributeType::kBytes:
      return {AttributeValue::Bytes{std::string(text)}};
    default: {
      auto decoded = model::DecodeAnyValue(text);
      return decoded ? *std::move(decoded) : AttributeValue{};
    }
  }
}

AttributeValue ValueOf(AttributeType type, std::uint64_t bits) {
  switch (type) {
    case AttributeType::kBool:
      return {bits != 0};
    case AttributeType::kInt:
      return {static_cast<std::int64_t>(bits)};
    case AttributeType::kDouble:
      return {std::bit_cast<double>(bits)};
    default:
      return {};
  }
}

template <class Number>
Number Take(std::string_view& bytes) {
  Number number;
  std::memcpy(&number, bytes.data(), sizeof number);
  bytes.remove_prefix(sizeof number);
  return number;
}

template <class Number>
void Put(std::string& bytes, Number number) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
}

// The attributes of a description, whose bytes are our own.
template <std::size_t kCount>
std::vector<model::Attribute> AttributesOf(const std::array<std::string_view, kCount>& keys,
                                           std::string_view bytes) {
  std::vector<model::Attribute> attributes;
  while (!bytes.empty()) {
    const auto key = Take<std::uint8_t>(bytes);
    const auto type = Take<AttributeType>(bytes);
    AttributeValue value;
    if (model::IsText(type)) {
      const auto size = Take<std::uint32_t>(bytes);
      value = ValueOf(type, bytes.substr(0, size));
      bytes.remove_prefix(size);
    } else {
      value = ValueOf(type, Take<std::uint64_t>(bytes));
    }
    attributes.push_back({std::string(keys[key]), std::move(value), model::AttributeRole::kPlain});
  }
  return attributes;
}

model::ServiceKey KeyOfSegment(const Entity& segment) {
  return {.name = segment.name, .type = segment.origin, .account_id = segment.account_id};
}

// Whether what a span becomes depends on this, of what its name can change.
bool SameNames(const Span& a, const Span& b, bool enters) {
  const model::SpanDescription left = DescribeSpan(a, {.service_entry = enters});
  const model::SpanDescription right = DescribeSpan(b, {.service_entry = enters});
  const bool counts =
      left.entity.role == model::EntityRole::kSegment || model::CallsOut(left.entity);
  if (counts && left.entity.name != right.entity.name) return false;
  return !left.service_segment || left.service_segment->name == right.service_segment->name;
}

}  // namespace

void Description::Begin(std::uint64_t packed_head) {
  used_ = 0;
  std::memcpy(Take(sizeof packed_head), &packed_head, sizeof packed_head);
}

void Description::AddText(std::uint8_t key, AttributeType type, std::string_view text) {
  const auto bytes = static_cast<std::uint32_t>(text.size());
  char* const to = Take(2 + sizeof bytes + text.size());
  to[0] = static_cast<char>(key);
  to[1] = static_cast<char>(type);
  std::memcpy(to + 2, &bytes, sizeof bytes);
  text.copy(to + 2 + sizeof bytes, text.size());
}

void Description::AddBits(std::uint8_t key, AttributeType type, std::uint64_t bits) {
  char* const to = Take(2 + sizeof bits);
  to[0] = static_cast<char>(key);
  to[1] = static_cast<char>(type);
  std::memcpy(to + 2, &bits, sizeof bits);
}

std::optional<std::uint8_t> Description::KeyOf(std::string_view key) {
  static const Places kPlaces = PlacesOf(kKeys);
  return PlaceOf(kPlaces, key);
}

std::optional<std::uint8_t> Description::ResourceKeyOf(std::string_view key) {
  static const Places kPlaces = PlacesOf(kResourceKeys);
  return PlaceOf(kPlaces, key);
}

FactsTable::Slot& FactsTable::Index::Find(std::string_view bytes) {
  if (2 * (used_ + 1) > slots_.size()) Grow();
  const std::uint64_t hash = XXH3_64bits(bytes.data(), bytes.size());
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
    Slot& slot = slots_[at];
    if (!slot.used) {
      slot.hash = hash;
      return slot;
    }
    if (slot.hash == hash && BytesOf(slot) == bytes) return slot;
  }
}

void FactsTable::Index::Filled(Slot& slot, std::string_view bytes) {
  slot.used = true;
  slot.offset = static_cast<std::uint32_t>(bytes_.size());
  slot.bytes = static_cast<std::uint32_t>(bytes.size());
  bytes_.append(bytes);
  ++used_;
}

void FactsTable::Index::Grow() {
  std::vector<Slot> before(std::max<std::size_t>(64, slots_.size() * 2));
  before.swap(slots_);
  for (const Slot& slot : before) {
    if (!slot.used) continue;
    std::size_t at = slot.hash & (slots_.size() - 1);
    while (slots_[at].used) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = slot;
  }
}

void FactsTable::Index::Clear() {
  slots_.clear();
  bytes_.clear();
  used_ = 0;
}

void FactsTable::Clear() {
  keys_.Clear();
  facts_.clear();
  resources_.Clear();
  resource_objects_.clear();
  descriptions_.Clear();
  named_.clear();
  names_.Clear();
  numbers_.Clear();
  descriptions_count_ = 0;
}

std::uint32_t FactsTable::Resource(const Description& description) {
  Slot& slot = resources_.Find(description.bytes());
  if (!slot.used) {
    slot.id = static_cast<std::uint32_t>(resource_objects_.size());
    auto resource = std::make_shared<model::Resource>();
    resource->attributes = AttributesOf(kResourceKeys, description.bytes());
    resource_objects_.push_back(std::move(resource));
    resources_.Filled(slot, description.bytes());
    ++descriptions_count_;
  }
  return slot.id;
}

Span FactsTable::SpanOf(std::string_view description, std::string_view name) const {
  const auto packed = Take<std::uint64_t>(description);
  Span span;
  span.span_id.bytes.fill(1);
  if ((packed & 1) != 0) span.parent_id.bytes.fill(2);
  span.otel_flags = (packed & 2) != 0 ? Description::kOtelFlags : 0;
  span.source = static_cast<SpanSource>(packed >> 5 & 15);
  span.status = static_cast<model::StatusCode>(packed >> 9 & 7);
  span.kind = static_cast<model::SpanKind>(packed >> 12 & 15);
  span.flags = static_cast<std::uint32_t>(packed >> 16 & 0xffff);
  span.resource = resource_objects_[packed >> 32];
  span.name = name;
  span.attributes = AttributesOf(kKeys, description);
  return span;
}

FactsTable::Found FactsTable::Find(const Description& description) {
  Slot& slot = descriptions_.Find(description.bytes());
  if (!slot.used) {
    const Span one = SpanOf(description.bytes(), "one");
    const Span other = SpanOf(description.bytes(), "other");
    slot.by_name = !SameNames(one, other, false) || !SameNames(one, other, true);
    if (slot.by_name) {
      slot.id = static_cast<std::uint32_t>(named_.size());
      named_.emplace_back(description.bytes());
    } else {
      slot.id = Add(one);
    }
    descriptions_.Filled(slot, description.bytes());
    ++descriptions_count_;
  }
  return {.id = slot.id, .by_name = slot.by_name};
}

FactsId FactsTable::FindNamed(std::uint32_t description, std::string_view name) {
  std::string bytes;
  bytes.reserve(sizeof description + name.size());
  Put(bytes, description);
  bytes.append(name);
  Slot& slot = names_.Find(bytes);
  if (!slot.used) {
    slot.id = Add(SpanOf(named_[description], name));
    names_.Filled(slot, bytes);
    ++descriptions_count_;
  }
  return slot.id;
}

std::uint32_t FactsTable::Number(std::string_view bytes) {
  Slot& slot = numbers_.Find(bytes);
  if (!slot.used) {
    slot.id = static_cast<std::uint32_t>(numbers_.size());
    numbers_.Filled(slot, bytes);
  }
  return slot.id;
}

FactsId FactsTable::Add(const Span& span) {
  const auto id = static_cast<FactsId>(facts_.size());
  Facts facts = Judge(span, false);
  facts.entered = id;
  if (facts.segment || facts.two_documents || facts.xray) {
    facts_.push_back(facts);
    return id;
  }
  facts.entered = id + 1;
  Facts entered = Judge(span, true);
  entered.entered = id + 1;
  facts_.push_back(facts);
  facts_.push_back(entered);
  return id;
}

Facts FactsTable::Judge(const Span& span, bool enters) {
  const model::SpanDescription description = DescribeSpan(span, {.service_entry = enters});
  const Entity& entity = description.entity;
  Facts facts;
  facts.kind = span.kind;
  facts.xray = span.source == SpanSource::kXRay;
  facts.shares_id = span.source == SpanSource::kZipkin && span.Find("zipkin.id") != nullptr;
  facts.service = keys_.Text(span.service());
  facts.outcome = entity.outcome();
  facts.fault = entity.fault;
  facts.error = entity.error;
  facts.throttle = entity.throttle;
  if (entity.http.status) {
    const std::int64_t status = *entity.http.status;
    facts.status = status >= 0 && status <= model::kSummaryStatusMax
                       ? static_cast<std::int32_t>(status)
                       : Facts::kOtherStatus;
  }
  facts.in_progress = entity.in_progress;
  facts.segment = entity.role == model::EntityRole::kSegment;
  facts.two_documents = description.service_segment.has_value();
  facts.sent_inferred = facts.xray && span.Has(SpanFlag::kSentInferred);
  if (facts.segment) {
    facts.key = keys_.Find(facts.sent_inferred ? SentInferredKey(entity) : KeyOfSegment(entity));
    facts.client = keys_.Client(facts.key);
  } else if (facts.two_documents) {
    facts.key = keys_.Find(KeyOfSegment(*description.service_segment));
    facts.client = keys_.Client(facts.key);
  }
  facts.calls_out = model::CallsOut(entity);
  if (facts.calls_out) facts.callee = keys_.Find(model::InferSegment(entity).key);
  facts.remote = entity.name_space == "remote";
  if (facts.remote && !facts.segment) facts.name = keys_.Text(entity.name);
  facts.enters = facts.segment || facts.xray ? 0 : facts.service;
  facts.plain = !facts.shares_id && !facts.two_documents && !facts.sent_inferred &&
                !(facts.segment && keys_.IsClient(facts.key)) &&
                !(facts.calls_out && keys_.IsClient(facts.callee));
  return facts;
}

void BatchDescriber::Forget() {
  known_.clear();
  batch_ = nullptr;
}

void BatchDescriber::Enter(const model::SpanBatch& batch) {
  if (generation_ != table_.keys().generation()) {
    generation_ = table_.keys().generation();
    known_.clear();
  }
  batch_ = &batch;
  const auto [at, is_new] = known_.try_emplace(&batch);
  last_ = &at->second;
  if (!is_new) return;
  last_->keys.assign(batch.keys.size(), 0);
  for (std::uint32_t key = 0; key < batch.keys.size(); ++key) {
    if (const auto number = Description::KeyOf(batch.Key(key)))
      last_->keys[key] = static_cast<std::uint8_t>(*number + 1);
  }
  last_->resources.assign(batch.resource_rows.size(), kUnknown);
}

namespace {

void AddCell(const model::SpanBatch& batch, const model::AttributeCell& cell, std::uint8_t number,
             Description& description) {
  if (model::IsText(cell.type)) {
    description.AddText(number, cell.type, batch.Text(cell.text()));
  } else {
    description.AddBits(number, cell.type, cell.payload);
  }
}

}  // namespace

std::uint32_t BatchDescriber::ResourceOf(std::uint32_t resource) {
  std::uint32_t& known = last_->resources[resource];
  if (known != kUnknown) return known;
  description_.BeginResource();
  const model::Range range = batch_->resource_rows[resource].attributes;
  for (std::uint32_t i = range.begin; i < range.end; ++i) {
    const model::AttributeCell& cell = batch_->attributes[i];
    if (cell.role != model::AttributeRole::kPlain) continue;
    if (const auto number = Description::ResourceKeyOf(batch_->Key(cell.key)))
      AddCell(*batch_, cell, *number, description_);
  }
  return known = table_.Resource(description_);
}

FactsId BatchDescriber::Describe(const model::SpanBatch& batch, std::uint32_t row) {
  if (batch_ != &batch || generation_ != table_.keys().generation()) Enter(batch);
  const std::uint32_t resource = ResourceOf(batch.resources[row]);
  description_.Begin({.kind = batch.kinds[row],
                      .status = batch.statuses[row],
                      .source = batch.sources[row],
                      .has_parent = !batch.parent_ids[row].IsZero(),
                      .flags = batch.flags[row],
                      .otel_flags = batch.otel_flags[row],
                      .resource = resource});
  const model::Range range = batch.span_attributes[row];
  for (std::uint32_t i = range.begin; i < range.end; ++i) {
    const model::AttributeCell& cell = batch.attributes[i];
    const std::uint8_t number = last_->keys[cell.key];
    if (number == 0 || cell.role != model::AttributeRole::kPlain) continue;
    AddCell(batch, cell, static_cast<std::uint8_t>(number - 1), description_);
  }
  const FactsTable::Found found = table_.Find(description_);
  return found.by_name ? table_.FindNamed(found.id, batch.Text(batch.names[row])) : found.id;
}

}  // namespace fluoro::rollup
