#include "auth/records.h"

#include <fmt/format.h>

#include <algorithm>

#include "auth/digest.h"
#include "auth/policy.h"
#include "base/json.h"
#include "base/json_tree.h"

namespace fluoro::auth {
namespace {

void WriteTags(JsonWriter& out, const Tags& tags) {
  out.Key("tags").BeginObject();
  for (const auto& [key, value] : tags) out.Key(key).String(value);
  out.EndObject();
}

void WriteTexts(JsonWriter& out, std::string_view key, const std::vector<std::string>& texts) {
  out.Key(key).BeginArray();
  for (const std::string& text : texts) out.String(text);
  out.EndArray();
}

/// Reads members; remembers the first that is missing or of another type.
class Reader {
 public:
  static Result<Reader> Parse(std::string_view kind, std::string_view name, std::string_view body) {
    auto tree = JsonTree::Parse(body, {.depth_max = 8, .values_max = 100'000});
    if (!tree || !tree->root().IsObject())
      return Fail(ErrorCode::kCorruption, fmt::format("{} '{}': no JSON object", kind, name));
    return Reader(fmt::format("{} '{}'", kind, name), *std::move(tree));
  }

  std::string Text(std::string_view key) { return TextOf(tree_.root()[key], key); }
  std::string TextOf(JsonView value, std::string_view key) {
    const auto text = value.String();
    if (!text) Wrong(key);
    return std::string(text.value_or(""));
  }
  std::int64_t Int(std::string_view key) { return IntOf(tree_.root()[key], key); }
  std::int64_t IntOf(JsonView value, std::string_view key) {
    const auto number = value.Int();
    if (!number) Wrong(key);
    return number.value_or(0);
  }
  bool Flag(std::string_view key) {
    const auto flag = tree_.root()[key].Bool();
    if (!flag) Wrong(key);
    return flag.value_or(false);
  }
  std::vector<std::string> Texts(std::string_view key) {
    std::vector<std::string> texts;
    if (!tree_.root()[key].IsArray()) Wrong(key);
    for (const JsonView element : Elements(key)) texts.push_back(TextOf(element, key));
    return texts;
  }
  std::vector<std::pair<std::string, std::string>> Pairs(std::string_view key) {
    std::vector<std::pair<std::string, std::string>> pairs;
    if (!tree_.root()[key].IsObject()) Wrong(key);
    for (const auto& [name, value] : tree_.root()[key].Members())
      pairs.emplace_back(name, TextOf(value, key));
    return pairs;
  }
  [[nodiscard]] std::vector<JsonView> Elements(std::string_view key) const {
    return tree_.root()[key].Elements();
  }
  void Wrong(std::string_view key) {
    if (wrong_.empty()) wrong_ = key;
  }
  [[nodiscard]] Result<void> Finish() const {
    if (wrong_.empty()) return {};
    return Fail(ErrorCode::kCorruption, fmt::format("{}: bad member '{}'", what_, wrong_));
  }

 private:
  Reader(std::string what, JsonTree tree) : what_(std::move(what)), tree_(std::move(tree)) {}
  std::string what_;
  JsonTree tree_;
  std::string wrong_;
};

}  // namespace

const PolicyVersion* OwnPolicy::Find(std::string_view version) const {
  const auto found = std::ranges::find(versions, version, &PolicyVersion::id);
  return found == versions.end() ? nullptr : &*found;
}

std::string ToJson(const AccessKey& key) {
  JsonWriter out;
  out.BeginObject().Key("bearer").Bool(key.bearer).Key("name").String(key.name);
  out.Key("user_id").String(key.user_id).Key("role").String(key.role);
  WriteTexts(out, "policies", key.policies);
  return out.EndObject().Take();
}

std::string ToJson(const Role& role) {
  JsonWriter out;
  out.BeginObject().Key("id").String(role.id).Key("path").String(role.path);
  out.Key("trust").String(role.trust).Key("description").String(role.description);
  out.Key("session_s").Int(role.session_s);
  WriteTexts(out, "policies", role.policies);
  out.Key("inline").BeginObject();
  for (const auto& [name, document] : role.inline_policies) out.Key(name).String(document);
  out.EndObject();
  WriteTags(out, role.tags);
  return out.EndObject().Take();
}

std::string ToJson(const OwnPolicy& policy) {
  JsonWriter out;
  out.BeginObject().Key("id").String(policy.id).Key("path").String(policy.path);
  out.Key("description").String(policy.description);
  out.Key("default").String(policy.default_version).Key("next").Int(policy.next_version);
  out.Key("versions").BeginArray();
  for (const PolicyVersion& version : policy.versions) {
    out.BeginObject().Key("id").String(version.id).Key("document").String(version.document);
    out.Key("created_ns").Int(version.created_ns).EndObject();
  }
  out.EndArray();
  WriteTags(out, policy.tags);
  return out.EndObject().Take();
}

Result<AccessKey> ReadAccessKey(std::string_view name, std::string_view body) {
  FLUORO_TRY(Reader reader, Reader::Parse(kAccessKeyKind, name, body));
  AccessKey key;
  key.id = name;
  key.bearer = reader.Flag("bearer");
  key.name = reader.Text("name");
  key.user_id = reader.Text("user_id");
  key.role = reader.Text("role");
  key.policies = reader.Texts("policies");
  FLUORO_CHECK_OK(reader.Finish());
  return key;
}

Result<Role> ReadRole(std::string_view name, std::string_view body) {
  FLUORO_TRY(Reader reader, Reader::Parse(kRoleKind, name, body));
  Role role;
  role.name = name;
  role.id = reader.Text("id");
  role.path = reader.Text("path");
  role.trust = reader.Text("trust");
  role.description = reader.Text("description");
  role.session_s = reader.Int("session_s");
  role.policies = reader.Texts("policies");
  for (auto& [inline_name, document] : reader.Pairs("inline"))
    role.inline_policies.emplace(std::move(inline_name), std::move(document));
  role.tags = reader.Pairs("tags");
  FLUORO_CHECK_OK(reader.Finish());
  return role;
}

Result<OwnPolicy> ReadOwnPolicy(std::string_view name, std::string_view body) {
  FLUORO_TRY(Reader reader, Reader::Parse(kPolicyKind, name, body));
  OwnPolicy policy;
  policy.name = name;
  policy.id = reader.Text("id");
  policy.path = reader.Text("path");
  policy.description = reader.Text("description");
  policy.default_version = reader.Text("default");
  policy.next_version = reader.Int("next");
  for (const JsonView one : reader.Elements("versions")) {
    policy.versions.push_back({.id = reader.TextOf(one["id"], "versions"),
                               .document = reader.TextOf(one["document"], "versions"),
                               .created_ns = reader.IntOf(one["created_ns"], "versions")});
  }
  if (policy.Find(policy.default_version) == nullptr) reader.Wrong("default");
  policy.tags = reader.Pairs("tags");
  FLUORO_CHECK_OK(reader.Finish());
  return policy;
}

Result<void> CheckAccessKeyRecord(std::string_view name, std::string_view body) {
  FLUORO_TRY(const AccessKey key, ReadAccessKey(name, body));
  if (IsEntityName(key.name, 64) && IsEntityName(name, 64)) return {};
  return Fail(ErrorCode::kInvalidArgument, fmt::format("access-key '{}': bad name", name));
}

Result<void> CheckRoleRecord(std::string_view name, std::string_view body) {
  FLUORO_TRY(const Role role, ReadRole(name, body));
  if (!IsEntityName(name, 64))
    return Fail(ErrorCode::kInvalidArgument, fmt::format("role '{}': bad name", name));
  FLUORO_CHECK_OK(Policy::Parse(role.trust, PolicyKind::kTrust));
  for (const auto& [policy, document] : role.inline_policies)
    FLUORO_CHECK_OK(Policy::Parse(document));
  return {};
}

Result<void> CheckPolicyRecord(std::string_view name, std::string_view body) {
  FLUORO_TRY(const OwnPolicy policy, ReadOwnPolicy(name, body));
  if (!IsEntityName(name, 128))
    return Fail(ErrorCode::kInvalidArgument, fmt::format("policy '{}': bad name", name));
  for (const PolicyVersion& version : policy.versions)
    FLUORO_CHECK_OK(Policy::Parse(version.document));
  return {};
}

std::string NewId(std::string_view prefix, std::size_t random_count) {
  return std::string(prefix) + RandomText("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", random_count);
}

std::string_view DefaultTrust() {
  return R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["ec2.amazonaws.com","ecs-tasks.amazonaws.com","lambda.amazonaws.com"]},"Action":"sts:AssumeRole"}]})";
}

bool IsEntityName(std::string_view name, std::size_t most) {
  return !name.empty() && name.size() <= most && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_+=,.@-").find(c) != std::string_view::npos;
  });
}

}  // namespace fluoro::auth
