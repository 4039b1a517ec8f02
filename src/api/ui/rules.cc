#include "api/ui/rules.h"

#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include "api/ui/request.h"
#include "auth/records.h"
#include "base/json.h"
#include "control/attribute_settings.h"
#include "control/groups.h"
#include "control/redaction_rules.h"
#include "control/sampling_rules.h"
#include "control/settings.h"
#include "control/tags.h"
#include "control/tail_policies.h"
#include "cost/model_prices.h"
#include "cost/records.h"
#include "sampling/rule_file.h"

namespace fluoro::api::ui {
namespace {

constexpr std::size_t kAuditDefault = 100;

const control::RecordChecks& Checks() {
  static const control::RecordChecks kChecks{
      {std::string(control::kSamplingRuleKind), control::CheckSamplingRuleRecord},
      {std::string(control::kAttributeKind), control::CheckAttributeRecord},
      {std::string(control::kGroupKind), control::CheckGroupRecord},
      {std::string(control::kTagsKind), control::CheckTagsRecord},
      {std::string(control::kTailPoliciesKind), control::CheckTailPoliciesRecord},
      {std::string(control::kSettingKind), control::CheckSettingRecord},
      {std::string(control::kRedactionRuleKind), control::CheckRedactionRuleRecord},
      {std::string(auth::kAccessKeyKind), auth::CheckAccessKeyRecord},
      {std::string(auth::kRoleKind), auth::CheckRoleRecord},
      {std::string(auth::kPolicyKind), auth::CheckPolicyRecord},
      {std::string(cost::kPriceKind), cost::CheckPriceRecord},
      {std::string(cost::kModelPriceKind), cost::CheckModelPriceRecord},
      {std::string(cost::kBudgetKind), cost::CheckBudgetRecord},
  };
  return kChecks;
}

/// The last part of the path.
std::string NameOf(const net::HttpRequest& request) {
  const std::string_view path = request.path;
  return net::PercentDecode(path.substr(path.rfind('/') + 1), false);
}

net::HttpResponse Deleted(const Result<void>& done, const std::string& name) {
  if (!done) return ErrorAnswer(done.error());
  return net::HttpResponse::Json(
      200, JsonWriter().BeginObject().Key("deleted").String(name).EndObject().Take());
}

void AppendBody(JsonWriter& out, std::string_view key, const std::string& body) {
  out.Key(key);
  if (body.empty()) {
    out.Null();
  } else {
    out.Raw(body);
  }
}

}  // namespace

net::HttpResponse ListRules(control::Repository& control) {
  const auto snapshot = control.Read();
  return net::HttpResponse::Json(
      200, sampling::PrintRuleFile({.rules = control::ReadSamplingRules(*snapshot).rules,
                                    .policies = control::ReadTailPolicies(*snapshot)}));
}

net::HttpResponse PutRules(control::Repository& control, const net::HttpRequest& request) {
  const auto file = sampling::ParseRuleFile(request.body);
  if (!file) return ErrorAnswer(file.error());
  const auto put = [&](control::Transaction& transaction) -> Result<void> {
    for (const sampling::Rule& rule : file->rules.value_or(std::vector<sampling::Rule>()))
      FLUORO_CHECK_OK(control::PutSamplingRule(transaction, rule));
    if (!file->policies) return {};
    return control::PutTailPolicies(transaction, *file->policies);
  };
  if (const auto written = control.Write(request.principal, put); !written)
    return ErrorAnswer(written.error());
  JsonWriter out;
  out.BeginObject().Key("sampling_rules").Uint(file->rules ? file->rules->size() : 0);
  out.Key("tail_policies");
  if (file->policies) {
    out.Uint(file->policies->policies.size());
  } else {
    out.Null();
  }
  return net::HttpResponse::Json(200, out.EndObject().Take());
}

net::HttpResponse DeleteRule(control::Repository& control, const net::HttpRequest& request) {
  const std::string name = NameOf(request);
  return Deleted(control.Write(request.principal,
                               [&](control::Transaction& transaction) -> Result<void> {
                                 FLUORO_CHECK_OK(control::DeleteSamplingRule(transaction, name));
                                 return {};
                               }),
                 name);
}

net::HttpResponse ListTailPolicies(control::Repository& control) {
  return net::HttpResponse::Json(
      200, sampling::PrintTailPolicies(control::ReadTailPolicies(*control.Read())));
}

net::HttpResponse PutTailPolicies(control::Repository& control, const net::HttpRequest& request) {
  const auto policies = sampling::ParseTailPolicies(request.body);
  if (!policies) return ErrorAnswer(policies.error());
  const auto written = control.Write(request.principal, [&](control::Transaction& transaction) {
    return control::PutTailPolicies(transaction, *policies);
  });
  if (!written) return ErrorAnswer(written.error());
  return net::HttpResponse::Json(200, JsonWriter()
                                          .BeginObject()
                                          .Key("tail_policies")
                                          .Uint(policies->policies.size())
                                          .EndObject()
                                          .Take());
}

net::HttpResponse DeleteTailPolicy(control::Repository& control, const net::HttpRequest& request) {
  const std::string name = NameOf(request);
  return Deleted(control.Write(request.principal,
                               [&](control::Transaction& transaction) {
                                 return control::DeleteTailPolicy(transaction, name);
                               }),
                 name);
}

net::HttpResponse ExportRecords(control::Repository& control, const net::HttpRequest& request) {
  std::vector<std::string> kinds;
  for (auto& [key, value] : request.QueryParameters()) {
    if (key == "kind") kinds.push_back(std::move(value));
  }
  return net::HttpResponse::Json(200, control::ExportRecords(*control.Read(), kinds));
}

net::HttpResponse ImportRecords(control::Repository& control, const net::HttpRequest& request) {
  // Sent as application/json, which no page of another origin can do unasked.
  if (request.ContentType() != "application/json") {
    return ErrorAnswer(Error{ErrorCode::kInvalidArgument, "content-type: application/json wanted"});
  }
  const auto changed = control::ImportRecords(control, request.principal, request.body, Checks());
  if (!changed) return ErrorAnswer(changed.error());
  return net::HttpResponse::Json(
      200, JsonWriter().BeginObject().Key("changed").Uint(*changed).EndObject().Take());
}

net::HttpResponse Audit(control::Repository& control, const net::HttpRequest& request) {
  std::string kind;
  std::size_t limit = kAuditDefault;
  for (const auto& [key, value] : request.QueryParameters()) {
    if (key == "kind") kind = value;
    if (key != "limit") continue;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), limit);
    if (error != std::errc() || end != value.data() + value.size() ||
        limit > static_cast<std::size_t>(control::kAuditLinesMax)) {
      return ErrorAnswer(
          Error{ErrorCode::kInvalidArgument, "limit: a number of at most 10000 wanted"});
    }
  }
  const auto lines = control.Audit(kind, limit);
  if (!lines) return ErrorAnswer(lines.error());
  std::string text;
  for (const control::AuditLine& line : *lines) {
    JsonWriter out;
    out.BeginObject().Key("at_ns").Int(line.at_ns).Key("who").String(line.who);
    out.Key("kind").String(line.kind).Key("name").String(line.name);
    out.Key("revision").Int(line.revision);
    AppendBody(out, "before", line.before);
    AppendBody(out, "after", line.after);
    text += out.EndObject().Take() + "\n";
  }
  net::HttpResponse answer = net::HttpResponse::Json(200, std::move(text));
  answer.headers["content-type"] = "application/x-ndjson";
  return answer;
}

}  // namespace fluoro::api::ui
