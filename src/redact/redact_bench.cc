// Bytes per second of scrubbing.
#include <benchmark/benchmark.h>

#include <string>

#include "redact/batch.h"

namespace fluoro::redact {
namespace {

std::shared_ptr<const Policy> Make(ContentMode mode) {
  return *Policy::Make(mode, {}, crypto::Secret::Random());
}

constexpr std::string_view kProse =
    "The order was shipped on Tuesday from the warehouse in Leipzig, and the customer asked "
    "whether the second "
    "parcel could be left with a neighbour; the agent answered that this is possible until 18:00. ";
constexpr std::string_view kJson =
    R"([{"role":"user","parts":[{"type":"text","content":"Where is my order 77812 of 12.50 EUR?\nThanks"}]},)"
    R"({"role":"assistant","parts":[{"type":"tool_call","id":"call_9","name":"get_order","arguments":{"id":77812}}]}] )";

void Scrub(benchmark::State& state, std::string_view piece, std::string_view around, bool secrets) {
  const auto policy = Make(ContentMode::kRedacted);
  std::string text(around);
  while (text.size() < 20'000) {
    text += piece;
    if (secrets) text += "bob@example.com ";
  }
  for (auto _ : state) {
    Tally tally;
    benchmark::DoNotOptimize(policy->Scrub(text, tally, "gen_ai.prompt"));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK_CAPTURE(Scrub, prose, kProse, "", false);
BENCHMARK_CAPTURE(Scrub, prose_with_a_secret_in_200_bytes, kProse, "", true);
BENCHMARK_CAPTURE(Scrub, messages, kJson, "[", false);

// Spans as web requests have them.
void Batch(benchmark::State& state, ContentMode mode) {
  const auto policy = Make(mode);
  model::SpanBatch made;
  model::Span span;
  model::Resource resource;
  resource.attributes = {{.key = "service.name", .value = {std::string("shop")}}};
  span.resource = std::make_shared<const model::Resource>(resource);
  span.scope = std::make_shared<const model::Scope>();
  span.trace_id = *model::TraceId::Parse("1-5759e988-bd862e3fe1be46a994272793");
  for (std::uint8_t i = 1; i <= 200; ++i) {
    span.span_id.bytes.fill(i);
    span.name = "GET /orders/{id}";
    span.attributes = {
        {.key = "http.request.method", .value = {std::string("GET")}},
        {.key = "url.full",
         .value = {std::string("https://shop.example.com/orders/") + std::to_string(i)}},
        {.key = "http.response.status_code", .value = {std::int64_t{200}}},
        {.key = "db.query.text",
         .value = {std::string("SELECT * FROM orders WHERE id = $1 AND state <> 'gone'")}},
        {.key = "user_agent.original",
         .value = {std::string("Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0")}}};
    made.AppendSpan(span);
  }
  for (auto _ : state) {
    Tally tally;
    RedactBatch(*policy, model::Limits{}, made, tally);
    benchmark::DoNotOptimize(made);
  }
  state.SetItemsProcessed(state.iterations() * 200);
}
BENCHMARK_CAPTURE(Batch, redacted, ContentMode::kRedacted);
BENCHMARK_CAPTURE(Batch, hash, ContentMode::kHash);

}  // namespace
}  // namespace fluoro::redact
