#include "codec/xray/decode.h"

#include <gmock/gmock.h>

#include "codec/xray/test_support.h"

namespace fluoro::codec::xray {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kMinimal =
    R"({"name":"example.com","id":"70de5b6f19ff9a0a","start_time":1.478293361271E9,)"
    R"("trace_id":"1-581cf771-a006649127e371903a2de979","end_time":1.478293361449E9})";
constexpr std::string_view kIndependent =
    R"({"name":"api","id":"53995c3f42cd8ad8","start_time":1,"end_time":2,"type":"subsegment",)"
    R"("trace_id":"1-581cf771-a006649127e371903a2de979","parent_id":"70de5b6f19ff9a0a","namespace":"remote",)"
    R"("http":{"request":{"url":"https://api/health","method":"GET"},"response":{"status":200}}})";

std::string Segment(std::string_view more) {
  return R"({"name":"a","id":"70de5b6f19ff9a0a","trace_id":"1-581cf771-a006649127e371903a2de979",)"
         R"("start_time":1,"end_time":2,)" +
         std::string(more) + "}";
}

TEST(DecodeDocument, AcceptsTheMinimalSegment) {
  const Decoded d = Decode({std::string(kMinimal)});
  ASSERT_THAT(d.unprocessed, testing::IsEmpty());
  ASSERT_EQ(d.spans.size(), 1U);
  const model::Span& span = d.spans[0];
  EXPECT_EQ(span.name, "example.com");
  EXPECT_EQ(span.trace_id.ToXRay(), "1-581cf771-a006649127e371903a2de979");
  EXPECT_EQ(span.span_id.ToHex(), "70de5b6f19ff9a0a");
  EXPECT_TRUE(span.parent_id.IsZero());
  EXPECT_EQ(span.start_ns, 1478293361271000000);
  EXPECT_EQ(span.end_ns, 1478293361449000000);
  EXPECT_EQ(span.flags, model::kSegment);
  EXPECT_EQ(span.kind, model::SpanKind::kServer);
  EXPECT_EQ(span.source, model::SpanSource::kXRay);
  EXPECT_EQ(span.service(), "example.com");
  EXPECT_EQ(span.document, kMinimal);
  EXPECT_EQ(d.stats.spans, 1U);
}

TEST(DecodeDocument, AcceptsIndependentSubsegments) {
  const Decoded d = Decode({std::string(kIndependent)});
  ASSERT_EQ(d.spans.size(), 1U);
  const model::Span& span = d.spans[0];
  EXPECT_EQ(span.flags, model::kSubsegment | model::kIndependent);
  EXPECT_EQ(span.kind, model::SpanKind::kClient);
  EXPECT_EQ(span.parent_id.ToHex(), "70de5b6f19ff9a0a");
  EXPECT_EQ(span.service(), "");
  EXPECT_EQ(Show(span.Find("aws.xray.namespace")), "remote");
  EXPECT_EQ(Show(span.Find("url.full")), "https://api/health");
  EXPECT_EQ(Show(span.Find("http.request.method")), "GET");
  EXPECT_EQ(Show(span.Find("http.response.status_code")), "200");
}

TEST(DecodeDocument, AcceptsInProgressDocuments) {
  const struct {
    std::string_view members;
    bool in_progress;
  } cases[] = {
      {R"("in_progress":true)", true},
      {R"("in_progress":true,"end_time":2)", true},  // .NET
      {R"("in_progress":false,"end_time":2)", false},
      {R"("in_progress":null,"end_time":"2")", false},
  };
  for (const auto& c : cases) {
    const Decoded d = Decode(
        {R"({"name":"a","id":"70de5b6f19ff9a0a","trace_id":"1-581cf771-a006649127e371903a2de979",)"
         R"("start_time":1,)" +
         std::string(c.members) + "}"});
    ASSERT_EQ(d.spans.size(), 1U) << c.members;
    EXPECT_EQ(d.spans[0].Has(model::kInProgress), c.in_progress) << c.members;
    EXPECT_EQ(d.spans[0].end_ns, c.in_progress ? 1'000'000'000 : 2'000'000'000) << c.members;
  }
}

struct Refused {
  std::string_view code;
  std::string_view where;  // part of the message
  std::string document;
  std::optional<std::string> id = "70de5b6f19ff9a0a";
  std::string_view prefix = "Invalid segment. ErrorCode: ";
};

// The fields of a good subsegment, from which one is taken or changed.
std::string With(std::string_view name, std::string_view value, bool subsegment = false) {
  std::vector<std::pair<std::string, std::string>> members = {
      {"id", "\"70de5b6f19ff9a0a\""},
      {"trace_id", "\"1-581cf771-a006649127e371903a2de979\""},
      {"name", "\"a\""},
      {"start_time", "1"},
      {"end_time", "2"}};
  if (subsegment) {
    members.emplace_back("type", "\"subsegment\"");
    members.emplace_back("parent_id", "\"53995c3f42cd8ad8\"");
  }
  std::string out = "{";
  for (const auto& [key, good] : members) {
    const std::string_view text = key == name ? value : std::string_view(good);
    if (text.empty()) continue;
    out += (out.size() > 1 ? ",\"" : "\"") + key + "\":" + std::string(text);
  }
  return out + "}";
}

std::vector<Refused> RefusedDocuments() {
  constexpr std::string_view kSub = "Invalid subsegment. ErrorCode: ";
  std::vector<Refused> cases = {
      {"ParseError", "byte 0: a value wanted", "", std::nullopt},
      {"ParseError", "byte 0: a value wanted", "hello", std::nullopt},
      {"ParseError", "an object or an array of objects wanted", "\"text\"", std::nullopt},
      {"ParseError", "an object or an array of objects wanted", "12", std::nullopt},
      {"ParseError", "byte 31: ',' or '}' wanted", R"({"id":"70de5b6f19ff9a0a","a":1 "b":2})"},
      {"ParseError", "[1] at byte ", "[" + With("", "") + ",7]", std::nullopt},
      {"MissingId", "the array is empty", "[]", std::nullopt},
      {"MissingId", "at byte 0: no `id`", With("id", ""), std::nullopt},
      {"MissingId", "no `id`", With("id", "null"), std::nullopt},
      {"MissingId", "no `id`", With("id", "\"\""), std::nullopt},
      {"InvalidId", "id at byte 6: 16 hex digits", With("id", "\"70de5b6f19ff9a0\""),
       "70de5b6f19ff9a0"},
      {"InvalidId", "16 hex digits", With("id", "\"70de5b6f19ff9a0g\""), "70de5b6f19ff9a0g"},
      {"InvalidId", "16 hex digits", With("id", "\"0000000000000000\""), "0000000000000000"},
      {"InvalidId", "16 hex digits", With("id", "{}"), std::nullopt},
      {"MissingTraceId", "no `trace_id`", With("trace_id", "")},
      {"InvalidTraceId",
       "trace_id at byte 36: ", With("trace_id", "\"1-581cf771-a006649127e371903a2de97\"")},
      {"InvalidTraceId", "trace_id at byte ",
       With("trace_id", "\"2-581cf771-a006649127e371903a2de979\"")},
      {"InvalidTraceId", "trace_id at byte ",
       With("trace_id", "\"1-5880168b-fd515828bs07678a3bb5a78c\"")},
      {"InvalidTraceId", "not all zero",
       With("trace_id", "\"1-00000000-000000000000000000000000\"")},
      {"InvalidTraceId", "trace_id at byte ", With("trace_id", "7")},
      {"MissingParentId", "no `parent_id`", With("parent_id", "", true), "70de5b6f19ff9a0a", kSub},
      {"InvalidParentId", "parent_id at byte ", With("parent_id", "\"xyz\"", true),
       "70de5b6f19ff9a0a", kSub},
      {"MissingName", "no `name`", With("name", "")},
      {"MissingName", "no `name`", With("name", "\"\"")},
      {"InvalidName", "name at byte ", With("name", "\"?*!\"")},
      {"InvalidName", "name at byte ", With("name", "[1]")},
      {"MissingStartTime", "no `start_time`", With("start_time", "")},
      {"InvalidStartTime", "start_time at byte ", With("start_time", "\"soon\"")},
      {"InvalidStartTime", "start_time at byte ", With("start_time", "1e30")},
      {"MissingStartTime", "no `start_time`", With("start_time", "NaN")},
      {"MissingEndTime", "neither `end_time` nor `in_progress`", With("end_time", "")},
      {"MissingEndTime", "neither `end_time` nor `in_progress`", With("end_time", "", true),
       "70de5b6f19ff9a0a", kSub},
      {"InvalidEndTime", "end_time at byte ", With("end_time", "{}")},
  };
  return cases;
}

TEST(DecodeDocument, RefusesBadDocumentsWithCodeIdAndPlace) {
  for (const Refused& c : RefusedDocuments()) {
    const Decoded d = Decode({c.document});
    ASSERT_EQ(d.unprocessed.size(), 1U) << c.document;
    EXPECT_EQ(d.unprocessed[0].error_code, c.code) << c.document << "\n"
                                                   << d.unprocessed[0].message;
    EXPECT_EQ(d.unprocessed[0].id, c.id) << c.document;
    EXPECT_THAT(d.unprocessed[0].message,
                StartsWith(std::string(c.prefix) + std::string(c.code) + ", Cause: "));
    EXPECT_THAT(d.unprocessed[0].message, HasSubstr(c.where)) << c.document;
    EXPECT_EQ(d.stats.rejected_spans, 1U);
  }
}

TEST(DecodeDocument, ReportsTheFirstFaultOnly) {
  // Each document is better than the one before; the order of checks is fixed.
  const std::pair<std::string_view, std::string_view> steps[] = {
      {R"({"type":"subsegment"})", "MissingId"},
      {R"({"type":"subsegment","id":"x"})", "InvalidId"},
      {R"({"type":"subsegment","id":"70de5b6f19ff9a0a"})", "MissingTraceId"},
      {R"({"type":"subsegment","id":"70de5b6f19ff9a0a","trace_id":"1"})", "InvalidTraceId"},
      {R"({"type":"subsegment","id":"70de5b6f19ff9a0a","trace_id":"4efaaf4d1e8720b39541901950019ee5"})",
       "MissingParentId"},
      {R"({"id":"70de5b6f19ff9a0a","trace_id":"4efaaf4d1e8720b39541901950019ee5"})", "MissingName"},
      {R"({"id":"70de5b6f19ff9a0a","trace_id":"4efaaf4d1e8720b39541901950019ee5","name":"a"})",
       "MissingStartTime"},
      {R"({"id":"70de5b6f19ff9a0a","trace_id":"4efaaf4d1e8720b39541901950019ee5","name":"a","start_time":1})",
       "MissingEndTime"},
  };
  for (const auto& [document, code] : steps) {
    const Decoded d = Decode({std::string(document)});
    ASSERT_EQ(d.unprocessed.size(), 1U);
    EXPECT_EQ(d.unprocessed[0].error_code, code) << document;
  }
}

TEST(DecodeDocument, RefusesEverySubsetOfBadDocumentsAndKeepsTheRest) {
  const std::vector<Refused> bad = RefusedDocuments();
  for (unsigned subset = 0; subset < 256; ++subset) {
    std::vector<std::string> documents;
    std::vector<std::string_view> codes;
    std::vector<std::string> good_ids;
    for (unsigned i = 0; i < 8; ++i) {
      const std::string id = "00000000000000a" + std::to_string(i);
      if ((subset >> i & 1U) != 0) {
        const Refused& c = bad[(subset * 7 + i * 4) % bad.size()];
        documents.push_back(c.document);
        codes.push_back(c.code);
      } else {
        documents.push_back(With("id", "\"" + id + "\""));
        good_ids.push_back(id);
      }
    }
    const Decoded d = Decode(documents);
    ASSERT_EQ(d.unprocessed.size(), codes.size()) << subset;
    for (std::size_t i = 0; i < codes.size(); ++i) EXPECT_EQ(d.unprocessed[i].error_code, codes[i]);
    // The array document among the bad ones holds one good element, of an id of its own.
    std::size_t found_count = 0;
    for (const std::string& id : good_ids) found_count += d.Find(id) != nullptr ? 1U : 0U;
    EXPECT_EQ(found_count, good_ids.size()) << subset;
  }
}

TEST(DecodeDocument, LeavesTheBatchAsItWasWhenItRefuses) {
  Decoded before = Decode({std::string(kMinimal), std::string(kIndependent)});
  const model::SpanBatch::Mark mark = before.batch.MarkHere();
  std::string deep =
      R"({"id":"53995c3f42cd8ad8","name":"b","start_time":1,"end_time":2,"annotations":{"new_key":1}})";
  for (int i = 0; i < 70; ++i) {
    deep = R"({"id":"53995c3f42cd8ad8","name":"b","start_time":1,"end_time":2,"subsegments":[)" +
           deep + "]}";
  }
  for (const std::string& document :
       {Segment(R"("subsegments":[)" + deep + "]"), With("name", "\"?\""), std::string("[")}) {
    DecodeDocument(document, {}, before.batch, before.unprocessed, before.stats);
    const model::SpanBatch::Mark after = before.batch.MarkHere();
    EXPECT_EQ(after.spans, mark.spans);
    EXPECT_EQ(after.resources, mark.resources);
    EXPECT_EQ(after.attributes, mark.attributes);
    EXPECT_EQ(after.keys, mark.keys);
    EXPECT_EQ(after.arena_bytes, mark.arena_bytes);
  }
  EXPECT_EQ(before.unprocessed.size(), 3U);
  EXPECT_EQ(before.stats.spans, 2U);
  Decoded fresh = Decode({std::string(kMinimal), std::string(kIndependent)});
  EXPECT_TRUE(before.batch.SameSpans(fresh.batch));
}

TEST(DecodeDocument, ChecksTheSizeBeforeParsing) {
  std::string document =
      Segment(R"("metadata":{"default":{"x":")" + std::string(70'000, 'x') + "\"}}");
  Decoded d = Decode({document});
  ASSERT_EQ(d.unprocessed.size(), 1U);
  EXPECT_EQ(d.unprocessed[0].error_code, "DocumentTooLarge");
  EXPECT_EQ(d.unprocessed[0].id, "70de5b6f19ff9a0a");
  EXPECT_THAT(d.unprocessed[0].message, HasSubstr("at most 65536 are taken"));
  model::Limits wide;
  wide.document_bytes_max = document.size();
  EXPECT_EQ(Decode({document}, wide).spans.size(), 1U);
  // Only the outermost object's id counts.
  document =
      R"({"subsegments":[{"id":"53995c3f42cd8ad8"}],"x":")" + std::string(70'000, 'x') + "\"}";
  d = Decode({document});
  EXPECT_EQ(d.unprocessed[0].id, std::nullopt);
}

TEST(DecodeDocument, RefusesStartTimesOutsideTheAcceptedAge) {
  model::Limits limits;
  limits.start_ns_min = 1478293361271000000;
  limits.start_ns_max = 1478293361271000000;
  EXPECT_EQ(Decode({std::string(kMinimal)}, limits).spans.size(), 1U);
  ++limits.start_ns_min;
  Decoded d = Decode({std::string(kMinimal)}, limits);
  ASSERT_EQ(d.unprocessed.size(), 1U);
  EXPECT_EQ(d.unprocessed[0].error_code, "InvalidStartTime");
  EXPECT_THAT(d.unprocessed[0].message,
              HasSubstr("start_time at byte 59: 1478293361.271 is outside"));
  limits.start_ns_min = INT64_MIN;
  --limits.start_ns_max;
  EXPECT_EQ(Decode({std::string(kMinimal)}, limits).unprocessed.size(), 1U);
}

TEST(DecodeDocument, TakesArraysItemByItem) {
  const Decoded d =
      Decode({"[" + std::string(kIndependent) + ",{\"id\":\"x\"}," + std::string(kMinimal) + "]"});
  EXPECT_EQ(d.spans.size(), 2U);
  ASSERT_EQ(d.unprocessed.size(), 1U);
  EXPECT_EQ(d.unprocessed[0].error_code, "InvalidId");
  EXPECT_THAT(d.unprocessed[0].message, HasSubstr("Cause: [1].id at byte "));
}

TEST(DecodeDocument, BoundsTheAnswerToAnArrayOfBadItems) {
  std::string document = "[1";
  for (int i = 0; i < 20'000; ++i) document += ",{}";
  const Decoded d = Decode({document + "]"});
  EXPECT_EQ(d.unprocessed.size(), 100U);
  EXPECT_THAT(d.unprocessed.back().message, HasSubstr("19901 more"));
  EXPECT_EQ(d.stats.rejected_spans, 20'001U);
}

std::string Nested(int levels) {
  std::string inner;
  for (int i = levels; i > 0; --i) {
    std::string id = std::to_string(i);
    id.insert(0, 16 - id.size(), '0');
    inner = R"({"id":")" + id + R"(","name":"s","start_time":1,"end_time":2)" +
            (inner.empty() ? "" : ",\"subsegments\":[" + inner + "]") + "}";
  }
  return Segment("\"subsegments\":[" + inner + "]");
}

TEST(DecodeDocument, FlattensSubsegmentsToSpansOfTheirOwn) {
  const Decoded d = Decode({Nested(64)});
  ASSERT_EQ(d.spans.size(), 65U);
  for (std::size_t i = 1; i < 65; ++i) {
    EXPECT_EQ(d.spans[i].parent_id, d.spans[i - 1].span_id);
    EXPECT_EQ(d.spans[i].flags, model::kSubsegment);
    EXPECT_EQ(d.spans[i].trace_id, d.spans[0].trace_id);
    EXPECT_EQ(d.batch.resources[i], d.batch.resources[0]);
    EXPECT_THAT(d.spans[i].document, testing::Not(HasSubstr("subsegments")));
  }
  EXPECT_EQ(d.batch.resource_rows.size(), 1U);
}

TEST(DecodeDocument, RefusesWhatNestsDeeperThan64Levels) {
  for (const int levels : {65, 100, 400}) {
    const Decoded d = Decode({Nested(levels)});
    EXPECT_EQ(d.spans.size(), 0U);
    ASSERT_EQ(d.unprocessed.size(), 1U) << levels;
    EXPECT_EQ(d.unprocessed[0].error_code, "ParseError");
    EXPECT_THAT(d.unprocessed[0].message, HasSubstr("64 levels"));
  }
  model::Limits limits;
  limits.document_bytes_max = std::size_t{64} << 20;
  for (const std::size_t levels : {10UL, 64UL, 65UL, 1'000UL, 100'000UL, 1'000'000UL}) {
    for (const std::string& open : {std::string("["), std::string("{\"a\":")}) {
      std::string value;
      for (std::size_t i = 0; i < levels; ++i) value += open;
      value += "1";
      for (std::size_t i = 0; i < levels; ++i) value += open == "[" ? ']' : '}';
      const Decoded member = Decode({Segment("\"metadata\":" + value)}, limits);
      EXPECT_EQ(member.spans.size(), levels <= 64 ? 1U : 0U) << levels;
      if (levels > 64) {
        EXPECT_THAT(member.unprocessed[0].message, HasSubstr("64 levels"));
        EXPECT_EQ(member.unprocessed[0].error_code, "ParseError");
      }
      const Decoded whole = Decode({value}, limits);
      ASSERT_EQ(whole.unprocessed.size(), 1U);
      EXPECT_EQ(whole.spans.size(), 0U);
    }
  }
}

TEST(DecodeDocument, LeavesOutBadSubsegmentsOnly) {
  const Decoded d = Decode({Segment(
      R"("subsegments":[7,null,{"id":"53995c3f42cd8ad8","name":"ok","start_time":1,"end_time":2},)"
      R"({"name":"no id","start_time":1,"end_time":2,"subsegments":[{"id":"53995c3f42cd8ad9","name":"in it","start_time":1}]},)"
      R"({"id":"53995c3f42cd8ada","name":"open","start_time":1}])")});
  EXPECT_THAT(d.unprocessed, testing::IsEmpty());
  EXPECT_EQ(d.spans.size(), 3U);
  EXPECT_EQ(d.stats.dropped_subsegments, 3U);
  ASSERT_NE(d.Find("53995c3f42cd8ada"), nullptr);
  EXPECT_TRUE(d.Find("53995c3f42cd8ada")->Has(model::kIncompleteEmbedded));
  EXPECT_TRUE(d.Find("53995c3f42cd8ada")->Has(model::kInProgress));
}

TEST(DecodeDocument, CutsSubsegmentsOutOfTheDocumentAndKeepsEveryOtherByte) {
  const Decoded d = Decode(
      {R"({"subsegments":[],"name":"a", "big":123456789012345678901234567890, "t":1.50,)"
       R"("id":"70de5b6f19ff9a0a","subsegments":[{"id":"53995c3f42cd8ad8","name":"b",)"
       R"("start_time":1,"end_time":2,"Dummy":false}],"trace_id":"4EFAAF4D1E8720B39541901950019EE5",)"
       R"("start_time":1.0,"end_time":2e0})"});
  ASSERT_EQ(d.spans.size(), 2U);
  EXPECT_EQ(d.spans[0].document,
            R"({"name":"a","big":123456789012345678901234567890,"t":1.50,"id":"70de5b6f19ff9a0a",)"
            R"("trace_id":"4EFAAF4D1E8720B39541901950019EE5","start_time":1.0,"end_time":2e0})");
  EXPECT_EQ(d.spans[1].document,
            R"({"id":"53995c3f42cd8ad8","name":"b","start_time":1,"end_time":2,"Dummy":false})");
  EXPECT_EQ(d.spans[0].trace_id.ToHex(), "4efaaf4d1e8720b39541901950019ee5");
}

TEST(DecodeDocument, AcceptsTraceIdsThatHoldNoTime) {
  EXPECT_EQ(Decode({With("trace_id", "\"1-4efaaf4d-1e8720b39541901950019ee5\"")}).spans.size(), 1U);
}

TEST(DecodeDocument, SharesEqualResourcesOfABatch) {
  const auto document = [](std::string_view id, std::string_view more) {
    return R"({"id":")" + std::string(id) +
           R"(","trace_id":"1-581cf771-a006649127e371903a2de979","start_time":1,"end_time":2,)" +
           std::string(more) + "}";
  };
  const std::string web = R"("name":"web","aws":{"ec2":{"instance_id":"i-1"}})";
  const std::vector<std::string> documents = {
      document("0000000000000001", web),
      document("0000000000000002", R"("name":"cart")"),
      document("no id", R"("name":"stock")"),  // refused: its resource goes again
      document("0000000000000003", web),
      document("0000000000000004", R"("name":"web","aws":{"ec2":{"instance_id":"i-2"}})"),
      document("0000000000000005", R"("name":"cart","origin":"AWS::EC2::Instance")"),
      document("0000000000000006", R"("name":"cart")"),
  };
  model::SpanBatch shared, alone;
  std::vector<Unprocessed> unprocessed;
  model::DecodeStats stats;
  DecodeScratch scratch;
  for (const std::string& text : documents) {
    DecodeDocument(text, {}, shared, unprocessed, stats, scratch);
    DecodeDocument(text, {}, alone, unprocessed, stats);
  }
  EXPECT_EQ(unprocessed.size(), 2U);
  EXPECT_EQ(shared.size(), 6U);
  EXPECT_EQ(shared.resource_rows.size(), 4U);
  EXPECT_TRUE(shared.SameSpans(alone));
}

TEST(DecodeDocument, HoldsHugeObjects) {
  model::Limits limits;
  limits.document_bytes_max = std::size_t{64} << 20;
  std::string annotations;
  for (int i = 0; i < 1'000'000; ++i)
    annotations += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":" + std::to_string(i);
  const Decoded d = Decode(
      {Segment("\"annotations\":{" + annotations + "},\"metadata\":{\"m\":{" + annotations + "}}")},
      limits);
  ASSERT_EQ(d.spans.size(), 1U);
  EXPECT_EQ(d.spans[0].attributes.size(), limits.attributes_max);
  EXPECT_EQ(d.spans[0].dropped_attributes, 1'000'000U - limits.attributes_max);
  EXPECT_GT(d.spans[0].document.size(), 20'000'000U);
}

}  // namespace
}  // namespace fluoro::codec::xray
