// TagResource, UntagResource, ListTagsForResource.
#include "api/xray/tags.h"

#include <string>
#include <utility>
#include <vector>

#include "api/xray/context.h"
#include "base/json.h"
#include "control/groups.h"
#include "control/sampling_rules.h"

namespace fluoro::api::xray {
namespace {

/// Only groups and sampling rules can be tagged.
ApiResult<std::string> TaggedArn(Context& context, const MembersView& members) {
  std::string arn(members.Text("ResourceARN").value_or(""));
  const auto snapshot = context.control.Read();
  if (const auto group = control::FindGroup(*snapshot, context.place, arn);
      group && group->arn == arn)
    return arn;
  for (const sampling::Rule& rule : control::ReadSamplingRules(*snapshot).rules) {
    if (SamplingRuleArn(context.place, rule.name) == arn) return arn;
  }
  return std::unexpected(ApiError{.status = 404,
                                  .type = "ResourceNotFoundException",
                                  .message = "The resource was not found",
                                  .resource_name = std::move(arn)});
}

}  // namespace

control::Tags TagsOf(const MembersView& members) {
  control::Tags tags;
  for (const MembersView& tag : members.Structures("Tags"))
    tags[std::string(tag.Text("Key").value_or(""))] = tag.Text("Value").value_or("");
  return tags;
}

ApiResult<Answer> TagResource(Context& context, const Request& request) {
  const auto arn = TaggedArn(context, request.members());
  if (!arn) return std::unexpected(arn.error());
  const auto written =
      context.control.Write(request.principal, [&](control::Transaction& transaction) {
        return control::AddTags(transaction, *arn, TagsOf(request.members()));
      });
  if (written) return Answer{.body = "{}"};
  ApiError error = FromError(written.error());
  if (written.error().code == ErrorCode::kTooLarge) {
    error.type = "TooManyTagsException";
    error.resource_name = *arn;
  }
  return std::unexpected(std::move(error));
}

ApiResult<Answer> UntagResource(Context& context, const Request& request) {
  const auto arn = TaggedArn(context, request.members());
  if (!arn) return std::unexpected(arn.error());
  std::vector<std::string> keys;
  for (const std::string_view key : request.members().Texts("TagKeys")) keys.emplace_back(key);
  FLUORO_API_CHECK_OK(
      context.control.Write(request.principal, [&](control::Transaction& transaction) {
        return control::RemoveTags(transaction, *arn, keys);
      }));
  return Answer{.body = "{}"};
}

ApiResult<Answer> ListTagsForResource(Context& context, const Request& request) {
  const auto arn = TaggedArn(context, request.members());
  if (!arn) return std::unexpected(arn.error());
  JsonWriter out;
  out.BeginObject().Key("Tags").BeginArray();
  for (const auto& [key, value] : control::ReadTags(*context.control.Read(), *arn))
    out.BeginObject().Key("Key").String(key).Key("Value").String(value).EndObject();
  out.EndArray().EndObject();
  return Answer{.body = out.Take()};
}

}  // namespace fluoro::api::xray
