#include "api/ui/keys.h"

#include <string>

#include <fmt/format.h>

#include "api/ui/request.h"
#include "auth/keys.h"
#include "auth/managed_policies.h"
#include "base/json_tree.h"

namespace fluoro::api::ui {
namespace {

constexpr std::size_t kBodyBytesMax = 16 << 10;

/// Sent as application/json, which no page of another origin can do unasked.
Result<JsonTree> Body(const net::HttpRequest& request) {
  if (request.ContentType() != "application/json")
    return Fail(ErrorCode::kInvalidArgument, "Content-Type must be application/json");
  if (request.body.size() > kBodyBytesMax)
    return Fail(ErrorCode::kTooLarge, fmt::format("at most {} bytes are taken", kBodyBytesMax));
  auto tree = JsonTree::Parse(request.body, {.depth_max = 4, .values_max = 200});
  if (!tree) return Fail(ErrorCode::kInvalidArgument, tree.error().message);
  if (!tree->root().IsObject()) return Fail(ErrorCode::kInvalidArgument, "a JSON object wanted");
  return tree;
}

Result<std::string> Text(JsonView root, std::string_view name, bool wanted) {
  const JsonView value = root[name];
  if (!wanted && (!value.exists() || value.IsNull())) return "";
  const auto text = value.String();
  if (!text || (wanted && text->empty()))
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{}: a text wanted", name));
  return std::string(*text);
}

std::string NameOf(const auth::PolicyRef& ref) {
  return ref.substr(ref.starts_with(auth::kManagedPolicyPrefix)
                        ? auth::kManagedPolicyPrefix.size()
                        : std::string_view("policy/").size());
}

void WriteKey(JsonWriter& out, const auth::AccessKey& key) {
  out.Key("id").String(key.id).Key("kind").String(key.bearer ? "bearer" : "access");
  out.Key("name").String(key.name).Key("role").String(key.role).Key("policies").BeginArray();
  for (const auth::PolicyRef& ref : key.policies) out.String(NameOf(ref));
  out.EndArray();
}

net::HttpResponse Refuse(const Error& error) {
  net::HttpResponse answer = ErrorAnswer(error);
  if (error.code == ErrorCode::kAlreadyExists) answer.status = 409;
  return answer;
}

net::HttpResponse OnlyId(std::string_view id) {
  JsonWriter out;
  return net::HttpResponse::Json(200, out.BeginObject().Key("id").String(id).EndObject().Take());
}

}  // namespace

net::HttpResponse ListKeys(control::Repository& repository) {
  const auto keys = auth::ListKeys(*repository.Read());
  if (!keys) return Refuse(keys.error());
  JsonWriter out;
  out.BeginObject().Key("keys").BeginArray();
  for (const auth::ListedKey& one : *keys) {
    out.BeginObject();
    WriteKey(out, one.key);
    out.Key("created_ns").Int(one.created_ns).EndObject();
  }
  return net::HttpResponse::Json(200, out.EndArray().EndObject().Take());
}

net::HttpResponse CreateKey(control::Repository& repository, const net::HttpRequest& request) {
  const auto created = [&]() -> Result<auth::CreatedKey> {
    FLUORO_TRY(const JsonTree tree, Body(request));
    const JsonView root = tree.root();
    auth::NewKey wanted;
    FLUORO_TRY(wanted.name, Text(root, "name", false));
    FLUORO_TRY(wanted.role, Text(root, "role", false));
    wanted.bearer = root["bearer"].Bool().value_or(false);
    for (const JsonView one : root["policies"].Elements()) {
      const auto policy = one.String();
      if (!policy) return Fail(ErrorCode::kInvalidArgument, "policies: names wanted");
      wanted.policies.emplace_back(*policy);
    }
    return auth::CreateKey(repository, request.principal, wanted);
  }();
  if (!created) return Refuse(created.error());
  JsonWriter out;
  out.BeginObject();
  WriteKey(out, created->key);
  out.Key("secret").String(created->secret).Key("made_role").Bool(created->made_role);
  net::HttpResponse answer = net::HttpResponse::Json(200, out.EndObject().Take());
  answer.headers["cache-control"] = "no-store";
  return answer;
}

net::HttpResponse RevokeKey(control::Repository& repository, const net::HttpRequest& request) {
  const auto revoked = [&]() -> Result<std::string> {
    FLUORO_TRY(const JsonTree tree, Body(request));
    FLUORO_TRY(std::string id, Text(tree.root(), "id", true));
    FLUORO_CHECK_OK(auth::RevokeKey(repository, request.principal, id));
    return id;
  }();
  return revoked ? OnlyId(*revoked) : Refuse(revoked.error());
}

net::HttpResponse AttachKeyPolicy(control::Repository& repository,
                                  const net::HttpRequest& request) {
  const auto attached = [&]() -> Result<std::string> {
    FLUORO_TRY(const JsonTree tree, Body(request));
    FLUORO_TRY(std::string id, Text(tree.root(), "id", true));
    FLUORO_TRY(const std::string policy, Text(tree.root(), "policy", true));
    FLUORO_CHECK_OK(auth::AttachKeyPolicy(repository, request.principal, id, policy));
    return id;
  }();
  return attached ? OnlyId(*attached) : Refuse(attached.error());
}

}  // namespace fluoro::api::ui
