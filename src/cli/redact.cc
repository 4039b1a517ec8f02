// fluoro redact list|put|delete|test|check
#include <fmt/format.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/json_tree.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/json_command.h"
#include "cli/terminal.h"
#include "redact/rule.h"

namespace fluoro::cli {
namespace {

struct Options {
  bool json = false;
  std::string what;
  std::string name;
  std::string key;
  std::string pattern;
  std::string detector;
  std::string action = "hash";
};

std::string Text(JsonView value) { return Sanitise(std::string(value.String().value_or(""))); }

// What a rule goes by: "key http.request.header.*".
std::string MatchOf(JsonView rule) {
  for (const std::string_view kind : {"key", "pattern", "detector"}) {
    if (rule[kind].exists()) return std::string(kind) + " " + Text(rule[kind]);
  }
  return {};
}

int List(const SourceOptions& source_options, const Options& options) {
  auto source = OpenSource(source_options);
  if (!source) return Report(source.error());
  const auto answer = (*source)->Get("/ui/api/redaction");
  if (!answer) return Report(answer.error());
  if (options.json) return Print(*answer + "\n"), kDone;
  const auto tree = JsonTree::Parse(*answer);
  if (!tree) return Report(tree.error());
  const JsonView root = tree->root();
  std::string out = "content " + Text(root["mode"]) +
                    (root["active"].Bool().value_or(false) ? "" : ": nothing is redacted") + "\n";
  for (const JsonView detector : root["detectors"].Elements())
    out += fmt::format("{:<16} {:<6} detector\n", Text(detector["name"]), Text(detector["action"]));
  for (const JsonView rule : root["rules"].Elements())
    out +=
        fmt::format("{:<16} {:<6} {}\n", Text(rule["name"]), Text(rule["action"]), MatchOf(rule));
  Print(out);
  return kDone;
}

int Send(SourceOptions source_options, const Options& options, const std::string& method,
         const std::string& path, std::string body, const std::string& told) {
  source_options.writable = true;
  auto source = OpenSource(source_options);
  if (!source) return Report(source.error());
  net::HttpRequest request;
  request.method = method;
  const std::size_t query = path.find('?');
  request.path = path.substr(0, query);
  if (query != std::string::npos) request.query = path.substr(query + 1);
  request.headers["content-type"] = "application/json";
  request.body = std::move(body);
  std::string answer;
  const auto sent = (*source)->Stream(std::move(request), [&](std::string_view piece) {
    answer += piece;
    return true;
  });
  if (!sent) return Report(sent.error());
  Print(options.json ? answer + "\n" : told + "\n");
  return kDone;
}

int Put(const SourceOptions& source, const Options& options) {
  JsonWriter out;
  out.BeginObject().Key("name").String(options.what);
  if (!options.key.empty()) out.Key("key").String(options.key);
  if (!options.pattern.empty()) out.Key("pattern").String(options.pattern);
  if (!options.detector.empty()) out.Key("detector").String(options.detector);
  out.Key("action").String(options.action).EndObject();
  return Send(source, options, "POST", "/ui/api/redaction", out.Take(),
              Sanitise(options.what) + " stands");
}

int Delete(const SourceOptions& source, const Options& options) {
  return Send(source, options, "DELETE",
              "/ui/api/redaction?name=" + net::PercentEncode(options.what), "",
              Sanitise(options.what) + " deleted");
}

int Test(const SourceOptions& source_options, const Options& options) {
  auto source = OpenSource(source_options);
  if (!source) return Report(source.error());
  JsonWriter body;
  body.BeginObject().Key("text").String(options.what).Key("name").String(options.name).EndObject();
  const auto answer = (*source)->Post("/ui/api/redaction/test", body.Take());
  if (!answer) return Report(answer.error());
  if (options.json) return Print(*answer + "\n"), kDone;
  const auto tree = JsonTree::Parse(*answer);
  if (!tree) return Report(tree.error());
  const JsonView root = tree->root();
  std::string out = Text(root["text"]) + "\n";
  for (const JsonView fired : root["fired"].Elements()) {
    out += fmt::format("{} by {}: {}\n", Text(fired["action"]), Text(fired["rule"]),
                       fired["count"].Int().value_or(0));
  }
  Print(out);
  return kDone;
}

// {"rules":[...]} as `fluoro redact list --json` prints them, an array of rules, or one.
Result<std::size_t> CheckFile(const std::string& path) {
  const auto fs = MakePosixFs();
  FLUORO_TRY(const std::string text, ReadFile(*fs, path));
  FLUORO_TRY(const JsonTree tree, JsonTree::Parse(text));
  const JsonView root = tree.root();
  std::vector<JsonView> rules =
      root["rules"].IsArray() ? root["rules"].Elements() : root.Elements();
  if (root.IsObject() && !root["rules"].exists()) rules = {root};
  if (rules.size() > redact::kRulesMax)
    return Fail(ErrorCode::kTooLarge, fmt::format("at most {} rules are taken", redact::kRulesMax));
  for (const JsonView rule : rules) {
    if (!rule.IsObject()) return Fail(ErrorCode::kInvalidArgument, "an array of rules wanted");
    FLUORO_CHECK_OK(
        redact::ParseRule(rule["name"].String().value_or(""), JsonTextAt(text, rule.offset())));
  }
  return rules.size();
}

int Check(const Options& options) {
  const auto rules = CheckFile(options.what);
  if (options.json) {
    JsonWriter out;
    out.BeginObject().Key("ok").Bool(rules.has_value());
    if (rules) {
      out.Key("rules").Uint(*rules);
    } else {
      out.Key("problem").String(rules.error().message);
    }
    Print(out.EndObject().Take() + "\n");
  } else if (rules) {
    Print(fmt::format("{} rules, all good\n", *rules));
  } else {
    Report(rules.error());
  }
  return rules ? kDone : kNotFoundOrFailed;
}

}  // namespace

void AddRedact(const Registry& registry) {
  CLI::App* group =
      registry.app.add_subcommand("redact", "what is removed before anything is stored");
  group->set_version_flag("--version", "fluoro " FLUORO_VERSION);
  group->footer("Examples:\n  fluoro redact list\n  fluoro redact test 'mail bob@example.com'");
  group->require_subcommand(1);
  Action& action = registry.action;
  const auto options = std::make_shared<Options>();

  CLI::App* list =
      AddJsonCommand(*group, "list", "content mode, detectors and rules that stand",
                     "  fluoro redact list\n  fluoro redact list --json", options->json);
  const auto list_source = AddSourceOptions(*list);
  list->callback(
      [&action, options, list_source] { action = [=] { return List(*list_source, *options); }; });

  CLI::App* put =
      AddJsonCommand(*group, "put", "makes or replaces a rule",
                     "  fluoro redact put cookies --key 'http.request.header.*' --action drop\n"
                     "  fluoro redact put ticket --pattern 'ACME-[0-9]+'\n"
                     "  fluoro redact put addresses --detector ipv4 --action mask",
                     options->json);
  put->add_option("NAME", options->what, "stands in the values that it removes")->required();
  auto* kinds = put->add_option_group("what");
  kinds->add_option("--key", options->key,
                    "name of an attribute or of a member in JSON; * is anything");
  kinds->add_option("--pattern", options->pattern, "regular expression (RE2)");
  kinds->add_option("--detector", options->detector, "one of those that list shows");
  kinds->require_option(1);
  put->add_option("--action", options->action, "hash, mask, drop or keep")->capture_default_str();
  const auto put_source = AddSourceOptions(*put);
  put->callback(
      [&action, options, put_source] { action = [=] { return Put(*put_source, *options); }; });

  CLI::App* remove = AddJsonCommand(
      *group, "delete", "deletes a rule",
      "  fluoro redact delete ticket\n  fluoro redact delete ticket --json", options->json);
  remove->add_option("NAME", options->what, "of a rule")->required();
  const auto remove_source = AddSourceOptions(*remove);
  remove->callback([&action, options, remove_source] {
    action = [=] { return Delete(*remove_source, *options); };
  });

  CLI::App* test = AddJsonCommand(*group, "test", "what becomes of a text, and which rules do it",
                                  "  fluoro redact test 'mail bob@example.com'\n"
                                  "  fluoro redact test hunter2 --name db.password",
                                  options->json);
  test->add_option("TEXT", options->what, "any text")->required();
  test->add_option("--name", options->name, "attribute whose value it is");
  const auto test_source = AddSourceOptions(*test);
  test->callback(
      [&action, options, test_source] { action = [=] { return Test(*test_source, *options); }; });

  CLI::App* check = AddJsonCommand(
      *group, "check", "validates a file of rules",
      "  fluoro redact check rules.json\n  fluoro redact check rules.json --json", options->json);
  check->add_option("FILE", options->what, "JSON, as redact list --json prints it")->required();
  check->callback([&action, options] { action = [=] { return Check(*options); }; });
}

}  // namespace fluoro::cli
