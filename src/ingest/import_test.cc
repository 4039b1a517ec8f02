#include "ingest/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fluoro::ingest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kSegment =
    R"({"name":"a","id":"70de5b6f19ff9a0a","start_time":1.5,"end_time":2,"trace_id":"1-581cf771-a006649127e371903a2de979"})";
constexpr std::string_view kOther =
    R"({"name":"b","id":"70de5b6f19ff9a0b","start_time":1.5,"end_time":2,"trace_id":"1-581cf771-a006649127e371903a2de979"})";

TEST(SplitJsonValues, TakesValuesOneAfterAnotherAndNothingInsideStrings) {
  EXPECT_THAT(SplitJsonValues(R"({"a":"}\"{"} [1,[2]]
{"b":1})"),
              ElementsAre(R"({"a":"}\"{"})", "[1,[2]]", R"({"b":1})"));
  EXPECT_THAT(SplitJsonValues("\xEF\xBB\xBF{} 12 \"x y\""), ElementsAre("{}", "12", "\"x y\""));
  EXPECT_THAT(SplitJsonValues("  \n"), ElementsAre());
  EXPECT_THAT(SplitJsonValues(R"({"torn":[1,)"), ElementsAre(R"({"torn":[1,)"));
  EXPECT_THAT(SplitJsonValues("}]"), ElementsAre("}", "]"));
}

TEST(DetectImportFormat, KnowsEachFormatByItsMembers) {
  const std::pair<std::string, ImportFormat> cases[] = {
      {R"({"resourceSpans":[]})", ImportFormat::kOtlpJson},
      {std::string(kSegment), ImportFormat::kXRay},
      {"[" + std::string(kSegment) + "]", ImportFormat::kXRay},
      {R"({"Traces":[{"Segments":[]}]})", ImportFormat::kXRay},
      {R"({"data":[{"traceID":"a"}]})", ImportFormat::kJaeger},
      {R"({"batches":[]})", ImportFormat::kOtlpJson},
      {R"({"traceID":"a","spans":[]})", ImportFormat::kJaeger},
      {R"([{"traceId":"a","id":"b"}])", ImportFormat::kZipkin},
      {R"([[{"traceId":"a","id":"b"}]])", ImportFormat::kZipkin},
      {"TraceID,SpanID,ParentID,PodName\n", ImportFormat::kCsv},
      {std::string("\x0a\x00", 2), ImportFormat::kOtlpProto}};
  for (const auto& [bytes, format] : cases) {
    const auto detected = DetectImportFormat(bytes);
    ASSERT_TRUE(detected) << bytes;
    EXPECT_EQ(*detected, format) << bytes;
    EXPECT_EQ(ParseImportFormat(ImportFormatName(*detected)), format);
  }
  for (const std::string bytes : {"", "   ", "hello", "[]", "{}", R"({"x":1})", "[[[[1]]]]"}) {
    EXPECT_FALSE(DetectImportFormat(bytes)) << bytes;
  }
  EXPECT_FALSE(DetectImportFormat(std::string(2'000'000, '[')));
  EXPECT_FALSE(ParseImportFormat("auto"));
}

TEST(DecodeImport, TakesXRayDocumentsInEveryWrapping) {
  const std::string quoted =
      R"("{\"name\":\"a\",\"id\":\"70de5b6f19ff9a0a\",\"start_time\":1.5,\"end_time\":2,)"
      R"(\"trace_id\":\"1-581cf771-a006649127e371903a2de979\"}")";
  const std::pair<std::string, std::size_t> cases[] = {
      {std::string(kSegment), 1},
      {std::string(kSegment) + "\n" + std::string(kOther) + "\n", 2},
      {"[" + std::string(kSegment) + " , " + std::string(kOther) + "]", 2},
      {R"({"TraceSegmentDocuments":[)" + quoted + "]}", 1},
      {R"({"Traces":[{"Id":"x","Segments":[{"Id":"y","Document":)" + quoted + "}]}]}", 1}};
  for (const auto& [bytes, spans] : cases) {
    const auto imported = DecodeImport(bytes, ImportFormat::kXRay, {});
    ASSERT_TRUE(imported) << bytes;
    EXPECT_EQ(imported->batch.size(), spans) << bytes;
    EXPECT_EQ(imported->refused, 0U) << bytes;
  }
}

TEST(DecodeImport, CountsWhatIsRefusedAndKeepsTheRest) {
  const auto imported =
      DecodeImport(std::string(kSegment) + "\n{\"name\":\"x\"}\n" + std::string(kOther),
                   ImportFormat::kXRay, {});
  ASSERT_TRUE(imported);
  EXPECT_EQ(imported->batch.size(), 2U);
  EXPECT_EQ(imported->refused, 1U);
  ASSERT_EQ(imported->problems.size(), 1U);
  EXPECT_THAT(imported->problems.front(), HasSubstr("MissingId"));
}

TEST(DecodeImport, JoinsJsonLinesAndNamesTheBadOne) {
  const std::string line =
      R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"4efaaf4d1e8720b39541901950019ee5","spanId":"53995c3f42cd8ad8","name":"x"}]}]}]})";
  const auto joined = DecodeImport(line + "\n" + line + "\n", ImportFormat::kOtlpJson, {});
  ASSERT_TRUE(joined);
  EXPECT_EQ(joined->batch.size(), 2U);
  EXPECT_EQ(joined->stats.spans, 2U);
  const auto broken = DecodeImport(line + "\n[}\n", ImportFormat::kOtlpJson, {});
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().message, HasSubstr("value 2"));
}

TEST(DetectImportFormat, LooksAtTheOuterMembersOnly) {
  const std::pair<std::string, ImportFormat> cases[] = {
      {R"( {"a":[{"traceID":1}],"resourceSpans":[]} {"data":1})", ImportFormat::kOtlpJson},
      {R"({"data" : []})", ImportFormat::kJaeger},
      {R"([ [{"id":"2","traceId":"1"}]])", ImportFormat::kZipkin},
      {"\xEF\xBB\xBF{\"trace_id\":\"1\"}", ImportFormat::kXRay},
      {R"({"note":"a \"quoted\" {brace","start_time":1)", ImportFormat::kXRay}};
  for (const auto& [text, format] : cases) {
    const auto detected = DetectImportFormat(text);
    ASSERT_TRUE(detected) << text;
    EXPECT_EQ(*detected, format) << text;
  }
}

TEST(DetectImportFormat, WhatIsNoneOfTheFormatsIsRefusedWithoutParsing) {
  for (const std::string& text :
       {std::string(), std::string("  \n"), std::string("]"), std::string("}"), std::string("1 2"),
        std::string("\"resourceSpans\":"), std::string("{\"x\":{\"resourceSpans\":[]}}"),
        std::string("{\"x\":\"resourceSpans\"}"), std::string("{\"data"), std::string("[[["),
        std::string(1'000'000, '['), std::string(1'000'000, '{')}) {
    const auto detected = DetectImportFormat(text);
    ASSERT_FALSE(detected) << text.substr(0, 40);
    EXPECT_EQ(detected.error().code, ErrorCode::kUnsupported);
  }
}

TEST(DecodeImport, RefusesWhatTakesMoreMemoryThanABatchMay) {
  model::Limits limits;
  limits.batch_bytes_max = 100;
  std::string lines;
  for (int i = 0; i < 3; ++i) lines += std::string(kSegment) + "\n";
  const auto imported = DecodeImport(lines, ImportFormat::kXRay, limits);
  ASSERT_FALSE(imported);
  EXPECT_EQ(imported.error().code, ErrorCode::kTooLarge);
  EXPECT_THAT(imported.error().message, HasSubstr("100 bytes of memory"));
}

TEST(DecodeImport, AnEnvelopeOfTooManyValuesIsNotParsed) {
  std::string envelope = R"({"TraceSegmentDocuments":["")";
  for (int i = 0; i < 1'000'001; ++i) envelope += ",1";
  const auto imported = DecodeImport(envelope + "]}", ImportFormat::kXRay, {});
  ASSERT_TRUE(imported);
  EXPECT_EQ(imported->refused, 1U) << "as a document that it is not";
}

}  // namespace
}  // namespace fluoro::ingest
