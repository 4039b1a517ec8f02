#include "api/xray/context.h"

#include <algorithm>
#include <string>
#include <unordered_set>

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

ApiResult<void> CheckGroup(const Context& context, const MembersView& members) {
  const auto name = members.Text("GroupName");
  const auto arn = members.Text("GroupARN");
  const std::string default_arn = "arn:aws:xray:" + context.options.region + ":" +
                                  context.options.account_id + ":group/Default";
  const bool name_fits = !name || *name == "Default";
  const bool arn_fits = !arn || *arn == "Default" || *arn == default_arn;
  if (!name_fits || !arn_fits) return Refuse("Group not found");
  return {};
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

}  // namespace fluoro::api::xray
