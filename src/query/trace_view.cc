#include <utility>

#include "query/evaluate.h"
#include "query/filter.h"

namespace fluoro::query {

TraceView::TraceView(const model::AssembledTrace& trace) : trace_(trace) {}
TraceView::TraceView(const model::AssembledTrace& trace, model::RootCauses causes)
    : trace_(trace), causes_(std::move(causes)) {}
TraceView::~TraceView() = default;

const model::TraceSummary& TraceView::summary() const {
  if (!summary_) summary_ = model::Summarise(trace_);
  return *summary_;
}

const model::RootCauses& TraceView::root_causes() const {
  if (!causes_) causes_ = model::FindRootCauses(trace_);
  return *causes_;
}

bool Filter::Matches(const TraceView& trace) const {
  return root_ == nullptr || Evaluate(*root_, trace, case_insensitive_);
}

}  // namespace fluoro::query
