#include "model/span_batch.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "model/any_value.h"

namespace fluoro::model {
namespace {

AttributeValue RandomValue(Rng& rng, int depth) {
  switch (rng.Below(depth > 0 ? 8 : 6)) {
    case 0:
      return {};
    case 1:
      return {std::string(rng.Below(20), 'x')};
    case 2:
      return {rng.Chance(0.5)};
    case 3:
      return {static_cast<std::int64_t>(rng.Next())};
    case 4:
      return {rng.Unit() * 1e6};
    case 5:
      return {AttributeValue::Bytes{std::string("\0\xff", 2)}};
    case 6: {
      AttributeValue::Array array;
      for (std::uint64_t i = rng.Below(4); i > 0; --i)
        array.values.push_back(RandomValue(rng, depth - 1));
      return {array};
    }
    default: {
      AttributeValue::KvList list;
      for (std::uint64_t i = rng.Below(4); i > 0; --i)
        list.entries.push_back({"k" + std::to_string(i), RandomValue(rng, depth - 1)});
      return {list};
    }
  }
}

std::vector<Attribute> RandomAttributes(Rng& rng) {
  std::vector<Attribute> out;
  for (std::uint64_t i = rng.Below(6); i > 0; --i) {
    out.push_back({"key." + std::to_string(rng.Below(9)), RandomValue(rng, 3),
                   rng.Chance(0.3) ? AttributeRole::kAnnotation : AttributeRole::kPlain});
  }
  return out;
}

Span RandomSpan(Rng& rng) {
  Span span;
  span.trace_id.bytes[15] = static_cast<std::uint8_t>(1 + rng.Below(5));
  span.span_id.bytes[7] = static_cast<std::uint8_t>(1 + rng.Below(200));
  span.name = "name" + std::to_string(rng.Below(4));
  span.start_ns = static_cast<std::int64_t>(rng.Below(1'000'000));
  span.end_ns = span.start_ns + static_cast<std::int64_t>(rng.Below(1'000));
  span.kind = static_cast<SpanKind>(rng.Below(6));
  span.status_message = rng.Chance(0.2) ? "boom" : "";
  span.document = rng.Chance(0.2) ? "{}" : "";
  auto resource = std::make_shared<Resource>();
  resource->attributes.push_back(
      {"service.name", {"s" + std::to_string(rng.Below(3))}, AttributeRole::kPlain});
  span.resource = resource;
  span.scope = std::make_shared<const Scope>(Scope{
      .name = "scope", .version = {}, .attributes = {}, .dropped_attributes = 0, .schema_url = {}});
  span.attributes = RandomAttributes(rng);
  for (std::uint64_t i = rng.Below(3); i > 0; --i)
    span.events.push_back({7, "event", RandomAttributes(rng), 1});
  for (std::uint64_t i = rng.Below(2); i > 0; --i)
    span.links.push_back({span.trace_id, span.span_id, "a=b", RandomAttributes(rng), 2, 3});
  return span;
}

TEST(SpanBatch, GivesBackEverySpanAppended) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    SpanBatch batch;
    std::vector<Span> spans;
    for (std::uint64_t i = rng.Below(12); i > 0; --i) {
      spans.push_back(RandomSpan(rng));
      batch.AppendSpan(spans.back());
    }
    ASSERT_EQ(batch.size(), spans.size());
    SpanReader reader(batch);
    for (std::uint32_t i = 0; i < spans.size(); ++i) EXPECT_EQ(reader.Read(i), spans[i]);
  }
}

TEST(SpanBatch, RollbackLeavesNoTrace) {
  Rng rng(1);
  SpanBatch batch;
  batch.AppendSpan(RandomSpan(rng));
  SpanBatch expected = batch;
  const auto mark = batch.MarkHere();
  for (int i = 0; i < 5; ++i) batch.AppendSpan(RandomSpan(rng));
  batch.InternKey("only.here");
  batch.RollbackTo(mark);
  EXPECT_TRUE(batch.SameSpans(expected));
  EXPECT_EQ(batch.arena, expected.arena);
  EXPECT_EQ(batch.Key(batch.InternKey("only.here")), "only.here");
}

TEST(SpanBatch, InternedKeysMatchAMapThroughRollbacks) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    SpanBatch batch;
    std::vector<std::string> expected;
    std::vector<std::pair<SpanBatch::Mark, std::size_t>> marks;
    for (int step = 0; step < 2'000; ++step) {
      if (rng.Chance(0.05)) {
        marks.emplace_back(batch.MarkHere(), expected.size());
      } else if (rng.Chance(0.03) && !marks.empty()) {
        batch.RollbackTo(marks.back().first);
        expected.resize(marks.back().second);
        marks.pop_back();
      }
      const std::string key = "key." + std::to_string(rng.Below(700));
      const auto known = std::find(expected.begin(), expected.end(), key);
      const auto index = static_cast<std::uint32_t>(known - expected.begin());
      EXPECT_EQ(batch.FindKey(key), known == expected.end() ? std::nullopt : std::optional(index));
      if (known == expected.end()) expected.push_back(key);
      ASSERT_EQ(batch.InternKey(key), index);
      ASSERT_EQ(batch.Key(index), key);
    }
  }
}

TEST(AnyValue, RefusesTooDeepAndBrokenBytes) {
  AttributeValue deep;
  for (int i = 0; i < 100; ++i) deep = {AttributeValue::Array{{deep}}};
  std::string bytes;
  EncodeAnyValue(deep, bytes);
  EXPECT_EQ(DecodeAnyValue(bytes).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(DecodeAnyValue("\x0a\xff").error().code, ErrorCode::kCorruption);
}

TEST(TraceId, TakesBothFormsOfEitherCase) {
  const auto id = TraceId::Parse("1-5759E988-BD862E3FE1BE46A994272793");
  ASSERT_TRUE(id);
  EXPECT_EQ(id->ToXRay(), "1-5759e988-bd862e3fe1be46a994272793");
  EXPECT_EQ(TraceId::Parse("5759e988bd862e3fe1be46a994272793"), id);
  EXPECT_EQ(id->EpochSeconds(), 0x5759e988U);
  for (const char* bad :
       {"", "1-5759e988-bd862e3fe1be46a99427279", "2-5759e988-bd862e3fe1be46a994272793",
        "1-5759e98g-bd862e3fe1be46a994272793", "00000000000000000000000000000000"}) {
    EXPECT_FALSE(TraceId::Parse(bad)) << bad;
  }
}

}  // namespace
}  // namespace fluoro::model
