// fluoro sampling check FILE
#include <fmt/format.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/json_tree.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/local_rules_check.h"
#include "sampling/local_rules.h"

namespace fluoro::cli {
namespace {

std::string Describe(const sampling::LocalRule& rule) {
  return fmt::format("{} {} {}: {}/s, then {:g} %", rule.host, rule.http_method, rule.url_path,
                     rule.fixed_target, rule.rate * 100);
}

}  // namespace

bool IsLocalRuleFile(std::string_view json) {
  const auto tree = JsonTree::Parse(json);
  return tree && tree->root()["version"].exists();
}

int CheckLocalRules(const std::string& path, bool json) {
  const auto fs = MakePosixFs();
  const auto text = ReadFile(*fs, path);
  if (!text) return Report(text.error());
  const auto rules = sampling::ParseLocalRules(*text);
  if (json) {
    JsonWriter out;
    out.BeginObject().Key("ok").Bool(rules.has_value());
    if (rules) {
      out.Key("version").Int(rules->version).Key("rules").Uint(rules->rules.size());
    } else {
      out.Key("problem").String(rules.error().message);
    }
    out.EndObject();
    Print(out.Take() + "\n");
    return rules ? kDone : kNotFoundOrFailed;
  }
  if (!rules) {
    Report(rules.error().With(path));
    return kNotFoundOrFailed;
  }
  Print(fmt::format("{}: version {}, {} rules, in this order\n", path, rules->version,
                    rules->rules.size()));
  for (const auto& rule : rules->rules)
    Print("  " + Describe(rule) + (rule.description.empty() ? "" : "  (" + rule.description + ")") +
          "\n");
  Print(fmt::format("  anything else: {}/s, then {:g} %\n", rules->fallback.fixed_target,
                    rules->fallback.rate * 100));
  return kDone;
}

void AddSampling(const Registry& registry) {
  struct Options {
    bool json = false;
    std::string path;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* group = registry.app.add_subcommand("sampling", "looks at sampling rule files");
  group->set_version_flag("--version", "fluoro " FLUORO_VERSION);
  group->footer("Examples:\n  fluoro sampling check rules.json\n  fluoro sampling check --help");
  group->require_subcommand(1);
  CLI::App* check = group->add_subcommand(
      "check", "validates a local rule file of the X-Ray SDKs, version 1 or 2");
  check->set_version_flag("--version", "fluoro " FLUORO_VERSION);
  check->add_flag("--json", options->json, "one JSON document");
  check->footer(
      "Examples:\n  fluoro sampling check rules.json\n  fluoro sampling check --json rules.json");
  check->add_option("FILE", options->path, "rule file")->required();
  Action& action = registry.action;
  check->callback([&action, options] {
    action = [=] { return CheckLocalRules(options->path, options->json); };
  });
}

}  // namespace fluoro::cli
