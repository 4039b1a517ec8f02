#include "codec/otlp/logs.h"

#include <gmock/gmock.h>

#include "codec/otlp/otlp_testing.h"
#include "model/attribute_reader.h"
#include "model/log_record.h"

namespace fluoro::codec::otlp {
namespace {

using model::Event;
using model::Span;

// A record of an event with everything in it, in both forms.
Message FullRecord() {
  return Message()
      .Fixed64(1, 2000)
      .Varint(2, 9)
      .Bytes(3, "INFO")
      .Sub(5, Message().Sub(6, Message().Sub(1, StringPair("content", "Hi"))))
      .Sub(6, StringPair("gen_ai.system", "openai"))
      .Varint(7, 3)
      .Fixed32(8, 1)
      .Bytes(9, kTraceIdBytes)
      .Bytes(10, kSpanIdBytes)
      .Fixed64(11, 2500)
      .Bytes(12, "gen_ai.user.message");
}
constexpr std::string_view kFullJson =
    R"({"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"app"}}]},"schemaUrl":"u","scopeLogs":[{"scope":{"name":"lib"},"logRecords":[{"timeUnixNano":"2000","observedTimeUnixNano":"2500","severityNumber":9,"severityText":"INFO","body":{"kvlistValue":{"values":[{"key":"content","value":{"stringValue":"Hi"}}]}},"attributes":[{"key":"gen_ai.system","value":{"stringValue":"openai"}}],"droppedAttributesCount":3,"flags":1,"traceId":"4142434445464748494A4B4C4D4E4F50","spanId":"3132333435363738","eventName":"gen_ai.user.message"}]}]}]})";

std::string RequestOfRecords(const std::vector<Message>& records) {
  Message scope_logs = Message().Sub(1, Message().Bytes(1, "lib"));
  for (const Message& record : records) scope_logs.Sub(2, record);
  return Message()
      .Sub(1, Message()
                  .Sub(1, Message().Sub(1, StringPair("service.name", "app")))
                  .Sub(2, scope_logs)
                  .Bytes(3, "u"))
      .str();
}

Decoded DecodeOk(std::string_view body, Encoding encoding) {
  auto decoded = DecodeLogs(body, encoding, {.receive_ns = 9});
  EXPECT_TRUE(decoded) << decoded.error().message;
  return decoded ? *std::move(decoded) : Decoded{};
}

TEST(Logs, ARecordIsAnEventOfTheSpanItNames) {
  for (const Encoding encoding : {Encoding::kProtobuf, Encoding::kJson}) {
    const Decoded decoded = encoding == Encoding::kProtobuf
                                ? DecodeOk(RequestOfRecords({FullRecord()}), encoding)
                                : DecodeOk(kFullJson, encoding);
    ASSERT_EQ(decoded.batch.size(), 1U);
    EXPECT_EQ(decoded.stats.rejected_spans, 0U);
    const Span span = decoded.batch.MakeSpan(0);
    EXPECT_TRUE(model::IsLogRecord(span));
    EXPECT_EQ(span.trace_id.ToHex(), "4142434445464748494a4b4c4d4e4f50");
    EXPECT_EQ(span.parent_id.ToHex(), "3132333435363738");
    EXPECT_NE(span.span_id, span.parent_id);
    EXPECT_EQ(span.name, "gen_ai.user.message");
    EXPECT_EQ(span.start_ns, 2000);
    EXPECT_EQ(span.end_ns, 2000);
    EXPECT_EQ(span.service(), "app");
    EXPECT_EQ(span.scope->name, "lib");
    EXPECT_TRUE(span.attributes.empty());
    ASSERT_EQ(span.events.size(), 1U);
    const Event& event = span.events[0];
    EXPECT_EQ(event.name, "gen_ai.user.message");
    EXPECT_EQ(event.time_ns, 2000);
    EXPECT_EQ(event.dropped_attributes, 3U);
    EXPECT_EQ(*event.Find("gen_ai.system")->AsString(), "openai");
    EXPECT_EQ(*event.Find("log.severity")->AsString(), "INFO");
    const auto* body =
        std::get_if<model::AttributeValue::KvList>(&event.Find("gen_ai.event.content")->value);
    ASSERT_NE(body, nullptr);
    EXPECT_EQ(body->entries[0].key, "content");
  }
}

TEST(Logs, EventsAreNamed) {
  const auto name = [](const Message& more) {
    const Message record =
        Message(more).Fixed64(1, 5).Bytes(9, kTraceIdBytes).Bytes(10, kSpanIdBytes);
    return DecodeOk(RequestOfRecords({record}), Encoding::kProtobuf).batch.MakeSpan(0).name;
  };
  EXPECT_EQ(name(Message().Bytes(12, "a").Sub(6, StringPair("event.name", "b"))), "a");
  EXPECT_EQ(name(Message().Sub(6, StringPair("event.name", "b"))), "b");
  EXPECT_EQ(name(Message().Sub(6, StringPair("exception.type", "ValueError"))), "exception");
  EXPECT_EQ(name(Message()), "log");
  const auto json = [](std::string_view more) {
    return DecodeOk(
               R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"5",)" +
                   std::string(more) +
                   R"("traceId":"4142434445464748494a4b4c4d4e4f50","spanId":"3132333435363738"}]}]}]})",
               Encoding::kJson)
        .batch.MakeSpan(0)
        .name;
  };
  EXPECT_EQ(json(R"("attributes":[{"key":"event.name","value":{"stringValue":"b"}}],)"), "b");
  EXPECT_EQ(json(R"("attributes":[{"key":"exception.message","value":{"stringValue":"b"}}],)"),
            "exception");
  EXPECT_EQ(json(""), "log");
}

TEST(Logs, RecordsWithoutASpanAreRejectedAndTheRestKept) {
  const Message without = Message().Fixed64(1, 5).Bytes(12, "x");
  const Message zero = Message().Bytes(9, std::string(16, '\0')).Bytes(10, kSpanIdBytes);
  const Message trace_only = Message().Bytes(9, kTraceIdBytes);
  const Message bad_length = Message().Bytes(9, "short").Bytes(10, kSpanIdBytes);
  const Decoded decoded = DecodeOk(
      RequestOfRecords({without, zero, FullRecord(), trace_only, bad_length}), Encoding::kProtobuf);
  EXPECT_EQ(decoded.batch.size(), 1U);
  EXPECT_EQ(decoded.stats.rejected_spans, 4U);
  EXPECT_THAT(decoded.reject_reason, ::testing::HasSubstr("trace_id and span_id"));
  const Decoded json = DecodeOk(
      R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}},{"traceId":"zz","spanId":"3132333435363738"},5,null]}]}]})",
      Encoding::kJson);
  EXPECT_EQ(json.batch.size(), 0U);
  EXPECT_EQ(json.stats.rejected_spans, 4U);
}

TEST(Logs, OneSentTwiceHasOneId) {
  const Decoded twice =
      DecodeOk(RequestOfRecords({FullRecord(), FullRecord(), FullRecord().Bytes(12, "other")}),
               Encoding::kProtobuf);
  ASSERT_EQ(twice.batch.size(), 3U);
  EXPECT_EQ(twice.batch.span_ids[0], twice.batch.span_ids[1]);
  EXPECT_NE(twice.batch.span_ids[0], twice.batch.span_ids[2]);
}

TEST(Logs, TheTimeObservedStandsInForNone) {
  const Message record =
      Message().Fixed64(11, 2500).Bytes(9, kTraceIdBytes).Bytes(10, kSpanIdBytes);
  EXPECT_EQ(DecodeOk(RequestOfRecords({record}), Encoding::kProtobuf).batch.start_ns[0], 2500);
}

TEST(Logs, EmptyAndBrokenRequests) {
  for (const Encoding encoding : {Encoding::kProtobuf, Encoding::kJson}) {
    EXPECT_TRUE(DecodeOk("", encoding).batch.empty());
  }
  EXPECT_TRUE(DecodeOk("{}", Encoding::kJson).batch.empty());
  const std::string whole = RequestOfRecords({FullRecord()});
  for (std::size_t bytes = 1; bytes < whole.size(); ++bytes) {
    const auto cut = DecodeLogs(std::string_view(whole).substr(0, bytes), Encoding::kProtobuf, {});
    EXPECT_FALSE(cut.has_value()) << bytes;
    if (!cut) {
      EXPECT_EQ(cut.error().code, ErrorCode::kCorruption);
    }
  }
  for (const std::string_view bad : {"{", "[]x", "nonsense"}) {
    EXPECT_FALSE(DecodeLogs(bad, Encoding::kJson, {}).has_value()) << bad;
  }
  EXPECT_EQ(DecodeLogs(whole, Encoding::kProtobuf, {.body_bytes_max = 10}).error().code,
            ErrorCode::kTooLarge);
}

TEST(Logs, AnswersNameRecords) {
  EXPECT_EQ(EncodeLogsResponse(0, "", Encoding::kJson), "{}");
  EXPECT_EQ(EncodeLogsResponse(2, "why", Encoding::kJson),
            R"({"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"why"}})");
  EXPECT_EQ(EncodeLogsResponse(2, "why", Encoding::kProtobuf),
            EncodeResponse(2, "why", Encoding::kProtobuf));
}

}  // namespace
}  // namespace fluoro::codec::otlp
