#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  return DecodeTraces(body, Encoding::kProtobuf, limits);
}

// The only span of a request that must decode.
Span DecodeOne(const Message& span, const Limits& limits = {}) {
  const auto decoded = Decode(RequestOf({span}), limits);
  EXPECT_TRUE(decoded) << decoded.error().message;
  if (!decoded || decoded->batch.size() != 1) return {};
  return decoded->batch.MakeSpan(0);
}

void ExpectVector(const Decoded& decoded) {
  ASSERT_EQ(decoded.batch.size(), 1U);
  EXPECT_EQ(decoded.stats.spans, 1U);
  EXPECT_EQ(decoded.stats.rejected_spans, 0U);
  EXPECT_EQ(decoded.batch.Text(decoded.batch.resource_rows[0].service), "example.com");
  const Span span = decoded.batch.MakeSpan(0);
  EXPECT_EQ(span.trace_id.ToHex(), "4efaaf4d1e8720b39541901950019ee5");
  EXPECT_EQ(span.span_id.ToHex(), "53995c3f42cd8ad8");
  EXPECT_TRUE(span.parent_id.IsZero());
  EXPECT_EQ(span.name, "GET /");
  EXPECT_EQ(span.kind, model::SpanKind::kServer);
  EXPECT_EQ(span.start_ns, 1478293361271000000);
  EXPECT_EQ(span.end_ns, 1478293361449000000);
  EXPECT_EQ(span.otel_flags, 0x101U);
  EXPECT_EQ(span.flags, 0U);
  EXPECT_EQ(span.source, model::SpanSource::kOtlp);
  EXPECT_EQ(span.service(), "example.com");
  EXPECT_EQ(span.scope->name, "s");
  ASSERT_EQ(span.attributes.size(), 2U);
  EXPECT_EQ(*span.Find("http.request.method")->AsString(), "GET");
  EXPECT_EQ(*span.Find("http.response.status_code")->AsInt(), 200);
}

TEST(OtlpProtobuf, DecodesTheVector) {
  ASSERT_EQ(VectorProtobuf().size(), 171U);
  const auto decoded = Decode(VectorProtobuf());
  ASSERT_TRUE(decoded) << decoded.error().message;
  ExpectVector(*decoded);
  const auto json = DecodeTraces(kVectorJson, Encoding::kJson, {});
  ASSERT_TRUE(json) << json.error().message;
  ExpectVector(*json);
}

TEST(OtlpProtobuf, EmptyBodyIsAnEmptyRequest) {
  const auto decoded = Decode("");
  ASSERT_TRUE(decoded);
  EXPECT_TRUE(decoded->batch.empty());
  EXPECT_TRUE(Decode(Message().Sub(1, Message()).str())->batch.resource_rows.empty());
}

TEST(OtlpProtobuf, UnsampledMarksEverySpan) {
  const auto decoded = DecodeTraces(VectorProtobuf(), Encoding::kProtobuf, {}, true);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->batch.flags[0], model::kUnsampled);
}

TEST(OtlpProtobuf, FieldsComeInAnyOrder) {
  const Message event = Message().Sub(3, StringPair("e", "1")).Bytes(2, "event").Fixed64(1, 5);
  const Message link = Message().Sub(4, StringPair("l", "2")).Bytes(2, kSpanIdBytes);
  const Message span = Message()
                           .Fixed32(16, 3)
                           .Sub(13, link)
                           .Sub(9, StringPair("a", "x"))
                           .Sub(11, event)
                           .Fixed64(7, 1000)
                           .Sub(9, StringPair("b", "y"))
                           .Bytes(2, kSpanIdBytes)
                           .Bytes(1, kTraceIdBytes);
  // Spans first, then the scope, then the resource in two parts, schema URLs before both.
  const std::string body =
      Message()
          .Sub(1, Message()
                      .Bytes(3, "resource url")
                      .Sub(2, Message()
                                  .Sub(2, span)
                                  .Bytes(3, "scope url")
                                  .Sub(1, Message().Bytes(2, "v").Bytes(1, "late")))
                      .Sub(1, Message().Sub(1, StringPair("service.name", "old")))
                      .Sub(1, Message().Sub(1, StringPair("service.name", "new")).Varint(2, 4)))
          .str();
  const auto decoded = Decode(body);
  ASSERT_TRUE(decoded) << decoded.error().message;
  const Span got = decoded->batch.MakeSpan(0);
  EXPECT_EQ(got.service(), "new");
  EXPECT_EQ(decoded->batch.Text(decoded->batch.resource_rows[0].service), "new");
  EXPECT_EQ(got.resource->attributes.size(), 1U);
  EXPECT_EQ(got.resource->dropped_attributes, 4U);
  EXPECT_EQ(got.resource->schema_url, "resource url");
  EXPECT_EQ(got.scope->name, "late");
  EXPECT_EQ(got.scope->version, "v");
  EXPECT_EQ(got.scope->schema_url, "scope url");
  ASSERT_EQ(got.attributes.size(), 2U);
  EXPECT_EQ(got.attributes[1].key, "b");
  ASSERT_EQ(got.events.size(), 1U);
  EXPECT_EQ(got.events[0].name, "event");
  EXPECT_EQ(*got.events[0].Find("e")->AsString(), "1");
  ASSERT_EQ(got.links.size(), 1U);
  EXPECT_EQ(got.links[0].attributes[0].key, "l");
  EXPECT_EQ(got.otel_flags, 3U);
}

TEST(OtlpProtobuf, RepeatedSubMessagesMerge) {
  const Span span =
      DecodeOne(MinimalSpan()
                    .Sub(15, Message().Bytes(2, "first").Varint(3, 2))
                    .Sub(15, Message().Bytes(2, "second"))
                    .Sub(9, Message()
                                .Bytes(1, "array")
                                .Sub(2, Message().Sub(5, Message().Sub(1, Message().Varint(3, 1))))
                                .Sub(2, Message().Sub(5, Message().Sub(1, Message().Varint(3, 2)))))
                    .Sub(9, Message()
                                .Bytes(1, "last member wins")
                                .Sub(2, Message().Varint(3, 1).Bytes(1, "text"))));
  EXPECT_EQ(span.status, model::StatusCode::kError);
  EXPECT_EQ(span.status_message, "second");
  const AttributeValue expected{
      AttributeValue::Array{{AttributeValue{std::int64_t{1}}, AttributeValue{std::int64_t{2}}}}};
  EXPECT_EQ(*span.Find("array"), expected);
  EXPECT_EQ(*span.Find("last member wins")->AsString(), "text");
}

TEST(OtlpProtobuf, UnknownFieldsAndGroupsAreSkipped) {
  const Message group = Message()
                            .Varint(9, 1)
                            .Raw("\x53")  // group 10 ...
                            .Bytes(1, "x")
                            .Raw("\x54");  // ... ends
  const Message span = Message()
                           .Raw("\xa3\x06")
                           .Raw(group.str())
                           .Raw("\xa4\x06")  // group 100
                           .Raw(MinimalSpan().str())
                           .Varint(500, 7)
                           .Fixed32(501, 7)
                           .Fixed64(502, 7)
                           .Bytes(503, "unknown")
                           .Varint(5, 3);  // known field of the wrong wire type
  EXPECT_EQ(DecodeOne(span).name, "span");
}

TEST(OtlpProtobuf, BrokenWireNamesTheByte) {
  struct Case {
    std::string bytes;
    std::string message;
  };
  const Case cases[] = {
      {"\x0a\x05\x01", "byte 1: length runs past"},
      {std::string("\x0a\x02\x12\x7f", 4), "byte 3: length runs past"},
      {"\x80", "byte 0: number is cut short"},
      {std::string(11, '\xff'), "byte 0: number has more than 10 bytes"},
      {std::string("\x00\x00", 2), "byte 0: field number out of range"},
      {"\x0c", "end of a group that is not open"},
      {"\x13", "group without end"},
      {"\x13\x1c", "end of a group that is not open"},
      {"\x16", "unknown wire type"},
      {"\x11\x01", "number is cut short"},
  };
  for (const Case& c : cases) {
    const auto decoded = Decode(c.bytes);
    ASSERT_FALSE(decoded) << c.message;
    EXPECT_EQ(decoded.error().code, ErrorCode::kCorruption);
    EXPECT_THAT(decoded.error().message, HasSubstr(c.message));
  }
}

TEST(OtlpProtobuf, GroupsNestAtMost64Deep) {
  EXPECT_TRUE(Decode(std::string(64, '\x13') + std::string(64, '\x14')));
  for (const std::size_t depth : {65U, 1'000'000U}) {
    const auto decoded = Decode(std::string(depth, '\x13') + std::string(depth, '\x14'));
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().code, ErrorCode::kTooLarge);
  }
}

// `levels` AnyValues, each but the last an array or a list of one.
Message NestedAny(std::size_t levels, bool lists) {
  std::string value = Message().Varint(3, 1).str();
  // Grown at the front in one buffer, so that a million levels stay linear.
  std::string reversed(value.rbegin(), value.rend());
  std::size_t size = value.size();
  const auto wrap = [&](std::uint32_t field) {
    std::string head;
    internal::AppendVarint(internal::Tag(field, internal::WireType::kBytes), head);
    internal::AppendVarint(size, head);
    reversed.append(head.rbegin(), head.rend());
    size += head.size();
  };
  for (std::size_t i = 1; i < levels; ++i) {
    if (lists) wrap(2);
    wrap(1);
    wrap(lists ? 6 : 5);
  }
  return Message().Raw(std::string(reversed.rbegin(), reversed.rend()));
}

TEST(OtlpProtobuf, AnyValuesNestAtMost64Deep) {
  for (const bool lists : {false, true}) {
    for (const std::size_t levels : {10U, 63U, 64U}) {
      const Span span = DecodeOne(MinimalSpan().Sub(9, Message().Sub(2, NestedAny(levels, lists))));
      ASSERT_EQ(span.attributes.size(), 1U) << levels;
      EXPECT_EQ(span.attributes[0].value.type(),
                lists ? AttributeType::kKvList : AttributeType::kArray);
    }
    for (const std::size_t levels : {65U, 100U, 10'000U, 1'000'000U}) {
      const auto decoded =
          Decode(RequestOf({MinimalSpan().Sub(9, Message().Sub(2, NestedAny(levels, lists)))}));
      ASSERT_FALSE(decoded) << levels;
      EXPECT_EQ(decoded.error().code, ErrorCode::kTooLarge);
      EXPECT_THAT(decoded.error().message, HasSubstr("64 levels"));
    }
  }
}

TEST(OtlpProtobuf, BadSpansAreRejectedAndTheRestKept) {
  const Message good = MinimalSpan().Bytes(5, "good").Sub(9, StringPair("k", "v"));
  const Message cases[] = {
      Message().Bytes(2, kSpanIdBytes).Sub(9, StringPair("only here", "v")),
      Message().Bytes(1, kTraceIdBytes),
      Message().Bytes(1, std::string(16, '\0')).Bytes(2, kSpanIdBytes),
      Message().Bytes(1, kTraceIdBytes).Bytes(2, std::string(8, '\0')),
      Message().Bytes(1, "short").Bytes(2, kSpanIdBytes),
      Message().Bytes(1, kTraceIdBytes).Bytes(2, "123456789"),
      Message().Bytes(1, kTraceIdBytes).Bytes(2, kSpanIdBytes).Fixed64(7, 1ULL << 63),
  };
  for (const Message& bad : cases) {
    const auto decoded = Decode(RequestOf({good, bad, good}));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->batch.size(), 2U);
    EXPECT_EQ(decoded->stats.spans, 2U);
    EXPECT_EQ(decoded->stats.rejected_spans, 1U);
    EXPECT_THAT(decoded->reject_reason,
                testing::StartsWith("resourceSpans[0].scopeSpans[0].spans[1]: "));
    EXPECT_EQ(decoded->batch.MakeSpan(0), decoded->batch.MakeSpan(1));
    EXPECT_EQ(decoded->batch.keys.size(), 1U);
  }
}

TEST(OtlpProtobuf, TextOfARejectedSpanIsNotTakenForThatOfAnother) {
  const std::string bytes = "\xff\xfe\xfd\xfc";
  const auto request = RequestOf({
      MinimalSpan().Sub(9, StringPair("b", "1")).Sub(9, StringPair("k", "2")),
      // No ids: it is taken back, with what "k" had last.
      Message().Fixed64(7, 1'000).Sub(9, StringPair("k", "gone")),
      // Bytes may be any. The text is none and has to be repaired.
      MinimalSpan()
          .Sub(9, Message().Bytes(1, "b").Sub(2, Message().Bytes(7, bytes)))
          .Sub(9, StringPair("k", bytes)),
  });
  const auto decoded = Decode(request);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->stats.rejected_spans, 1U);
  ASSERT_EQ(decoded->batch.size(), 2U);
  const Span span = decoded->batch.MakeSpan(1);
  EXPECT_TRUE(span.Has(model::kTextRepaired));
  ASSERT_NE(span.Find("k"), nullptr);
  EXPECT_EQ(*span.Find("k")->AsString(), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(OtlpProtobuf, FirstReasonStaysAndPlacesCount) {
  const Message bad = Message().Bytes(1, kTraceIdBytes);
  const std::string body =
      Message()
          .Sub(1, Message().Sub(2, Message().Sub(2, MinimalSpan())))
          .Sub(1, Message()
                      .Sub(2, Message())
                      .Sub(2, Message().Sub(2, MinimalSpan()).Sub(2, bad).Sub(2, MinimalSpan())))
          .Sub(1, Message().Sub(2, Message().Sub(2, bad)))
          .str();
  const auto decoded = Decode(body);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->stats.rejected_spans, 2U);
  EXPECT_EQ(decoded->reject_reason,
            "resourceSpans[1].scopeSpans[1].spans[1]: span id must have 8 bytes, not all of them "
            "zero");
  // Rows without a span are not kept.
  EXPECT_EQ(decoded->batch.resource_rows.size(), 2U);
  EXPECT_EQ(decoded->batch.scope_rows.size(), 2U);
}

TEST(OtlpProtobuf, StartOutsideTheAcceptedTimesIsRejected) {
  Limits limits;
  limits.start_ns_min = 500;
  limits.start_ns_max = 2000;
  for (const auto& [start, accepted] :
       {std::pair{499U, false}, {500U, true}, {2000U, true}, {2001U, false}}) {
    const Message span = Message().Bytes(1, kTraceIdBytes).Bytes(2, kSpanIdBytes).Fixed64(7, start);
    const auto decoded = Decode(RequestOf({span}), limits);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->batch.size(), accepted ? 1U : 0U) << start;
    if (!accepted) {
      EXPECT_THAT(decoded->reject_reason, HasSubstr("start time " + std::to_string(start)));
    }
  }
}

TEST(OtlpProtobuf, TimesAreClamped) {
  const Message ids = Message().Bytes(1, kTraceIdBytes).Bytes(2, kSpanIdBytes);
  Limits limits;
  limits.receive_ns = 7777;
  Span span = DecodeOne(Message(ids), limits);
  EXPECT_EQ(span.start_ns, 7777);
  EXPECT_EQ(span.end_ns, 7777);
  span = DecodeOne(Message(ids).Fixed64(7, 100).Fixed64(8, 99), limits);
  EXPECT_EQ(span.end_ns, 100);
  span = DecodeOne(
      Message(ids).Fixed64(7, 100).Fixed64(8, UINT64_MAX).Sub(11, Message().Fixed64(1, 1ULL << 63)),
      limits);
  EXPECT_EQ(span.end_ns, INT64_MAX);
  EXPECT_EQ(span.events[0].time_ns, INT64_MAX);
}

TEST(OtlpProtobuf, ParentOfWrongLengthIsNone) {
  EXPECT_TRUE(DecodeOne(MinimalSpan().Bytes(4, "1234567")).parent_id.IsZero());
  EXPECT_TRUE(DecodeOne(MinimalSpan().Bytes(4, std::string(8, '\0'))).parent_id.IsZero());
  EXPECT_TRUE(DecodeOne(MinimalSpan().Bytes(4, "")).parent_id.IsZero());
  EXPECT_EQ(DecodeOne(MinimalSpan().Bytes(4, "12345678")).parent_id.ToHex(), "3132333435363738");
}

TEST(OtlpProtobuf, UnknownEnumNumbersAreUnspecified) {
  const Span span = DecodeOne(MinimalSpan().Varint(6, 9).Sub(15, Message().Varint(3, UINT64_MAX)));
  EXPECT_EQ(span.kind, model::SpanKind::kUnspecified);
  EXPECT_EQ(span.status, model::StatusCode::kUnset);
}

TEST(OtlpProtobuf, KeepsTheLastOfDuplicateKeys) {
  const auto decoded =
      Decode(RequestOf({MinimalSpan()
                            .Sub(9, StringPair("a", "1"))
                            .Sub(9, StringPair("b", "2"))
                            .Sub(9, Message().Bytes(1, "a").Sub(2, Message().Varint(3, 9)))
                            .Sub(9, Message().Bytes(1, "b")),
                        MinimalSpan().Sub(9, StringPair("b", "own"))}));
  ASSERT_TRUE(decoded);
  const Span span = decoded->batch.MakeSpan(0);
  ASSERT_EQ(span.attributes.size(), 2U);
  EXPECT_EQ(*span.Find("a")->AsInt(), 9);
  EXPECT_EQ(span.Find("b")->type(), AttributeType::kNull);
  EXPECT_EQ(*decoded->batch.MakeSpan(1).Find("b")->AsString(), "own");
  EXPECT_EQ(decoded->stats.dropped_attributes, 0U);
}

// A pair as every exporter writes it takes a shorter way through the decoder than one whose value
// stands before its key.
TEST(OtlpProtobuf, PairsMeanTheSameInEitherOrder) {
  const auto expect_same = [](const std::string& key, const Message& value) {
    const Span usual = DecodeOne(MinimalSpan().Sub(9, Message().Bytes(1, key).Sub(2, value)));
    const Span turned = DecodeOne(MinimalSpan().Sub(9, Message().Sub(2, value).Bytes(1, key)));
    ASSERT_EQ(usual.attributes.size(), 1U) << key;
    EXPECT_EQ(usual.attributes, turned.attributes) << key;
  };
  for (std::size_t bytes = 0; bytes <= 300; ++bytes) {
    expect_same("k", Message().Bytes(1, std::string(bytes, 'v')));
    if (bytes > 0) expect_same(std::string(bytes, 'k'), Message().Bytes(1, "v"));
  }
  for (unsigned bits = 0; bits < 64; ++bits) {
    for (const std::uint64_t number : {std::uint64_t{1} << bits, (std::uint64_t{1} << bits) - 1})
      expect_same("k", Message().Varint(3, number));
  }
  expect_same("k", Message().Varint(2, 1));
  expect_same("k", Message().Fixed64(4, 0x3ff8000000000000));
  expect_same("k", Message().Bytes(7, "bytes"));
  expect_same("k", Message());
  // Numbers that are longer than they need be, and what stands behind a value.
  expect_same("k", Message().Raw(std::string_view("\x18\x85\x80\x00", 4)));
  expect_same("k", Message().Raw("\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
  expect_same("k", Message().Varint(3, 300).Varint(3, 7));
  expect_same("k", Message().Varint(3, 300).Bytes(1, "v"));
  expect_same("k", Message().Bytes(1, "v").Varint(3, 300));
  EXPECT_EQ(
      *DecodeOne(MinimalSpan().Sub(9, Message().Bytes(1, "k").Sub(2, Message().Varint(3, 300))))
           .Find("k")
           ->AsInt(),
      300);
}

TEST(OtlpProtobuf, KeysLikeTheExpectedOneAreToldFromIt) {
  for (std::size_t bytes = 1; bytes <= 40; ++bytes) {
    const std::string key(bytes, 'k');
    for (const std::size_t value_bytes : {0U, 1U, 80U, 82U, 84U, 120U, 130U}) {
      const std::string value(value_bytes, 'v');
      std::vector<Message> spans = {MinimalSpan().Sub(9, StringPair(key, value)),
                                    MinimalSpan().Sub(9, StringPair(key, value))};
      std::vector<std::string> keys = {key, key};
      for (std::size_t at = 0; at < bytes; ++at) {
        std::string other = key;
        other[at] = 'x';
        // The expected one again behind each.
        for (const std::string& sent : {other, key}) {
          spans.push_back(MinimalSpan().Sub(9, StringPair(sent, value)));
          keys.push_back(sent);
        }
      }
      const auto decoded = Decode(RequestOf(spans));
      ASSERT_TRUE(decoded) << decoded.error().message;
      ASSERT_EQ(decoded->batch.size(), spans.size());
      for (std::uint32_t i = 0; i < spans.size(); ++i) {
        const Span span = decoded->batch.MakeSpan(i);
        ASSERT_EQ(span.attributes.size(), 1U);
        ASSERT_EQ(span.attributes[0].key, keys[i]) << bytes << " bytes, span " << i;
        ASSERT_EQ(*span.attributes[0].value.AsString(), value);
      }
    }
  }
}

TEST(OtlpProtobuf, TextsOfAKeyThatNeverRepeatedMayRepeatLater) {
  std::vector<Message> spans;
  std::vector<std::string> values;
  for (int i = 0; i < 300; ++i) {
    values.push_back("value " + std::to_string(i < 200 ? i : i % 3));
    spans.push_back(MinimalSpan().Sub(9, StringPair("k", values.back())));
  }
  const auto decoded = Decode(RequestOf(spans));
  ASSERT_TRUE(decoded) << decoded.error().message;
  for (std::uint32_t i = 0; i < spans.size(); ++i)
    ASSERT_EQ(*decoded->batch.MakeSpan(i).Find("k")->AsString(), values[i]);
}

TEST(OtlpProtobuf, RepairsInvalidTextEverywhere) {
  const std::string bad = "a\xff\xc3z";
  const std::string good = "a\xef\xbf\xbd\xef\xbf\xbdz";
  const Message array =
      Message().Sub(5, Message().Sub(1, Message().Bytes(1, bad)).Sub(1, Message().Bytes(7, bad)));
  const Span span = DecodeOne(MinimalSpan()
                                  .Bytes(5, bad)
                                  .Bytes(3, bad)
                                  .Sub(9, StringPair(bad, bad))
                                  .Sub(9, Message().Bytes(1, "array").Sub(2, array))
                                  .Sub(11, Message().Bytes(2, bad))
                                  .Sub(15, Message().Bytes(2, bad)));
  EXPECT_TRUE(span.Has(model::kTextRepaired));
  EXPECT_FALSE(span.Has(model::kTruncated));
  EXPECT_EQ(span.name, good);
  EXPECT_EQ(span.trace_state, good);
  EXPECT_EQ(span.status_message, good);
  EXPECT_EQ(span.events[0].name, good);
  EXPECT_EQ(*span.Find(good)->AsString(), good);
  const auto& items = span.Find("array")->AsArray()->values;
  EXPECT_EQ(*items[0].AsString(), good);
  EXPECT_EQ(std::get<AttributeValue::Bytes>(items[1].value).data, bad);  // bytes are not text

  // Text of a resource or a scope flags the spans that share it, and no others.
  const auto request = [&](const Message& resource, const Message& scope) {
    return Message().Sub(
        1, Message().Sub(1, resource).Sub(2, Message().Sub(2, MinimalSpan()).Sub(1, scope)));
  };
  const auto decoded =
      Decode(request(Message().Sub(1, StringPair("k", bad)), Message()).str() +
             request(Message(), Message().Bytes(1, bad)).str() + request({}, {}).str());
  ASSERT_TRUE(decoded);
  constexpr std::uint32_t kNoEnd = model::kIncompleteEmbedded;
  EXPECT_THAT(decoded->batch.flags, testing::ElementsAre(model::kTextRepaired | kNoEnd,
                                                         model::kTextRepaired | kNoEnd, kNoEnd));
  EXPECT_EQ(decoded->stats.repaired_texts, 2U);
}

TEST(OtlpProtobuf, CutsToLimitsAndCounts) {
  Limits limits;
  limits.attributes_max = 3;
  limits.events_max = 2;
  limits.links_max = 1;
  limits.key_bytes_max = 10;
  limits.value_bytes_max = 8;
  limits.content_bytes_max = 16;
  limits.name_bytes_max = 4;
  Message span = MinimalSpan()
                     .Bytes(5, "abc\xc3\xa4")  // 5 bytes: the code point does not fit
                     .Varint(10, 5)
                     .Varint(12, 6)
                     .Varint(14, 7)
                     .Sub(9, StringPair("long.key.of.17.by", "v"))
                     .Sub(9, StringPair("k", "0123456789"))
                     .Sub(9, StringPair("gen_ai.input.messages", std::string(20, 'm')))
                     .Sub(9, StringPair("too.many", "x"))
                     .Sub(9, StringPair("k", "last"))
                     .Sub(9, StringPair("too.many", "x"));
  for (int i = 0; i < 4; ++i) span.Sub(11, Message().Bytes(2, "e"));
  for (int i = 0; i < 4; ++i) span.Sub(13, Message().Bytes(2, kSpanIdBytes));
  const auto decoded = Decode(RequestOf({span}), limits);
  ASSERT_TRUE(decoded) << decoded.error().message;
  const Span got = decoded->batch.MakeSpan(0);
  EXPECT_TRUE(got.Has(model::kTruncated));
  EXPECT_EQ(got.name, "abc");
  ASSERT_EQ(got.attributes.size(), 3U);
  EXPECT_EQ(got.attributes[0].key, "long.key.o");
  EXPECT_EQ(*got.Find("k")->AsString(), "last");
  EXPECT_EQ(got.events.size(), 2U);
  EXPECT_EQ(got.links.size(), 1U);
  EXPECT_EQ(got.dropped_attributes, 5U + 2U);
  EXPECT_EQ(got.dropped_events, 6U + 2U);
  EXPECT_EQ(got.dropped_links, 7U + 3U);
  EXPECT_EQ(decoded->stats.dropped_attributes, 2U);
  EXPECT_EQ(decoded->stats.dropped_events, 2U);
  EXPECT_EQ(decoded->stats.dropped_links, 3U);
  EXPECT_GE(decoded->stats.truncated_values, 3U);
}

TEST(OtlpProtobuf, GenAiContentHasALimitOfItsOwn) {
  Limits limits;
  limits.value_bytes_max = 4;
  limits.content_bytes_max = 8;
  for (const char* const key :
       {"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.prompt", "gen_ai.completion",
        "gen_ai.prompt.0.content", "llm.input_messages.0.message.content", "traceloop.entity.input",
        "traceloop.entity.output", "input.value", "output.value", "ai.prompt.messages",
        "gen_ai.system_instructions"}) {
    EXPECT_EQ(*DecodeOne(MinimalSpan().Sub(9, StringPair(key, "0123456789")), limits)
                   .Find(key)
                   ->AsString(),
              "01234567")
        << key;
  }
  EXPECT_EQ(*DecodeOne(MinimalSpan().Sub(9, StringPair("gen_ai.system", "0123456789")), limits)
                 .Find("gen_ai.system")
                 ->AsString(),
            "0123");
}

TEST(OtlpProtobuf, GenAiContentOfASpanIsBoundedTogether) {
  Limits limits;
  limits.value_bytes_max = 4;
  limits.content_bytes_max = 8;
  limits.span_content_bytes_max = 20;
  Message span = MinimalSpan();
  for (const char* const key : {"gen_ai.prompt.0", "gen_ai.prompt.1"}) {
    span.Sub(9, StringPair(key, "0123456789"));
  }
  span.Sub(11, Message().Bytes(2, "e").Sub(3, StringPair("gen_ai.completion", "0123456789")));
  span.Sub(11, Message().Bytes(2, "e").Sub(3, StringPair("gen_ai.completion", "0123456789")));
  const auto decoded = Decode(RequestOf({span, span}), limits);
  ASSERT_TRUE(decoded) << decoded.error().message;
  for (std::uint32_t i = 0; i < 2; ++i) {
    const Span got = decoded->batch.MakeSpan(i);
    EXPECT_EQ(got.Find("gen_ai.prompt.0")->AsString()->size(), 8U);
    EXPECT_EQ(got.Find("gen_ai.prompt.1")->AsString()->size(), 8U);
    EXPECT_EQ(got.events[0].attributes[0].value.AsString()->size(), 4U);
    EXPECT_EQ(got.events[1].attributes[0].value.AsString()->size(), 4U);
  }
}

TEST(OtlpProtobuf, LongListsAndBytesAreCut) {
  Limits limits;
  limits.value_bytes_max = 1000;
  Message items;
  for (int i = 0; i < 500; ++i) items.Sub(1, Message().Bytes(1, "item " + std::to_string(i)));
  Message pairs;
  for (int i = 0; i < 500; ++i) pairs.Sub(1, StringPair("key" + std::to_string(i), "value"));
  const Message one_long = Message().Sub(1, Message().Bytes(1, std::string(5000, 'x')));
  const auto body = RequestOf(
      {MinimalSpan()
           .Sub(9, Message().Bytes(1, "items").Sub(2, Message().Sub(5, items)))
           .Sub(9, Message().Bytes(1, "pairs").Sub(2, Message().Sub(6, pairs)))
           .Sub(9, Message().Bytes(1, "long").Sub(2, Message().Sub(5, one_long)))
           .Sub(
               9,
               Message().Bytes(1, "bytes").Sub(2, Message().Bytes(7, std::string(5000, '\xff'))))});
  const auto decoded = Decode(body, limits);
  ASSERT_TRUE(decoded);
  const Span span = decoded->batch.MakeSpan(0);
  EXPECT_TRUE(span.Has(model::kTruncated));
  for (const char* const key : {"items", "pairs", "long"}) {
    std::string bytes;
    model::EncodeAnyValue(*span.Find(key), bytes);
    EXPECT_LE(bytes.size(), 1000U) << key;
    EXPECT_GE(bytes.size(), 200U) << key;
  }
  EXPECT_EQ(*span.Find("items")->AsArray()->values[3].AsString(), "item 3");
  EXPECT_EQ(std::get<AttributeValue::Bytes>(span.Find("bytes")->value).data.size(), 1000U);
  // What was cut once is not cut again.
  const auto again = Decode(EncodeTraces(std::vector{span}, Encoding::kProtobuf), limits);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->batch.MakeSpan(0), span);
}

TEST(OtlpProtobuf, AMillionKeysOnOneSpanAreCutAndCounted) {
  Message span = MinimalSpan();
  for (int i = 0; i < 1'000'000; ++i) {
    span.Sub(9, Message().Bytes(1, "k" + std::to_string(i)).Sub(2, Message().Varint(3, 1)));
  }
  const auto decoded = Decode(RequestOf({span}));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->batch.MakeSpan(0).attributes.size(), 1000U);
  EXPECT_EQ(decoded->batch.dropped_attributes[0], 999'000U);
  EXPECT_EQ(decoded->batch.keys.size(), 1000U);
}

TEST(OtlpProtobuf, BodiesBeyondTheLimitAreRefusedUnread) {
  Limits limits;
  limits.body_bytes_max = 100;
  const auto decoded = Decode(VectorProtobuf(), limits);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, ErrorCode::kTooLarge);
}

TEST(OtlpProtobuf, RequestsThatSwellAreRefused) {
  // Empty links: 2 bytes on the wire, 48 in memory.
  std::string links;
  for (int i = 0; i < 1000; ++i) links += std::string("\x6a\x00", 2);
  const Message span = MinimalSpan().Raw(links);
  const auto decoded = Decode(RequestOf(std::vector<Message>(100, span)));
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, ErrorCode::kTooLarge);
}

TEST(OtlpProtobuf, RequestsBeyondTheMemoryOfABatchAreRefusedWhileDecoding) {
  Limits limits;
  limits.batch_bytes_max = 100'000;
  const std::string plain = RequestOf(std::vector<Message>(900, MinimalSpan()));
  std::string events;
  std::string links;
  for (int i = 0; i < 9'000; ++i) events += std::string("\x5a\x00", 2);
  for (int i = 0; i < 900; ++i) links += std::string("\x6a\x00", 2);
  for (const std::string& body : {plain, RequestOf({MinimalSpan().Raw(events)}),
                                  RequestOf(std::vector<Message>(3, MinimalSpan().Raw(links)))}) {
    const auto decoded = Decode(body, limits);
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().code, ErrorCode::kTooLarge);
    EXPECT_THAT(decoded.error().message, HasSubstr("more than 100000 bytes of memory"));
  }
  EXPECT_TRUE(Decode(RequestOf(std::vector<Message>(500, MinimalSpan())), limits));
}

TEST(OtlpProtobuf, EveryCutFailsOrGivesWholeSpans) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Rng rng(seed);
    const std::string body =
        seed == 0 ? VectorProtobuf() : EncodeTraces(RandomSpans(rng), Encoding::kProtobuf);
    for (std::size_t bytes = 0; bytes < body.size(); ++bytes) {
      const auto decoded = Decode(std::string_view(body).substr(0, bytes));
      if (decoded) {
        EXPECT_TRUE(decoded->batch.SameSpans(decoded->batch));
      } else {
        EXPECT_EQ(decoded.error().code, ErrorCode::kCorruption) << decoded.error().message;
      }
      // The vector is one message: no proper prefix of it is whole.
      if (seed == 0 && bytes > 0) {
        EXPECT_FALSE(decoded) << bytes;
      }
    }
  }
}

TEST(OtlpProtobuf, FlippedBytesNeverCrash) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Rng rng(seed);
    const std::string body = EncodeTraces(RandomSpans(rng), Encoding::kProtobuf);
    if (body.empty()) continue;
    for (int i = 0; i < 30; ++i) {
      std::string broken = body;
      for (std::uint64_t flips = 1 + rng.Below(4); flips > 0; --flips) {
        broken[rng.Below(broken.size())] ^= static_cast<char>(1 << rng.Below(8));
      }
      const auto decoded = Decode(broken);
      if (!decoded) continue;
      // Whatever was accepted can be read, written and read again.
      std::vector<Span> spans;
      for (std::uint32_t s = 0; s < decoded->batch.size(); ++s) {
        spans.push_back(decoded->batch.MakeSpan(s));
      }
      EXPECT_TRUE(Decode(EncodeTraces(spans, Encoding::kProtobuf))) << seed;
      EXPECT_TRUE(DecodeTraces(EncodeTraces(spans, Encoding::kJson), Encoding::kJson, {})) << seed;
    }
  }
}

}  // namespace
}  // namespace fluoro::codec::otlp
