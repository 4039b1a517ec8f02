#include "query/evaluate.h"

#include <gtest/gtest.h>

#include "query/fixture.h"

namespace fluoro::query {
namespace {

using model::AttributeRole;
using testing::Fixture;
using testing::FixtureGroups;

Filter Parse(std::string_view text, bool fold_case = false) {
  auto filter =
      Filter::Parse(text, {.case_insensitive_strings = fold_case, .groups = FixtureGroups});
  EXPECT_TRUE(filter) << text << ": " << filter.error().message;
  return filter ? *std::move(filter) : Filter();
}

TEST(FilterTable, EveryRowSelectsItsTraces) {
  const Fixture fixture;
  const testing::JsonFile data(testing::kTestdata + "expressions.json");
  std::size_t rows = 0;
  for (const auto& row : data["selects"].Items()) {
    std::string expected;
    for (const auto& letter : row["traces"].Items()) {
      expected += (expected.empty() ? "" : " ") + letter.Text();
    }
    const std::string text = row["expression"].Text();
    EXPECT_EQ(fixture.Select(Parse(text)), expected) << text;
    ++rows;
  }
  EXPECT_EQ(rows, 82U);
}

TEST(FilterTable, NegationIsTheExactComplement) {
  const Fixture fixture;
  const testing::JsonFile data(testing::kTestdata + "expressions.json");
  for (const auto& row : data["selects"].Items()) {
    const std::string text = row["expression"].Text();
    const Filter filter = Parse(text);
    const Filter negated = Parse("!(" + text + ")");
    for (const char* letter : {"A", "B", "C", "D", "E", "F"}) {
      EXPECT_NE(filter.Matches(fixture.View(letter)), negated.Matches(fixture.View(letter)))
          << text << letter;
    }
  }
}

TEST(FilterTable, PrintedExpressionsSelectTheSame) {
  const Fixture fixture;
  const testing::JsonFile data(testing::kTestdata + "expressions.json");
  for (const auto& row : data["selects"].Items()) {
    const Filter filter = Parse(row["expression"].Text());
    EXPECT_EQ(fixture.Select(Parse(Print(*filter.root()))), fixture.Select(filter))
        << filter.text();
  }
}

struct Row {
  const char* expression;
  const char* traces;
};

void ExpectRows(std::initializer_list<Row> rows) {
  const Fixture fixture;
  for (const auto& [expression, traces] : rows)
    EXPECT_EQ(fixture.Select(Parse(expression)), traces) << expression;
}

TEST(FilterSemantics, AnEmptyFilterMatchesEverything) {
  ExpectRows({{"", "A B C D E F"},
              {"group.name = everything", "A B C D E F"},
              {"groupname != Default", ""}});
}

TEST(FilterSemantics, ComparisonsWithAbsentValuesAreFalse) {
  ExpectRows({{"http.useragent != \"x\"", "A"},
              {"!(http.useragent = \"x\")", "A B C D E F"},
              {"responsetime >= 0", "A B C E F"},
              {"responsetime != 7", "A B C E F"},
              {"!responsetime", "D"},
              {"annotation.items != 3", "B"},
              {"annotation.items != \"3\"", "A B"},
              {"annotation.beta != true", "B"},
              {"annotation.nothing != true", ""},
              {"account.id != \"1\"", "F"},
              {"error != true", "A B D E F"}});
}

TEST(FilterSemantics, KeywordsOfOtherScopesCountAsAbsent) {
  ExpectRows(
      {{"first", ""},
       {"first = false", "A B C D E F"},
       {"index >= 0", ""},
       {"coverage", ""},
       {"message CONTAINS \"\"", ""},
       {"root", "A B C D E F"},
       {"service() { message }", ""},
       {"service() { last OR remote OR index OR coverage }", ""},
       {"edge(\"shop-web\", \"cart-api\") { user OR http.useragent OR root }", ""},
       {"rootcause.fault.entity { coverage }", ""},
       {"rootcause.fault.entity { type OR message OR user OR annotation.items OR http.url }", ""},
       {"rootcause.fault.exception { inferred OR remote OR responsetime OR ok }", ""}});
}

TEST(FilterSemantics, ConditionsOfABlockHoldOnOneSubject) {
  ExpectRows(
      {{"service() { http.status = 404 AND name = \"crm\" }", "E"},
       {"service() { http.status = 404 AND user = \"alice\" }", ""},
       {"service() { fault AND name = \"payments\" } AND service() { user = \"bob\" }", "B"},
       {"service(\"cart-api\") { duration = 0.5 }", "A"},
       {"service(\"cart-api\") { duration = 0.5000004 }", "A"},
       {"service(\"cart-api\") { duration = 0.500001 }", ""},
       {"service(\"shop-web\") { partial }", "D"},
       {"service(\"shop-web\") { responsetime }", "A B C"},
       {"service(\"carts\") { inferred AND type = \"AWS::DynamoDB::Table\" }", "A"},
       {"service(\"cart-api\") { inferred }", ""},
       {"service(\"cart-api\") { root }", ""},
       {"service(\"cart-api\") { availabilityzone = \"us-east-1a\" AND instance.id ENDSWITH \"aa\" "
        "}",
        "A"},
       {"service(id(type: \"AWS::Lambda\")) { resource.arn CONTAINS \"lambda\" AND account.id }",
        "F"},
       {"service(id(type: \"client\")) { user = \"alice\" AND http.useragent }", "A"},
       {"service(id(type: \"client\")) { root OR inferred }", ""},
       {"service(id(name: \"shop-web\", type: \"client\")) { fault }", "B"},
       {"service(\"\")", ""}});
}

TEST(FilterSemantics, EdgesShowTheCallersView) {
  ExpectRows(
      {{"edge(\"shop-web\", \"cart-api\") { duration = 0.6 }", "A"},
       {"edge(\"shop-web\", \"reports\") { !partial AND responsetime = 2.5 }", "D"},
       {"edge(\"cart-api\", \"carts\") { inferred AND name = \"carts\" }", "A"},
       {"edge(\"shop-web\", \"payments\") { inferred }", ""},
       {"edge(\"shop-web\", \"payments\") { http.status = 503 AND type = \"AWS::EC2::Instance\" }",
        "B"},
       {"edge(\"support-agent\", \"crm\") { annotation.tool_name = \"crm_lookup\" }", "E"},
       {"edge(\"support-agent\", \"crm\") { annotation.model }", ""},
       {"edge(\"payments\", \"shop-web\")", ""},
       {"edge(id(type: \"AWS::Lambda\"), id(type: \"AWS::Lambda::Function\")) { error }", "F"},
       {"edge(\"orders/prod\", \"orders-fn\") { error }", ""},
       {"edge(\"orders/prod\", id(account.id: \"444455556666\")) { account.id = \"444455556666\" }",
        "F"},
       {"edge(id(type: \"client\"), \"support-agent\") { annotation.route = \"/chat\" }", "E"},
       {"edge(\"shop-web\", \"carts\")", ""}});
}

TEST(FilterSemantics, RootCausesAreReadAsFlatLists) {
  ExpectRows(
      {{"rootcause.fault.service", "B"},
       {"rootcause.error.exception", "E"},
       {"rootcause.responsetime.entity { index = 2 AND last }", "B E"},
       {"rootcause.fault.entity { index = 2 AND name = \"payments\" AND !remote }", "B"},
       {"rootcause.fault.service { first AND last }", ""},
       {"rootcause.fault.exception { index = 0 AND first AND last AND name = \"GatewayTimeout\" }",
        "B"},
       {"rootcause.fault.service { account.id }", ""},
       {"rootcause.json = #[]", "A B C D E F"},
       {"rootcause.json != #[]", ""},
       {"json = #[{\"ClientImpacting\":true},{\"ClientImpacting\":false}]", "E"},
       {"json = #[{\"Services\":[{\"Names\":[\"shop-web\"],\"AccountId\":null},{}]}]", "B"},
       {"json = #[{\"Services\":[{\"EntityPath\":[{\"Coverage\":1},{\"Coverage\":0.968}]},{}]}]",
        "B"},
       {"json = #[{\"services\":[]}]", ""},
       {"json != #[{\"ClientImpacting\":false}]", "A B C D F"}});
}

TEST(FilterSemantics, StringsKeepTheirCaseUnlessToldOtherwise) {
  const Fixture fixture;
  for (const char* text : {"user = \"ALICE\"", "http.url CONTAINS \"ID=7\"",
                           "annotation.tenant BEGINSWITH \"ACME\" AND ok"}) {
    EXPECT_EQ(fixture.Select(Parse(text)), "") << text;
    EXPECT_EQ(fixture.Select(Parse(text, true)), "A") << text;
  }
  EXPECT_EQ(fixture.Select(Parse("annotation.TENANT", true)), "") << "keys keep their case";
}

// Traces of OpenTelemetry.

class OtlpTrace {
 public:
  OtlpTrace() { trace_->id.bytes[0] = 1; }
  model::Span& Add(std::uint8_t id, std::uint8_t parent, const char* service,
                   model::SpanKind kind) {
    model::Span& span = trace_->spans.emplace_back();
    span.trace_id = trace_->id;
    span.span_id.bytes[7] = id;
    span.parent_id.bytes[7] = parent;
    span.name = "work";
    span.kind = kind;
    span.start_ns = testing::kOriginNs + id;
    span.end_ns = span.start_ns + 1'000'000;
    auto resource = std::make_shared<model::Resource>();
    resource->attributes.push_back({"service.name", {std::string(service)}});
    resource->attributes.push_back({"k8s.pod.name", {"pod-" + std::string(service)}});
    span.resource = resource;
    span.scope = std::make_shared<const model::Scope>();
    return span;
  }
  model::Span& At(std::size_t index) { return trace_->spans[index]; }
  [[nodiscard]] bool Matches(std::string_view text) const {
    const model::AssembledTrace assembled = model::Assemble(trace_);
    return Parse(text).Matches(TraceView(assembled));
  }

 private:
  std::shared_ptr<model::Trace> trace_ = std::make_shared<model::Trace>();
};

TEST(FilterAnnotations, ReadEveryScalarAttributeOfOpenTelemetrySpans) {
  OtlpTrace trace;
  model::Span& span = trace.Add(1, 0, "web", model::SpanKind::kServer);
  span.attributes.push_back({"http.route", {std::string("/chat")}});
  span.attributes.push_back({"tries", {std::int64_t{3}}});
  span.attributes.push_back({"ratio", {0.5}});
  span.attributes.push_back({"cached", {true}});
  span.attributes.push_back({"list", {model::AttributeValue::Array{{{std::string("a")}}}}});
  span.attributes.push_back({"k8s.pod.name", {model::AttributeValue::Array{}}});
  trace.Add(2, 1, "db", model::SpanKind::kServer);
  EXPECT_TRUE(trace.Matches("annotation.http.route = \"/chat\""));
  EXPECT_TRUE(
      trace.Matches("annotation[tries] = 3 AND annotation.ratio < 0.6 AND annotation.cached"));
  EXPECT_FALSE(trace.Matches("annotation.list"));
  EXPECT_TRUE(trace.Matches("annotation[k8s.pod.name] = \"pod-web\""))
      << "a list does not hide the resource";
  EXPECT_TRUE(trace.Matches(
      "service(\"db\") { annotation[k8s.pod.name] = \"pod-db\" AND !annotation.tries }"));
  EXPECT_FALSE(trace.Matches("annotation[k8s.pod.name] != \"pod-db\""));
}

TEST(FilterAnnotations, ReadCanonicalGenAiFields) {
  OtlpTrace trace;
  model::Span& span = trace.Add(1, 0, "agent", model::SpanKind::kServer);
  span.attributes.push_back({"gen_ai.request.model", {std::string("gpt-4o")}});
  span.attributes.push_back({"gen_ai.usage.input_tokens", {std::int64_t{9'000}}});
  EXPECT_TRUE(trace.Matches("annotation.model = \"gpt-4o\" AND annotation.prompt_tokens >= 8000"));
  EXPECT_FALSE(trace.Matches("annotation.completion_tokens"));
  EXPECT_TRUE(trace.Matches("service(\"agent\") { annotation.model BEGINSWITH \"gpt\" }"));
  trace.Add(2, 1, "agent", model::SpanKind::kInternal)
      .attributes.push_back({"model", {std::string("sent")}, AttributeRole::kAnnotation});
  EXPECT_TRUE(trace.Matches("annotation.model = \"sent\""));
}

TEST(FilterAnnotations, AnAnnotationWinsOverAnAttributeOfItsName) {
  OtlpTrace trace;
  model::Span& span = trace.Add(1, 0, "web", model::SpanKind::kServer);
  span.attributes.push_back({"k", {std::string("plain")}});
  span.attributes.push_back({"k", {std::string("annotation")}, AttributeRole::kAnnotation});
  EXPECT_TRUE(trace.Matches("annotation.k = \"annotation\""));
  EXPECT_FALSE(trace.Matches("annotation.k = \"plain\""));
}

TEST(FilterAnnotations, DoNotReadPlainAttributesOfXRayDocuments) {
  ExpectRows({{"annotation[http.request.method]", ""},
              {"annotation[service.name]", ""},
              {"annotation[url.full]", ""}});
}

TEST(FilterAnnotations, OnlyFiftyKeysOfXRayTracesAreIndexed) {
  OtlpTrace trace;
  model::Span& span = trace.Add(1, 0, "web", model::SpanKind::kServer);
  span.source = model::SpanSource::kXRay;
  span.flags |= model::SpanFlag::kSegment;
  for (int i = 0; i < 51; ++i) {
    span.attributes.push_back(
        {"k" + std::to_string(i), {std::int64_t{i}}, AttributeRole::kAnnotation});
  }
  EXPECT_TRUE(trace.Matches("annotation.k49 = 49"));
  EXPECT_FALSE(trace.Matches("annotation.k50"));
}

TEST(FilterServices, LinksAreEdges) {
  OtlpTrace trace;
  trace.Add(1, 0, "web", model::SpanKind::kServer);
  model::Span& worker = trace.Add(2, 0, "worker", model::SpanKind::kConsumer);
  model::Link& link = worker.links.emplace_back();
  link.trace_id = worker.trace_id;
  link.span_id.bytes[7] = 1;
  EXPECT_TRUE(trace.Matches("edge(\"web\", \"worker\")"));
  EXPECT_FALSE(trace.Matches("edge(\"worker\", \"web\")"));
}

TEST(FilterServices, ADocumentSentAsInferredShowsTheAnnotationsOfItsCall) {
  OtlpTrace trace;
  for (std::uint8_t id = 1; id <= 3; ++id) {
    trace.Add(id, static_cast<std::uint8_t>(id - 1), "web", model::SpanKind::kServer).source =
        model::SpanSource::kXRay;
  }
  trace.At(0).flags |= model::SpanFlag::kSegment;
  trace.At(1).flags |= model::SpanFlag::kSubsegment;
  trace.At(1).attributes.push_back({"aws.xray.namespace", {std::string("remote")}});
  trace.At(1).attributes.push_back({"table", {std::string("t")}, AttributeRole::kAnnotation});
  trace.At(2).flags |= model::SpanFlag::kSegment | model::SpanFlag::kSentInferred;
  EXPECT_TRUE(trace.Matches("service() { inferred AND annotation.table = \"t\" }"));
  EXPECT_TRUE(trace.Matches("inferred"));
}

TEST(FilterServices, ATraceWithoutSpansHasNoValues) {
  const OtlpTrace trace;
  EXPECT_FALSE(trace.Matches("ok"));
  EXPECT_FALSE(trace.Matches("duration"));
  EXPECT_FALSE(trace.Matches("name"));
  EXPECT_FALSE(trace.Matches("service()"));
  EXPECT_TRUE(trace.Matches("!error !service()"));
}

}  // namespace
}  // namespace fluoro::query
