// fluoro rules list|put|delete|check
#include <fmt/format.h>

#include "base/fs.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/json_command.h"
#include "cli/local_rules_check.h"
#include "cli/suggest.h"
#include "cli/tail_policy_file.h"
#include "cli/terminal.h"
#include "query/tail_filters.h"
#include "sampling/rule_file.h"

namespace fluoro::cli {
namespace {

struct Options {
  bool json = false;
  bool tail = false;
  std::string what;
};

std::string Percent(double share) { return fmt::format("{:g} %", share * 100); }

/// The patterns and attributes that say something.
std::string Describe(const sampling::Rule& rule) {
  std::string text;
  const auto add = [&](std::string_view name, const std::string& pattern) {
    if (pattern == "*") return;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, Sanitise(pattern));
  };
  add("service", rule.service_name);
  add("type", rule.service_type);
  add("host", rule.host);
  add("method", rule.http_method);
  add("path", rule.url_path);
  add("resource", rule.resource_arn);
  for (const auto& [key, value] : rule.attributes) add(Sanitise(key), value);
  return text.empty() ? "anything" : text;
}

std::string Describe(const sampling::TailPolicy& policy) {
  std::string text;
  const auto add = [&](const std::string& condition) {
    text += (text.empty() ? "" : ", ") + condition;
  };
  if (!policy.filter.empty()) add(Sanitise(policy.filter));
  std::string outcomes;
  for (const auto& [bit, name] :
       {std::pair(sampling::kTailFault, "fault"), std::pair(sampling::kTailError, "error"),
        std::pair(sampling::kTailThrottle, "throttle"),
        std::pair(sampling::kTailTimeout, "timeout")}) {
    if ((policy.outcomes & bit) != 0)
      outcomes += (outcomes.empty() ? "" : " or ") + std::string(name);
  }
  if (!outcomes.empty()) add(outcomes);
  if (policy.slower_than_route_quantile)
    add("slower than " + Percent(*policy.slower_than_route_quantile) + " of its route");
  if (policy.shapes_seen_per_hour_below)
    add(fmt::format("a shape seen less than {:g} times an hour",
                    *policy.shapes_seen_per_hour_below));
  if (policy.per_second) add(fmt::format("at most {:g}/s", *policy.per_second));
  return text.empty() ? "anything" : text;
}

std::string Table(const sampling::RuleFile& file, const Terminal& terminal) {
  std::string out;
  if (file.rules) {
    out += terminal.Paint(fmt::format("{}  {:>8}  {:>9}  {:>8}  for", Fit("sampling rule", 24),
                                      "priority", "reservoir", "then"),
                          Ink::kBold) +
           "\n";
    for (const sampling::Rule& rule : *file.rules) {
      out += fmt::format("{}  {:>8}  {:>7}/s  {:>8}  {}\n", Fit(Sanitise(rule.name), 24),
                         rule.priority, rule.reservoir, Percent(rule.fixed_rate), Describe(rule));
    }
  }
  if (!file.policies) return out;
  if (!out.empty()) out += "\n";
  if (file.policies->empty()) return out + "no tail policies: everything that is stored is kept\n";
  out += terminal.Paint(fmt::format("{}  {:>8}  of", Fit("tail policy", 24), "keeps"), Ink::kBold) +
         "\n";
  for (const sampling::TailPolicy& policy : file.policies->policies) {
    out += fmt::format("{}  {:>8}  {}\n", Fit(Sanitise(policy.name), 24), Percent(policy.keep),
                       Describe(policy));
  }
  return out;
}

int List(const SourceOptions& source_options, const Options& options) {
  auto source = OpenSource(source_options);
  if (!source) return Report(source.error());
  const auto answer = (*source)->Get("/ui/api/rules");
  if (!answer) return Report(answer.error());
  if (options.json) {
    Print(*answer + "\n");
    return kDone;
  }
  const auto file = sampling::ParseRuleFile(*answer);
  if (!file) return Report(file.error());
  Print(Table(*file, Terminal::Detect()));
  return kDone;
}

Result<std::string> Send(Source& source, std::string method, std::string path, std::string body) {
  net::HttpRequest request;
  request.method = std::move(method);
  request.path = std::move(path);
  request.headers["content-type"] = "application/json";
  request.body = std::move(body);
  std::string answer;
  FLUORO_CHECK_OK(source.Stream(std::move(request), [&](std::string_view piece) {
    answer += piece;
    return true;
  }));
  return answer;
}

int Change(SourceOptions source_options, const Options& options, std::string method,
           std::string path, std::string body, const std::string& told) {
  source_options.writable = true;
  auto source = OpenSource(source_options);
  if (!source) return Report(source.error());
  const auto answer = Send(**source, std::move(method), std::move(path), std::move(body));
  if (!answer) return Report(answer.error());
  Print(options.json ? *answer + "\n" : told + "\n");
  return kDone;
}

int Put(const SourceOptions& source, const Options& options) {
  const auto file = ReadRuleFile(options.what);
  if (!file) return Report(file.error());
  std::string told;
  if (file->rules) told = fmt::format("{} sampling rules put", file->rules->size());
  if (file->policies) {
    told += fmt::format("{}{} tail policies stand now", told.empty() ? "" : ", ",
                        file->policies->policies.size());
  }
  if (told.empty()) told = "the file speaks of no rules";
  return Change(source, options, "PUT", "/ui/api/rules", sampling::PrintRuleFile(*file), told);
}

int Delete(const SourceOptions& source, const Options& options) {
  const std::string folder = options.tail ? "tail-policies/" : "rules/";
  return Change(source, options, "DELETE", "/ui/api/" + folder + net::PercentEncode(options.what),
                "", Sanitise(options.what) + " deleted");
}

/// Of what the server would refuse, everything that can be seen without one.
Result<sampling::RuleFile> CheckRuleFile(const std::string& path) {
  FLUORO_TRY(sampling::RuleFile file, ReadRuleFile(path));
  if (file.policies) {
    const auto filters = query::TailFilters::Compile(*file.policies);
    if (!filters) return std::unexpected(filters.error().With(path));
  }
  return file;
}

int Check(const Options& options) {
  const auto fs = MakePosixFs();
  const auto text = ReadFile(*fs, options.what);
  if (!text) return Report(text.error());
  if (IsLocalRuleFile(*text)) return CheckLocalRules(options.what, options.json);
  const auto file = CheckRuleFile(options.what);
  if (options.json) {
    JsonWriter out;
    out.BeginObject().Key("ok").Bool(file.has_value());
    if (file) {
      out.Key("sampling_rules").Uint(file->rules ? file->rules->size() : 0);
      out.Key("tail_policies").Uint(file->policies ? file->policies->policies.size() : 0);
    } else {
      out.Key("problem").String(file.error().message);
    }
    Print(out.EndObject().Take() + "\n");
  } else if (file) {
    Print(Table(*file, Terminal::Detect()));
  } else {
    Report(file.error());
  }
  return file ? kDone : kNotFoundOrFailed;
}

}  // namespace

void AddRules(const Registry& registry) {
  CLI::App* group =
      registry.app.add_subcommand("rules", "sampling rules and tail policies of a server");
  group->set_version_flag("--version", "fluoro " FLUORO_VERSION);
  group->footer("Examples:\n  fluoro rules list\n  fluoro rules put rules.json");
  group->require_subcommand(1);
  Action& action = registry.action;
  const auto options = std::make_shared<Options>();
  AddSuggest(registry, *group);

  CLI::App* list =
      AddJsonCommand(*group, "list", "what decides now, in the order in which it is tried",
                     "  fluoro rules list\n  fluoro rules list --json > rules.json", options->json);
  const auto list_source = AddSourceOptions(*list);
  list->callback(
      [&action, options, list_source] { action = [=] { return List(*list_source, *options); }; });

  CLI::App* put = AddJsonCommand(
      *group, "put",
      "makes or replaces the sampling rules of a file, and replaces all tail policies by its own",
      "  fluoro rules put rules.json\n  fluoro rules put rules.toml --json", options->json);
  put->add_option("FILE", options->what, "rules, as JSON or TOML: docs/sampling.md")->required();
  const auto put_source = AddSourceOptions(*put);
  put->callback(
      [&action, options, put_source] { action = [=] { return Put(*put_source, *options); }; });

  CLI::App* remove = AddJsonCommand(
      *group, "delete", "deletes one sampling rule, or one tail policy",
      "  fluoro rules delete payments\n  fluoro rules delete --tail rest", options->json);
  remove->add_option("NAME", options->what, "of a sampling rule")->required();
  remove->add_flag("--tail", options->tail, "of a tail policy");
  const auto remove_source = AddSourceOptions(*remove);
  remove->callback([&action, options, remove_source] {
    action = [=] { return Delete(*remove_source, *options); };
  });

  CLI::App* check = AddJsonCommand(
      *group, "check",
      "validates a file of rules, or a local rule file of the X-Ray SDKs (version 1 or 2)",
      "  fluoro rules check rules.json\n  fluoro rules check sampling-rules.json --json",
      options->json);
  check->add_option("FILE", options->what, "rule file")->required();
  check->callback([&action, options] { action = [=] { return Check(*options); }; });
}

}  // namespace fluoro::cli
