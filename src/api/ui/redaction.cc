#include "api/ui/redaction.h"

#include <optional>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/json_text.h"
#include "base/json_tree.h"
#include "control/redaction_rules.h"
#include "redact/policy.h"

namespace fluoro::api::ui {
namespace {

std::shared_ptr<const redact::Policy> Standing(const RedactionContext& context) {
  return context.pipeline == nullptr ? nullptr : context.pipeline->redaction();
}

// At once; a server takes changes of other processes over by itself.
void Follow(const RedactionContext& context) {
  const auto policy = Standing(context);
  if (!policy) return;
  if (auto next = policy->WithRules(control::ReadRedactionRules(*context.control.Read())))
    context.pipeline->SetRedaction(*std::move(next));
}

// A text of JSON that a rule of a file or a request is.
Result<redact::Rule> RuleOf(std::string_view json, JsonView value) {
  const auto name = value["name"].String();
  if (!name) return Fail(ErrorCode::kInvalidArgument, "name: the name of a redaction rule wanted");
  return redact::ParseRule(*name, JsonTextAt(json, value.offset()));
}

}  // namespace

std::string RedactionJson(const RedactionContext& context) {
  const auto policy = Standing(context);
  const std::vector<redact::Rule> rules = control::ReadRedactionRules(*context.control.Read());
  JsonWriter out;
  out.BeginObject().Key("mode").String(
      redact::ContentModeName(policy ? policy->mode() : redact::ContentMode::kFull));
  out.Key("active").Bool(policy != nullptr);
  out.Key("detectors").BeginArray();
  for (std::size_t i = 0; i < redact::kDetectorsCount; ++i) {
    const auto detector = static_cast<redact::Detector>(i);
    redact::Action action =
        redact::IsOnByDefault(detector) ? redact::Action::kHash : redact::Action::kKeep;
    for (const redact::Rule& rule : rules) {
      if (rule.kind == redact::RuleKind::kDetector && rule.match == redact::DetectorName(detector))
        action = rule.action;
    }
    out.BeginObject().Key("name").String(redact::DetectorName(detector));
    out.Key("action").String(redact::ActionName(action)).EndObject();
  }
  out.EndArray().Key("rules").BeginArray();
  for (const redact::Rule& rule : rules) out.Raw(redact::PrintRule(rule));
  return out.EndArray().EndObject().Take();
}

Result<std::string> PutRedactionJson(const RedactionContext& context, std::string_view who,
                                     std::string_view body) {
  FLUORO_TRY(const JsonTree tree, JsonTree::Parse(body));
  FLUORO_TRY(const redact::Rule rule, RuleOf(body, tree.root()));
  FLUORO_CHECK_OK(context.control.Write(
      who, [&](control::Transaction& change) { return control::PutRedactionRule(change, rule); }));
  Follow(context);
  return redact::PrintRule(rule);
}

Result<std::string> DeleteRedactionJson(const RedactionContext& context, std::string_view who,
                                        std::string_view name) {
  FLUORO_CHECK_OK(context.control.Write(who, [&](control::Transaction& change) {
    return control::DeleteRedactionRule(change, name);
  }));
  Follow(context);
  return JsonWriter().BeginObject().Key("deleted").String(name).EndObject().Take();
}

Result<std::string> TestRedactionJson(const RedactionContext& context, std::string_view body) {
  FLUORO_TRY(const JsonTree tree, JsonTree::Parse(body));
  const JsonView root = tree.root();
  const auto text = root["text"].String();
  if (!text) return Fail(ErrorCode::kInvalidArgument, "text: a string wanted");
  auto policy = Standing(context);
  std::vector<redact::Rule> rules = control::ReadRedactionRules(*context.control.Read());
  if (root["rules"].IsArray()) {
    rules.clear();
    for (const JsonView value : root["rules"].Elements()) {
      FLUORO_TRY(redact::Rule rule, RuleOf(body, value));
      rules.push_back(std::move(rule));
    }
  }
  if (policy) {
    FLUORO_TRY(policy, policy->WithRules(std::move(rules)));
  } else {
    FLUORO_TRY(policy, redact::Policy::Make(redact::ContentMode::kRedacted, std::move(rules),
                                            crypto::Secret::Random()));
  }
  redact::Tally tally;
  const std::string scrubbed = policy->ScrubValue(*text, root["name"].String().value_or(""), tally);
  JsonWriter out;
  out.BeginObject().Key("text").String(scrubbed);
  out.Key("changed").Bool(scrubbed != *text).Key("fired").BeginArray();
  for (std::size_t i = 0; i < tally.counts.size(); ++i) {
    if (tally.counts[i] == 0) continue;
    const auto& action = policy->actions()[i];
    out.BeginObject().Key("rule").String(action.name);
    out.Key("action").String(redact::ActionName(action.action));
    out.Key("count").Uint(tally.counts[i]).EndObject();
  }
  return out.EndArray().EndObject().Take();
}

}  // namespace fluoro::api::ui
