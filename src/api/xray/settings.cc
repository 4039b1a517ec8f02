// GetEncryptionConfig, PutEncryptionConfig, GetIndexingRules, UpdateIndexingRule,
// GetTraceSegmentDestination, UpdateTraceSegmentDestination.
#include "control/settings.h"

#include <string>
#include <utility>

#include "api/xray/context.h"
#include "base/json.h"

namespace fluoro::api::xray {
namespace {

constexpr std::string_view kIndexingRuleName = "Default";
/// How long a change of the destination is pending. Nothing has to be moved: it is there for
/// clients that wait for it to pass.
constexpr std::int64_t kPendingNs = 2 * kNsPerSecond;

/// "arn:aws:kms:...", whatever form the key was named in.
std::string KeyArn(const control::Place& place, std::string_view key_id) {
  if (key_id.starts_with("arn:")) return std::string(key_id);
  const bool is_alias = key_id.starts_with("alias/");
  return place.Arn((is_alias ? "" : "key/") + std::string(key_id), "kms");
}

Answer EncryptionAnswer(Context& context) {
  const std::string used = context.options.at_rest.used();
  JsonWriter out;
  out.BeginObject().Key("EncryptionConfig").BeginObject();
  if (!used.empty()) {
    // Of a key that nobody asked for by the API (the first of --at-rest-key) there is no ARN yet.
    const auto setting = control::ReadEncryption(*context.control.Read());
    out.Key("KeyId").String(setting.key_name() == used ? setting.key_arn
                                                       : KeyArn(context.place, used));
  }
  out.Key("Status").String("ACTIVE").Key("Type").String(used.empty() ? "NONE" : "KMS");
  out.EndObject().EndObject();
  return {.body = out.Take()};
}

void AppendIndexingRule(JsonWriter& out, const control::IndexingRule& rule) {
  out.BeginObject().Key("Name").String(kIndexingRuleName);
  out.Key("ModifiedAt").Seconds(rule.modified_ns);
  out.Key("Rule").BeginObject().Key("Probabilistic").BeginObject();
  out.Key("DesiredSamplingPercentage").Double(rule.desired_percentage);
  // Every trace that is stored is found.
  out.Key("ActualSamplingPercentage").Double(100).EndObject().EndObject().EndObject();
}

bool IsPending(const Context& context, const control::SegmentDestination& destination) {
  const std::int64_t age_ns = context.clock.UnixNs() - destination.modified_ns;
  return age_ns >= 0 && age_ns < kPendingNs;
}

Answer DestinationAnswer(Context& context) {
  const auto destination = control::ReadSegmentDestination(*context.control.Read());
  JsonWriter out;
  out.BeginObject().Key("Destination").String(destination.name);
  out.Key("Status").String(IsPending(context, destination) ? "PENDING" : "ACTIVE").EndObject();
  return {.body = out.Take()};
}

}  // namespace

ApiResult<Answer> GetEncryptionConfig(Context& context, const Request&) {
  return EncryptionAnswer(context);
}

ApiResult<Answer> PutEncryptionConfig(Context& context, const Request& request) {
  const bool kms = request.members().Text("Type") == "KMS";
  const auto key_id = request.members().Text("KeyId");
  if (kms != key_id.has_value())
    return Refuse(kms ? "KeyId is required when Type is KMS" : "KeyId needs Type KMS");
  const control::EncryptionSetting wanted{
      .is_set = true, .key_arn = kms ? KeyArn(context.place, *key_id) : std::string()};
  FLUORO_API_CHECK_OK(context.options.at_rest.use(wanted.key_name()));
  FLUORO_API_CHECK_OK(
      context.control.Write(request.principal, [&](control::Transaction& transaction) {
        return control::PutEncryption(transaction, wanted.key_arn);
      }));
  return EncryptionAnswer(context);
}

ApiResult<Answer> GetIndexingRules(Context& context, const Request& request) {
  if (request.members().Text("NextToken")) return Refuse("NextToken is not valid");
  JsonWriter out;
  out.BeginObject().Key("IndexingRules").BeginArray();
  AppendIndexingRule(out, control::ReadIndexingRule(*context.control.Read()));
  out.EndArray().EndObject();
  return Answer{.body = out.Take()};
}

ApiResult<Answer> UpdateIndexingRule(Context& context, const Request& request) {
  const MembersView& members = request.members();
  const std::string name(members.Text("Name").value_or(""));
  if (name != kIndexingRuleName) {
    return std::unexpected(ApiError{.status = 404,
                                    .type = "ResourceNotFoundException",
                                    .message = "Indexing rule not found",
                                    .resource_name = name});
  }
  const auto rule = members.Structure("Rule")->Structure("Probabilistic");
  if (!rule) return Refuse("Rule must have exactly one member: Probabilistic");
  FLUORO_API_CHECK_OK(
      context.control.Write(request.principal, [&](control::Transaction& transaction) {
        return control::PutIndexingRule(transaction,
                                        rule->Double("DesiredSamplingPercentage").value_or(0));
      }));
  JsonWriter out;
  out.BeginObject().Key("IndexingRule");
  AppendIndexingRule(out, control::ReadIndexingRule(*context.control.Read()));
  out.EndObject();
  return Answer{.body = out.Take()};
}

ApiResult<Answer> GetTraceSegmentDestination(Context& context, const Request&) {
  return DestinationAnswer(context);
}

ApiResult<Answer> UpdateTraceSegmentDestination(Context& context, const Request& request) {
  const auto wanted = request.members().Text("Destination");
  if (!wanted) return Refuse("Destination is required");
  const auto standing = control::ReadSegmentDestination(*context.control.Read());
  if (IsPending(context, standing))
    return Refuse("Updates are not allowed while the current status is PENDING");
  if (standing.name == *wanted) return Refuse("The destination is already set to " + standing.name);
  FLUORO_API_CHECK_OK(
      context.control.Write(request.principal, [&](control::Transaction& transaction) {
        return control::PutSegmentDestination(transaction, *wanted);
      }));
  return DestinationAnswer(context);
}

}  // namespace fluoro::api::xray
