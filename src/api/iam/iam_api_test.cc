#include "api/iam/iam_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "auth/keys.h"
#include "auth/managed_policies.h"
#include "base/percent.h"
#include "base/rng.h"

namespace fluoro::api::iam {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using Pairs = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view kTrust =
    R"({"Version":"2012-10-17","Statement":[{"Action":"sts:AssumeRole","Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"}}]})";
constexpr std::string_view kAllowGet =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"xray:Get*","Resource":"*"}]})";
constexpr std::string_view kWriteArn = "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess";

class IamApiTest : public ::testing::Test {
 protected:
  net::HttpResponse Send(std::string_view action, const Pairs& parameters,
                         std::string_view version = "2010-05-08") {
    net::HttpRequest request;
    request.method = "POST";
    request.path = "/";
    request.headers["content-type"] = "application/x-www-form-urlencoded; charset=utf-8";
    request.body = fmt::format("Action={}&Version={}", action, version);
    for (const auto& [name, value] : parameters)
      request.body += fmt::format("&{}={}", PercentEncode(name), PercentEncode(value));
    return api_.Handle(request, caller_);
  }
  std::string Call(std::string_view action, const Pairs& parameters,
                   std::string_view version = "2010-05-08") {
    const net::HttpResponse answer = Send(action, parameters, version);
    EXPECT_EQ(answer.status, 200) << action << answer.body;
    EXPECT_EQ(answer.headers.at("content-type"), "text/xml");
    EXPECT_EQ(answer.headers.at("x-amzn-requestid").size(), 36U);
    EXPECT_THAT(answer.body, HasSubstr(fmt::format("<{}Response xmlns=", action)));
    return answer.body;
  }
  /// "404 NoSuchEntity: The role ..."
  std::string Refused(std::string_view action, const Pairs& parameters,
                      std::string_view version = "2010-05-08") {
    const net::HttpResponse answer = Send(action, parameters, version);
    EXPECT_THAT(answer.body, HasSubstr("<Error><Type>Sender</Type>")) << action;
    return fmt::format("{} {}: {}", answer.status, Element(answer.body, "Code"),
                       Element(answer.body, "Message"));
  }
  static std::string Element(const std::string& xml, const std::string& name) {
    const std::size_t begin = xml.find("<" + name + ">");
    if (begin == std::string::npos) return "<absent>";
    const std::size_t from = begin + name.size() + 2;
    return xml.substr(from, xml.find("</" + name + ">", from) - from);
  }
  void CreateRole(const std::string& name) {
    Call("CreateRole", {{"RoleName", name}, {"AssumeRolePolicyDocument", std::string(kTrust)}});
  }

  ManualClock clock_{1'795'402'099 * kNsPerSecond};  // 2026-11-23T02:48:19Z
  Metrics metrics_;
  std::unique_ptr<control::Repository> repository_ = *control::Repository::Open(":memory:", clock_);
  IamApi api_{*repository_, clock_, metrics_, "123456789012"};
  auth::Caller caller_ = auth::Caller::Root("123456789012");
};

TEST_F(IamApiTest, TellsWhoCalls) {
  caller_ = auth::Caller("arn:aws:iam::123456789012:user/ann", "AIDAX", "AKIAX",
                         std::make_shared<const auth::PolicySet>());
  const std::string body = Call("GetCallerIdentity", {}, "2011-06-15");
  EXPECT_THAT(
      body,
      MatchesRegex("<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
                   "<GetCallerIdentityResult><UserId>AIDAX</UserId><Account>123456789012</Account>"
                   "<Arn>arn:aws:iam::123456789012:user/ann</Arn></GetCallerIdentityResult>"
                   "<ResponseMetadata><RequestId>[0-9a-f-]{36}</RequestId></ResponseMetadata>"
                   "</GetCallerIdentityResponse>"));
}

// What Terraform's provider 5.100 sends for aws_iam_role, its attachment and their end, in order.
TEST_F(IamApiTest, ReplaysTheLifeOfARole) {
  const Pairs role{{"RoleName", "app"}};
  const std::string made = Call("CreateRole", {{"AssumeRolePolicyDocument", std::string(kTrust)},
                                               {"MaxSessionDuration", "3600"},
                                               {"Path", "/"},
                                               {"RoleName", "app"},
                                               {"Tags.member.1.Key", "team"},
                                               {"Tags.member.1.Value", "a<b & \"c\""}});
  EXPECT_THAT(made, HasSubstr("xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\""));
  for (int i = 0; i < 2; ++i) {
    const std::string body = i == 0 ? made : Call("GetRole", role);
    EXPECT_EQ(Element(body, "RoleName"), "app");
    EXPECT_THAT(Element(body, "RoleId"), MatchesRegex("AROA[A-Z2-7]{17}"));
    EXPECT_EQ(Element(body, "RoleId"), Element(made, "RoleId"));
    EXPECT_EQ(Element(body, "Arn"), "arn:aws:iam::123456789012:role/app");
    EXPECT_EQ(Element(body, "CreateDate"), "2026-11-23T02:48:19Z");
    EXPECT_EQ(Element(body, "AssumeRolePolicyDocument"), PercentEncode(kTrust));
    EXPECT_EQ(Element(body, "MaxSessionDuration"), "3600");
    EXPECT_EQ(Element(body, "Description"), "<absent>");
    EXPECT_THAT(body, HasSubstr("<Tags><member><Key>team</Key><Value>a&lt;b &amp; &quot;c&quot;"
                                "</Value></member></Tags>"));
    EXPECT_THAT(body, HasSubstr("<RoleLastUsed>"));
  }
  EXPECT_THAT(Call("ListRolePolicies", role),
              HasSubstr("<PolicyNames></PolicyNames><IsTruncated>false</IsTruncated>"));
  EXPECT_THAT(Call("ListAttachedRolePolicies", role),
              HasSubstr("<AttachedPolicies></AttachedPolicies>"));
  const Pairs attach{{"PolicyArn", std::string(kWriteArn)}, {"RoleName", "app"}};
  for (int i = 0; i < 2; ++i) {  // twice is fine
    EXPECT_THAT(Call("AttachRolePolicy", attach), Not(HasSubstr("Result")));
  }
  EXPECT_THAT(Call("ListAttachedRolePolicies", role),
              HasSubstr("<AttachedPolicies><member><PolicyName>AWSXRayDaemonWriteAccess"
                        "</PolicyName><PolicyArn>arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"
                        "</PolicyArn></member></AttachedPolicies><IsTruncated>false"));
  Call("TagRole", {{"RoleName", "app"},
                   {"Tags.member.1.Key", "team"},
                   {"Tags.member.1.Value", "blue"},
                   {"Tags.member.2.Key", "env"},
                   {"Tags.member.2.Value", ""}});
  Call("UntagRole", {{"RoleName", "app"}, {"TagKeys.member.1", "env"}});
  EXPECT_THAT(Call("ListRoleTags", role),
              HasSubstr("<Tags><member><Key>team</Key><Value>blue</Value></member></Tags>"));
  Call("UpdateRole", {{"RoleName", "app"}, {"Description", "d"}, {"MaxSessionDuration", "7200"}});
  EXPECT_EQ(Element(Call("GetRole", role), "MaxSessionDuration"), "7200");
  EXPECT_EQ(Element(Call("UpdateRoleDescription", {{"RoleName", "app"}, {"Description", "e"}}),
                    "Description"),
            "e");
  EXPECT_EQ(Refused("DeleteRole", role),
            "409 DeleteConflict: Cannot delete entity, must detach all policies first.");
  Call("DetachRolePolicy", attach);
  EXPECT_EQ(Refused("DetachRolePolicy", attach),
            "404 NoSuchEntity: Policy arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess was not "
            "found.");
  EXPECT_THAT(Call("ListInstanceProfilesForRole", role), HasSubstr("<InstanceProfiles/>"));
  Call("ListAttachedRolePolicies", role);
  Call("DeleteRole", role);
  EXPECT_EQ(Refused("GetRole", role), "404 NoSuchEntity: The role with name app cannot be found.");
  EXPECT_TRUE(repository_->Read()->List(auth::kRoleKind).empty());
}

TEST_F(IamApiTest, ReplaysTheLifeOfAnInlinePolicy) {
  CreateRole("app");
  const Pairs policy{{"PolicyName", "own"}, {"RoleName", "app"}};
  Pairs put = policy;
  put.emplace_back("PolicyDocument", kAllowGet);
  Call("PutRolePolicy", put);
  for (int i = 0; i < 2; ++i) {
    const std::string body = Call("GetRolePolicy", policy);
    EXPECT_EQ(Element(body, "PolicyDocument"), PercentEncode(kAllowGet));
    EXPECT_EQ(Element(body, "PolicyName"), "own");
  }
  EXPECT_THAT(Call("ListRolePolicies", {{"RoleName", "app"}}),
              HasSubstr("<PolicyNames><member>own</member></PolicyNames>"));
  EXPECT_EQ(Refused("DeleteRole", {{"RoleName", "app"}}),
            "409 DeleteConflict: Cannot delete entity, must delete policies first.");
  Call("DeleteRolePolicy", policy);
  EXPECT_EQ(Refused("GetRolePolicy", policy),
            "404 NoSuchEntity: The role policy with name own cannot be found.");
  EXPECT_EQ(Refused("DeleteRolePolicy", policy),
            "404 NoSuchEntity: The role policy with name own cannot be found.");
  put.back().second = R"({"Statement":[]})";
  EXPECT_THAT(Refused("PutRolePolicy", put), HasSubstr("400 MalformedPolicyDocument: "));
  // The documents of one role together.
  put.back().second = R"({"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:)" +
                      std::string(6'000, 'a') + R"("}})";
  Call("PutRolePolicy", put);
  put.front().second = "other";
  EXPECT_THAT(Refused("PutRolePolicy", put), HasSubstr("409 LimitExceeded: "));
}

TEST_F(IamApiTest, ReplaysTheLifeOfAPolicy) {
  const std::string made = Call("CreatePolicy", {{"Description", "d"},
                                                 {"Path", "/team/"},
                                                 {"PolicyDocument", std::string(kAllowGet)},
                                                 {"PolicyName", "own"}});
  const std::string arn = "arn:aws:iam::123456789012:policy/team/own";
  EXPECT_EQ(Element(made, "Arn"), arn);
  EXPECT_THAT(Element(made, "PolicyId"), MatchesRegex("ANPA[A-Z2-7]{17}"));
  EXPECT_EQ(Element(made, "DefaultVersionId"), "v1");
  const Pairs policy{{"PolicyArn", arn}};
  EXPECT_EQ(Element(Call("GetPolicy", policy), "AttachmentCount"), "0");
  EXPECT_EQ(
      Element(Call("GetPolicyVersion", {{"PolicyArn", arn}, {"VersionId", "v1"}}), "Document"),
      PercentEncode(kAllowGet));
  CreateRole("app");
  Call("AttachRolePolicy", {{"PolicyArn", arn}, {"RoleName", "app"}});
  EXPECT_THAT(Call("ListAttachedRolePolicies", {{"RoleName", "app"}}), HasSubstr(arn));
  EXPECT_EQ(Element(Call("GetPolicy", policy), "AttachmentCount"), "1");
  const std::string second = Call(
      "CreatePolicyVersion",
      {{"PolicyArn", arn}, {"PolicyDocument", std::string(kAllowGet)}, {"SetAsDefault", "true"}});
  EXPECT_EQ(Element(second, "VersionId"), "v2");
  EXPECT_EQ(Element(second, "IsDefaultVersion"), "true");
  EXPECT_EQ(Element(Call("GetPolicy", policy), "DefaultVersionId"), "v2");
  EXPECT_EQ(Refused("DeletePolicyVersion", {{"PolicyArn", arn}, {"VersionId", "v2"}}),
            "409 DeleteConflict: Cannot delete the default version of a policy.");
  EXPECT_THAT(Refused("DeletePolicy", policy), HasSubstr("more than one version"));
  Call("SetDefaultPolicyVersion", {{"PolicyArn", arn}, {"VersionId", "v1"}});
  Call("DeletePolicyVersion", {{"PolicyArn", arn}, {"VersionId", "v2"}});
  EXPECT_EQ(Element(Call("ListPolicyVersions", policy), "VersionId"), "v1");
  EXPECT_THAT(Refused("GetPolicyVersion", {{"PolicyArn", arn}, {"VersionId", "v2"}}),
              HasSubstr("404 NoSuchEntity"));
  // Numbers are not used again.
  EXPECT_EQ(Element(Call("CreatePolicyVersion",
                         {{"PolicyArn", arn}, {"PolicyDocument", std::string(kAllowGet)}}),
                    "VersionId"),
            "v3");
  Call("DeletePolicyVersion", {{"PolicyArn", arn}, {"VersionId", "v3"}});
  EXPECT_EQ(Refused("DeletePolicy", policy),
            "409 DeleteConflict: Cannot delete a policy attached to entities.");
  Call("TagPolicy", {{"PolicyArn", arn}, {"Tags.member.1.Key", "k"}, {"Tags.member.1.Value", "v"}});
  EXPECT_THAT(Call("ListPolicyTags", policy), HasSubstr("<Key>k</Key>"));
  Call("UntagPolicy", {{"PolicyArn", arn}, {"TagKeys.member.1", "k"}});
  Call("DetachRolePolicy", {{"PolicyArn", arn}, {"RoleName", "app"}});
  Call("DeletePolicy", policy);
  EXPECT_THAT(Refused("GetPolicy", policy), HasSubstr("404 NoSuchEntity: Policy " + arn));
  for (int i = 0; i < 5; ++i) {
    if (i == 0) {
      Call("CreatePolicy", {{"PolicyName", "own"}, {"PolicyDocument", std::string(kAllowGet)}});
      continue;
    }
    Call("CreatePolicyVersion", {{"PolicyArn", "arn:aws:iam::123456789012:policy/own"},
                                 {"PolicyDocument", std::string(kAllowGet)}});
  }
  EXPECT_THAT(Refused("CreatePolicyVersion", {{"PolicyArn", "arn:aws:iam::123456789012:policy/own"},
                                              {"PolicyDocument", std::string(kAllowGet)}}),
              HasSubstr("409 LimitExceeded"));
}

TEST_F(IamApiTest, ShowsTheManagedPolicies) {
  for (const auth::ManagedPolicy& managed : auth::ManagedPolicies()) {
    const std::string body = Call("GetPolicy", {{"PolicyArn", managed.Arn()}});
    EXPECT_EQ(Element(body, "DefaultVersionId"), managed.default_version);
    EXPECT_EQ(Element(body, "CreateDate"), managed.created);
    const std::string version =
        Call("GetPolicyVersion",
             {{"PolicyArn", managed.Arn()}, {"VersionId", std::string(managed.default_version)}});
    EXPECT_EQ(PercentDecode(Element(version, "Document"), false), managed.document);
    EXPECT_EQ(Refused("DeletePolicy", {{"PolicyArn", managed.Arn()}}),
              "403 AccessDenied: " + managed.Arn() + " is managed by AWS.");
  }
}

TEST_F(IamApiTest, ListsInPagesThatEnd) {
  for (int i = 0; i < 25; ++i) {
    CreateRole(fmt::format("role-{:02}", i));
    Call("CreatePolicy", {{"PolicyName", fmt::format("policy-{:02}", i)},
                          {"PolicyDocument", std::string(kAllowGet)}});
  }
  for (const auto& [action, element, all] :
       {std::tuple{"ListRoles", "RoleName", std::size_t{25}},
        {"ListPolicies", "PolicyName", 25 + auth::ManagedPolicies().size()}}) {
    std::size_t seen = 0;
    std::string marker;
    int pages = 0;
    do {
      Pairs parameters{{"MaxItems", "7"}};
      if (!marker.empty()) parameters.emplace_back("Marker", marker);
      const std::string body = Call(action, parameters);
      for (std::size_t at = 0;
           (at = body.find(fmt::format("<{}>", element), at)) != std::string::npos; ++at) {
        ++seen;
      }
      marker = Element(body, "Marker");
      EXPECT_EQ(Element(body, "IsTruncated"), marker == "<absent>" ? "false" : "true");
      ++pages;
      ASSERT_LT(pages, 10);
    } while (marker != "<absent>");
    EXPECT_EQ(seen, all) << action;
  }
  EXPECT_THAT(Call("ListPolicies", {{"Scope", "Local"}, {"OnlyAttached", "true"}}),
              HasSubstr("<Policies></Policies>"));
}

TEST_F(IamApiTest, SaysWhatIsWrong) {
  CreateRole("app");
  const std::string trust(kTrust);
  const auto create = [&](const Pairs& more) {
    Pairs all{{"AssumeRolePolicyDocument", trust}};
    all.insert(all.end(), more.begin(), more.end());
    return Refused("CreateRole", all);
  };
  EXPECT_EQ(create({{"RoleName", "app"}}),
            "409 EntityAlreadyExists: Role with name app already exists.");
  EXPECT_THAT(create({{"RoleName", "APP"}}), HasSubstr("409 EntityAlreadyExists"));
  EXPECT_EQ(create({}),
            "400 ValidationError: 1 validation error detected: Value at 'roleName' failed to "
            "satisfy constraint: Member must not be null");
  EXPECT_THAT(create({{"RoleName", std::string(65, 'a')}}), HasSubstr("less than or equal to 64"));
  EXPECT_THAT(create({{"RoleName", "a/b"}}), HasSubstr("alphanumeric"));
  EXPECT_THAT(create({{"RoleName", "b"}, {"Path", "a"}}), HasSubstr("begin and end with /"));
  EXPECT_THAT(create({{"RoleName", "b"}, {"MaxSessionDuration", "60"}}),
              HasSubstr("greater than or equal to 3600"));
  EXPECT_THAT(create({{"RoleName", "b"}, {"MaxSessionDuration", "x"}}), HasSubstr("number"));
  EXPECT_THAT(create({{"RoleName", "b"}, {"Tags.member.1.Key", "k"}, {"Tags.member.2.Key", "K"}}),
              HasSubstr("400 InvalidInput: Duplicate tag keys"));
  EXPECT_THAT(Refused("CreateRole", {{"RoleName", "b"}, {"AssumeRolePolicyDocument", "{}"}}),
              HasSubstr("400 MalformedPolicyDocument"));
  EXPECT_EQ(Refused("AttachRolePolicy",
                    {{"RoleName", "app"}, {"PolicyArn", "arn:aws:iam::aws:policy/X"}}),
            "404 NoSuchEntity: Policy arn:aws:iam::aws:policy/X does not exist or is not "
            "attachable.");
  for (const char* arn : {"AWSXRayDaemonWriteAccess", "arn:aws:iam::999999999999:policy/own",
                          "arn:aws:iam::aws:policy/AWSXrayDaemonWriteAccess"}) {
    EXPECT_THAT(Refused("AttachRolePolicy", {{"RoleName", "app"}, {"PolicyArn", arn}}),
                HasSubstr("404 NoSuchEntity"));
  }
  EXPECT_EQ(
      Refused("AttachRolePolicy", {{"RoleName", "gone"}, {"PolicyArn", std::string(kWriteArn)}}),
      "404 NoSuchEntity: The role with name gone cannot be found.");
  EXPECT_EQ(Refused("CreateUser", {}),
            "400 InvalidAction: Could not find operation CreateUser for version 2010-05-08");
  EXPECT_THAT(Refused("GetRole", {{"RoleName", "app"}}, "2011-06-15"), HasSubstr("InvalidAction"));
  EXPECT_THAT(Refused("GetRole", {{"RoleName", "a"}, {"RoleName", "b"}}),
              HasSubstr("400 InvalidParameterCombination"));
  EXPECT_THAT(Refused("GetRole", {{"RoleName", std::string(300'000, 'a')}}),
              HasSubstr("400 InvalidParameterValue"));
  // A key keeps its role.
  const auto key = auth::CreateKey(*repository_, "test", {.role = "app"});
  ASSERT_TRUE(key);
  EXPECT_THAT(Refused("DeleteRole", {{"RoleName", "app"}}),
              HasSubstr("must revoke its keys first (" + key->key.id));
}

TEST_F(IamApiTest, AsksForThePermissionOnTheRole) {
  CreateRole("app-one");
  CreateRole("other");
  const auto policy = auth::Policy::Parse(
      R"({"Statement":{"Effect":"Allow","Action":"iam:*","Resource":"arn:aws:iam::*:role/app-*"}})");
  caller_ = auth::Caller("arn:aws:iam::123456789012:user/ann", "AIDAX", "AKIAX",
                         std::make_shared<const auth::PolicySet>(
                             auth::PolicySet{std::make_shared<const auth::Policy>(*policy)}));
  Call("GetRole", {{"RoleName", "app-one"}});
  CreateRole("app-two");
  EXPECT_EQ(Refused("GetRole", {{"RoleName", "other"}}),
            "403 AccessDenied: User: arn:aws:iam::123456789012:user/ann is not authorized to "
            "perform: iam:GetRole on resource: arn:aws:iam::123456789012:role/other");
  EXPECT_THAT(Refused("ListRoles", {}), HasSubstr("403 AccessDenied"));
  EXPECT_THAT(Refused("CreateRole", {{"RoleName", "app-x"},
                                     {"Path", "/p/"},
                                     {"AssumeRolePolicyDocument", std::string(kTrust)}}),
              HasSubstr("role/p/app-x"));
  Call("GetCallerIdentity", {}, "2011-06-15");
}

/// Roles and policies against a naive model, through random calls.
TEST_F(IamApiTest, HoldsAgainstAModel) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Rng rng(seed);
    repository_ = *control::Repository::Open(":memory:", clock_);
    IamApi api(*repository_, clock_, metrics_, "123456789012");
    std::map<std::string, std::set<std::string>> model;
    const std::array<std::string, 3> arns{std::string(kWriteArn),
                                          "arn:aws:iam::aws:policy/AWSXrayReadOnlyAccess",
                                          "arn:aws:iam::aws:policy/None"};
    const auto call = [&](std::string_view action, const Pairs& parameters) {
      net::HttpRequest request;
      request.body = fmt::format("Action={}", action);
      for (const auto& [name, value] : parameters)
        request.body += fmt::format("&{}={}", name, PercentEncode(value));
      return api.Handle(request, caller_);
    };
    for (int i = 0; i < 400; ++i) {
      const std::string role(1, static_cast<char>('a' + rng.Below(4)));
      const std::string arn = arns.at(rng.Below(3));
      const bool there = model.contains(role);
      switch (rng.Below(5)) {
        case 0:
          EXPECT_EQ(call("CreateRole",
                         {{"RoleName", role}, {"AssumeRolePolicyDocument", std::string(kTrust)}})
                        .status,
                    there ? 409 : 200);
          model.try_emplace(role);
          break;
        case 1:
          EXPECT_EQ(call("DeleteRole", {{"RoleName", role}}).status, !there                ? 404
                                                                     : model[role].empty() ? 200
                                                                                           : 409);
          if (there && model[role].empty()) model.erase(role);
          if (!there) model.erase(role);
          break;
        case 2:
        case 3: {
          const bool ok = there && arn != arns.at(2);
          EXPECT_EQ(call("AttachRolePolicy", {{"RoleName", role}, {"PolicyArn", arn}}).status,
                    ok ? 200 : 404);
          if (ok) model[role].insert(arn);
          break;
        }
        default: {
          const bool ok = there && model[role].contains(arn);
          EXPECT_EQ(call("DetachRolePolicy", {{"RoleName", role}, {"PolicyArn", arn}}).status,
                    ok ? 200 : 404);
          if (ok) model[role].erase(arn);
        }
      }
    }
    for (const auto& [role, attached] : model) {
      const std::string body = call("ListAttachedRolePolicies", {{"RoleName", role}}).body;
      for (const std::string& arn : arns)
        EXPECT_EQ(body.find("<PolicyArn>" + arn + "<") != std::string::npos,
                  attached.contains(arn));
    }
  }
}

}  // namespace
}  // namespace fluoro::api::iam
