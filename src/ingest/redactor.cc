#include "ingest/redactor.h"

#include <utility>

#include "redact/batch.h"

namespace fluoro::ingest {
namespace {

// Names of rules are the keepers' words, not traffic; still each that ever was stays a series.
constexpr std::size_t kLabelsMax = 500;

}  // namespace

void Redactor::Set(std::shared_ptr<const redact::Policy> policy) {
  MutexLock lock(mutex_);
  if (!policy) return active_.reset();
  auto next = std::make_shared<Active>();
  for (const auto& rule : policy->actions()) {
    const bool known = labels_.contains(rule.name) || labels_.size() < kLabelsMax;
    if (known) labels_.insert(rule.name);
    next->counters.push_back(
        metrics_.GetCounter("fluoro_redactions_total", "Values removed before they were stored",
                            {{"rule", known ? rule.name : "other"},
                             {"action", std::string(redact::ActionName(rule.action))}}));
  }
  next->policy = std::move(policy);
  active_ = std::move(next);
}

std::shared_ptr<Redactor::Active> Redactor::active() const {
  MutexLock lock(mutex_);
  return active_;
}

std::shared_ptr<const redact::Policy> Redactor::policy() const {
  const auto now = active();
  return now ? now->policy : nullptr;
}

void Redactor::Count(Active& active, const redact::Tally& tally) {
  for (std::size_t rule = 0; rule < tally.counts.size(); ++rule) {
    if (tally.counts[rule] > 0) active.counters[rule].Add(static_cast<double>(tally.counts[rule]));
  }
}

void Redactor::Redact(const model::Limits& limits, model::SpanBatch& batch) {
  const auto now = active();
  if (!now) return;
  redact::Tally tally;
  redact::RedactBatch(*now->policy, limits, batch, tally);
  Count(*now, tally);
}

void Redactor::Redact(std::string& text) {
  if (text.empty()) return;
  const auto now = active();
  if (!now) return;
  redact::Tally tally;
  if (auto scrubbed = now->policy->Scrub(text, tally)) text = *std::move(scrubbed);
}

}  // namespace fluoro::ingest
