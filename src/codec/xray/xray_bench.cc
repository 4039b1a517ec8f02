// Documents and bytes per second, in and out.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "codec/xray/decode.h"
#include "codec/xray/encode.h"
#include "model/assembly.h"

namespace fluoro::codec::xray {
namespace {

// What one web request sends: a segment with a database call and a downstream call in it.
constexpr std::string_view kSegment =
    R"({"name": "checkout", "id": "3f4a1b2c5d6e7f80", "start_time": 1700000000.125431, "end_time": 1700000000.4019, )"
    R"("in_progress": false, "trace_id": "1-6553f100-0a1b2c3d4e5f60718293a4b5", "http": {"request": {"method": "POST", )"
    R"("url": "http://shop.example.com/checkout", "user_agent": "curl/8.1", "client_ip": "203.0.113.7"}, "response": )"
    R"({"status": 200, "content_length": 27}}, "service": {"runtime": "CPython", "runtime_version": "3.11.4"}, "origin": )"
    R"("AWS::EC2::Instance", "aws": {"ec2": {"instance_id": "i-0abc", "availability_zone": "eu-west-1b"}, "xray": {"sdk": )"
    R"("X-Ray for Python", "sdk_version": "2.12.0", "sampling_rule_name": "Default"}}, "annotations": {"customer": "gold", )"
    R"("items": 3}, "metadata": {"default": {"cart": [{"sku": "x-1", "qty": 2}]}}, "subsegments": [{"id": )"
    R"("aaaa000000000001", "name": "dynamodb", "start_time": 1700000000.2, "end_time": 1700000000.3, "namespace": "aws", )"
    R"("aws": {"table_name": "orders", "operation": "PutItem", "region": "eu-west-1", "request_id": "R1"}, "http": )"
    R"({"response": {"status": 200}}}, {"id": "aaaa000000000002", "name": "pay.example.com", "start_time": 1700000000.3, )"
    R"("end_time": 1700000000.4, "namespace": "remote", "http": {"request": {"method": "POST", "url": )"
    R"("https://pay.example.com/v1", "traced": true}, "response": {"status": 200, "content_length": 11}}}]})";
constexpr std::string_view kMinimal =
    R"({"name":"example.com","id":"70de5b6f19ff9a0a","start_time":1.478293361271E9,)"
    R"("trace_id":"1-581cf771-a006649127e371903a2de979","end_time":1.478293361449E9})";

// One PutTraceSegments: 50 documents into one batch.
void DecodeFifty(benchmark::State& state, std::string_view document) {
  constexpr int kDocuments = 50;
  const model::Limits limits;
  for (auto _ : state) {
    model::SpanBatch batch;
    std::vector<Unprocessed> unprocessed;
    model::DecodeStats stats;
    for (int i = 0; i < kDocuments; ++i)
      DecodeDocument(document, limits, batch, unprocessed, stats);
    benchmark::DoNotOptimize(batch);
  }
  state.SetItemsProcessed(state.iterations() * kDocuments);
  state.SetBytesProcessed(state.iterations() * kDocuments *
                          static_cast<std::int64_t>(document.size()));
}
BENCHMARK_CAPTURE(DecodeFifty, web_request, kSegment);
BENCHMARK_CAPTURE(DecodeFifty, minimal, kMinimal);

void DecodeLarge(benchmark::State& state) {
  std::string document(kMinimal);
  document.insert(document.size() - 1,
                  ",\"metadata\":{\"default\":{\"text\":\"" + std::string(60'000, 'x') + "\"}}");
  DecodeFifty(state, document);
}
BENCHMARK(DecodeLarge);

void EncodeWebRequest(benchmark::State& state) {
  model::SpanBatch batch;
  std::vector<Unprocessed> unprocessed;
  model::DecodeStats stats;
  DecodeDocument(kSegment, {}, batch, unprocessed, stats);
  auto trace = std::make_shared<model::Trace>();
  model::SpanReader reader(batch);
  for (std::uint32_t i = 0; i < batch.size(); ++i) trace->spans.push_back(reader.Read(i));
  trace->id = trace->spans[0].trace_id;
  const model::AssembledTrace assembled = model::Assemble(trace);
  std::int64_t bytes = 0;
  for (auto _ : state) {
    for (const SegmentDocument& entry : EncodeSegments(assembled))
      bytes += static_cast<std::int64_t>(entry.document.size());
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(bytes);
}
BENCHMARK(EncodeWebRequest);

}  // namespace
}  // namespace fluoro::codec::xray
