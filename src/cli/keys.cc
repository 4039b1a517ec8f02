// fluoro keys create|list|revoke|attach
#include <fmt/format.h>
#include <simdjson.h>

#include <filesystem>

#include "api/ui/keys.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/json_read.h"
#include "cli/terminal.h"
#include "cli/units.h"
#include "control/repository.h"

namespace fluoro::cli {
namespace {

/// The records of a folder, also beside a server that holds it: SQLite keeps the two apart.
class RecordsSource final : public Source {
 public:
  /// `make`: the first key may come before the first start of a server.
  static Result<std::unique_ptr<Source>> Open(const std::string& folder, bool make) {
    std::error_code error;
    if (make) {
      std::filesystem::create_directories(folder, error);
    } else if (!std::filesystem::exists(folder + "/control.db", error)) {
      return Fail(ErrorCode::kNotFound, "no keys in " + folder);
    }
    if (error) {
      return Fail(ErrorCode::kIo, fmt::format("cannot make {}: {}", folder, error.message()));
    }
    auto source = std::make_unique<RecordsSource>();
    FLUORO_TRY(source->records_, control::Repository::Open(folder + "/control.db", source->clock_));
    return source;
  }

  Result<void> Stream(net::HttpRequest request,
                      const std::function<bool(std::string_view)>& piece) override {
    request.principal = "local";
    net::HttpResponse answer;
    if (request.method == "GET") {
      answer = api::ui::ListKeys(*records_);
    } else if (request.path == "/ui/api/keys") {
      answer = api::ui::CreateKey(*records_, request);
    } else if (request.path == "/ui/api/keys/revoke") {
      answer = api::ui::RevokeKey(*records_, request);
    } else {
      answer = api::ui::AttachKeyPolicy(*records_, request);
    }
    if (answer.status != 200) return std::unexpected(ErrorOfAnswer(answer.status, answer.body));
    piece(answer.body);
    return {};
  }

 private:
  SystemClock clock_;
  std::unique_ptr<control::Repository> records_;
};

struct Options {
  bool json = false;
  std::string name;
  std::string role;
  std::vector<std::string> policies;
  bool bearer = false;
  std::string id;
  std::string policy;
};

Result<std::unique_ptr<Source>> Open(const SourceOptions& options, bool make) {
  if (options.folder.empty()) return OpenSource(options);
  return RecordsSource::Open(options.folder, make);
}

using Show = void (*)(simdjson::dom::element answer);

int Ask(const SourceOptions& source_options, const Options& options, const std::string& path,
        const std::string& body, Show show) {
  auto source = Open(source_options, path == "/ui/api/keys" && !body.empty());
  if (!source) return Report(source.error());
  const auto answer = body.empty() ? (*source)->Get(path) : (*source)->Post(path, body);
  if (!answer) return Report(answer.error());
  if (options.json) return Print(*answer + "\n") ? kDone : kNotFoundOrFailed;
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(*answer);
  simdjson::dom::element document;
  if (parser.parse(padded).get(document) != simdjson::SUCCESS)
    return Report(Error{ErrorCode::kCorruption, "the server's answer is not JSON"});
  show(document);
  return kDone;
}

std::string Joined(simdjson::dom::element object, std::string_view key) {
  std::string text;
  simdjson::dom::array list;
  if (object[key].get(list) != simdjson::SUCCESS) return text;
  for (const auto one : list) {
    std::string_view name;
    if (one.get(name) == simdjson::SUCCESS) text += (text.empty() ? "" : ", ") + Sanitise(name);
  }
  return text;
}

void ShowCreated(simdjson::dom::element answer) {
  const std::string id = Sanitise(ReadText(answer, "id"));
  const std::string secret = Sanitise(ReadText(answer, "secret"));
  if (ReadText(answer, "kind") == "bearer") {
    Print(fmt::format("id          {}\nbearer key  {}\n", id, secret));
  } else {
    Print(fmt::format("AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}\n", id, secret));
  }
  std::fprintf(stderr, "shown once: keep it now\n");
  const std::string role = ReadText(answer, "role");
  if (ReadMember<bool>(answer, "made_role", false))
    std::fprintf(stderr, "the role %s is new and has no policies yet\n", role.c_str());
  if (role.empty() && Joined(answer, "policies").empty()) {
    std::fprintf(stderr, "it may do nothing yet: fluoro keys attach %s AWSXrayReadOnlyAccess\n",
                 id.c_str());
  }
}

void ShowKeys(simdjson::dom::element answer) {
  simdjson::dom::array keys;
  if (answer["keys"].get(keys) != simdjson::SUCCESS) return;
  Print(fmt::format("{:<22}{:<8}{:<24}{:<20}{}\n", "ID", "KIND", "NAME", "ROLE", "POLICIES"));
  for (const auto key : keys) {
    Print(fmt::format("{:<22}{:<8}{:<24}{:<20}{}\n", Sanitise(ReadText(key, "id")),
                      Sanitise(ReadText(key, "kind")), Sanitise(ReadText(key, "name")),
                      Sanitise(ReadText(key, "role")), Joined(key, "policies")));
  }
}

std::string CreateBody(const Options& options) {
  JsonWriter out;
  out.BeginObject().Key("name").String(options.name).Key("role").String(options.role);
  out.Key("bearer").Bool(options.bearer).Key("policies").BeginArray();
  for (const std::string& policy : options.policies) out.String(policy);
  return out.EndArray().EndObject().Take();
}

}  // namespace

void AddKeys(const Registry& registry) {
  const auto options = std::make_shared<Options>();
  CLI::App* keys =
      registry.Add("keys", "access keys and bearer keys, and what they may do",
                   "  fluoro keys create --policy AWSXRayDaemonWriteAccess --data ./fluoro-data\n"
                   "  fluoro keys create --role checkout --bearer\n"
                   "  fluoro keys list\n"
                   "  fluoro keys attach AKIAEXAMPLEEXAMPLE23 AWSXrayReadOnlyAccess",
                   options->json);
  keys->require_subcommand(1);
  keys->fallthrough();
  Action& action = registry.action;
  const auto add = [&](const std::string& name, const std::string& description) {
    CLI::App* command = keys->add_subcommand(name, description);
    command->fallthrough();
    command->add_flag("--json", options->json, "one JSON document");
    const auto source = AddSourceOptions(*command);
    command->get_option("--data")->description(
        "open the records of this folder, also beside the server that holds it");
    return std::pair{command, source};
  };
  {
    const auto [command, source] = add("create", "makes a key and shows its secret once");
    command->add_option("--name", options->name, "name of its user; its id where absent");
    command->add_option("--role", options->role, "role whose policies it has; made where absent");
    command->add_option("--policy", options->policies,
                        "name or ARN of a policy of its own; may be repeated");
    command->add_flag("--bearer", options->bearer,
                      "a bearer key (OTLP, our own commands) instead of an AWS one");
    command->callback([&action, options, source] {
      action = [=] {
        return Ask(*source, *options, "/ui/api/keys", CreateBody(*options), ShowCreated);
      };
    });
  }
  {
    const auto [command, source] = add("list", "shows keys, oldest first; no secrets");
    command->callback([&action, options, source] {
      action = [=] { return Ask(*source, *options, "/ui/api/keys", "", ShowKeys); };
    });
  }
  {
    const auto [command, source] = add("revoke", "ends a key at once");
    command->add_option("ID", options->id, "of the key")->required();
    command->callback([&action, options, source] {
      action = [=] {
        JsonWriter body;
        body.BeginObject().Key("id").String(options->id).EndObject();
        return Ask(*source, *options, "/ui/api/keys/revoke", body.Take(),
                   [](simdjson::dom::element answer) {
                     Print(Sanitise(ReadText(answer, "id")) + " revoked\n");
                   });
      };
    });
  }
  {
    const auto [command, source] = add("attach", "gives a key a policy of its own");
    command->add_option("ID", options->id, "of the key")->required();
    command->add_option("POLICY", options->policy, "name or ARN")->required();
    command->callback([&action, options, source] {
      action = [=] {
        JsonWriter body;
        body.BeginObject().Key("id").String(options->id).Key("policy").String(options->policy);
        return Ask(*source, *options, "/ui/api/keys/attach", body.EndObject().Take(),
                   [](simdjson::dom::element answer) {
                     Print(Sanitise(ReadText(answer, "id")) + " has the policy\n");
                   });
      };
    });
  }
}

}  // namespace fluoro::cli
