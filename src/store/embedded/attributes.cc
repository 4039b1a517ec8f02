// The cardinality guard inside the store: fed by seals, asked by questions, kept in a file of its
// own. Losing the file loses what is known of values, and no data.
#include "base/log.h"
#include "store/embedded/attribute_file.h"
#include "store/embedded/block_writer.h"
#include "store/embedded/store_impl.h"

namespace fluoro::store {
namespace {

constexpr std::string_view kFileName = "ATTRIBUTES";
// So much of what was counted a crash may take.
constexpr std::int64_t kSaveEveryNs = 300 * kNsPerSecond;
// So many times the file must fit into the room on the disk: while it is written there are two.
constexpr std::uint64_t kRoomTimes = 16;

void Tell(const cardinality::StateChange& change) {
  const log::Fields fields{{"key", change.key},
                           {"state", std::string(cardinality::StateName(change.now))},
                           {"why", std::string(cardinality::WhyText(change.why))},
                           {"values", std::to_string(change.distinct)},
                           {"budget", std::to_string(change.budget)}};
  if (change.now == cardinality::State::kGuarded) {
    log::Warn("attributes: new values of a key are not indexed any more", fields);
  } else if (change.now == cardinality::State::kWatch) {
    log::Warn("attributes: a key will soon have too many values", fields);
  } else {
    log::Info("attributes: a key has few values again", fields);
  }
}

}  // namespace

AttributeCensus* AttributeCensus::Of(TraceStore& store) {
  return dynamic_cast<AttributeCensus*>(&store);
}

std::string AttributeFilePath(const std::string& folder) {
  return folder + "/" + std::string(kFileName);
}

cardinality::GuardLimits EmbeddedStoreImpl::GuardLimitsOf(const EmbeddedOptions& options) {
  cardinality::GuardLimits limits;
  limits.bytes_max = static_cast<std::size_t>(options.memory_bytes / 32);
  limits.forget_ns = options.retention_ns;
  return limits;
}

void EmbeddedStoreImpl::LoadAttributes() {
  MutexLock lock(attributes_mutex_);
  const std::string path = AttributeFilePath(layout_.root);
  if (fs_.Exists(path)) {
    const auto bytes = ReadFile(fs_, path);
    auto state =
        bytes ? DecodeAttributeFile(*bytes, keys()) : std::unexpected(Error(bytes.error()));
    if (state) {
      guard_.Restore(std::move(state->keys), state->crowded_out, state->as_of_ns);
      attributes_dirty_ = true;  // it may be encrypted under another key than the one in use
    } else {
      log::Warn("attributes: what was known of values is lost, it will be known again",
                {{"why", state.error().message}});
    }
  }
  attribute_policy_ = guard_.MakePolicy(attribute_settings_);
  UpdateAttributeGauges();
}

void EmbeddedStoreImpl::UpdateAttributeGauges() {
  for (std::size_t state = 0; state < attribute_keys_gauges_.size(); ++state) {
    attribute_keys_gauges_.at(state).Set(
        static_cast<double>(guard_.Count(static_cast<cardinality::State>(state))));
  }
  attribute_bytes_gauge_.Set(static_cast<double>(guard_.MemoryBytes()));
}

// Under maintenance_mutex_. A failure is no harm: it is tried again.
void EmbeddedStoreImpl::SaveAttributes(bool at_once) {
  if (options_.read_only) return;
  std::string bytes;
  {
    MutexLock lock(attributes_mutex_);
    const std::int64_t now_ns = clock_.MonotonicNs();
    const bool is_due = at_once || attributes_urgent_ || attributes_saved_ns_ == INT64_MIN ||
                        now_ns - attributes_saved_ns_ >= kSaveEveryNs;
    if (!attributes_dirty_ || !is_due) return;
    bytes = EncodeAttributeFile(
        {.keys = guard_.keys(), .crowded_out = guard_.crowded_out(), .as_of_ns = guard_.as_of_ns()},
        keys());
    // On a disk that is low it waits: spans come first, and nothing is lost with it.
    if (disk_state_.load(std::memory_order_relaxed) != DiskState::kEnough ||
        bytes.size() > room_bytes_ / kRoomTimes)
      return;
    attributes_saved_ns_ = now_ns;
    attributes_dirty_ = false;
    attributes_urgent_ = false;
  }
  const auto saved = WriteWhole(fs_, layout_, layout_.root, std::string(kFileName), bytes);
  if (saved) return;
  log::Warn("attributes: what is known of values is not saved", {{"why", saved.error().message}});
  MutexLock lock(attributes_mutex_);
  attributes_dirty_ = true;
}

AttributePolicy EmbeddedStoreImpl::attribute_policy() {
  MutexLock lock(attributes_mutex_);
  return attribute_policy_;
}

void EmbeddedStoreImpl::UseStateChanges(const std::vector<cardinality::StateChange>& changes) {
  for (const cardinality::StateChange& change : changes) {
    // Who only reads tells nobody.
    if (!options_.read_only) Tell(change);
    if (change.now == cardinality::State::kGuarded) guarded_keys_.Add();
  }
  if (!changes.empty()) {
    attribute_policy_ = guard_.MakePolicy(attribute_settings_);
    attributes_urgent_ = true;
  }
  UpdateAttributeGauges();
  attributes_dirty_ = true;
}

void EmbeddedStoreImpl::AbsorbValues(cardinality::BlockValues& values) {
  const std::uint64_t crowded_out = guard_.crowded_out();
  UseStateChanges(guard_.Absorb(values, clock_.UnixNs(), attribute_settings_));
  crowded_out_keys_.Add(static_cast<double>(guard_.crowded_out() - crowded_out));
}

void EmbeddedStoreImpl::SetAttributeSettings(cardinality::Settings settings) {
  MutexLock lock(attributes_mutex_);
  if (settings == attribute_settings_) return;
  attribute_settings_ = std::move(settings);
  attribute_policy_ = guard_.MakePolicy(attribute_settings_);
  UseStateChanges(guard_.JudgeAll(clock_.UnixNs(), attribute_settings_));
}

void EmbeddedStoreImpl::ForgetTextsOfValues() {
  MutexLock lock(attributes_mutex_);
  guard_.ForgetTexts();
  attributes_dirty_ = true;
  attributes_urgent_ = true;
}

// What is sealed, and what lies in the head, which is looked at as a seal would.
cardinality::Guard EmbeddedStoreImpl::GuardOfNow(cardinality::Settings& settings) {
  std::vector<std::unique_ptr<TraceRows>> traces;
  AttributePolicy policy;
  const auto copy = [&] {
    MutexLock lock(attributes_mutex_);
    settings = attribute_settings_;
    policy = attribute_policy_;
    cardinality::Guard copied = guard_;
    MutexLock state(state_mutex_);
    for (const model::TraceId& id : head_.All()) traces.push_back(head_.Find(id));
    return copied;
  };
  cardinality::Guard guard = copy();
  cardinality::BlockValues values(guard.limits().keys_max);
  RowGroupBuilder builder;
  builder.SetWatch({.values = &values, .policy = policy});
  RowGroupBuilder::Operations operations;
  const auto finish = [&] {
    (void)builder.Finish(operations, [](EncodedColumn&) -> Result<void> { return {}; });
  };
  for (const auto& trace : traces) {
    std::span<const RowRef> rows = trace->rows;
    while (!rows.empty()) {
      const auto part = rows.first(std::min(rows.size(), kRowGroupTargetSpans));
      if (builder.spans() + part.size() > kRowGroupTargetSpans ||
          builder.bytes() > kRowGroupTargetBytes)
        finish();
      builder.AddTrace(trace->start_ns, part);
      rows = rows.subspan(part.size());
    }
  }
  if (builder.spans() > 0) finish();
  if (!traces.empty()) (void)guard.Absorb(values, clock_.UnixNs(), settings);
  return guard;
}

Result<cardinality::Census> EmbeddedStoreImpl::Attributes() {
  cardinality::Settings settings;
  const cardinality::Guard guard = GuardOfNow(settings);
  return guard.Report(clock_.UnixNs(), settings);
}

Result<cardinality::KeyDetail> EmbeddedStoreImpl::Attribute(std::string_view key) {
  cardinality::Settings settings;
  const cardinality::Guard guard = GuardOfNow(settings);
  auto detail = guard.Report(key, clock_.UnixNs(), settings);
  if (!detail) return Fail(ErrorCode::kNotFound, "no attribute '" + std::string(key) + "'");
  return *std::move(detail);
}

}  // namespace fluoro::store
