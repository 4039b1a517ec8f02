#include "cli/query_options.h"

#include "base/json.h"
#include "cli/units.h"

namespace fluoro::cli {

std::shared_ptr<QueryOptions> AddQueryOptions(CLI::App& command) {
  auto options = std::make_shared<QueryOptions>();
  command.add_option("EXPR", options->expression, "filter expression; all traces if absent");
  AddWindowOptions(command, *options);
  command.add_option("--group", options->group, "name of a group");
  return options;
}

void AddWindowOptions(CLI::App& command, QueryOptions& options) {
  auto* from =
      command.add_option("--from", options.from,
                         "start: 2026-11-20T12:00:00Z, Unix seconds, or back from now as -15m");
  command.add_option("--to", options.to, "end (exclusive), likewise");
  command.add_option("--last", options.last, "the last 90s, 15m, 1h, 7d")->excludes(from);
}

Result<std::string> QueryBody(const QueryOptions& options, const ExtraMembers& extra,
                              std::int64_t now_ns) {
  JsonWriter out;
  out.BeginObject().Key("expression").String(options.expression);
  if (!options.last.empty()) {
    FLUORO_TRY(const std::int64_t back_ns, ParseDuration(options.last));
    out.Key("from").Int(now_ns - back_ns);
  }
  if (!options.from.empty()) {
    FLUORO_TRY(const std::int64_t from_ns, ParseTime(options.from, now_ns));
    out.Key("from").Int(from_ns);
  }
  if (!options.to.empty()) {
    FLUORO_TRY(const std::int64_t to_ns, ParseTime(options.to, now_ns));
    out.Key("to").Int(to_ns);
  }
  if (!options.group.empty()) out.Key("group").String(options.group);
  if (extra.limit > 0) out.Key("limit").Uint(extra.limit);
  if (!extra.next_token.empty()) out.Key("next_token").String(extra.next_token);
  if (!extra.format.empty()) out.Key("format").String(extra.format);
  if (extra.explain) out.Key("explain").Bool(true);
  if (extra.brief) out.Key("brief").Bool(true);
  if (extra.dry_run) out.Key("dry_run").Bool(true);
  if (!extra.by.empty()) {
    out.Key("by").BeginArray();
    for (const std::string& dimension : extra.by) out.String(dimension);
    out.EndArray();
  }
  out.EndObject();
  return out.Take();
}

}  // namespace fluoro::cli
