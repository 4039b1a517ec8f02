#include "codec/xray/encode.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <memory>

#include "codec/xray/test_support.h"
#include "model/assembly.h"
#include "model/testing.h"

namespace fluoro::codec::xray {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kMinimal =
    R"({"name":"example.com","id":"70de5b6f19ff9a0a","start_time":1.478293361271E9,)"
    R"("trace_id":"1-581cf771-a006649127e371903a2de979","end_time":1.478293361449E9})";
constexpr std::string_view kIndependent =
    R"({"name":"api","id":"53995c3f42cd8ad8","start_time":1,"end_time":2,"type":"subsegment",)"
    R"("trace_id":"1-581cf771-a006649127e371903a2de979","parent_id":"70de5b6f19ff9a0a","namespace":"remote",)"
    R"("http":{"request":{"url":"https://api/health","method":"GET"},"response":{"status":200}}})";

std::vector<SegmentDocument> RoundTrip(const std::vector<std::string>& documents,
                                       const EncodeOptions& options = {}) {
  Decoded decoded = Decode(documents);
  EXPECT_THAT(decoded.unprocessed, testing::IsEmpty());
  auto trace = std::make_shared<model::Trace>();
  trace->spans = std::move(decoded.spans);
  if (!trace->spans.empty()) trace->id = trace->spans[0].trace_id;
  model::Deduplicate(trace->spans);
  return EncodeSegments(model::Assemble(trace), options);
}

TEST(EncodeSegments, GivesBackTheMinimalSegment) {
  const auto entries = RoundTrip({std::string(kMinimal)});
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].id, "70de5b6f19ff9a0a");
  EXPECT_EQ(JsonDifference(entries[0].document, kMinimal), "");
}

TEST(EncodeSegments, NestsAnIndependentSubsegmentWithoutItsPlaceAndInfersItsCallee) {
  // The subsegment comes before its parent.
  const auto entries = RoundTrip({std::string(kIndependent), std::string(kMinimal)});
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(
      JsonDifference(
          entries[0].document,
          R"({"name":"example.com","id":"70de5b6f19ff9a0a","start_time":1478293361.271,)"
          R"("trace_id":"1-581cf771-a006649127e371903a2de979","end_time":1478293361.449,"subsegments":[)"
          R"({"name":"api","id":"53995c3f42cd8ad8","start_time":1,"end_time":2,"namespace":"remote",)"
          R"("http":{"request":{"url":"https://api/health","method":"GET"},"response":{"status":200}}}]})"),
      "");
  EXPECT_EQ(
      JsonDifference(
          entries[1].document,
          R"({"id":")" + entries[1].id +
              R"(","name":"api","start_time":1,"end_time":2,"parent_id":"53995c3f42cd8ad8",)"
              R"("inferred":true,"trace_id":"1-581cf771-a006649127e371903a2de979",)"
              R"("http":{"request":{"url":"https://api/health","method":"GET"},"response":{"status":200}}})"),
      "");
  EXPECT_EQ(RoundTrip({std::string(kMinimal), std::string(kIndependent)})[1].id, entries[1].id);
  EXPECT_EQ(
      RoundTrip({std::string(kMinimal), std::string(kIndependent)}, {.inferred = false}).size(),
      1U);
}

TEST(EncodeSegments, WritesTimesWithoutExponents) {
  const auto entries = RoundTrip(
      {R"({"name":"a","id":"70de5b6f19ff9a0a","start_time":1.478293361271E9,"end_time":1.4782933614490001e+9,)"
       R"("trace_id":"1-581cf771-a006649127e371903a2de979","annotations":{"end_time":2e3},"subsegments":[)"
       R"({"name":"b","id":"53995c3f42cd8ad8","start_time":14782933613E-1,"end_time":1478293361.350,)"
       R"("namespace":"remote"}]})"});
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(
      entries[0].document,
      R"({"name":"a","id":"70de5b6f19ff9a0a","start_time":1478293361.271,"end_time":1478293361.4490001,)"
      R"("trace_id":"1-581cf771-a006649127e371903a2de979","annotations":{"end_time":2e3},"subsegments":[)"
      R"({"name":"b","id":"53995c3f42cd8ad8","start_time":1478293361.3,"end_time":1478293361.350,)"
      R"("namespace":"remote"}]})");
  EXPECT_NE(entries[1].document.find(R"("start_time":1478293361.3,"end_time":1478293361.350,)"),
            std::string::npos)
      << entries[1].document;
}

TEST(EncodeSegments, KeepsOrphansAsEntriesOfTheirOwn) {
  const auto entries = RoundTrip({std::string(kIndependent)}, {.inferred = false});
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].document, kIndependent);
}

TEST(EncodeSegments, InProgressGivesWayToTheCompleteDocument) {
  std::string open(kMinimal);
  open.replace(open.find(R"("end_time":1.478293361449E9)"), 27, R"("in_progress":true)");
  for (const auto& documents :
       {std::vector{open, std::string(kMinimal)}, std::vector{std::string(kMinimal), open}}) {
    const auto entries = RoundTrip(documents);
    ASSERT_EQ(entries.size(), 1U);
    EXPECT_EQ(JsonDifference(entries[0].document, kMinimal), "");
  }
}

std::string InferredOrigin(std::string_view members) {
  const auto entries = RoundTrip(
      {std::string(kMinimal),
       R"({"id":"53995c3f42cd8ad8","start_time":1.25,"end_time":2,"type":"subsegment","namespace":"aws",)"
       R"("trace_id":"1-581cf771-a006649127e371903a2de979","parent_id":"70de5b6f19ff9a0a",)" +
           std::string(members) + "}"});
  EXPECT_EQ(entries.size(), 2U);
  if (entries.size() != 2) return "";
  EXPECT_THAT(entries[1].document, HasSubstr(R"("inferred":true)"));
  EXPECT_THAT(entries[1].document, Not(HasSubstr("namespace")));
  EXPECT_THAT(entries[1].document, HasSubstr(R"("start_time":1.25,"end_time":2)"));
  const std::size_t origin = entries[1].document.find(R"("origin":")");
  if (origin == std::string::npos) return "none";
  const std::size_t begin = origin + 10;
  return entries[1].document.substr(begin, entries[1].document.find('"', begin) - begin);
}

TEST(EncodeSegments, NamesTheResourceOfAnInferredSegment) {
  EXPECT_EQ(InferredOrigin(R"("name":"DynamoDB","aws":{"table_name":"t"})"),
            "AWS::DynamoDB::Table");
  EXPECT_EQ(InferredOrigin(R"("name":"SQS","aws":{"queue_url":"https://q"})"), "AWS::SQS::Queue");
  EXPECT_EQ(InferredOrigin(R"("name":"db@h","namespace":"remote","sql":{"url":"x"})"),
            "Database::SQL");
  EXPECT_EQ(InferredOrigin(R"("name":"api","namespace":"remote")"), "none");
}

TEST(EncodeSegments, CopiesTheCallIntoTheInferredSegment) {
  const auto entries = RoundTrip(
      {R"({"name":"a","id":"70de5b6f19ff9a0a","start_time":1,"end_time":2,"trace_id":"1-581cf771-a006649127e371903a2de979",)"
       R"("subsegments":[{"id":"53995c3f42cd8ad8","name":"DynamoDB","start_time":1.5,"in_progress":true,"namespace":"aws",)"
       R"("error":true,"throttle":true,"fault":false,"traced":false,"precursor_ids":["x"],"aws":{"table_name":"t","x":[1.0]},)"
       R"("cause":{"exceptions":[{"message":"m"}]},"annotations":{"a":1},"metadata":{"d":{}}}]})"});
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(
      JsonDifference(
          entries[1].document,
          R"({"id":")" + entries[1].id +
              R"(","name":"DynamoDB","start_time":1.5,"in_progress":true,"parent_id":"53995c3f42cd8ad8",)"
              R"("inferred":true,"error":true,"throttle":true,"fault":false,"aws":{"table_name":"t","x":[1.0]},)"
              R"("cause":{"exceptions":[{"message":"m"}]},"origin":"AWS::DynamoDB::Table",)"
              R"("trace_id":"1-581cf771-a006649127e371903a2de979"})"),
      "");
}

TEST(EncodeSegments, KeepsTheOrderOfEmbeddedSubsegments) {
  const std::string document =
      R"({"name":"a","id":"70de5b6f19ff9a0a","start_time":1,"end_time":9,"trace_id":"1-581cf771-a006649127e371903a2de979",)"
      R"("subsegments":[{"id":"0000000000000003","name":"late","start_time":5,"end_time":6},)"
      R"({"id":"0000000000000002","name":"early","start_time":2,"end_time":3,"subsegments":[)"
      R"({"id":"0000000000000004","name":"inner","start_time":2.5,"end_time":2.6}]}]})";
  const auto entries = RoundTrip({document});
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(JsonDifference(entries[0].document, document), "");
}

TEST(EncodeSegments, KeepsAnEmptyListOfSubsegmentsUntilThereAreSome) {
  std::string document(kMinimal);
  document.replace(0, 1, R"({"subsegments":[],)");
  EXPECT_EQ(JsonDifference(RoundTrip({document})[0].document, document), "");
  const auto entries = RoundTrip({document, std::string(kIndependent)});
  EXPECT_EQ(
      JsonDifference(entries[0].document,
                     RoundTrip({std::string(kMinimal), std::string(kIndependent)})[0].document),
      "");
  EXPECT_EQ(entries[0].document.find("subsegments"), entries[0].document.rfind("subsegments"));
}

TEST(EncodeSegments, SplitsChainsThatNestTooDeep) {
  std::vector<std::string> documents = {std::string(kMinimal)};
  std::string parent = "70de5b6f19ff9a0a";
  for (int i = 1; i <= 500; ++i) {
    std::string id = std::to_string(i);
    id.insert(0, 16 - id.size(), '0');
    documents.push_back(
        R"({"name":"s","id":")" + id +
        R"(","start_time":1478293361.3,"end_time":1478293361.4,"type":"subsegment",)"
        R"("trace_id":"1-581cf771-a006649127e371903a2de979","parent_id":")" +
        parent + "\"}");
    parent = id;
  }
  std::vector<std::string> again;
  for (const SegmentDocument& entry : RoundTrip(documents)) {
    EXPECT_EQ(JsonDifference(entry.document, entry.document), "");
    again.push_back(entry.document);
  }
  EXPECT_GT(again.size(), 5U);
  EXPECT_EQ(Decode(again).spans.size(), 501U);
}

TEST(EncodeSegments, SentInferredSegmentsComeBackInExportsToo) {
  const std::string document =
      R"({"id":"168416dc2ea97781","name":"n","trace_id":"1-62be1272-1b71c4274f39f122afa64eab","start_time":1,)"
      R"("end_time":2,"parent_id":"004f72be19cddc2a","inferred":true})";
  const auto entries = RoundTrip({document}, {.inferred = false});
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].document, document);
}

// The input as it must come back: what the decoder repairs is repaired.
void ExpectSampleComesBack(const std::filesystem::path& file) {
  const std::string text = ReadFile(file);
  const Decoded decoded = Decode({text});
  if (!decoded.unprocessed.empty()) return;
  const auto entries = RoundTrip({text}, {.inferred = false});
  ASSERT_EQ(entries.size(), 1U) << file;
  EXPECT_EQ(JsonDifference(entries[0].document, text), "") << file;
  EXPECT_THAT(entries[0].document, Not(HasSubstr("\n"))) << file;
}

TEST(EncodeSegments, SharedSamplesComeBackFieldByField) {
  const std::filesystem::path folder = "../shared/data/xray/segments";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no shared data: xray/segments";
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    ExpectSampleComesBack(entry.path());
}

TEST(EncodeSegments, OwnSamplesComeBackFieldByField) {
  for (const auto& entry :
       std::filesystem::directory_iterator("src/codec/xray/testdata/segments")) {
    if (entry.path().filename() != "stream-array.json") ExpectSampleComesBack(entry.path());
  }
}

TEST(EncodeSegments, StreamedSubsegmentsNestInEachOther) {
  const auto entries = RoundTrip({ReadFile("src/codec/xray/testdata/segments/stream-array.json")});
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(
      JsonDifference(
          entries[0].document,
          R"({"name":"step 1","id":"8b2c3d4e5f607182","start_time":1700000008.1,"end_time":1700000008.2,)"
          R"("type":"subsegment","trace_id":"1-6553f108-8a1b2c3d4e5f60718293a4b5",)"
          R"("parent_id":"8b2c3d4e5f607100","precursor_ids":[],"subsegments":[{"name":"step 2",)"
          R"("id":"8b2c3d4e5f607183","start_time":1700000008.2,"in_progress":true,)"
          R"("precursor_ids":["8b2c3d4e5f607182"]}]})"),
      "");
}

TEST(EncodeSegments, ResolvesNothingButKeepsEveryCause) {
  // Both forms of reference name the exception or subsegment that holds it; documents come back
  // untouched.
  for (const std::string_view cause :
       {"\"3e9e11e3ab3fba60\"", R"({"id":"53995c3f42cd8ad8","exceptions":[]})"}) {
    const std::string document =
        R"({"name":"a","id":"70de5b6f19ff9a0a","start_time":1,"end_time":2,"fault":true,"cause":)" +
        std::string(cause) +
        R"(,"trace_id":"1-581cf771-a006649127e371903a2de979","subsegments":[{"id":"53995c3f42cd8ad8","name":"b",)"
        R"("start_time":1,"end_time":2,"cause":{"exceptions":[{"id":"3e9e11e3ab3fba60","message":"m"}]}}]})";
    const auto entries = RoundTrip({document});
    ASSERT_EQ(entries.size(), 1U);
    EXPECT_EQ(JsonDifference(entries[0].document, document), "");
  }
}

TEST(EncodeSegments, MoreAnnotationsStandBeforeTheSpansOwn) {
  model::Span sent = model::testing::XRaySegment(2, "web").Parent(1).Between(0, 50);
  sent.document = R"({"id":"0000000000000002","name":"web","start_time":0,"end_time":0.05})";
  const auto trace =
      model::testing::AssembleSpans({model::testing::OtelSpan(1, model::SpanKind::kServer, "GET /")
                                         .Between(0, 100)
                                         .Annotate("model", "own")
                                         .Annotate("user_key", 1),
                                     sent});
  const auto documents =
      EncodeSegments(trace, {.annotations = [](const model::Entity&) {
                       return std::vector<model::KeyValue>{{"step_kind", {std::string("llm")}},
                                                           {"model", {std::string("m")}}};
                     }});
  ASSERT_EQ(documents.size(), 2U);
  EXPECT_THAT(
      documents[0].document,
      ::testing::HasSubstr(R"("annotations":{"step_kind":"llm","model":"m","user_key":1})"));
  EXPECT_THAT(documents[1].document, ::testing::Not(::testing::HasSubstr("step_kind")))
      << "documents come back as they were sent";
}

}  // namespace
}  // namespace fluoro::codec::xray
