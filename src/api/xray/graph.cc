// GetServiceGraph and GetTraceGraph.
#include <string>
#include <utility>
#include <vector>

#include "analysis/service_graph.h"
#include "api/xray/context.h"
#include "api/xray/render.h"
#include "base/json.h"

namespace fluoro::api::xray {
namespace {

constexpr std::size_t kServicesPage = 100;
constexpr std::size_t kGraphTraceIdsMax = 100;

}  // namespace

ApiResult<Answer> GetServiceGraph(Context& context, const Request& request) {
  const MembersView& members = request.members();
  const auto window = WindowOf(context, members, 6);
  if (!window) return std::unexpected(window.error());
  const auto filter = GroupFilter(context, members);
  if (!filter) return std::unexpected(filter.error());
  const Fingerprint fingerprint = Fingerprint("GetServiceGraph")
                                      .Add(window->from_ns)
                                      .Add(window->until_ns)
                                      .Add(*filter ? (*filter)->text() : "");

  Answer answer;
  const auto compute = [&]() -> ApiResult<std::vector<std::string>> {
    analysis::ServiceGraphBuilder builder;
    const std::int64_t deadline_ns = context.clock.MonotonicNs() + kQueryDeadlineNs;
    if (*filter) {
      FLUORO_API_TRY(const store::SearchResult found,
                     VisitGroup(context, **filter, *window, deadline_ns,
                                [&](const model::AssembledTrace& trace, double weight) {
                                  builder.Add(trace, window->from_ns, window->until_ns, weight);
                                }));
      TellWhatIsMissing(found, answer);
    } else {
      FLUORO_API_TRY(const store::GraphResult found,
                     context.store.Graph({.from_ns = window->from_ns,
                                          .until_ns = window->until_ns,
                                          .deadline_ns = deadline_ns}));
      builder.Add(found.rollup);
      TellWhatIsMissing(found, answer);
    }
    return RenderServices(builder.Build());
  };
  const auto page =
      context.pages.Get(members.Text("NextToken"), fingerprint, kServicesPage, compute);
  if (!page) return std::unexpected(page.error());

  JsonWriter out;
  out.BeginObject()
      .Key("StartTime")
      .Seconds(window->from_ns)
      .Key("EndTime")
      .Seconds(window->until_ns);
  out.Key("Services").Raw(page->Json()).Key("ContainsOldGroupVersions").Bool(false);
  if (page->next_token) out.Key("NextToken").String(*page->next_token);
  out.EndObject();
  answer.body = out.Take();
  return answer;
}

ApiResult<Answer> GetTraceGraph(Context& context, const Request& request) {
  const MembersView& members = request.members();
  const TraceIds asked = TraceIdsOf(members);
  if (asked.ids.size() + asked.malformed.size() > kGraphTraceIdsMax) {
    return Refuse("At most " + std::to_string(kGraphTraceIdsMax) +
                  " trace ids can be asked for at once");
  }
  Fingerprint fingerprint("GetTraceGraph");
  for (const model::TraceId& id : asked.ids) fingerprint.Add(id.ToHex());

  const auto compute = [&]() -> ApiResult<std::vector<std::string>> {
    analysis::ServiceGraphBuilder builder;
    for (const model::TraceId& id : asked.ids) {
      FLUORO_API_TRY(auto trace, context.store.ReadTrace(id));
      if (!trace) continue;
      builder.Add(model::Assemble(std::move(trace), {.now_ns = context.clock.UnixNs()}));
    }
    return RenderServices(builder.Build());
  };
  const auto page =
      context.pages.Get(members.Text("NextToken"), fingerprint, kServicesPage, compute);
  if (!page) return std::unexpected(page.error());

  JsonWriter out;
  out.BeginObject().Key("Services").Raw(page->Json());
  if (page->next_token) out.Key("NextToken").String(*page->next_token);
  out.EndObject();
  return Answer{.body = out.Take()};
}

}  // namespace fluoro::api::xray
