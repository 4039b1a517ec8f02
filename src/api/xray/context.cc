#include "api/xray/context.h"

#include "query/root_request.h"
#include "query/tail_filters.h"

#include <algorithm>
#include <string>
#include <unordered_set>

#include "control/groups.h"

namespace fluoro::api::xray {

ApiResult<Window> WindowOf(const Context& context, const MembersView& members, int hours_max) {
  const Window window{.from_ns = members.TimeNs("StartTime").value_or(0),
                      .until_ns = members.TimeNs("EndTime").value_or(0)};
  if (window.until_ns <= window.from_ns) return Refuse("EndTime must be later than StartTime");
  // Both ends are within what TimeNs yields, so the difference may not fit: compare without it.
  const std::int64_t longest_ns = std::int64_t{hours_max} * 3'600 * kNsPerSecond;
  if (context.options.aws_quotas && window.until_ns - longest_ns > window.from_ns) {
    return Refuse("Time range cannot be longer than " + std::to_string(hours_max) + " hours");
  }
  return window;
}

ApiResult<std::optional<query::Filter>> GroupFilter(Context& context, const MembersView& members) {
  std::optional<control::Group> named;
  const auto snapshot = context.control.Read();
  for (const char* const member : {"GroupName", "GroupARN"}) {
    const auto text = members.Text(member);
    if (!text) continue;
    auto group = control::FindGroup(*snapshot, context.place, *text);
    if (!group || (named && named->arn != group->arn)) return Refuse("Group not found");
    named = std::move(group);
  }
  if (!named || named->filter.empty()) return std::nullopt;
  FLUORO_API_TRY(query::Filter filter, ParseFilter(context, named->filter));
  return filter;
}

Result<query::Filter> ParseFilter(Context& context, std::string_view text) {
  return query::Filter::Parse(text,
                              {.case_insensitive_strings = false,
                               .groups = control::LookupIn(context.control.Read(), context.place)});
}

Result<store::SearchResult> VisitGroup(
    Context& context, const query::Filter& filter, const Window& window, std::int64_t deadline_ns,
    const std::function<void(const model::AssembledTrace& trace, double weight)>& visit) {
  const query::Plan plan{.from_ns = window.from_ns,
                         .until_ns = window.until_ns,
                         .time_range = query::TimeRange::kEvent,
                         .filter = filter,
                         .after = {},
                         .deadline_ns = deadline_ns,
                         .stop = {}};
  return context.store.Search(plan, [&](const store::Match& match) {
    const double probability = match.trace.trace->kept.probability;
    visit(match.trace, probability > 0 ? 1 / probability : 1);
    return true;
  });
}

TraceIds TraceIdsOf(const MembersView& members) {
  TraceIds found;
  std::unordered_set<model::TraceId> seen;
  for (const std::string_view text : members.Texts("TraceIds")) {
    const Result<model::TraceId> id = model::TraceId::Parse(text);
    if (id) {
      if (seen.insert(*id).second) found.ids.push_back(*id);
    } else if (std::ranges::find(found.malformed, text) == found.malformed.end()) {
      found.malformed.emplace_back(text);
    }
  }
  return found;
}

namespace {

template <class Result>
void TellOfPart(const Result& found, Answer& answer) {
  if (!found.complete)
    answer.headers["x-fluoro-scanned-share"] = std::to_string(found.scanned_share);
  if (!found.damaged.empty())
    answer.headers["x-fluoro-damaged-blocks"] = std::to_string(found.damaged.size());
}

}  // namespace

void TellWhatIsMissing(const store::SearchResult& found, Answer& answer) {
  TellOfPart(found, answer);
  if (found.cut_traces > 0) {
    answer.headers["x-fluoro-cut-traces"] = std::to_string(found.cut_traces);
  }
}

void TellWhatIsMissing(const store::GraphResult& found, Answer& answer) {
  TellOfPart(found, answer);
}

void CountRetrieved(const Context& context, const model::AssembledTrace& trace) {
  if (context.options.counters == nullptr) return;
  const model::Span* const entry = query::EntryOf(*trace.trace);
  context.options.counters->Retrieved(entry == nullptr ? query::RootRequest()
                                                       : query::RootRequestOf(*entry));
}

}  // namespace fluoro::api::xray
