#include "codec/jaeger/jaeger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "codec/common/canonical_json_for_test.h"

namespace fluoro::codec::jaeger {
namespace {

using common::ReadFileForTest;
using model::AttributeValue;
using model::Span;
using model::SpanKind;
using model::StatusCode;

std::vector<Span> Decode(std::string_view json, const model::Limits& limits = {}) {
  model::DecodeStats stats;
  const auto batch = DecodeTraces(json, limits, stats);
  EXPECT_TRUE(batch.has_value()) << (batch ? "" : batch.error().message);
  std::vector<Span> spans;
  if (!batch) return spans;
  model::SpanReader reader(*batch);
  for (std::uint32_t i = 0; i < batch->size(); ++i) spans.push_back(reader.Read(i));
  return spans;
}

// Every trace of the spans, as {"data":[...]}.
std::string Encode(const std::vector<Span>& spans) {
  std::vector<model::Trace> traces;
  for (const Span& span : spans) {
    auto it = std::find_if(traces.begin(), traces.end(),
                           [&](const model::Trace& trace) { return trace.id == span.trace_id; });
    if (it == traces.end()) {
      it = traces.emplace(traces.end());
      it->id = span.trace_id;
    }
    it->spans.push_back(span);
  }
  JsonWriter out;
  out.BeginObject().Key("data").BeginArray();
  for (const model::Trace& trace : traces) AppendTrace(trace, out);
  out.EndArray().EndObject();
  return out.Take();
}

// Content without what the format page lists as not kept: process numbers, order of tags and
// references, warnings of the trace, members that Jaeger's UI adds.
std::string Canonical(std::string_view json) {
  static const std::set<std::string, std::less<>> kLeftOut = {".processes",
                                                              ".warnings",
                                                              ".spans[].process",
                                                              ".spans[].relativeStartTime",
                                                              ".spans[].depth",
                                                              ".spans[].hasChildren",
                                                              ".spans[].childSpanIds",
                                                              ".spans[].references[].span",
                                                              ".services",
                                                              ".traceName",
                                                              ".duration",
                                                              ".startTime",
                                                              ".endTime",
                                                              "._comment"};
  const auto tree = JsonTree::Parse(json);
  EXPECT_TRUE(tree.has_value());
  if (!tree) return "";
  const JsonView data = tree->root()["data"];
  std::vector<JsonView> traces = data.IsArray() ? data.Elements() : std::vector{data};
  if (!data.exists()) traces = {tree->root()};
  std::string text;
  for (const JsonView trace : traces) {
    const auto rewrite = [&](std::string_view path, JsonView value) -> std::string {
      if (kLeftOut.contains(path)) return "-";
      if (path == ".spans[].processID") {
        return common::CanonicalJson(trace["processes"][*value.String()], {}, "", true);
      }
      if (path.ends_with("tags[]") && !value["type"].exists()) {
        return common::CanonicalJson(value).insert(value["key"].String()->size() + 9,
                                                   R"("type":"string",)");
      }
      return {};
    };
    text += common::CanonicalJson(trace, rewrite, "", true) + "\n";
  }
  return text;
}

template <class T>
T ValueOf(const Span& span, std::string_view key) {
  const AttributeValue* const value = span.Find(key);
  const T* const typed = value == nullptr ? nullptr : std::get_if<T>(&value->value);
  EXPECT_NE(typed, nullptr) << key;
  return typed == nullptr ? T{} : *typed;
}

TEST(Jaeger, BecomesSpans) {
  const auto spans = Decode(ReadFileForTest("src/codec/jaeger/testdata/trace.json"));
  ASSERT_EQ(spans.size(), 3U);

  const Span& root = spans[0];
  EXPECT_EQ(root.trace_id.ToHex(), "5759e988bd862e3fe1be46a994272793");
  EXPECT_EQ(root.span_id.ToHex(), "53995c3f42cd8ad8");
  EXPECT_TRUE(root.parent_id.IsZero());
  EXPECT_EQ(root.source, model::SpanSource::kJaeger);
  EXPECT_EQ(root.kind, SpanKind::kServer);
  EXPECT_EQ(root.start_ns, 1'700'000'000'000'001'000);
  EXPECT_EQ(root.end_ns - root.start_ns, 90'000'000);
  EXPECT_EQ(root.otel_flags, 1U);
  EXPECT_EQ(root.status, StatusCode::kError);
  EXPECT_EQ(root.status_message, "no stock");
  EXPECT_EQ(root.trace_state, "a=b");
  EXPECT_EQ(root.scope->name, "lib");
  EXPECT_EQ(root.scope->version, "1.2");
  EXPECT_EQ(root.service(), "shop");
  EXPECT_EQ(*root.resource->Find("host.name")->AsString(), "h1");
  EXPECT_EQ(ValueOf<std::int64_t>(root, "http.status_code"), 500);
  EXPECT_EQ(ValueOf<double>(root, "ratio"), 0.25);
  EXPECT_EQ(ValueOf<std::int64_t>(root, "big"), 9'223'372'036'854'775'222);
  EXPECT_EQ(ValueOf<AttributeValue::Bytes>(root, "blob").data, std::string("\0\0\x30\x39", 4));
  for (const std::string_view key : {"error", "span.kind", "otel.scope.name", "w3c.tracestate"}) {
    EXPECT_EQ(root.Find(key), nullptr) << key;
  }
  ASSERT_EQ(root.events.size(), 2U);
  EXPECT_EQ(root.events[0].name, "retry");
  EXPECT_EQ(*root.events[0].Find("attempt")->AsInt(), 2);
  EXPECT_EQ(root.events[1].name, "");

  const Span& child = spans[1];
  EXPECT_EQ(child.parent_id, root.span_id);
  EXPECT_EQ(child.kind, SpanKind::kInternal);
  EXPECT_EQ(child.status, StatusCode::kOk);
  ASSERT_EQ(child.links.size(), 2U);
  EXPECT_EQ(child.links[0].span_id, root.span_id);
  EXPECT_EQ(*child.links[0].attributes[0].value.AsString(), "follows_from");
  EXPECT_EQ(child.links[1].trace_id.ToHex(), "000000000000000000000000000000ff");
  EXPECT_EQ(*child.links[1].attributes[0].value.AsString(), "child_of");

  EXPECT_EQ(spans[2].kind, SpanKind::kUnspecified);
  EXPECT_EQ(spans[2].status, StatusCode::kError);
  EXPECT_EQ(spans[2].scope->name, "old-lib");
}

TEST(Jaeger, ComesBackEqual) {
  const std::string json = ReadFileForTest("src/codec/jaeger/testdata/trace.json");
  EXPECT_EQ(Canonical(Encode(Decode(json))), Canonical(json));
}

TEST(Jaeger, TakesEveryEnvelope) {
  const std::string trace =
      R"({"traceID":"1","spans":[{"spanID":"2","processID":"p"}],"processes":{"p":{"serviceName":"s"}}})";
  for (const std::string& json :
       {trace, "[" + trace + "]", R"({"data":)" + trace + "}", R"({"data":[)" + trace + "]}"}) {
    const auto spans = Decode(json);
    ASSERT_EQ(spans.size(), 1U) << json;
    EXPECT_EQ(spans[0].trace_id.ToHex(), "00000000000000000000000000000001");
    EXPECT_EQ(spans[0].service(), "s");
  }
  EXPECT_TRUE(Decode(R"({"data":null,"errors":[{"code":404,"msg":"trace not found"}]})").empty());
  EXPECT_TRUE(Decode("[]").empty());
}

TEST(Jaeger, ReadsOldAndStoredForms) {
  const auto spans = Decode(R"({"traceID":"1","spans":[
      {"spanID":"2","parentSpanID":"3","process":{"serviceName":"inline"},"tags":[
        {"key":"b","type":"bool","value":"true"},{"key":"i","type":"long","value":"-5"},
        {"key":"d","type":"double","value":"1.5"},{"key":"s","type":"string","value":7},
        {"key":"n","value":null},{"key":"u","value":2.5},{"key":"x","type":"binary","value":"*"}]},
      {"spanID":"4","parentSpanID":"0","process":{}}]})");
  ASSERT_EQ(spans.size(), 2U);
  const Span& span = spans[0];
  EXPECT_EQ(span.parent_id.ToHex(), "0000000000000003");
  EXPECT_EQ(span.service(), "inline");
  EXPECT_TRUE(ValueOf<bool>(span, "b"));
  EXPECT_EQ(ValueOf<std::int64_t>(span, "i"), -5);
  EXPECT_EQ(ValueOf<double>(span, "d"), 1.5);
  EXPECT_EQ(ValueOf<std::string>(span, "s"), "7");
  EXPECT_EQ(span.Find("n")->type(), model::AttributeType::kNull);
  EXPECT_EQ(ValueOf<double>(span, "u"), 2.5);
  EXPECT_EQ(ValueOf<std::string>(span, "x"), "*");
  EXPECT_TRUE(spans[1].parent_id.IsZero());
}

TEST(Jaeger, SaysWhereTheBodyIsWrong) {
  const auto span = [](const std::string& members) {
    return R"({"traceID":"1","spans":[{"spanID":"2","processID":"p")" + members +
           R"(}],"processes":{"p":{}}})";
  };
  struct Case {
    std::string json, message;
  };
  const Case cases[] = {
      {"", "byte 0: The document is empty."},
      {"7", "byte 0: trace: an object was expected"},
      {"{}", "byte 0: spans: missing"},
      {"[3]", "byte 1: trace: an object was expected"},
      {R"({"spans":{}})", "byte 9: spans: an array was expected"},
      {R"({"spans":[1]})", "byte 10: spans: an object was expected"},
      {R"({"spans":[{}]})", "byte 0: traceID: missing"},
      {R"({"traceID":"1","spans":[{}]})", "byte 24: spanID: missing"},
      {R"({"traceID":"1","spans":[{"spanID":"2"}]})", "byte 24: processID: missing"},
      {R"({"traceID":"1","spans":[{"spanID":"2","processID":"p"}]})",
       "byte 50: processID: no process p in this trace"},
      {R"({"traceID":"g","spans":[{"spanID":"2"}]})",
       "byte 11: traceID: 1 to 32 hex digits, not all zero, were expected"},
      {span(R"(,"startTime":"x")"), "byte 66: startTime: a number of microseconds was expected"},
      {span(R"(,"duration":-1)"), "byte 65: duration: out of range"},
      {span(R"(,"flags":-1)"), "byte 62: flags: a number of 32 bits was expected"},
      {span(R"(,"references":[{"refType":"CHILD_OF","spanID":"1"}])"), "byte 68: traceID: missing"},
      {span(R"(,"tags":[{"type":"bool"}])"), "byte 62: tags.key: missing"},
      {span(R"(,"tags":[{"key":"k","type":"int64","value":"x"}])"),
       "byte 96: tags.k: not a value of type int64"},
      {span(R"(,"logs":[{"fields":[{"key":"k","value":[]}]}])"),
       "byte 92: fields.k: not a value of type string"},
      {span(R"(,"warnings":[1])"), "byte 66: warnings: a string was expected"},
      {R"({"process":{},"spans":[{"traceIdLow":1}]})", "byte 0: traceID: missing"},
  };
  for (const Case& c : cases) {
    model::DecodeStats stats;
    const auto batch = DecodeTraces(c.json, {}, stats);
    ASSERT_FALSE(batch.has_value()) << c.json;
    EXPECT_EQ(batch.error(), (Error{ErrorCode::kCorruption, c.message})) << c.json;
  }
}

TEST(Jaeger, ChecksItsLimits) {
  model::DecodeStats stats;
  model::Limits limits;
  limits.body_bytes_max = 3;
  EXPECT_EQ(DecodeTraces("[    ]", limits, stats).error().code, ErrorCode::kTooLarge);
  limits = {};
  EXPECT_EQ(DecodeTraces(std::string(65, '['), limits, stats).error().code, ErrorCode::kTooLarge);
  limits.attributes_max = 1;
  limits.start_ns_min = 5'000;
  limits.receive_ns = 6'000;
  const auto spans = Decode(R"({"traceID":"1","spans":[
      {"spanID":"2","processID":"p","startTime":4},
      {"spanID":"3","processID":"p","tags":[{"key":"a","value":1},{"key":"b","value":2}]}],
      "processes":{"p":{}}})",
                            limits);
  ASSERT_EQ(spans.size(), 1U);
  EXPECT_EQ(spans[0].start_ns, 6'000);
  EXPECT_EQ(spans[0].attributes.size(), 1U);
  EXPECT_EQ(spans[0].dropped_attributes, 1U);
}

TEST(Jaeger, GenAiContentMayBeLongerThanOtherTags) {
  const std::string text(std::size_t{100} << 10, 'x');
  const auto tag = [&](std::string_view key) {
    return R"({"key":")" + std::string(key) + R"(","type":"string","value":")" + text + "\"}";
  };
  const auto spans = Decode(R"({"traceID":"1","spans":[{"spanID":"3","processID":"p","tags":[)" +
                            tag("gen_ai.input.messages") + "," + tag("db.statement") +
                            R"(],"logs":[{"timestamp":1,"fields":[)" + tag("gen_ai.completion") +
                            R"(]}]}],"processes":{"p":{}}})");
  ASSERT_EQ(spans.size(), 1U);
  EXPECT_EQ(*spans[0].Find("gen_ai.input.messages")->AsString(), text);
  EXPECT_EQ(spans[0].Find("db.statement")->AsString()->size(), std::size_t{64} << 10);
  EXPECT_EQ(spans[0].events[0].attributes[0].value.AsString()->size(), text.size());
}

TEST(Jaeger, WritesXRaySpansWithTheirAttributes) {
  model::Trace trace;
  trace.id = *model::TraceId::Parse("1-5759e988-bd862e3fe1be46a994272793");
  model::Resource resource;
  resource.attributes = {{.key = "service.name", .value = {std::string("Scorekeep")}},
                         {.key = "aws.xray.origin", .value = {std::string("AWS::EC2::Instance")}}};
  Span segment;
  segment.trace_id = trace.id;
  segment.span_id = *model::SpanId::Parse("53995c3f42cd8ad8");
  segment.name = "Scorekeep";
  segment.kind = SpanKind::kServer;
  segment.source = model::SpanSource::kXRay;
  segment.status = StatusCode::kError;
  segment.start_ns = 1'480'615'200'123'456'789;
  segment.end_ns = segment.start_ns + 90'000'999;
  segment.flags = model::kSegment | model::kFault;
  segment.resource = std::make_shared<model::Resource>(resource);
  segment.scope = std::make_shared<model::Scope>();
  segment.attributes = {
      {.key = "http.response.status_code", .value = {std::int64_t{500}}},
      {.key = "tenant", .value = {std::string("acme")}, .role = model::AttributeRole::kAnnotation}};
  AttributeValue::Array tables{{{std::string("t1")}}};
  Span subsegment = segment;
  subsegment.span_id = *model::SpanId::Parse("05e3ac9a4f6e3b90");
  subsegment.parent_id = segment.span_id;
  subsegment.name = "DynamoDB";
  subsegment.kind = SpanKind::kClient;
  subsegment.status = StatusCode::kUnset;
  subsegment.flags = model::kSubsegment | model::kIndependent | model::kInProgress;
  subsegment.end_ns = subsegment.start_ns;
  subsegment.resource = std::make_shared<model::Resource>();  // independent: no service of its own
  subsegment.attributes = {{.key = "aws.dynamodb.table_names", .value = {tables}}};
  trace.spans = {segment, subsegment};
  JsonWriter out;
  AppendTrace(trace, out);
  EXPECT_EQ(
      out.Take(),
      R"({"traceID":"5759e988bd862e3fe1be46a994272793","spans":[)"
      R"({"traceID":"5759e988bd862e3fe1be46a994272793","spanID":"53995c3f42cd8ad8","operationName":"Scorekeep",)"
      R"("references":[],"startTime":1480615200123456,"duration":90000,"tags":[)"
      R"({"key":"http.response.status_code","type":"int64","value":500},)"
      R"({"key":"tenant","type":"string","value":"acme"},)"
      R"({"key":"span.kind","type":"string","value":"server"},)"
      R"({"key":"otel.status_code","type":"string","value":"ERROR"},)"
      R"({"key":"error","type":"bool","value":true}],"logs":[],"processID":"p1","warnings":null},)"
      R"({"traceID":"5759e988bd862e3fe1be46a994272793","spanID":"05e3ac9a4f6e3b90","operationName":"DynamoDB",)"
      R"("references":[{"refType":"CHILD_OF","traceID":"5759e988bd862e3fe1be46a994272793","spanID":"53995c3f42cd8ad8"}],)"
      R"("startTime":1480615200123456,"duration":0,"tags":[)"
      R"({"key":"aws.dynamodb.table_names","type":"string","value":"[\"t1\"]"},)"
      R"({"key":"span.kind","type":"string","value":"client"},)"
      R"({"key":"in_progress","type":"bool","value":true}],"logs":[],"processID":"p2","warnings":null}],)"
      R"("processes":{"p1":{"serviceName":"Scorekeep","tags":[)"
      R"({"key":"aws.xray.origin","type":"string","value":"AWS::EC2::Instance"}]},)"
      R"("p2":{"serviceName":"Scorekeep","tags":[]}},"warnings":null})");
}

TEST(Jaeger, EndsWhereParentsFormACycle) {
  model::Trace trace;
  trace.id = *model::TraceId::Parse("00000000000000000000000000000001");
  for (const std::string_view id : {"0000000000000001", "0000000000000002"}) {
    Span span;
    span.trace_id = trace.id;
    span.span_id = *model::SpanId::Parse(id);
    span.resource = std::make_shared<model::Resource>();
    span.scope = std::make_shared<model::Scope>();
    trace.spans.push_back(span);
  }
  trace.spans[0].parent_id = trace.spans[1].span_id;
  trace.spans[1].parent_id = trace.spans[0].span_id;
  trace.limit_exceeded = true;
  JsonWriter out;
  AppendTrace(trace, out);
  const std::string json = out.Take();
  EXPECT_THAT(json, ::testing::HasSubstr(R"("p1":{"serviceName":"unknown_service","tags":[]})"));
  EXPECT_THAT(json, ::testing::HasSubstr("spans are missing"));
}

TEST(JaegerData, LoadsWholeAndComesBackEqual) {
  const std::filesystem::path folder = "../shared/data";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is absent";
  struct Case {
    std::string_view file;
    std::size_t traces;
    std::size_t spans;
  };
  static constexpr Case kCases[] = {
      {"jaeger/ui-otlp2jaeger-out.json", 1, 2},
      {"jaeger/ui-otlp2jaeger-multi-out.json", 1, 4},
      {"jaeger/ui-flamegraph-testTrace.json", 1, 4},
      {"jaeger/uimodel-ui_01.json", 1, 5},
      {"genai/jaeger-ui-genaiTestTrace.json", 1, 57},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.file);
    const std::string json = ReadFileForTest(folder / c.file);
    const auto spans = Decode(json);
    EXPECT_EQ(spans.size(), c.spans);
    std::set<model::TraceId> traces;
    for (const Span& span : spans) traces.insert(span.trace_id);
    EXPECT_EQ(traces.size(), c.traces);
    EXPECT_EQ(Canonical(Encode(spans)), Canonical(json));
    EXPECT_EQ(Decode(Encode(spans)), spans);
  }
}

TEST(JaegerData, RefusesAThriftBatchByName) {
  const std::filesystem::path file = "../shared/data/jaeger/thrift_batch_01.json";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << file << " is absent";
  model::DecodeStats stats;
  const auto batch = DecodeTraces(ReadFileForTest(file), {}, stats);
  ASSERT_FALSE(batch.has_value());
  EXPECT_THAT(batch.error().message, ::testing::HasSubstr("traceID: missing"));
}

}  // namespace
}  // namespace fluoro::codec::jaeger
