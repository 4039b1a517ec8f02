#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <set>

#include "codec/otlp/json_text.h"
#include "codec/otlp/otlp.h"
#include "codec/otlp/otlp_testing.h"

namespace fluoro::codec::otlp {
namespace {

using model::AttributeType;
using model::AttributeValue;
using model::Limits;
using model::Span;
using testing::HasSubstr;

Result<Decoded> Decode(std::string_view body, const Limits& limits = {}) {
  return DecodeTraces(body, Encoding::kJson, limits);
}

Span DecodeOne(std::string_view members, const Limits& limits = {}) {
  const auto decoded = Decode(JsonRequestOf(members), limits);
  EXPECT_TRUE(decoded) << decoded.error().message << " in " << members;
  if (!decoded || decoded->batch.size() != 1) return {};
  return decoded->batch.MakeSpan(0);
}

// The value of an attribute sent as `any_value`.
AttributeValue DecodeValue(std::string_view any_value) {
  const Span span =
      DecodeOne(R"("attributes":[{"key":"k","value":)" + std::string(any_value) + "}]");
  EXPECT_EQ(span.attributes.size(), 1U);
  return span.attributes.empty() ? AttributeValue{} : span.attributes[0].value;
}

TEST(OtlpJson, ReadsValuesOfEveryForm) {
  struct Case {
    const char* json;
    AttributeValue expected;
  };
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const Case cases[] = {
      {R"({"stringValue":"a\"\\\/\n\u00e4\ud83d\ude00"})", {"a\"\\/\n\xc3\xa4\xf0\x9f\x98\x80"}},
      {R"({"string\u0056alue":"escaped key"})", {"escaped key"}},
      {R"({"stringValue":""})", {""}},
      {R"({"boolValue":true})", {true}},
      {R"({"boolValue":false})", {false}},
      {R"({"intValue":"200"})", {std::int64_t{200}}},
      {R"({"intValue":-200})", {std::int64_t{-200}}},
      {R"({"intValue":"-9223372036854775808"})", {std::numeric_limits<std::int64_t>::min()}},
      {R"({"intValue":9223372036854775807})", {std::numeric_limits<std::int64_t>::max()}},
      {R"({"intValue":1e3})", {std::int64_t{1000}}},
      {R"({"intValue":5.0})", {std::int64_t{5}}},
      {R"({"intValue":{"low":1,"high":2}})", {std::int64_t{(2LL << 32) + 1}}},
      {R"({"intValue":{"low":-1,"high":0,"unsigned":false}})", {std::int64_t{0xffffffff}}},
      {R"({"intValue":{"low":-2,"high":-1}})", {std::int64_t{-2}}},
      {R"({"doubleValue":1.5})", {1.5}},
      {R"({"doubleValue":-0})", {-0.0}},
      {R"({"doubleValue":"2.5"})", {2.5}},
      {R"({"doubleValue":3})", {3.0}},
      {R"({"doubleValue":"Infinity"})", {kInfinity}},
      {R"({"doubleValue":"-Infinity"})", {-kInfinity}},
      {R"({"bytesValue":"AP/+"})", {AttributeValue::Bytes{std::string("\0\xff\xfe", 3)}}},
      {R"({"bytesValue":"AP_-"})", {AttributeValue::Bytes{std::string("\0\xff\xfe", 3)}}},
      {R"({"bytesValue":"_w=="})", {AttributeValue::Bytes{"\xff"}}},
      {R"({"bytesValue":"_w"})", {AttributeValue::Bytes{"\xff"}}},
      {R"({"bytesValue":""})", {AttributeValue::Bytes{}}},
      {R"({"arrayValue":{}})", {AttributeValue::Array{}}},
      {R"({"arrayValue":{"values":[{"intValue":1},{},{"stringValue":"x"}]}})",
       {AttributeValue::Array{{{std::int64_t{1}}, {}, {"x"}}}}},
      {R"({"kvlistValue":{"values":[{"key":"a","value":{"boolValue":true}},{"value":{"intValue":"1"},"key":"b"},{"key":"c"}]}})",
       {AttributeValue::KvList{{{"a", {true}}, {"b", {std::int64_t{1}}}, {"c", {}}}}}},
      {R"({})", {}},
      {R"(null)", {}},
      {R"({"stringValue":null})", {}},
      {R"({"string_value":"snake"})", {}},
      {R"({"unknown":{"a":[1,{"b":2}]},"intValue":7})", {std::int64_t{7}}},
      {R"({"intValue":7,"stringValue":"last wins"})", {"last wins"}},
  };
  for (const Case& c : cases) EXPECT_EQ(DecodeValue(c.json), c.expected) << c.json;
  EXPECT_TRUE(std::isnan(*DecodeValue(R"({"doubleValue":"NaN"})").AsDouble()));
}

TEST(OtlpJson, RefusesWrongValuesAndNamesThem) {
  struct Case {
    const char* members;
    const char* message;
  };
  const Case cases[] = {
      {R"("name":5)", "name: string wanted"},
      {R"("name":["x"])", "name: string wanted"},
      {R"("startTimeUnixNano":"soon")", "startTimeUnixNano: whole number wanted"},
      {R"("endTimeUnixNano":-1)", "endTimeUnixNano: whole number wanted"},
      {R"("endTimeUnixNano":1.5)", "endTimeUnixNano: whole number wanted"},
      {R"("endTimeUnixNano":18446744073709551616)", "whole number wanted"},
      {R"("attributes":{})", "attributes: array wanted"},
      {R"("attributes":[5])", "attributes: object wanted"},
      {R"("attributes":[{"key":"k","value":{"intValue":"9223372036854775808"}}])", "intValue"},
      {R"("attributes":[{"key":"k","value":{"intValue":{"low":{"low":1}}}}])", "intValue"},
      {R"("attributes":[{"key":"k","value":{"doubleValue":1e400}}])", "doubleValue: number wanted"},
      {R"("attributes":[{"key":"k","value":{"doubleValue":"-inf"}}])", "doubleValue"},
      {R"("attributes":[{"key":"k","value":{"boolValue":1}}])", "boolValue: true or false wanted"},
      {R"("attributes":[{"key":"k","value":{"bytesValue":"*"}}])", "bytesValue: base64 wanted"},
      {R"("attributes":[{"key":"k","value":{"bytesValue":"A"}}])", "bytesValue: base64 wanted"},
      {R"("status":[])", "status: object wanted"},
  };
  for (const Case& c : cases) {
    const auto decoded = Decode(JsonRequestOf(c.members));
    ASSERT_FALSE(decoded) << c.members;
    EXPECT_EQ(decoded.error().code, ErrorCode::kCorruption);
    EXPECT_THAT(decoded.error().message, HasSubstr(c.message));
    EXPECT_THAT(decoded.error().message, HasSubstr("byte "));
    EXPECT_THAT(decoded.error().message, HasSubstr("resourceSpans[0].scopeSpans[0].spans[0]"));
  }
}

TEST(OtlpJson, RefusesWhatIsNotARequest) {
  for (const char* const body : {" ", "null", "[]", "5", "\"x\"", "{", "{]", "{\"resourceSpans\":}",
                                 "{\"resourceSpans\":5}", "{\"resourceSpans\":[}", "{} {}", "{}x",
                                 "{\"a\":\"", "\x0a\xa8\x01", "resourceSpans:\n  - a"}) {
    const auto decoded = Decode(body);
    ASSERT_FALSE(decoded) << body;
    EXPECT_EQ(decoded.error().code, ErrorCode::kCorruption) << body;
    EXPECT_THAT(decoded.error().message, testing::StartsWith("OTLP/JSON request"));
  }
}

TEST(OtlpJson, TellsABrokenObjectFromNoObject) {
  for (const char* const body : {"null", "[]", "5", "\"x\""}) {
    EXPECT_THAT(Decode(body).error().message, testing::HasSubstr("object wanted")) << body;
  }
  for (const char* const body :
       {"{", R"({"resourceSpans":[{)", R"({"resourceSpans":[]}x)", R"({"resourceSpans":[{"a":")"}) {
    EXPECT_THAT(Decode(body).error().message, testing::Not(testing::HasSubstr("object wanted")))
        << body;
  }
}

TEST(OtlpJson, AcceptsEmptyForms) {
  for (const char* const body :
       {"", "{}", R"({"resourceSpans":null})", R"({"resourceSpans":[]})",
        R"({"resourceSpans":[{}]})",
        R"({"resourceSpans":[{"scopeSpans":[{"spans":[]}],"resource":null}]})",
        R"({"resource_spans":[{"scope_spans":[{"spans":[{}]}]}]})",
        R"({"resourceSpans":[{"instrumentationLibrarySpans":[{"spans":[{}]}]}]})"}) {
    const auto decoded = Decode(body);
    ASSERT_TRUE(decoded) << body << decoded.error().message;
    EXPECT_TRUE(decoded->batch.empty());
    EXPECT_TRUE(decoded->batch.resource_rows.empty());
    EXPECT_EQ(decoded->stats.rejected_spans, 0U);
  }
}

TEST(OtlpJson, IdsAreHexOfAnyCase) {
  struct Case {
    const char* trace_id;
    const char* span_id;
    bool accepted;
  };
  const Case cases[] = {
      {"4EFAAF4D1E8720B39541901950019EE5", "53995C3f42cd8ad8", true},
      {"4efaaf4d1e8720b39541901950019ee5", "53995c3f42cd8ad", false},
      {"Tvqvva6HILOVQZAZUAGe5Q==", "53995c3f42cd8ad8", false},  // base64
      {"00000000000000000000000000000000", "53995c3f42cd8ad8", false},
      {"4efaaf4d1e8720b39541901950019ee5", "0000000000000000", false},
      {"4efaaf4d1e8720b39541901950019eeg", "53995c3f42cd8ad8", false},
      {"", "", false},
  };
  for (const Case& c : cases) {
    const auto decoded =
        Decode(JsonRequestOf(R"("traceId":")" + std::string(c.trace_id) + R"(","spanId":")" +
                             c.span_id + R"(","parentSpanId":"12")"));
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(decoded->batch.size(), c.accepted ? 1U : 0U) << c.trace_id << c.span_id;
    EXPECT_EQ(decoded->stats.rejected_spans, c.accepted ? 0U : 1U);
    if (c.accepted) {
      EXPECT_EQ(decoded->batch.span_ids[0].ToHex(), "53995c3f42cd8ad8");
      EXPECT_TRUE(decoded->batch.parent_ids[0].IsZero());
    } else {
      EXPECT_THAT(decoded->reject_reason,
                  testing::StartsWith("resourceSpans[0].scopeSpans[0].spans[0]: "));
    }
  }
}

TEST(OtlpJson, EnumsComeAsNumberOrName) {
  EXPECT_EQ(DecodeOne(R"("kind":2)").kind, model::SpanKind::kServer);
  EXPECT_EQ(DecodeOne(R"("kind":"2")").kind, model::SpanKind::kServer);
  EXPECT_EQ(DecodeOne(R"("kind":"SPAN_KIND_SERVER")").kind, model::SpanKind::kServer);
  EXPECT_EQ(DecodeOne(R"("kind":"CONSUMER")").kind, model::SpanKind::kConsumer);
  EXPECT_EQ(DecodeOne(R"("kind":"odd")").kind, model::SpanKind::kUnspecified);
  EXPECT_EQ(DecodeOne(R"("kind":77)").kind, model::SpanKind::kUnspecified);
  EXPECT_EQ(DecodeOne(R"("kind":-1)").kind, model::SpanKind::kUnspecified);
  EXPECT_EQ(DecodeOne(R"("status":{"code":"STATUS_CODE_ERROR","message":"m"})").status,
            model::StatusCode::kError);
  EXPECT_EQ(DecodeOne(R"("status":{"code":1})").status, model::StatusCode::kOk);
}

TEST(OtlpJson, ReadsEveryFieldInAnyOrder) {
  const std::string body =
      R"({"x":[[]],"resourceSpans":[{"schemaUrl":"ru","scopeSpans":[{"schemaUrl":"su","spans":[{
      "links":[{"flags":257,"droppedAttributesCount":1,"attributes":[{"key":"l","value":{"intValue":1}}],
                "traceState":"ls","spanId":"0102030405060708","traceId":"0102030405060708090a0b0c0d0e0f10"}],
      "events":[{"attributes":[{"value":{"arrayValue":{"values":[{"intValue":"4"}]}},"key":"e"}],
                 "name":"ev","timeUnixNano":5,"droppedAttributesCount":"2"}],
      "droppedLinksCount":3,"droppedEventsCount":4,"droppedAttributesCount":5,
      "attributes":[{"value":{"stringValue":"v"},"key":"a"},{"value":{"doubleValue":2},"key":"d"},
                    {"value":{"bytesValue":"/w=="},"key":"y"},{"value":{"boolValue":true},"key":"t"}],
      "endTimeUnixNano":2000,"startTimeUnixNano":1000,"parentSpanId":"1112131415161718",
      "spanId":"2122232425262728","traceId":"3132333435363738393a3b3c3d3e3f40","traceState":"ts",
      "status":{"code":2,"message":"sm"},"flags":256,"kind":3,"name":"n"}],
      "scope":{"droppedAttributesCount":6,"attributes":[{"key":"s","value":{"intValue":2}}],
               "version":"1","name":"sc"}}],
      "resource":{"droppedAttributesCount":7,"attributes":[{"key":"service.name","value":{"stringValue":"svc"}}],
      "entityRefs":[{"type":"host","idKeys":["a","b"],"descriptionKeys":["c"],"schemaUrl":"eu"}]}}]})";
  const auto decoded = Decode(body);
  ASSERT_TRUE(decoded) << decoded.error().message;
  const Span span = decoded->batch.MakeSpan(0);
  EXPECT_EQ(span.trace_id.ToHex(), "3132333435363738393a3b3c3d3e3f40");
  EXPECT_EQ(span.parent_id.ToHex(), "1112131415161718");
  EXPECT_EQ(span.name, "n");
  EXPECT_EQ(span.start_ns, 1000);
  EXPECT_EQ(span.end_ns, 2000);
  EXPECT_EQ(span.kind, model::SpanKind::kClient);
  EXPECT_EQ(span.status, model::StatusCode::kError);
  EXPECT_EQ(span.status_message, "sm");
  EXPECT_EQ(span.trace_state, "ts");
  EXPECT_EQ(span.otel_flags, 256U);
  EXPECT_EQ(span.dropped_attributes, 5U);
  EXPECT_EQ(span.dropped_events, 4U);
  EXPECT_EQ(span.dropped_links, 3U);
  ASSERT_EQ(span.attributes.size(), 4U);
  EXPECT_EQ(*span.Find("a")->AsString(), "v");
  EXPECT_EQ(*span.Find("d")->AsDouble(), 2.0);
  EXPECT_EQ(std::get<AttributeValue::Bytes>(span.Find("y")->value).data, "\xff");
  EXPECT_TRUE(*span.Find("t")->AsBool());
  ASSERT_EQ(span.events.size(), 1U);
  EXPECT_EQ(span.events[0].time_ns, 5);
  EXPECT_EQ(span.events[0].dropped_attributes, 2U);
  EXPECT_EQ(*span.events[0].Find("e")->AsArray()->values[0].AsInt(), 4);
  ASSERT_EQ(span.links.size(), 1U);
  EXPECT_EQ(span.links[0].otel_flags, 257U);
  EXPECT_EQ(span.links[0].trace_state, "ls");
  EXPECT_EQ(span.links[0].attributes[0].key, "l");
  EXPECT_EQ(span.scope->name, "sc");
  EXPECT_EQ(span.scope->schema_url, "su");
  EXPECT_EQ(span.scope->dropped_attributes, 6U);
  EXPECT_EQ(span.resource->schema_url, "ru");
  EXPECT_EQ(span.resource->dropped_attributes, 7U);
  EXPECT_EQ(span.service(), "svc");
  EXPECT_EQ(span.resource->entity_refs,
            Message()
                .Sub(3, Message().Bytes(2, "host").Bytes(3, "a").Bytes(3, "b").Bytes(4, "c").Bytes(
                            1, "eu"))
                .str());
}

TEST(OtlpJson, RepairsBrokenText) {
  Span span = DecodeOne("\"name\":\"a\xff\",\"traceState\":\"fine\"");
  EXPECT_EQ(span.name, "a\xef\xbf\xbd");
  EXPECT_TRUE(span.Has(model::kTextRepaired));
  span = DecodeOne(R"("name":"lone \ud800 \\ud800 \ud83d\ude00 \udc00")");
  EXPECT_EQ(span.name, "lone \xef\xbf\xbd \\ud800 \xf0\x9f\x98\x80 \xef\xbf\xbd");
  EXPECT_TRUE(span.Has(model::kTextRepaired));
  span = DecodeOne("\"name\":\"sent so: \xef\xbf\xbd\"");
  EXPECT_FALSE(span.Has(model::kTextRepaired));
  span = DecodeOne(R"("name":"nul \u0000 kept")");
  EXPECT_EQ(span.name, std::string("nul \0 kept", 10));
  EXPECT_EQ(Decode(R"({"a":"\x"})").has_value(), true);  // skipped members are not looked into
  EXPECT_FALSE(Decode(JsonRequestOf(R"("name":"\x")")));
}

std::string NestedAnyJson(std::size_t levels, bool lists) {
  std::string text;
  for (std::size_t i = 1; i < levels; ++i) {
    text +=
        lists ? R"({"kvlistValue":{"values":[{"key":"k","value":)" : R"({"arrayValue":{"values":[)";
  }
  text += R"({"intValue":1})";
  for (std::size_t i = 1; i < levels; ++i) text += lists ? "}]}}" : "]}}";
  return text;
}

TEST(OtlpJson, AnyValuesNestAtMost64Deep) {
  for (const bool lists : {false, true}) {
    for (const std::size_t levels : {10U, 64U}) {
      EXPECT_NE(DecodeValue(NestedAnyJson(levels, lists)).type(), AttributeType::kNull);
    }
    for (const char* const order : {R"("key":"k","value":%)", R"("value":%,"key":"k")"}) {
      for (const std::size_t levels : {65U, 1'000U, 1'000'000U}) {
        std::string pair = order;
        pair.replace(pair.find('%'), 1, NestedAnyJson(levels, lists));
        const auto decoded = Decode(JsonRequestOf(R"("attributes":[{)" + pair + "}]"));
        ASSERT_FALSE(decoded) << levels;
        EXPECT_EQ(decoded.error().code, ErrorCode::kTooLarge);
        EXPECT_THAT(decoded.error().message, HasSubstr("64 levels"));
      }
    }
  }
}

TEST(OtlpJson, DeepUnknownMembersAreSkipped) {
  for (const std::size_t levels : {10U, 1'000'000U}) {
    const std::string deep = std::string(levels, '[') + std::string(levels, ']');
    EXPECT_EQ(DecodeOne("\"unknown\":" + deep + ",\"name\":\"n\"").name, "n");
    EXPECT_FALSE(Decode(std::string(levels, '[')));
    EXPECT_FALSE(Decode("{\"a\":" + std::string(levels, '[')));
  }
}

TEST(OtlpJson, CutsToLimitsAndCounts) {
  Limits limits;
  limits.attributes_max = 2;
  limits.events_max = 1;
  limits.links_max = 1;
  limits.value_bytes_max = 100;
  std::string items;
  for (int i = 0; i < 50; ++i) items += R"({"stringValue":"item"},)";
  items += "{}";
  const auto decoded = Decode(
      JsonRequestOf(
          R"("events":[{},{},{}],"links":[{},{}],"attributes":[{"key":"list","value":{"arrayValue":{"values":[)" +
          items + R"(]}}},{"key":"s","value":{"stringValue":")" + std::string(200, 'x') +
          R"("}},{"key":"t"},{"key":"s","value":{"intValue":1}}],"droppedEventsCount":10)"),
      limits);
  ASSERT_TRUE(decoded) << decoded.error().message;
  const Span span = decoded->batch.MakeSpan(0);
  EXPECT_TRUE(span.Has(model::kTruncated));
  EXPECT_EQ(span.attributes.size(), 2U);
  EXPECT_EQ(*span.Find("s")->AsInt(), 1);
  EXPECT_EQ(span.Find("list")->AsArray()->values.size(), 2U);
  EXPECT_EQ(span.dropped_attributes, 1U);
  EXPECT_EQ(span.dropped_events, 12U);
  EXPECT_EQ(span.dropped_links, 1U);
  EXPECT_EQ(decoded->stats.dropped_attributes, 1U);
  EXPECT_EQ(decoded->stats.dropped_events, 2U);
}

TEST(OtlpJson, EveryCutFails) {
  for (std::size_t bytes = 1; bytes < kVectorJson.size(); ++bytes) {
    EXPECT_FALSE(Decode(kVectorJson.substr(0, bytes))) << bytes;
  }
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    Rng rng(seed);
    const std::string body = EncodeTraces(RandomSpans(rng), Encoding::kJson);
    for (std::size_t bytes = 1; bytes < body.size(); ++bytes) {
      const auto decoded = Decode(std::string_view(body).substr(0, bytes));
      EXPECT_FALSE(decoded) << bytes;
    }
  }
}

TEST(OtlpJson, FlippedBytesNeverCrash) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    const std::string body = EncodeTraces(RandomSpans(rng), Encoding::kJson);
    for (int i = 0; i < 30; ++i) {
      std::string broken = body;
      for (std::uint64_t flips = 1 + rng.Below(4); flips > 0; --flips) {
        broken[rng.Below(broken.size())] ^= static_cast<char>(1 << rng.Below(8));
      }
      const auto decoded = Decode(broken);
      if (!decoded) continue;
      std::vector<Span> spans;
      for (std::uint32_t s = 0; s < decoded->batch.size(); ++s) {
        spans.push_back(decoded->batch.MakeSpan(s));
      }
      EXPECT_TRUE(DecodeTraces(EncodeTraces(spans, Encoding::kProtobuf), Encoding::kProtobuf, {}))
          << seed;
    }
  }
}

TEST(OtlpJson, Base64RoundTrips) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    std::string bytes(rng.Below(40), '\0');
    for (char& c : bytes) c = static_cast<char>(rng.Next());
    const std::string text = internal::EncodeBase64(bytes);
    EXPECT_EQ(text.size() % 4, 0U);
    EXPECT_EQ(internal::DecodeBase64(text), bytes);
  }
  EXPECT_EQ(internal::EncodeBase64("foob"), "Zm9vYg==");
}

// Files of the public data set with the spans and traces they hold.
TEST(OtlpJson, ReadsPublicData) {
  struct Case {
    const char* path;
    std::size_t traces;
    std::size_t spans;
  };
  const Case cases[] = {
      {"otlp/otel-proto-trace.json", 1, 1},    {"otlp/jaeger-memory-otel_traces_01.json", 2, 4},
      {"otlp/otel-proto-events.json", 0, 0},  // logs: nothing we know
      {"otlp/tempopb-trace.json", 1, 1},      // "batches" instead of "resourceSpans"
      {"jaeger/ui-otlp2jaeger-in.json", 1, 2}, {"jaeger/ui-otlp2jaeger-multi-in.json", 1, 4},
  };
  const std::filesystem::path folder = "../shared/data";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is absent";
  for (const Case& c : cases) {
    SCOPED_TRACE(c.path);
    std::ifstream in(folder / c.path);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    ASSERT_FALSE(text.empty());
    const auto decoded = Decode(text);
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(decoded->batch.size(), c.spans);
    EXPECT_EQ(decoded->stats.rejected_spans, 0U) << decoded->reject_reason;
    const std::set<model::TraceId> traces(decoded->batch.trace_ids.begin(),
                                          decoded->batch.trace_ids.end());
    EXPECT_EQ(traces.size(), c.traces);
    std::vector<Span> spans;
    for (std::uint32_t s = 0; s < decoded->batch.size(); ++s) {
      spans.push_back(decoded->batch.MakeSpan(s));
    }
    for (const Encoding encoding : {Encoding::kProtobuf, Encoding::kJson}) {
      const auto back = DecodeTraces(EncodeTraces(spans, encoding), encoding, {});
      ASSERT_TRUE(back);
      EXPECT_TRUE(back->batch.SameSpans(decoded->batch));
    }
  }
  for (const char* const path :
       {"otlp/contrib-countconnector-input.yaml", "otlp/contrib-golden-traces.yaml"}) {
    std::ifstream in(folder / path);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto decoded = Decode(text);
    ASSERT_FALSE(decoded) << path;  // YAML is not an encoding of OTLP
    EXPECT_EQ(decoded.error().code, ErrorCode::kCorruption);
  }
}

TEST(OtlpJson, RequestsBeyondTheMemoryOfABatchAreRefusedWhileDecoding) {
  model::Limits limits;
  limits.batch_bytes_max = 100'000;
  for (const char* member : {"events", "links"}) {
    std::string body =
        R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"4efaaf4d1e8720b39541901950019ee5","spanId":"53995c3f42cd8ad8",")" +
        std::string(member) + R"(":[{})";
    for (int i = 0; i < 9'000; ++i) body += ",{}";
    body += "]}]}]}]}";
    limits.links_max = limits.events_max;
    const auto decoded = DecodeTraces(body, Encoding::kJson, limits);
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().code, ErrorCode::kTooLarge);
    EXPECT_THAT(decoded.error().message, testing::HasSubstr("more than 100000 bytes of memory"));
  }
}

TEST(OtlpJson, BodiesOfManyMillionValuesAreRefusedBeforeTheyAreIndexed) {
  std::string body = R"({"x":[1)";
  while (body.size() < 33'000'000) body += ",1";
  const auto decoded = DecodeTraces(body + "]}", Encoding::kJson, {});
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, ErrorCode::kTooLarge);
  EXPECT_THAT(decoded.error().message, testing::HasSubstr("16000000 JSON values"));
}

}  // namespace
}  // namespace fluoro::codec::otlp
