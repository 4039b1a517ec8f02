// Every route x every kind of caller, made from the tables of routes themselves. A route that is
// new has no line here, and fails.
#include "app/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "api/xray/shape.h"
#include "auth/keys.h"
#include "auth/sigv4.h"
#include "base/faulty_fs.h"
#include "base/json.h"
#include "cost/meter.h"
#include "ingest/otlp_http.h"
#include "ingest/zipkin_http.h"
#include "store/embedded/embedded_store.h"

namespace fluoro::app {
namespace {

constexpr std::int64_t kNow = 1'700'000'000 * kNsPerSecond;
constexpr std::string_view kAccount = "123456789012";

/// Who calls. The order is the one of kWho.
enum class Kind : std::uint8_t {
  kNone,       ///< no key, from elsewhere
  kLocal,      ///< no key, from this machine
  kUnknown,    ///< a key that is none
  kForger,     ///< a key that is there, with another secret
  kReader,     ///< AWSXrayReadOnlyAccess
  kWriter,     ///< AWSXRayDaemonWriteAccess
  kAdmin,      ///< AdministratorAccess
  kOtherRole,  ///< a role that may change the group "other" only
};
constexpr std::array kKinds{Kind::kNone,   Kind::kLocal,  Kind::kUnknown, Kind::kForger,
                            Kind::kReader, Kind::kWriter, Kind::kAdmin,   Kind::kOtherRole};

/// One letter a kind that may: n, l, u, f, r, w, a, o.
constexpr std::string_view kWho = "nlufrwao";
constexpr std::string_view kAll = "nlufrwao";

// By hand, from the documents of the managed policies.
const std::map<std::string, std::string, std::less<>> kMay{
    {"xray BatchGetTraces", "ra"},
    {"xray CancelTraceRetrieval", "a"},
    {"xray CreateGroup", "a"},
    {"xray CreateSamplingRule", "a"},
    {"xray DeleteGroup", "a"},
    {"xray DeleteResourcePolicy", "a"},
    {"xray DeleteSamplingRule", "a"},
    {"xray GetEncryptionConfig", "a"},
    {"xray GetGroup", "ra"},
    {"xray GetGroups", "ra"},
    {"xray GetIndexingRules", "a"},
    {"xray GetInsight", "ra"},
    {"xray GetInsightEvents", "ra"},
    {"xray GetInsightImpactGraph", "ra"},
    {"xray GetInsightSummaries", "ra"},
    {"xray GetRetrievedTracesGraph", "a"},
    {"xray GetSamplingRules", "lrwa"},
    {"xray GetSamplingStatisticSummaries", "rwa"},
    {"xray GetSamplingTargets", "lrwa"},
    {"xray GetServiceGraph", "ra"},
    {"xray GetTimeSeriesServiceStatistics", "ra"},
    {"xray GetTraceGraph", "ra"},
    {"xray GetTraceSegmentDestination", "a"},
    {"xray GetTraceSummaries", "ra"},
    {"xray ListResourcePolicies", "ra"},
    {"xray ListRetrievedTraces", "a"},
    {"xray ListTagsForResource", "ra"},
    {"xray PutEncryptionConfig", "a"},
    {"xray PutResourcePolicy", "a"},
    {"xray PutTelemetryRecords", "wa"},
    {"xray PutTraceSegments", "wa"},
    {"xray StartTraceRetrieval", "a"},
    {"xray TagResource", "a"},
    {"xray UntagResource", "a"},
    {"xray UpdateGroup", "a"},
    {"xray UpdateIndexingRule", "a"},
    {"xray UpdateSamplingRule", "a"},
    {"xray UpdateTraceSegmentDestination", "a"},
    {"iam GetCallerIdentity", "rwao"},
    {"ui GET trace/", "ra"},
    {"ui GET tail", "ra"},
    {"ui GET insights", "ra"},
    {"ui GET insights/", "ra"},
    {"ui POST search", "ra"},
    {"ui POST graph", "ra"},
    {"ui POST genai", "ra"},
    {"ui GET genai/conversation/", "ra"},
    {"ui POST genai/ledger", "ra"},
    {"ui POST genai/ttft", "ra"},
    {"ui POST genai/waste", "ra"},
    {"ui POST propagation", "ra"},
    {"ui POST genai/cost", "ra"},
    {"ui GET genai/audit/", "ra"},
    {"ui GET model-prices", "ra"},
    {"ui POST model-prices", "a"},
    {"ui DELETE model-prices", "a"},
    {"ui POST whatif", "ra"},
    {"ui POST suggest", "ra"},
    {"ui POST cost", "ra"},
    {"ui GET prices", "ra"},
    {"ui POST prices", "a"},
    {"ui DELETE prices", "a"},
    {"ui GET budgets", "ra"},
    {"ui POST budgets", "a"},
    {"ui DELETE budgets", "a"},
    {"ui GET redaction", "a"},
    {"ui POST redaction", "a"},
    {"ui DELETE redaction", "a"},
    {"ui POST redaction/test", "a"},
    {"ui GET attributes", "ra"},
    {"ui GET attributes/", "ra"},
    {"ui POST attributes", "a"},
    {"ui POST export", "ra"},
    {"ui POST genai/experiments", "ra"},
    {"ui POST differ", "ra"},
    {"ui POST compare", "ra"},
    {"ui POST delete", "a"},
    {"ui POST import", "a"},
    {"ui GET rules", "rwa"},
    {"ui PUT rules", "a"},
    {"ui DELETE rules/", "a"},
    {"ui GET tail-policies", "rwa"},
    {"ui PUT tail-policies", "a"},
    {"ui DELETE tail-policies/", "a"},
    {"ui GET records", "a"},
    {"ui POST records", "a"},
    {"ui GET audit", "a"},
    {"ui GET keys", "a"},
    {"ui POST keys", "a"},
    {"ui POST keys/revoke", "a"},
    {"ui POST keys/attach", "a"},
    {"port OPTIONS /v1/traces", kAll.data()},
    {"port  /v1/traces", "wa"},
    {"port  /api/public/otel/v1/traces", "wa"},
    {"port  /otel/v1/traces", "wa"},
    {"port OPTIONS /v1/logs", kAll.data()},
    {"port  /v1/logs", "wa"},
    {"port  /api/v2/spans", "wa"},
    {"port  /api/v1/spans", "wa"},
    {"port  /api/traces*", "ra"},
    {"port  /api/dependencies", "ra"},
    {"port  /api/*", "ra"},
    {"port  /healthz", kAll.data()},
    {"port  /readyz", kAll.data()},
    {"port  /metrics", "ra"},
    {"port  /*", kAll.data()},
};

/// The smallest value that the shape takes.
void WriteSmallest(JsonWriter& out, const api::xray::Shape& shape) {
  using api::xray::ShapeKind;
  switch (shape.kind) {
    case ShapeKind::kString:
      if (shape.pattern.starts_with("[0-9a-fA-F]{8}-")) {
        out.String("00000000-0000-4000-8000-000000000000");
        break;
      }
      out.String(
          shape.values.empty()
              ? std::string(static_cast<std::size_t>(std::max(1.0, shape.min.value_or(1))), 'a')
              : std::string(shape.values.front()));
      break;
    case ShapeKind::kInteger:
    case ShapeKind::kLong:
      out.Int(static_cast<std::int64_t>(shape.min.value_or(1)));
      break;
    case ShapeKind::kDouble:
      out.Double(shape.min.value_or(0.5));
      break;
    case ShapeKind::kBoolean:
      out.Bool(false);
      break;
    case ShapeKind::kTimestamp:
      out.Int(1'699'999'000);
      break;
    case ShapeKind::kList:
      out.BeginArray();
      if (shape.min.value_or(0) > 0) WriteSmallest(out, *shape.element);
      out.EndArray();
      break;
    case ShapeKind::kStructure:
      out.BeginObject();
      for (const api::xray::Member& member : shape.members) {
        if (!member.required) continue;
        out.Key(member.name);
        WriteSmallest(out, *member.shape);
      }
      out.EndObject();
      break;
    default:
      out.BeginObject().EndObject();
  }
}

class RoutesTest : public ::testing::Test {
 protected:
  RoutesTest() {
    store::EmbeddedOptions options;
    options.folder = "data";
    options.background_thread = false;
    store_ = *store::OpenEmbeddedStore(fs_, clock_, metrics_, options);
    control_ = *control::Repository::Open(":memory:", clock_);
    pipeline_.emplace(*store_, clock_, metrics_, ingest::Options{});
    api::xray::Options xray;
    xray.account_id = kAccount;
    xray.at_rest = {.used = [] { return std::string(); },
                    .use = [](std::string_view) { return Result<void>{}; }};
    xray_.emplace(*store_, *pipeline_, *control_, clock_, metrics_, xray);
    meter_.emplace(*store_, *control_, fs_, clock_, metrics_,
                   cost::MeterOptions{.folder = "data/usage"});
    ui_.emplace(*store_, &*pipeline_, *control_, *meter_, clock_, metrics_);
    jaeger_.emplace(*store_, clock_);
    iam_.emplace(*control_, clock_, metrics_, std::string(kAccount));
    Gate(true);
    reader_ = Key({.policies = {"AWSXrayReadOnlyAccess"}});
    writer_ = Key({.policies = {"AWSXRayDaemonWriteAccess"}});
    admin_ = Key({.policies = {"AdministratorAccess"}});
    EXPECT_TRUE(control_->Write("test", [](control::Transaction& transaction) -> Result<void> {
      auth::Role role = auth::NewRole("other");
      role.inline_policies["group"] =
          R"({"Statement":{"Effect":"Allow","Action":"xray:*",
              "Resource":"arn:aws:xray:*:*:group/other/*"}})";
      FLUORO_CHECK_OK(transaction.Put(auth::kRoleKind, role.name, ToJson(role)));
      return {};
    }));
    other_ = Key({.role = "other"});
  }
  ~RoutesTest() override {
    ui_.reset();
    EXPECT_TRUE(store_->Close());
  }

  void Gate(bool keys) {
    gate_.emplace(*control_, clock_, metrics_,
                  auth::GateOptions{.account = std::string(kAccount), .keys = keys});
    routes_ =
        MakeRoutes({*gate_, *xray_, *iam_, *ui_, *jaeger_, ingest::MakeOtlpHttpHandler(*pipeline_),
                    ingest::MakeZipkinHttpHandler(*pipeline_), metrics_, [] { return true; }});
  }

  auth::Credentials Key(const auth::NewKey& wanted) {
    const auto created = auth::CreateKey(*control_, "test", wanted);
    EXPECT_TRUE(created) << created.error().message;
    return {.access_key = created->key.id, .secret = created->secret};
  }

  net::HttpResponse Send(Kind kind, net::HttpRequest request, std::string_view service = "xray") {
    request.headers["host"] = "tracing.example:2000";
    request.peer = kind == Kind::kLocal ? "127.0.0.1:40000" : "192.0.2.7:40000";
    std::optional<auth::Credentials> credentials;
    if (kind == Kind::kUnknown)
      credentials = auth::Credentials{.access_key = "AKIAAAAAAAAAAAAAAAAA", .secret = "secret"};
    if (kind == Kind::kForger) {
      credentials = admin_;
      credentials->secret[0] = credentials->secret[0] == 'a' ? 'b' : 'a';
    }
    if (kind == Kind::kReader) credentials = reader_;
    if (kind == Kind::kWriter) credentials = writer_;
    if (kind == Kind::kAdmin) credentials = admin_;
    if (kind == Kind::kOtherRole) credentials = other_;
    if (credentials) {
      std::vector<auth::Header> headers;
      for (const auto& [name, value] : request.headers) headers.push_back({name, value});
      const auto added = auth::Sign(
          {.method = request.method,
           .path = request.path,
           .query = request.query,
           .headers = headers,
           .body = request.body},
          *credentials,
          {.region = "eu-central-1", .service = service, .unix_s = clock_.UnixNs() / kNsPerSecond});
      for (const auto& [name, value] : added) request.headers[name] = value;
    }
    return routes_(std::move(request));
  }

  /// Asks as everybody, and compares with the line of kMay.
  void ExpectCells(const std::string& name, const net::HttpRequest& request,
                   std::string_view service = "xray") {
    const auto line = kMay.find(name);
    const bool iam = name.starts_with("iam ");
    if (!iam && line == kMay.end()) {
      ADD_FAILURE() << name << ": a route without a line in this test; who may?";
      return;
    }
    // All of IAM but one call is for those who keep the server.
    const std::string may = line == kMay.end() ? "a" : line->second;
    seen_.insert(name);
    // Known by name only: there is nothing to be allowed.
    const bool absent =
        name.starts_with("xray ") &&
        Send(Kind::kAdmin, request, service).body.find("UnknownOperationException") !=
            std::string::npos;
    for (const Kind kind : kKinds) {
      const net::HttpResponse answer = Send(kind, request, service);
      const char letter = kWho[static_cast<std::size_t>(kind)];
      const bool allowed = answer.status != 401 && answer.status != 403;
      EXPECT_EQ(allowed, absent ? kWho.find(letter) >= kWho.find('r')
                                : may.find(letter) != std::string::npos)
          << name << " by " << letter << ": " << answer.status << " " << answer.body;
      ++cells_;
    }
  }

  ManualClock clock_{kNow};
  Metrics metrics_;
  FaultyFs fs_;
  std::unique_ptr<store::EmbeddedStore> store_;
  std::unique_ptr<control::Repository> control_;
  std::optional<ingest::Pipeline> pipeline_;
  std::optional<api::xray::XRayApi> xray_;
  std::optional<cost::CostMeter> meter_;
  std::optional<api::ui::UiApi> ui_;
  std::optional<api::grafana::JaegerQuery> jaeger_;
  std::optional<api::iam::IamApi> iam_;
  std::optional<auth::Gatekeeper> gate_;
  net::HttpHandler routes_;
  auth::Credentials reader_, writer_, admin_, other_;
  std::set<std::string, std::less<>> seen_;
  int cells_ = 0;
};

net::HttpRequest Post(std::string path, std::string body, std::string type = "application/json") {
  net::HttpRequest request;
  request.method = "POST";
  request.path = std::move(path);
  request.body = std::move(body);
  request.headers["content-type"] = std::move(type);
  return request;
}

TEST_F(RoutesTest, LetInWhoMayAndNobodyElse) {
  std::size_t routes = 0;
  for (const api::xray::Operation& operation : api::xray::Operations()) {
    std::string body = "{}";
    if (operation.input != nullptr) {
      JsonWriter out;
      WriteSmallest(out, *operation.input);
      body = out.Take();
    }
    ExpectCells("xray " + std::string(operation.name), Post(std::string(operation.path), body));
    ++routes;
  }
  for (const std::string_view action : api::iam::IamApi::Actions()) {
    ExpectCells("iam " + std::string(action),
                Post("/", "Action=" + std::string(action), "application/x-www-form-urlencoded"),
                action == "GetCallerIdentity" ? "sts" : "iam");
    ++routes;
  }
  for (const api::ui::UiApi::Rule& rule : api::ui::UiApi::Rules()) {
    net::HttpRequest request =
        Post("/ui/api/" + std::string(rule.path) + (rule.path.ends_with('/') ? "x" : ""), "{}");
    request.method = rule.method;
    ExpectCells("ui " + std::string(rule.method) + " " + std::string(rule.path), request);
    ++routes;
  }
  for (const Route& route : Routes()) {
    if (route.rule == Rule::kHandler) continue;  // whose calls were asked above
    const bool prefix = route.path.ends_with('*');
    std::string path(prefix ? route.path.substr(0, route.path.size() - 1) : route.path);
    if (prefix) path += "x";
    net::HttpRequest request = Post(path, "{}");
    if (!route.method.empty()) request.method = route.method;
    ExpectCells("port " + std::string(route.method) + " " + std::string(route.path), request);
    ++routes;
  }
  for (const auto& [name, may] : kMay) EXPECT_TRUE(seen_.contains(name)) << name << " is gone";
  EXPECT_EQ(cells_, static_cast<int>(routes * kKinds.size()));
}

TEST_F(RoutesTest, LetEverybodyInWhileKeysAreOff) {
  Gate(false);
  for (const Kind kind : kKinds) {
    EXPECT_EQ(Send(kind, Post("/GetSamplingRules", "{}")).status, 200);
    EXPECT_EQ(Send(kind, Post("/ui/api/search", "{}")).status, 200);
    const auto who = Send(kind, Post("/", "Action=GetCallerIdentity&Version=2011-06-15",
                                     "application/x-www-form-urlencoded"));
    EXPECT_THAT(who.body, ::testing::HasSubstr("<Arn>arn:aws:iam::123456789012:root</Arn>"));
  }
}

TEST_F(RoutesTest, TellEachProtocolNoInItsOwnForm) {
  using ::testing::HasSubstr;
  const auto xray = Send(Kind::kNone, Post("/TraceSummaries", "{}"));
  EXPECT_EQ(xray.status, 403);
  EXPECT_EQ(xray.headers.at("x-amzn-errortype"), "MissingAuthenticationTokenException");
  EXPECT_EQ(Send(Kind::kUnknown, Post("/TraceSummaries", "{}")).headers.at("x-amzn-errortype"),
            "UnrecognizedClientException");
  EXPECT_EQ(Send(Kind::kForger, Post("/TraceSummaries", "{}")).headers.at("x-amzn-errortype"),
            "InvalidSignatureException");
  EXPECT_EQ(Send(Kind::kReader, Post("/TraceSegments", R"({"TraceSegmentDocuments":[]})"))
                .headers.at("x-amzn-errortype"),
            "AccessDeniedException");

  const std::string form = "application/x-www-form-urlencoded";
  const std::string list = "Action=ListRoles&Version=2010-05-08";
  EXPECT_THAT(Send(Kind::kNone, Post("/", list, form)).body,
              HasSubstr("<Code>MissingAuthenticationToken</Code>"));
  EXPECT_THAT(Send(Kind::kUnknown, Post("/", list, form), "iam").body,
              HasSubstr("<Code>InvalidClientTokenId</Code>"));
  EXPECT_THAT(Send(Kind::kForger, Post("/", list, form), "iam").body,
              HasSubstr("<Code>SignatureDoesNotMatch</Code>"));
  EXPECT_THAT(Send(Kind::kReader, Post("/", list, form), "iam").body,
              HasSubstr("<Code>AccessDenied</Code>"));
  // A signature for X-Ray is none for IAM.
  EXPECT_THAT(Send(Kind::kAdmin, Post("/", list, form), "xray").body,
              HasSubstr("<Code>SignatureDoesNotMatch</Code>"));
  EXPECT_EQ(Send(Kind::kAdmin, Post("/Groups", "{}"), "iam").status, 403);

  auto otlp = Send(Kind::kNone, Post("/v1/traces", "{}"));
  EXPECT_EQ(otlp.status, 401);
  EXPECT_THAT(otlp.body, HasSubstr(R"("code":16)"));
  otlp = Send(Kind::kReader, Post("/v1/traces", "{}"));
  EXPECT_EQ(otlp.status, 403);
  EXPECT_THAT(otlp.body, HasSubstr(R"("code":7)"));
  const auto binary = Send(Kind::kNone, Post("/v1/traces", "", "application/x-protobuf"));
  EXPECT_EQ(binary.headers.at("content-type"), "application/x-protobuf");

  const auto ui = Send(Kind::kNone, Post("/ui/api/search", "{}"));
  EXPECT_EQ(ui.status, 401);
  EXPECT_EQ(ui.headers.at("www-authenticate"), R"(Bearer realm="fluoro")");
  EXPECT_THAT(ui.body, HasSubstr(R"({"error":{"code":"unauthenticated")"));
  EXPECT_THAT(Send(Kind::kWriter, Post("/ui/api/search", "{}")).body,
              HasSubstr(R"({"error":{"code":"permission_denied")"));
}

TEST_F(RoutesTest, GuardTheListenersOfOtlpAsThePortDoes) {
  const net::HttpHandler otlp = GateOtlp(*gate_, ingest::MakeOtlpHttpHandler(*pipeline_));
  EXPECT_EQ(otlp(Post("/v1/traces", "{}")).status, 401);
  net::HttpRequest preflight = Post("/v1/traces", "");
  preflight.method = "OPTIONS";
  EXPECT_EQ(otlp(std::move(preflight)).status, 204);
  EXPECT_EQ(otlp(Post("/v1/logs", "{}")).status, 401);
  EXPECT_EQ(otlp(Post("/api/public/otel/v1/traces", "{}")).status, 401);

  const auto writer =
      auth::CreateKey(*control_, "test", {.policies = {"AWSXrayWriteOnlyAccess"}, .bearer = true});
  const auto reader =
      auth::CreateKey(*control_, "test", {.policies = {"AWSXrayReadOnlyAccess"}, .bearer = true});
  ASSERT_TRUE(writer && reader);
  const auto with = [](const std::string& authorization) {
    net::HttpRequest request = Post("/v1/traces", "{}");
    request.headers["authorization"] = authorization;
    return request;
  };
  EXPECT_EQ(otlp(with("Bearer " + writer->secret)).status, 200);
  EXPECT_EQ(otlp(with("bearer " + writer->secret)).status, 200);
  EXPECT_EQ(otlp(with("Bearer " + reader->secret)).status, 403);
  EXPECT_EQ(otlp(with("Bearer " + writer->secret + "x")).status, 401);
  EXPECT_EQ(otlp(with("Bearer ")).status, 401);
  EXPECT_EQ(otlp(with("Basic " + writer->secret)).status, 401);
  EXPECT_EQ(otlp(with(writer->secret)).status, 401);

  int calls = 0;
  const net::GrpcHandler grpc = GateGrpc(*gate_, [&calls](const net::GrpcCall&) -> net::GrpcAnswer {
    ++calls;
    return {};
  });
  const auto code = [&grpc](const std::string& authorization) {
    return grpc({"/m", "", "127.0.0.1:1", authorization}).code;
  };
  EXPECT_EQ(code(""), 16);
  EXPECT_EQ(code("AWS4-HMAC-SHA256 Credential=x"), 16);
  EXPECT_EQ(code("Bearer nonsense"), 16);
  EXPECT_EQ(code("Bearer " + reader->secret), 7);
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(code("Bearer " + writer->secret), 0);
  EXPECT_EQ(calls, 1);
}

TEST_F(RoutesTest, TellTheHandlersWhoChangesSomething) {
  const std::string body = R"({"GroupName":"shop","FilterExpression":"fault"})";
  EXPECT_EQ(Send(Kind::kAdmin, Post("/CreateGroup", body)).status, 200);
  EXPECT_THAT(control_->Read()->Find("group", "shop")->modified_by,
              ::testing::StartsWith("arn:aws:iam::123456789012:user/AKIA"));
}

}  // namespace
}  // namespace fluoro::app
