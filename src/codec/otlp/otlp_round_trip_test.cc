#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "codec/otlp/otlp.h"
#include "codec/otlp/otlp_testing.h"
#include "model/assembly.h"

namespace fluoro::codec::otlp {
namespace {

using model::Span;
using ::testing::HasSubstr;

constexpr Encoding kEncodings[] = {Encoding::kProtobuf, Encoding::kJson};

std::vector<Span> SpansOf(const model::SpanBatch& batch) {
  std::vector<Span> spans;
  model::SpanReader reader(batch);
  for (std::uint32_t i = 0; i < batch.size(); ++i) spans.push_back(reader.Read(i));
  return spans;
}

std::vector<Span> RoundTrip(const std::vector<Span>& spans, Encoding encoding) {
  const auto decoded = DecodeTraces(EncodeTraces(spans, encoding), encoding, model::Limits{});
  EXPECT_TRUE(decoded) << decoded.error().message;
  if (!decoded) return {};
  EXPECT_EQ(decoded->stats.rejected_spans, 0U) << decoded->reject_reason;
  EXPECT_EQ(decoded->stats.truncated_values, 0U);
  EXPECT_EQ(decoded->stats.dropped_attributes, 0U);
  return SpansOf(decoded->batch);
}

Span XRaySpan(std::string document) {
  Span span;
  span.trace_id.bytes[0] = 1;
  span.span_id.bytes[0] = 2;
  span.name = "example.com";
  span.start_ns = 1478293361271000000;
  span.end_ns = span.start_ns;
  span.source = model::SpanSource::kXRay;
  span.resource = std::make_shared<const model::Resource>();
  span.scope = std::make_shared<const model::Scope>();
  span.document = std::move(document);
  return span;
}

const model::AttributeValue* FindRaw(const Span& span, std::string_view key) {
  return span.Find(key);
}

TEST(OtlpRoundTrip, GivesBackEverySpanOfEverySource) {
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    Rng rng(seed);
    const std::vector<Span> spans = RandomSpans(rng);
    for (const Encoding encoding : kEncodings) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << ", encoding " << int(encoding));
      const std::vector<Span> back = RoundTrip(spans, encoding);
      ASSERT_EQ(back.size(), spans.size());
      for (std::size_t i = 0; i < spans.size(); ++i) {
        ASSERT_EQ(back[i], spans[i]) << "span " << i;
      }
    }
  }
}

TEST(OtlpRoundTrip, BothEncodingsDecodeToTheSameBatch) {
  for (std::uint64_t seed = 1000; seed < 1100; ++seed) {
    Rng rng(seed);
    const std::vector<Span> spans = RandomSpans(rng);
    const auto a = DecodeTraces(EncodeTraces(spans, Encoding::kProtobuf), Encoding::kProtobuf, {});
    const auto b = DecodeTraces(EncodeTraces(spans, Encoding::kJson), Encoding::kJson, {});
    ASSERT_TRUE(a && b);
    EXPECT_TRUE(a->batch.SameSpans(b->batch)) << seed;
  }
}

TEST(OtlpRoundTrip, EncodingIsStable) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Rng rng(seed);
    const std::vector<Span> spans = RandomSpans(rng);
    for (const Encoding encoding : kEncodings) {
      const std::string first = EncodeTraces(spans, encoding);
      const auto decoded = DecodeTraces(first, encoding, {});
      ASSERT_TRUE(decoded);
      EXPECT_EQ(EncodeTraces(SpansOf(decoded->batch), encoding), first) << seed;
    }
  }
}

TEST(OtlpRoundTrip, VectorComesBackByteForByte) {
  const auto decoded = DecodeTraces(VectorProtobuf(), Encoding::kProtobuf, {});
  ASSERT_TRUE(decoded);
  EXPECT_EQ(EncodeTraces(SpansOf(decoded->batch), Encoding::kProtobuf), VectorProtobuf());
}

TEST(OtlpRoundTrip, GroupsByResourceAndScopeInOrderOfAppearance) {
  const auto resource = [](std::string name) {
    auto r = std::make_shared<model::Resource>();
    r->attributes.push_back({"service.name", {std::move(name)}, model::AttributeRole::kPlain});
    return r;
  };
  const auto scope = std::make_shared<const model::Scope>();
  std::vector<Span> spans(5, XRaySpan(""));
  const char* const services[] = {"b", "a", "b", "a", "c"};
  for (std::size_t i = 0; i < spans.size(); ++i) {
    spans[i].source = model::SpanSource::kOtlp;
    spans[i].resource = resource(services[i]);  // equal content, objects of their own
    spans[i].scope = scope;
    spans[i].name = "span" + std::to_string(i);
  }
  for (const Encoding encoding : kEncodings) {
    const auto decoded = DecodeTraces(EncodeTraces(spans, encoding), encoding, {});
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->batch.resource_rows.size(), 3U);
    std::vector<std::string> names;
    for (const Span& span : SpansOf(decoded->batch)) names.push_back(span.name);
    EXPECT_THAT(names, testing::ElementsAre("span0", "span2", "span1", "span3", "span4"));
  }
}

TEST(OtlpRoundTrip, ASpanWithoutEndNeverReplacesTheEndedOne) {
  Span ended = XRaySpan("");
  ended.source = model::SpanSource::kOtlp;
  ended.end_ns += 5;
  Span open = ended;
  open.name = "open";
  open.end_ns = open.start_ns;
  open.flags = model::kIncompleteEmbedded;
  for (const Encoding encoding : kEncodings) {
    for (const auto& sent : {std::vector{ended, open}, std::vector{open, ended}}) {
      // The open span says it by its end alone, without attributes of ours.
      std::vector<Span> spans = RoundTrip(sent, encoding);
      EXPECT_EQ(spans, sent);
      model::Deduplicate(spans);
      EXPECT_EQ(spans, std::vector{ended});
    }
    const std::string text = EncodeTraces(std::vector{open}, encoding);
    EXPECT_THAT(text, testing::Not(HasSubstr("fluoro.")));
    EXPECT_THAT(text, testing::Not(HasSubstr("endTimeUnixNano")));
  }
  // An end before the start is an end.
  Span early = ended;
  early.end_ns = 7;
  EXPECT_EQ(RoundTrip({early}, Encoding::kJson).at(0).flags, 0U);
}

TEST(OtlpRoundTrip, NotANumberSurvives) {
  Span span = XRaySpan("");
  span.source = model::SpanSource::kOtlp;
  span.attributes.push_back({"nan", {std::nan("")}, model::AttributeRole::kPlain});
  for (const Encoding encoding : kEncodings) {
    const std::vector<Span> back = RoundTrip({span}, encoding);
    ASSERT_EQ(back.size(), 1U);
    EXPECT_TRUE(std::isnan(*back[0].attributes[0].value.AsDouble()));
  }
}

TEST(OtlpView, PlainOtlpSpansCarryNothingElse) {
  const auto decoded = DecodeTraces(kVectorJson, Encoding::kJson, {});
  ASSERT_TRUE(decoded);
  EXPECT_EQ(EncodeTraces(SpansOf(decoded->batch), Encoding::kJson).find("fluoro"),
            std::string::npos);
}

TEST(OtlpView, XRaySpanReadsAsOpenTelemetry) {
  Span span = XRaySpan(
      R"({"id":"0200000000000000","metadata":{"default":{"k": [1,"x"]},"app":{"n":1.0},"odd":"t"}})");
  span.flags = model::kFault | model::kThrottle | model::kInProgress | model::kSegment;
  span.attributes.push_back({"http.request.method", {"GET"}, model::AttributeRole::kPlain});
  span.attributes.push_back({"game", {"chess"}, model::AttributeRole::kAnnotation});
  span.attributes.push_back({"http.request.method", {"note"}, model::AttributeRole::kAnnotation});
  // What another OTLP receiver sees: the same message with the mark taken off.
  std::string json = EncodeTraces(std::vector{span}, Encoding::kJson);
  json.replace(json.find("fluoro.source"), 13, "fluoro_source");
  const auto decoded = DecodeTraces(json, Encoding::kJson, {});
  ASSERT_TRUE(decoded);
  const Span seen = decoded->batch.MakeSpan(0);
  EXPECT_EQ(*FindRaw(seen, "http.request.method")->AsString(), "GET");
  EXPECT_EQ(*FindRaw(seen, "game")->AsString(), "chess");
  EXPECT_EQ(*FindRaw(seen, "fluoro.annotation.http.request.method")->AsString(), "note");
  EXPECT_EQ(*FindRaw(seen, "aws.xray.metadata.default")->AsString(), R"({"k": [1,"x"]})");
  EXPECT_EQ(*FindRaw(seen, "aws.xray.metadata.app")->AsString(), R"({"n":1.0})");
  EXPECT_EQ(*FindRaw(seen, "aws.xray.metadata.odd")->AsString(), R"("t")");
  EXPECT_EQ(*FindRaw(seen, "aws.xray.document")->AsString(), span.document);
  EXPECT_TRUE(*FindRaw(seen, "aws.xray.fault")->AsBool());
  EXPECT_TRUE(*FindRaw(seen, "aws.xray.throttle")->AsBool());
  EXPECT_TRUE(*FindRaw(seen, "aws.xray.inprogress")->AsBool());
  EXPECT_EQ(FindRaw(seen, "aws.xray.error"), nullptr);
  EXPECT_EQ(FindRaw(seen, "aws.xray.annotations")->AsArray()->values.size(), 2U);
  EXPECT_EQ(json.find("endTimeUnixNano"), std::string::npos);
  EXPECT_EQ(seen.source, model::SpanSource::kOtlp);
}

TEST(OtlpView, AKeyThatLosesItsPrefixReplacesTheSameKey) {
  const auto decoded = DecodeTraces(
      R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"a20b295fe2a82b9f95b5498766637ff2",)"
      R"("spanId":"9d1e6022bcda9fb3","attributes":[)"
      R"({"key":"fluoro.source","value":{"stringValue":"otlp"}},)"
      R"({"key":"aws.xray.document","value":{"stringValue":"first"}},)"
      R"({"key":"fluoro.attribute.aws.xray.document","value":{"stringValue":"last"}},)"
      R"({"key":"fluoro.annotation.aws.xray.document","value":{"stringValue":"note"}}]}]}]}]})",
      Encoding::kJson, {});
  ASSERT_TRUE(decoded) << decoded.error().message;
  const Span span = decoded->batch.MakeSpan(0);
  ASSERT_EQ(span.attributes.size(), 2U);
  EXPECT_EQ(*span.attributes[0].value.AsString(), "last");
  EXPECT_EQ(*span.FindAnnotation("aws.xray.document")->AsString(), "note");
}

TEST(OtlpView, ForgedMarksRestoreNothing) {
  const char* const cases[] = {
      // no such source
      R"("attributes":[{"key":"fluoro.source","value":{"stringValue":"elsewhere"}}])",
      // an X-Ray span without a document, with a broken one, with one that is no object
      R"("attributes":[{"key":"fluoro.source","value":{"stringValue":"xray"}}])",
      R"("attributes":[{"key":"fluoro.source","value":{"stringValue":"xray"}},{"key":"aws.xray.document","value":{"stringValue":"{"}}])",
      R"("attributes":[{"key":"fluoro.source","value":{"stringValue":"xray"}},{"key":"aws.xray.document","value":{"stringValue":"[]"}}])",
      // wrong type
      R"("attributes":[{"key":"fluoro.source","value":{"intValue":1}}])",
  };
  for (const char* const members : cases) {
    SCOPED_TRACE(members);
    const auto decoded = DecodeTraces(JsonRequestOf(members), Encoding::kJson, {});
    ASSERT_TRUE(decoded) << decoded.error().message;
    const Span span = decoded->batch.MakeSpan(0);
    EXPECT_EQ(span.source, model::SpanSource::kOtlp);
    EXPECT_TRUE(span.document.empty());
    EXPECT_NE(span.Find("fluoro.source"), nullptr);
  }
}

TEST(OtlpView, UnknownFlagBitsAreNotRestored) {
  const auto decoded = DecodeTraces(
      JsonRequestOf(
          R"("attributes":[{"key":"fluoro.flags","value":{"intValue":"-1"}},{"key":"fluoro.source","value":{"stringValue":"zipkin"}}])"),
      Encoding::kJson, {});
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->batch.flags[0], (1U << 12) - 1);
  EXPECT_EQ(decoded->batch.sources[0], model::SpanSource::kZipkin);
}

TEST(OtlpView, DocumentsLongerThanAValueSurvive) {
  Span span = XRaySpan(R"({"metadata":{"d":")" + std::string(200'000, 'x') + R"("}})");
  model::Limits limits;
  limits.document_bytes_max = 300'000;
  for (const Encoding encoding : kEncodings) {
    const auto decoded = DecodeTraces(EncodeTraces(std::vector{span}, encoding), encoding, limits);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->batch.MakeSpan(0), span);
  }
}

// Real documents of the public data set, where present.
TEST(OtlpView, RealXRayDocumentsSurvive) {
  const std::filesystem::path folder = "../shared/data/xray/segments";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is absent";
  std::size_t restored = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream in(entry.path());
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const Span span = XRaySpan(text);
    for (const Encoding encoding : kEncodings) {
      const auto decoded = DecodeTraces(EncodeTraces(std::vector{span}, encoding), encoding, {});
      ASSERT_TRUE(decoded);
      const Span back = decoded->batch.MakeSpan(0);
      // Some files are not valid JSON: those come back as attributes.
      if (back.source == model::SpanSource::kXRay) {
        ++restored;
        EXPECT_EQ(back, span) << entry.path();
      } else {
        EXPECT_EQ(*back.Find("aws.xray.document")->AsString(), text);
      }
    }
  }
  EXPECT_GE(restored, 2U * 15);
}

}  // namespace
}  // namespace fluoro::codec::otlp
