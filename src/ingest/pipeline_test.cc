#include "ingest/pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "base/base64.h"
#include "ingest/recording_store_for_test.h"
#include "ingest/samples_for_test.h"

namespace fluoro::ingest {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kSpanNs = 1'478'293'361'271'000'000;
constexpr std::int64_t kHourNs = 3'600 * kNsPerSecond;

class PipelineTest : public ::testing::Test {
 protected:
  RecordingStore store_;
  ManualClock clock_{kSpanNs};
  Metrics metrics_;
  Options options_;

  Pipeline Make() { return Pipeline(store_, clock_, metrics_, options_); }
  double Spans(const std::string& protocol) {
    return metrics_
        .GetCounter("fluoro_ingest_spans_total", "Spans stored", {{"protocol", protocol}})
        .value();
  }
  double Rejected(const std::string& protocol, const std::string& reason) {
    return metrics_
        .GetCounter("fluoro_ingest_rejected_total",
                    "Spans, documents, datagrams and requests not stored",
                    {{"protocol", protocol}, {"reason", reason}})
        .value();
  }
  static Result<std::vector<codec::xray::Unprocessed>> Put(
      Pipeline& pipeline, const std::vector<std::string>& documents) {
    const std::vector<std::string_view> views(documents.begin(), documents.end());
    return pipeline.PutSegments(views);
  }
};

TEST_F(PipelineTest, StoresOtlpSyncedBeforeItAnswers) {
  Pipeline pipeline = Make();
  const auto answer =
      pipeline.ExportOtlp(OtlpProtobuf(), codec::otlp::Encoding::kProtobuf, "otlp_http");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->rejected_spans, 0U);
  EXPECT_EQ(answer->message, "");
  const auto batches = store_.Take();
  ASSERT_EQ(batches.size(), 1U);
  EXPECT_EQ(batches[0].durability, store::Durability::kSynced);
  ASSERT_EQ(batches[0].spans.size(), 1U);
  EXPECT_EQ(batches[0].spans.Text(batches[0].spans.names[0]), "GET /");
  EXPECT_EQ(Spans("otlp_http"), 1);
}

TEST_F(PipelineTest, AnEmptyRequestStoresNothing) {
  Pipeline pipeline = Make();
  EXPECT_TRUE(pipeline.ExportOtlp("", codec::otlp::Encoding::kProtobuf, "otlp_http"));
  EXPECT_TRUE(pipeline.ExportOtlp("{}", codec::otlp::Encoding::kJson, "otlp_http"));
  EXPECT_TRUE(Put(pipeline, {}));
  EXPECT_TRUE(pipeline.PutZipkin("[]", codec::zipkin::Version::kV2));
  pipeline.PutDatagrams({});
  EXPECT_TRUE(store_.Take().empty());
}

TEST_F(PipelineTest, ChunksOfStreamedAnswersBecomeSumsOnEveryProtocol) {
  const std::string otlp = R"({"resourceSpans":[{"scopeSpans":[{"spans":[{
      "traceId":"581cf771a006649127e371903a2de979","spanId":"0000000000000001","name":"chat",
      "startTimeUnixNano":"1478293361271000000","endTimeUnixNano":"1478293363271000000",
      "attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}}],
      "events":[{"timeUnixNano":"1478293361771000000","name":"gen_ai.content.completion.chunk"},
                {"timeUnixNano":"1478293361781000000","name":"gen_ai.content.completion.chunk"},
                {"timeUnixNano":"1478293361791000000","name":"other"}]}]}]}]})";
  const std::string zipkin = R"([{"traceId":"581cf771a006649127e371903a2de979",
      "id":"0000000000000001","name":"chat","timestamp":1478293361271000,"duration":2000000,
      "annotations":[{"timestamp":1478293361771000,"value":"gen_ai.content.completion.chunk"},
                     {"timestamp":1478293361781000,"value":"gen_ai.content.completion.chunk"},
                     {"timestamp":1478293361791000,"value":"other"}]}])";
  Pipeline pipeline = Make();
  ASSERT_TRUE(pipeline.ExportOtlp(otlp, codec::otlp::Encoding::kJson, "otlp_http"));
  ASSERT_TRUE(pipeline.PutZipkin(zipkin, codec::zipkin::Version::kV2));
  const auto batches = store_.Take();
  ASSERT_EQ(batches.size(), 2U);
  for (const auto& batch : batches) {
    const model::Span span = batch.spans.MakeSpan(0);
    ASSERT_EQ(span.events.size(), 1U);
    EXPECT_EQ(span.events[0].name, "other");
    ASSERT_NE(span.Find("fluoro.stream.first_ns"), nullptr);
    EXPECT_EQ(*span.Find("fluoro.stream.first_ns")->AsInt(), 500'000'000);
    EXPECT_EQ(*span.Find("fluoro.stream.gap_max_ns")->AsInt(), 10'000'000);
  }
  for (const std::string protocol : {"otlp_http", "zipkin"}) {
    EXPECT_EQ(metrics_
                  .GetCounter("fluoro_ingest_folded_chunks_total",
                              "Events of chunks of streamed answers, kept as sums",
                              {{"protocol", protocol}})
                  .value(),
              2);
  }
}

TEST_F(PipelineTest, ReportsRejectedSpansAndKeepsTheRest) {
  Pipeline pipeline = Make();
  const auto answer =
      pipeline.ExportOtlp(kOtlpJsonHalfGood, codec::otlp::Encoding::kJson, "otlp_http");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->rejected_spans, 1U);
  EXPECT_NE(answer->message, "");
  EXPECT_EQ(store_.SpansCount(), 1U);
  EXPECT_EQ(Rejected("otlp_http", "span"), 1);
  EXPECT_EQ(Spans("otlp_http"), 1);
}

TEST_F(PipelineTest, PassesOnTheErrorsOfDecoderAndStore) {
  Pipeline pipeline = Make();
  EXPECT_EQ(
      pipeline.ExportOtlp("\xff\xff", codec::otlp::Encoding::kProtobuf, "otlp_grpc").error().code,
      ErrorCode::kCorruption);
  EXPECT_EQ(Rejected("otlp_grpc", "undecodable"), 1);
  store_.failure = Error{ErrorCode::kNoSpace, "disk is full"};
  EXPECT_EQ(
      pipeline.ExportOtlp(OtlpProtobuf(), codec::otlp::Encoding::kProtobuf, "otlp_grpc").error(),
      *store_.failure);
  EXPECT_EQ(Put(pipeline, {SegmentDocument(1)}).error(), *store_.failure);
  EXPECT_EQ(pipeline.PutZipkin(kZipkinV2, codec::zipkin::Version::kV2).error(), *store_.failure);
  pipeline.PutDatagrams(std::vector<std::string_view>{DatagramOf(SegmentDocument(1))});
  EXPECT_EQ(Rejected("otlp_grpc", "no_space"), 1);
  EXPECT_EQ(Rejected("xray", "no_space"), 1);
  EXPECT_EQ(Rejected("zipkin", "no_space"), 1);
  EXPECT_EQ(Spans("otlp_grpc") + Spans("xray") + Spans("zipkin") + Spans("xray_udp"), 0);
}

TEST_F(PipelineTest, RefusesSpansOutsideTheAcceptedAges) {
  options_.accept_age_ns = 24 * kHourNs;
  Pipeline pipeline = Make();
  const auto rejected = [&](std::int64_t now_ns) {
    clock_.Advance(now_ns - clock_.UnixNs());
    return pipeline.ExportOtlp(kOtlpJson, codec::otlp::Encoding::kJson, "otlp_http")
        ->rejected_spans;
  };
  EXPECT_EQ(rejected(kSpanNs), 0U);
  EXPECT_EQ(rejected(kSpanNs + 24 * kHourNs), 0U);
  EXPECT_EQ(rejected(kSpanNs + 24 * kHourNs + 1), 1U);
  EXPECT_EQ(rejected(kSpanNs - 2 * kHourNs), 0U);
  EXPECT_EQ(rejected(kSpanNs - 2 * kHourNs - 1), 1U);
  clock_.Advance(kSpanNs + 25 * kHourNs - clock_.UnixNs());
  const auto unprocessed = Put(pipeline, {SegmentDocument(1)});
  ASSERT_EQ(unprocessed->size(), 1U);
  EXPECT_EQ((*unprocessed)[0].error_code, "InvalidStartTime");
  options_.accept_age_ns = INT64_MAX;
  Pipeline any = Make();
  EXPECT_EQ(any.LimitsNow().start_ns_min, INT64_MIN);
  EXPECT_EQ(any.LimitsNow().start_ns_max, INT64_MAX);
  EXPECT_EQ(any.LimitsNow().receive_ns, clock_.UnixNs());
}

TEST_F(PipelineTest, StoresExactlyTheGoodDocumentsOfEverySubset) {
  Pipeline pipeline = Make();
  for (unsigned bad = 0; bad < 256; ++bad) {
    std::vector<std::string> documents;
    std::vector<std::string> bad_ids;
    for (int i = 0; i < 8; ++i) {
      std::string document = SegmentDocument(i);
      if ((bad >> i & 1U) != 0) {
        bad_ids.push_back(document.substr(document.find("70de"), 16));
        document.replace(document.find(R"("trace_id")"), 10, R"("trace_no")");
      }
      documents.push_back(std::move(document));
    }
    const auto unprocessed = Put(pipeline, documents);
    ASSERT_TRUE(unprocessed);
    ASSERT_EQ(unprocessed->size(), bad_ids.size()) << "subset " << bad;
    for (std::size_t i = 0; i < bad_ids.size(); ++i) {
      EXPECT_EQ((*unprocessed)[i].id, bad_ids[i]);
      EXPECT_EQ((*unprocessed)[i].error_code, "MissingTraceId");
    }
    const auto batches = store_.Take();
    ASSERT_EQ(batches.size(), bad == 255 ? 0U : 1U) << "one append a request";
    if (bad != 255) {
      EXPECT_EQ(batches[0].spans.size(), 8 - bad_ids.size());
    }
  }
  EXPECT_EQ(Rejected("xray", "MissingTraceId"), 1'024);
  EXPECT_EQ(Spans("xray"), 1'024);
}

TEST_F(PipelineTest, TakesOtlpStringsAsDocuments) {
  Pipeline pipeline = Make();
  const std::string otlp = ToBase64(OtlpProtobuf());
  const auto unprocessed = Put(pipeline, {"T1S" + otlp, SegmentDocument(1), "T1U" + otlp,
                                          "T1M" + otlp, "T1S!!!", "T1SCg", "T1SCgA="});
  ASSERT_TRUE(unprocessed);
  ASSERT_EQ(unprocessed->size(), 2U);
  EXPECT_EQ((*unprocessed)[0].error_code, "ParseError");
  EXPECT_THAT((*unprocessed)[0].message, HasSubstr("base64"));
  EXPECT_THAT((*unprocessed)[1].message, HasSubstr("OTLP"));
  const auto batches = store_.Take();
  ASSERT_EQ(batches.size(), 1U);
  const model::SpanBatch& spans = batches[0].spans;
  ASSERT_EQ(spans.size(), 3U);
  const auto unsampled = [&](std::size_t i) { return (spans.flags[i] & model::kUnsampled) != 0; };
  EXPECT_FALSE(unsampled(0));
  EXPECT_FALSE(unsampled(1));
  EXPECT_TRUE(unsampled(2));
  EXPECT_EQ(spans.Text(spans.names[0]), "GET /");
  EXPECT_EQ(spans.Text(spans.names[1]), "shop");
  EXPECT_EQ(spans.Text(spans.names[2]), "GET /");
  EXPECT_EQ(spans.Text(spans.resource_rows[spans.resources[2]].service), "example.com");
  EXPECT_EQ(Rejected("xray", "metrics"), 1);
}

TEST_F(PipelineTest, ReportsDocumentsBeyondTheBodyLimit) {
  options_.limits.body_bytes_max = 2 * SegmentDocument(1).size();
  Pipeline pipeline = Make();
  const auto unprocessed =
      Put(pipeline, {SegmentDocument(1), SegmentDocument(2), SegmentDocument(3)});
  ASSERT_EQ(unprocessed->size(), 1U);
  EXPECT_EQ((*unprocessed)[0].error_code, "BatchTooLarge");
  EXPECT_EQ((*unprocessed)[0].id, "70de5b6f10000003");
  EXPECT_EQ(store_.SpansCount(), 2U);
}

TEST_F(PipelineTest, ReportsDocumentsBeyondTheMemoryOfABatch) {
  options_.limits.batch_bytes_max = 100;  // the first document takes more
  Pipeline pipeline = Make();
  const auto unprocessed = Put(pipeline, {SegmentDocument(1), SegmentDocument(2)});
  ASSERT_EQ(unprocessed->size(), 1U);
  EXPECT_EQ((*unprocessed)[0].error_code, "BatchTooLarge");
  EXPECT_THAT((*unprocessed)[0].message, HasSubstr("100 bytes of memory"));
  EXPECT_EQ(store_.SpansCount(), 1U);
}

TEST_F(PipelineTest, RefusesMoreDocumentsThanARequestMayHave) {
  options_.limits.documents_max = 2;
  Pipeline pipeline = Make();
  const auto refused = Put(pipeline, {"", "", ""});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kTooLarge);
  EXPECT_THAT(refused.error().message, HasSubstr("3 documents in one request, at most 2"));
  EXPECT_EQ(Rejected("xray", "too_many_documents"), 3);
}

TEST_F(PipelineTest, ARequestMayTakeMemoryInProportionToItsSize) {
  Pipeline pipeline = Make();
  EXPECT_EQ(pipeline.LimitsNow(0).batch_bytes_max, std::size_t{1} << 20);
  EXPECT_EQ(pipeline.LimitsNow(1'000'000).batch_bytes_max, 6'000'000U + (1U << 20));
  EXPECT_EQ(pipeline.LimitsNow(64U << 20).batch_bytes_max, options_.limits.batch_bytes_max);
  EXPECT_EQ(pipeline.LimitsNow().batch_bytes_max, options_.limits.batch_bytes_max);
}

TEST_F(PipelineTest, StoresZipkinAndRefusesTheWholeBodyOtherwise) {
  Pipeline pipeline = Make();
  EXPECT_TRUE(pipeline.PutZipkin(kZipkinV2, codec::zipkin::Version::kV2));
  EXPECT_EQ(Spans("zipkin"), 1);
  const auto bad = pipeline.PutZipkin(R"([{"id":)", codec::zipkin::Version::kV2);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, ErrorCode::kCorruption);
  EXPECT_EQ(Rejected("zipkin", "undecodable"), 1);
}

TEST_F(PipelineTest, CountsDatagramsByReasonAndStoresTheGoodOnesTogether) {
  Pipeline pipeline = Make();
  const std::string good = DatagramOf(SegmentDocument(1));
  const std::string cut = DatagramOf(SegmentDocument(2).substr(0, 40));
  const std::string otlp = DatagramOf("T1S" + ToBase64(OtlpProtobuf()));
  const std::string large = DatagramOf("{\"name\":\"" + std::string(65'450, 'x'));
  const std::string bad_text = DatagramOf("{\"name\":\"\xff\xfe\"}");
  const std::vector<std::string_view> datagrams = {good,
                                                   "",
                                                   "x",
                                                   R"({"format":"json","version":1})",
                                                   "{\"format\":\"json\",\"version\":1}\n",
                                                   "{\"format\":\"json\",\"version\":2}\n{}",
                                                   "{\"format\":\"xml\",\"version\":1}\n{}",
                                                   "no json\n{}",
                                                   cut,
                                                   otlp,
                                                   large,
                                                   bad_text};
  pipeline.PutDatagrams(datagrams);
  const auto batches = store_.Take();
  ASSERT_EQ(batches.size(), 1U);
  EXPECT_EQ(batches[0].durability, store::Durability::kWritten);
  EXPECT_EQ(batches[0].spans.size(), 2U);
  EXPECT_EQ(Spans("xray_udp"), 2);
  EXPECT_EQ(Rejected("xray_udp", "empty"), 1);
  EXPECT_EQ(Rejected("xray_udp", "bad_header"), 6);
  double others = 0;
  for (const char* reason : {"ParseError", "MissingId", "MissingTraceId", "MissingName",
                             "InvalidName", "MissingStartTime"}) {
    others += Rejected("xray_udp", reason);
  }
  EXPECT_EQ(others, 3) << "the cut, the large and the one with invalid text";
}

TEST_F(PipelineTest, RefusesWorkBeyondTheBytesInFlight) {
  options_.in_flight_bytes_max = 300;
  std::latch entered(1);
  std::latch leave(1);
  bool first = true;
  store_.before_append = [&] {
    if (!std::exchange(first, false)) return;
    entered.count_down();
    leave.wait();
  };
  Pipeline pipeline = Make();
  std::jthread holder([&] {
    EXPECT_TRUE(pipeline.ExportOtlp(OtlpProtobuf(), codec::otlp::Encoding::kProtobuf, "otlp_http"));
  });
  entered.wait();
  const auto refused =
      pipeline.ExportOtlp(OtlpProtobuf(), codec::otlp::Encoding::kProtobuf, "otlp_http");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(Rejected("otlp_http", "overload"), 1);
  leave.count_down();
  holder.join();
  EXPECT_TRUE(Put(pipeline, {SegmentDocument(1), SegmentDocument(2), SegmentDocument(3)}))
      << "whoever is alone is let in";
}

}  // namespace
}  // namespace fluoro::ingest
