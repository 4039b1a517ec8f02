// The samples of the X-Ray guide and of real SDKs: testdata/segments holds own ones, the shared
// data folder more.
#include <gmock/gmock.h>

#include <filesystem>
#include <span>

#include "codec/xray/test_support.h"

namespace fluoro::codec::xray {
namespace {

struct Sample {
  std::string_view file;
  std::size_t spans_count;      // 0: refused
  std::string_view error_code;  // of the one refusal
  std::string_view where;       // part of its message
};

void Check(const std::filesystem::path& folder, std::span<const Sample> samples) {
  for (const Sample& sample : samples) {
    const std::string text = ReadFile(folder / sample.file);
    ASSERT_FALSE(text.empty()) << sample.file;
    const Decoded d = Decode({text});
    EXPECT_EQ(d.spans.size(), sample.spans_count) << sample.file;
    EXPECT_EQ(d.stats.dropped_subsegments, 0U) << sample.file;
    ASSERT_EQ(d.unprocessed.size(), sample.error_code.empty() ? 0U : 1U) << sample.file;
    if (sample.error_code.empty()) continue;
    EXPECT_EQ(d.unprocessed[0].error_code, sample.error_code) << sample.file;
    EXPECT_THAT(d.unprocessed[0].message, testing::HasSubstr(std::string(sample.where)))
        << sample.file;
  }
}

TEST(SegmentSamples, DecodeAsTheirTableSays) {
  static constexpr Sample kSamples[] = {
      {"awsdoc-segmentdocuments-01.json", 1, "", ""},
      {"awsdoc-segmentdocuments-02.json", 2, "", ""},
      {"awsdoc-segmentdocuments-03.json", 1, "", ""},
      {"awsdoc-segmentdocuments-04.json", 0, "ParseError",
       "byte 209: ',' or '}' wanted, found '\"'"},
      {"awsdoc-segmentdocuments-05.json", 0, "ParseError",
       "a member name in quotes wanted, found '}'"},
      {"awsdoc-segmentdocuments-06.json", 0, "MissingTraceId", "at byte 0: no `trace_id`"},
      {"awsdoc-segmentdocuments-07.json", 1, "", ""},
      {"awsdoc-segmentdocuments-08.json", 0, "ParseError",
       "a member name in quotes wanted, found '}'"},
      {"awsdoc-segmentdocuments-09.json", 0, "MissingTraceId", "at byte 0: no `trace_id`"},
      {"awsdoc-segmentdocuments-10.json", 0, "ParseError",
       "a member name in quotes wanted, found '}'"},
      {"awsdoc-segmentdocuments-11.json", 0, "MissingTraceId", "at byte 0: no `trace_id`"},
      {"awsdoc-sendingdata-01.json", 1, "", ""},
      {"awsdoc-sendingdata-02.json", 0, "ParseError",
       "a member name in quotes wanted, found byte 0xe2"},
      {"awsdoc-sendingdata-03.json", 0, "ParseError", "',' or '}' wanted, found byte 0xe2"},
      {"awsdoc-sendingdata-04.json", 0, "MissingId", "at byte 0: no `id`"},
      {"awsdoc-sendingdata-05.json", 0, "ParseError",
       "byte 32: end of the document wanted, found '\\'"},
      {"awsdoc-sendingdata-06.json", 0, "ParseError",
       "byte 33: end of the document wanted, found '{'"},
      {"contrib-awsValidAwsFields.json", 1, "", ""},
      {"contrib-ddbSample.json", 18, "", ""},
      {"contrib-indepSubsegment.json", 1, "", ""},
      {"contrib-indepSubsegmentWithSql.json", 1, "", ""},
      {"contrib-minCauseIsExceptionId.json", 1, "", ""},
      {"contrib-minInProgress.json", 1, "", ""},
      {"contrib-minOtherFields.json", 1, "", ""},
      {"contrib-serverSample.json", 1, "", ""},
  };
  const std::filesystem::path folder = "../shared/data/xray/segments";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no shared data: xray/segments";
  std::size_t files_count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files_count += entry.is_regular_file() ? 1U : 0U;
  EXPECT_EQ(files_count, std::size(kSamples));
  Check(folder, kSamples);
}

TEST(SegmentSamples, SendTheDatagramOfTheGuide) {
  const std::filesystem::path file = "../shared/data/xray/segments/awsdoc-sendingdata-06.json";
  if (!std::filesystem::exists(file))
    GTEST_SKIP() << "no shared data: xray/segments/awsdoc-sendingdata-06.json";
  const std::string datagram = ReadFile(file);
  const auto parsed = ParseDatagram(datagram);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(Decode({std::string(parsed->body)}).spans.size(), 1U);
}

TEST(SegmentSamples, OwnOnesDecode) {
  static constexpr Sample kSamples[] = {
      {"python-flask.json", 4, "", ""},
      {"node-express.json", 3, "", ""},
      {"go-dynamodb.json", 3, "", ""},
      {"java-chain.json", 2, "", ""},
      {"ruby-local.json", 2, "", ""},
      {"dotnet-sql.json", 2, "", ""},
      {"otel-exporter.json", 1, "", ""},
      {"lambda-function.json", 4, "", ""},
      {"stream-array.json", 2, "", ""},
      {"trailing-comma.json", 0, "ParseError",
       "byte 189: a member name in quotes wanted, found '}'"},
      {"no-trace-id.json", 0, "MissingTraceId", "at byte 0: no `trace_id`"},
  };
  Check("src/codec/xray/testdata/segments", kSamples);
}

}  // namespace
}  // namespace fluoro::codec::xray
