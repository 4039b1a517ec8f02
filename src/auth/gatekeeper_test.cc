#include "auth/gatekeeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "auth/keys.h"
#include "auth/signed_request_for_test.h"

namespace fluoro::auth {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kNowS = 1'767'323'045;
constexpr std::array<std::string_view, 1> kXRay{"xray"};

class GatekeeperTest : public ::testing::Test {
 protected:
  CreatedKey Create(const NewKey& wanted) {
    auto created = CreateKey(*repository_, "test", wanted);
    EXPECT_TRUE(created) << created.error().message;
    return created ? *std::move(created) : CreatedKey{};
  }
  static TestRequest SignedWith(const CreatedKey& key) {
    TestContext context;
    context.credentials = {.access_key = key.key.id, .secret = key.secret, .session_token = {}};
    return SignedBy(context, {.path = "/GetGroups", .headers = {{"host", "h"}}, .body = "{}"},
                    false);
  }
  Gatekeeper::Outcome Identify(const TestRequest& request, bool sampling = false,
                               std::string_view peer = "192.0.2.1:5") {
    return request.With([&](const HttpRequestView& view) {
      return gate_.Identify(
          {.http = view, .peer = peer, .services = kXRay, .unsigned_sampling = sampling});
    });
  }
  double Counted(const char* outcome) {
    return metrics_.GetCounter("fluoro_auth_requests_total", "", {{"outcome", outcome}}).value();
  }

  ManualClock clock_{kNowS * kNsPerSecond};
  Metrics metrics_;
  std::unique_ptr<control::Repository> repository_ = *control::Repository::Open(":memory:", clock_);
  Gatekeeper gate_{*repository_, clock_, metrics_, {.account = "123456789012", .keys = true}};
};

TEST_F(GatekeeperTest, KnowsWhoSignedAndWhatTheirRoleAndTheirOwnPoliciesAllow) {
  const CreatedKey key =
      Create({.name = "ann", .role = "app", .policies = {"AWSXRayDaemonWriteAccess"}});
  EXPECT_TRUE(key.made_role);
  EXPECT_THAT(key.key.id, ::testing::MatchesRegex("AKIA[A-Z2-7]{16}"));
  EXPECT_EQ(key.secret.size(), 40U);
  const auto caller = Identify(SignedWith(key));
  ASSERT_TRUE(caller) << caller.error().message;
  EXPECT_EQ(caller->arn(), "arn:aws:iam::123456789012:user/ann");
  EXPECT_THAT(caller->user_id(), ::testing::MatchesRegex("AIDA[A-Z2-7]{17}"));
  EXPECT_TRUE(caller->May("xray:PutTraceSegments"));
  EXPECT_FALSE(caller->May("xray:GetTraceSummaries"));
  // The role gets a policy, then one of its own that takes something away.
  const auto change = [&](auto&& how) {
    return repository_->Write("test", [&](control::Transaction& transaction) -> Result<void> {
      FLUORO_TRY(const auto record, transaction.Find(kRoleKind, "app"));
      FLUORO_TRY(Role role, ReadRole(record->name, record->body));
      how(role);
      FLUORO_CHECK_OK(transaction.Put(kRoleKind, "app", ToJson(role)));
      return {};
    });
  };
  ASSERT_TRUE(change([](Role& role) {
    role.policies.emplace_back("arn:aws:iam::aws:policy/AWSXrayReadOnlyAccess");
  }));
  EXPECT_TRUE(Identify(SignedWith(key))->May("xray:GetTraceSummaries"));
  ASSERT_TRUE(change([](Role& role) {
    role.inline_policies["no"] =
        R"({"Statement":{"Effect":"Deny","Action":"xray:Put*","Resource":"*"}})";
  }));
  EXPECT_FALSE(Identify(SignedWith(key))->May("xray:PutTraceSegments"));
  EXPECT_TRUE(Identify(SignedWith(key))->May("xray:GetTraceSummaries"));
  EXPECT_EQ(Counted("accepted"), 4);
}

TEST_F(GatekeeperTest, ForgetsARevokedKeyAtOnce) {
  const CreatedKey key = Create({.policies = {"AdministratorAccess"}});
  const CreatedKey bearer = Create({.policies = {"AdministratorAccess"}, .bearer = true});
  EXPECT_TRUE(Identify(SignedWith(key)));
  EXPECT_TRUE(gate_.IdentifyBearer("Bearer " + bearer.secret));
  ASSERT_TRUE(RevokeKey(*repository_, "test", key.key.id));
  ASSERT_TRUE(RevokeKey(*repository_, "test", bearer.key.id));
  EXPECT_EQ(RevokeKey(*repository_, "test", key.key.id).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(Identify(SignedWith(key)).error().fault, SignatureFault::kUnknownKey);
  EXPECT_EQ(gate_.IdentifyBearer("Bearer " + bearer.secret).error().fault,
            SignatureFault::kUnknownKey);
  EXPECT_EQ(Counted("unknown_key"), 2);
}

TEST_F(GatekeeperTest, KeepsNoBearerKeyAndShowsNoSecret) {
  const CreatedKey bearer = Create({.bearer = true});
  EXPECT_THAT(bearer.secret, ::testing::MatchesRegex("flk_[A-Za-z0-9]{40}"));
  const CreatedKey access = Create({});
  const auto snapshot = repository_->Read();
  const control::Record* record = snapshot->Find(kAccessKeyKind, bearer.key.id);
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->secret, Sha256Hex(bearer.secret));
  const std::string exported = control::ExportRecords(*snapshot);
  const auto audit = *repository_->Audit("", 100);
  for (const std::string& secret : {bearer.secret, record->secret, access.secret}) {
    EXPECT_EQ(exported.find(secret), std::string::npos);
    for (const control::AuditLine& line : audit) {
      EXPECT_EQ((line.before + line.after).find(secret), std::string::npos);
    }
  }
  // A bearer key signs nothing, and a secret access key bears nothing.
  EXPECT_FALSE(Identify(SignedWith(bearer)));
  EXPECT_FALSE(gate_.IdentifyBearer("Bearer " + access.secret));
}

TEST_F(GatekeeperTest, TakesUnsignedSamplersOfThisMachineOnly) {
  const TestRequest request{.path = "/GetSamplingRules", .headers = {{"host", "h"}}, .body = "{}"};
  for (const char* peer : {"127.0.0.1:5", "127.8.9.1:5", "[::1]:5", "[::ffff:127.0.0.1]:5"}) {
    const auto caller = Identify(request, true, peer);
    ASSERT_TRUE(caller) << peer;
    EXPECT_TRUE(caller->May("xray:GetSamplingRules"));
    EXPECT_FALSE(caller->May("xray:PutTraceSegments"));
    EXPECT_EQ(Identify(request, false, peer).error().fault, SignatureFault::kMissing);
  }
  for (const char* peer : {"192.0.2.1:5", "[::2]:5", "[2001:db8::1]:5", "128.0.0.1:5", "?", "",
                           "[::ffff:192.0.2.1]:5", "12.7.0.0:1"}) {
    EXPECT_EQ(Identify(request, true, peer).error().fault, SignatureFault::kMissing) << peer;
  }
  // Who shows a key is judged by it.
  TestRequest forged = request;
  forged.headers.emplace_back("authorization", "Bearer flk_nonsense");
  EXPECT_EQ(Identify(forged, true, "127.0.0.1:5").error().fault, SignatureFault::kUnknownKey);
}

TEST_F(GatekeeperTest, HoldsTheClockAtFiveMinutes) {
  const CreatedKey key = Create({.policies = {"AdministratorAccess"}});
  const TestRequest request = SignedWith(key);
  clock_.Advance(300 * kNsPerSecond);
  EXPECT_TRUE(Identify(request));
  clock_.Advance(1);
  EXPECT_EQ(Identify(request).error().fault, SignatureFault::kMismatch);
  clock_.Advance(-3'600 * kNsPerSecond);  // the server's clock jumps
  EXPECT_FALSE(Identify(request));
  clock_.Advance(3'300 * kNsPerSecond);
  EXPECT_TRUE(Identify(request));
}

TEST_F(GatekeeperTest, RefusesNamesAndPoliciesThatAreNone) {
  EXPECT_EQ(CreateKey(*repository_, "t", {.name = "a b"}).error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(CreateKey(*repository_, "t", {.role = std::string(65, 'a')}).error().code,
            ErrorCode::kInvalidArgument);
  for (const char* policy : {"AWSXrayDaemonWriteAccess", "arn:aws:iam::aws:policy/Nothing",
                             "arn:aws:s3:::bucket", "", "policy/x"}) {
    const auto created = CreateKey(*repository_, "t", {.role = "fresh", .policies = {policy}});
    EXPECT_EQ(created.error().code, ErrorCode::kNotFound) << policy;
    EXPECT_THAT(created.error().message, HasSubstr("no policy")) << policy;
  }
  // All or nothing: the role was not made.
  EXPECT_EQ(repository_->Read()->Find(kRoleKind, "fresh"), nullptr);
  Create({.name = "ann"});
  EXPECT_EQ(CreateKey(*repository_, "t", {.name = "ann"}).error().code, ErrorCode::kAlreadyExists);
}

TEST_F(GatekeeperTest, LetsNobodyInByWhatItCannotRead) {
  const CreatedKey key = Create({.role = "app", .policies = {"AdministratorAccess"}});
  ASSERT_TRUE(repository_->Write("test", [&](control::Transaction& transaction) -> Result<void> {
    FLUORO_TRY(const auto record, transaction.Find(kRoleKind, "app"));
    FLUORO_TRY(Role role, ReadRole(record->name, record->body));
    role.inline_policies["broken"] = "{";
    FLUORO_CHECK_OK(transaction.Put(kRoleKind, "app", ToJson(role)));
    return {};
  }));
  const auto caller = Identify(SignedWith(key));
  ASSERT_TRUE(caller);
  EXPECT_FALSE(caller->May("xray:GetGroups"));
}

TEST_F(GatekeeperTest, RecordsGoOutAndComeInAgain) {
  const CreatedKey key = Create({.role = "app", .policies = {"AdministratorAccess"}});
  const std::string exported = control::ExportRecords(*repository_->Read());
  const control::RecordChecks checks{{std::string(kAccessKeyKind), CheckAccessKeyRecord},
                                     {std::string(kRoleKind), CheckRoleRecord},
                                     {std::string(kPolicyKind), CheckPolicyRecord}};
  EXPECT_EQ(control::ImportRecords(*repository_, "test", exported, checks).value_or(99), 0U);
  EXPECT_TRUE(Identify(SignedWith(key)));
  // Elsewhere the key is there and lets nobody in: its secret never left.
  const auto other = *control::Repository::Open(":memory:", clock_);
  EXPECT_EQ(control::ImportRecords(*other, "test", exported, checks).value_or(99), 2U);
  Gatekeeper gate(*other, clock_, metrics_, {.account = "123456789012", .keys = true});
  EXPECT_EQ(SignedWith(key)
                .With([&](const HttpRequestView& view) {
                  return gate.Identify({.http = view, .peer = "192.0.2.1:5", .services = kXRay});
                })
                .error()
                .fault,
            SignatureFault::kUnknownKey);
  EXPECT_FALSE(gate.IdentifyBearer("Bearer "));
  EXPECT_FALSE(CheckRoleRecord("a", R"({"id":"","path":"/","trust":"{}","description":"",
      "session_s":1,"policies":[],"inline":{},"tags":{}})"));
  EXPECT_FALSE(CheckPolicyRecord("a", R"({"id":"","path":"/","description":"","default":"v1",
      "next":2,"versions":[{"id":"v1","document":"{","created_ns":1}],"tags":{}})"));
}

TEST(Records, ComeBackAsTheyWere) {
  Role role = NewRole("app");
  role.path = "/a/";
  role.description = "d\"e\n";
  role.policies = {"arn:aws:iam::aws:policy/AWSXrayFullAccess", "policy/own"};
  role.inline_policies = {{"p", "{\"a\":1}"}};
  role.tags = {{"k", "v"}, {"K2", ""}};
  const auto read = ReadRole("app", ToJson(role));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(ToJson(*read), ToJson(role));
  OwnPolicy policy{.name = "own",
                   .id = "ANPA",
                   .description = "d",
                   .versions = {{"v1", "{}", 5}, {"v3", "{}", 7}},
                   .default_version = "v3",
                   .next_version = 4,
                   .tags = {}};
  EXPECT_EQ(ToJson(*ReadOwnPolicy("own", ToJson(policy))), ToJson(policy));
  policy.default_version = "v2";
  EXPECT_FALSE(ReadOwnPolicy("own", ToJson(policy)));
  for (const char* body : {"", "[]", "{}", R"({"bearer":1})"}) {
    EXPECT_EQ(ReadAccessKey("k", body).error().code, ErrorCode::kCorruption) << body;
    EXPECT_EQ(ReadRole("k", body).error().code, ErrorCode::kCorruption) << body;
  }
}

}  // namespace
}  // namespace fluoro::auth
