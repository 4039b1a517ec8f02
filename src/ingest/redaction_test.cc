// Every way in, with a secret in it: none of it may reach the store. A receiver that is not in this
// table is one that nobody checked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <set>
#include <string>

#include "base/base64.h"
#include "codec/otlp/otlp.h"
#include "ingest/import.h"
#include "ingest/pipeline.h"
#include "ingest/recording_store_for_test.h"
#include "ingest/samples_for_test.h"

namespace fluoro::ingest {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::int64_t kSpanNs = 1'478'293'361'271'000'000;
constexpr std::string_view kCanary = "canary.bird@example.com";

std::string With(std::string_view text, std::string_view from, std::string_view to) {
  std::string out(text);
  for (std::size_t at = out.find(from); at != std::string::npos;
       at = out.find(from, at + to.size()))
    out.replace(at, from.size(), to);
  return out;
}

const std::string kOtlp = With(kOtlpJson, "GET /", "GET /" + std::string(kCanary));
const std::string kSegment = With(SegmentDocument(1), "{", R"({"user":"canary.bird@example.com",)");
const std::string kZipkin = With(kZipkinV2, R"("get")", R"("get canary.bird@example.com")");

std::string Protobuf() {
  const auto decoded =
      codec::otlp::DecodeTraces(kOtlp, codec::otlp::Encoding::kJson, model::Limits{});
  std::vector<model::Span> spans;
  for (std::uint32_t i = 0; i < decoded->batch.size(); ++i)
    spans.push_back(decoded->batch.MakeSpan(i));
  return codec::otlp::EncodeTraces(spans, codec::otlp::Encoding::kProtobuf);
}

class RedactionTest : public ::testing::Test {
 protected:
  RecordingStore store_;
  ManualClock clock_{kSpanNs};
  Metrics metrics_;
  Pipeline pipeline_{store_, clock_, metrics_, Options{}};

  static std::shared_ptr<const redact::Policy> Policy(redact::ContentMode mode) {
    std::array<std::uint8_t, crypto::kKeyBytes> key{};
    return *redact::Policy::Make(mode, {}, crypto::Secret(key));
  }

  void Import(std::string_view bytes, ImportFormat format) {
    auto imported = DecodeImport(bytes, format, pipeline_.LimitsNow());
    ASSERT_TRUE(imported) << imported.error().message;
    ASSERT_TRUE(pipeline_.PutBatch(std::move(imported->batch), imported->stats, "import"));
  }

  // Every call of Pipeline that stores, with every form it takes.
  struct Way {
    std::string name;
    std::function<void()> send;
  };
  std::vector<Way> Ways() {
    const auto segments = [this](const std::string& document) {
      const std::array<std::string_view, 1> documents = {document};
      const auto refused = pipeline_.PutSegments(documents);
      ASSERT_TRUE(refused && refused->empty());
    };
    const auto datagram = [this](const std::string& body) {
      const std::string text = DatagramOf(body);
      const std::array<std::string_view, 1> datagrams = {text};
      pipeline_.PutDatagrams(datagrams);
    };
    const std::string base64 = "T1S" + ToBase64(Protobuf());
    return {
        {"PutTraceSegments", [=] { segments(kSegment); }},
        {"PutTraceSegments, OTLP", [=] { segments(base64); }},
        {"datagram", [=] { datagram(kSegment); }},
        {"datagram, OTLP", [=] { datagram(base64); }},
        {"OTLP JSON",
         [this] {
           EXPECT_TRUE(pipeline_.ExportOtlp(kOtlp, codec::otlp::Encoding::kJson, "otlp_http"));
         }},
        {"OTLP protobuf",
         [this] {
           EXPECT_TRUE(
               pipeline_.ExportOtlp(Protobuf(), codec::otlp::Encoding::kProtobuf, "otlp_grpc"));
         }},
        {"OTLP log records",
         [this] {
           EXPECT_TRUE(pipeline_.ExportOtlpLogs(
               R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"4EFAAF4D1E8720B39541901950019EE5",)"
               R"("spanId":"53995c3f42cd8ad8","timeUnixNano":"1478293361271000000","eventName":"order canary.bird@example.com",)"
               R"("body":{"stringValue":"canary.bird@example.com"}}]}]}]})",
               codec::otlp::Encoding::kJson, "otlp_http"));
         }},
        {"Zipkin",
         [this] { EXPECT_TRUE(pipeline_.PutZipkin(kZipkin, codec::zipkin::Version::kV2)); }},
        {"import of OTLP JSON", [this] { Import(kOtlp, ImportFormat::kOtlpJson); }},
        {"import of OTLP protobuf", [this] { Import(Protobuf(), ImportFormat::kOtlpProto); }},
        {"import of X-Ray documents", [this] { Import(kSegment, ImportFormat::kXRay); }},
        {"import of Zipkin JSON", [this] { Import(kZipkin, ImportFormat::kZipkin); }},
        {"import of Jaeger JSON",
         [this] {
           Import(
               R"({"data":[{"traceID":"5982fe77008310cc80f1da5e10147517","spans":[{"traceID":"5982fe77008310cc80f1da5e10147517",)"
               R"("spanID":"bd7a977555f6b982","operationName":"get canary.bird@example.com","startTime":1478293361271000,"duration":1000,)"
               R"("processID":"p1","tags":[{"key":"a","type":"string","value":"canary.bird@example.com"}]}],)"
               R"("processes":{"p1":{"serviceName":"shop"}}}]})",
               ImportFormat::kJaeger);
         }},
        {"import of CSV",
         [this] {
           Import(
               "TraceID,SpanID,ParentID,PodName,OperationName,StartTimeUnixNano,EndTimeUnixNano\n"
               "5982fe77008310cc80f1da5e10147517,bd7a977555f6b982,,shop-1-2,/"
               "a?m=canary.bird@example.com,"
               "1478293361271000000,1478293361272000000\n",
               ImportFormat::kCsv);
         }},
    };
  }

  std::string Stored() {
    std::string bytes;
    for (const auto& batch : store_.Take()) {
      EXPECT_FALSE(batch.spans.empty());
      bytes += batch.spans.arena + "\n";
    }
    return bytes;
  }
};

TEST_F(RedactionTest, NothingIsStoredUnseenWhateverWayItComes) {
  for (const Way& way : Ways()) {
    // What the search finds where nothing is redacted, it does not find else.
    pipeline_.SetRedaction(nullptr);
    way.send();
    EXPECT_THAT(Stored(), HasSubstr(std::string(kCanary))) << way.name;
    for (const auto mode :
         {redact::ContentMode::kRedacted, redact::ContentMode::kHash, redact::ContentMode::kNone}) {
      pipeline_.SetRedaction(Policy(mode));
      way.send();
      const std::string stored = Stored();
      EXPECT_THAT(stored, Not(HasSubstr("canary"))) << way.name;
      EXPECT_THAT(stored, HasSubstr("<email:")) << way.name;
    }
  }
  EXPECT_GT(metrics_
                .GetCounter("fluoro_redactions_total", "Values removed before they were stored",
                            {{"rule", "email"}, {"action", "hash"}})
                .value(),
            30);
}

TEST_F(RedactionTest, AnswersQuoteNothingThatIsRemoved) {
  pipeline_.SetRedaction(Policy(redact::ContentMode::kRedacted));
  const std::string bad = With(SegmentDocument(1), "70de5b6f10000001", "canary.bird@example.com");
  const std::array<std::string_view, 1> documents = {bad};
  const auto refused = pipeline_.PutSegments(documents);
  ASSERT_TRUE(refused);
  ASSERT_EQ(refused->size(), 1U);
  EXPECT_THAT((*refused)[0].message, Not(HasSubstr("canary")));
  EXPECT_THAT((*refused)[0].message, HasSubstr("<email:"));
}

}  // namespace
}  // namespace fluoro::ingest
