#include "redact/batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/json_tree.h"
#include "model/content.h"

namespace fluoro::redact {
namespace {

using model::AttributeType;
using model::AttributeValue;
using model::Span;
using model::SpanBatch;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

constexpr std::string_view kCanary = "canary.bird@example.com";

std::shared_ptr<const Policy> Make(std::vector<Rule> rules = {},
                                   ContentMode mode = ContentMode::kRedacted) {
  std::array<std::uint8_t, crypto::kKeyBytes> key{};
  auto policy = Policy::Make(mode, std::move(rules), crypto::Secret(key));
  EXPECT_TRUE(policy);
  return *policy;
}

AttributeValue Text(std::string_view text) { return {std::string(text)}; }

// A span that has the canary in every text that a client sends.
Span FullSpan() {
  const std::string with = "x " + std::string(kCanary) + " y";
  Span span;
  span.trace_id = *model::TraceId::Parse("1-5759e988-bd862e3fe1be46a994272793");
  span.span_id = *model::SpanId::Parse("4539148803436467");
  span.name = "GET " + std::string(kCanary);
  span.status_message = with;
  span.trace_state = "vendor=state";
  AttributeValue::KvList list;
  list.entries.push_back({"k", Text(with)});
  list.entries.push_back({"password", Text("hunter2")});
  list.entries.push_back({std::string(kCanary), {std::int64_t{1}}});
  const std::vector<model::Attribute> attributes = {
      {.key = "plain", .value = Text(with)},
      {.key = "noted", .value = Text(with), .role = model::AttributeRole::kAnnotation},
      {.key = "bytes", .value = {AttributeValue::Bytes{with}}},
      {.key = "array", .value = {AttributeValue::Array{{Text("a"), Text(with)}}}},
      {.key = "list", .value = {list}},
      {.key = "json", .value = Text(R"({"a":"canary.bird\u0040example.com"})")},
      {.key = "card", .value = {std::int64_t{4111111111111111}}},
      {.key = "number", .value = {std::int64_t{17}}},
      {.key = "key of " + std::string(kCanary), .value = Text("v")},
  };
  model::Resource resource;
  resource.attributes = attributes;
  resource.attributes.push_back({.key = "service.name", .value = Text("shop")});
  span.resource = std::make_shared<const model::Resource>(resource);
  model::Scope scope;
  scope.name = with;
  scope.version = with;
  scope.attributes = attributes;
  span.scope = std::make_shared<const model::Scope>(scope);
  span.attributes = attributes;
  span.events.push_back({.time_ns = 1, .name = with, .attributes = attributes});
  span.events.push_back({.time_ns = 1,
                         .name = "exception",
                         .attributes = {{.key = "exception.stacktrace", .value = Text(with)}}});
  span.links.push_back({.trace_id = span.trace_id,
                        .span_id = span.span_id,
                        .trace_state = "a=b",
                        .attributes = attributes});
  return span;
}

Span Redacted(const Policy& policy, const Span& span, Tally* tally = nullptr) {
  SpanBatch batch;
  batch.AppendSpan(span);
  Tally own;
  RedactBatch(policy, model::Limits{}, batch, tally == nullptr ? own : *tally);
  return batch.MakeSpan(0);
}

TEST(RedactBatch, LeavesNoByteOfASecretAnywhere) {
  SpanBatch batch;
  batch.AppendSpan(FullSpan());
  batch.AppendSpan(FullSpan());
  Tally tally;
  RedactBatch(*Make(), model::Limits{}, batch, tally);
  EXPECT_EQ(batch.arena.find(kCanary), std::string::npos);
  EXPECT_EQ(batch.arena.find("canary"), std::string::npos);
  EXPECT_EQ(batch.arena.find("hunter2"), std::string::npos);
  const Span span = batch.MakeSpan(1);
  EXPECT_THAT(span.name, MatchesRegex("GET <email:[0-9a-f]{4}>"));
  EXPECT_EQ(span.trace_state, "vendor=state");
  EXPECT_EQ(span.service(), "shop");
  EXPECT_EQ(span.span_id.ToHex(), "4539148803436467");
  EXPECT_EQ(*span.Find("number")->AsInt(), 17);
  EXPECT_THAT(*span.Find("card")->AsString(), MatchesRegex("<card:[0-9a-f]{4}>"));
  EXPECT_THAT(*span.FindAnnotation("noted")->AsString(), MatchesRegex("x <email:[0-9a-f]{4}> y"));
  EXPECT_GT(tally.counts[static_cast<std::size_t>(Detector::kEmail)], 20U);
  // The second time nothing is left to do.
  const SpanBatch once = batch;
  Tally second;
  RedactBatch(*Make(), model::Limits{}, batch, second);
  EXPECT_TRUE(batch.SameSpans(once));
  EXPECT_EQ(batch.arena, once.arena);
}

TEST(RedactBatch, LeavesABatchWithoutSecretsAlone) {
  SpanBatch batch;
  Span span = FullSpan();
  span.name = "GET /";
  span.status_message = "no";
  span.attributes = {{.key = "a", .value = Text("b")},
                     {.key = "x", .value = {AttributeValue::Array{{Text("a")}}}}};
  span.events.clear();
  span.links.clear();
  span.resource = std::make_shared<const model::Resource>();
  span.scope = std::make_shared<const model::Scope>();
  batch.AppendSpan(span);
  const SpanBatch before = batch;
  Tally tally;
  RedactBatch(*Make(), model::Limits{}, batch, tally);
  EXPECT_EQ(batch.arena, before.arena);
  EXPECT_TRUE(batch.SameSpans(before));
}

TEST(RedactBatch, GoesByNames) {
  const auto policy = Make({{.name = "who", .match = "enduser.id"},
                            {.name = "gone", .match = "app.gone", .action = Action::kDrop},
                            {.name = "svc", .match = "service.name", .action = Action::kMask},
                            {.name = "op", .match = "span.name"},
                            {.name = "kept", .match = "contact", .action = Action::kKeep}});
  Span span = FullSpan();
  span.attributes = {
      {.key = "enduser.id", .value = Text("u-1")},
      {.key = "app.gone", .value = {std::int64_t{5}}},
      {.key = "contact", .value = Text(kCanary)},
      {.key = "http.request.header.cookie", .value = {AttributeValue::Array{{Text("a=b")}}}}};
  Tally tally;
  const Span out = Redacted(*policy, span, &tally);
  EXPECT_THAT(*out.Find("enduser.id")->AsString(), MatchesRegex("<who:[0-9a-f]{4}>"));
  EXPECT_EQ(out.Find("app.gone"), nullptr);
  EXPECT_EQ(*out.Find("contact")->AsString(), kCanary);
  EXPECT_THAT(*out.Find("http.request.header.cookie")->AsString(),
              MatchesRegex("<secret:[0-9a-f]{4}>"));
  EXPECT_EQ(out.service(), "<svc>");
  EXPECT_THAT(out.name, MatchesRegex("<op:[0-9a-f]{4}>"));
  EXPECT_EQ(out.events.size(), span.events.size());
  EXPECT_EQ(out.links.size(), 1U);
}

constexpr std::string_view kDocument =
    R"({"name":"shop","id":"4539148803436467","trace_id":"1-5759e988-bd862e3fe1be46a994272793","start_time":1700000000.1,)"
    R"("end_time":1700000000.2,"user":"u-77","http":{"request":{"method":"GET","url":"https://x.example/?m=canary.bird@example.com",)"
    R"("client_ip":"203.0.113.7"}},"annotations":{"mail":"canary.bird@example.com","card":4111111111111111},)"
    R"("metadata":{"default":{"password":"hunter2","gen_ai.prompt":"tell me","n":[{"x":"canary.bird\u0040example.com"}]}},)"
    R"("cause":{"exceptions":[{"id":"4539148803436467","message":"no canary.bird@example.com"}]}})";

Span XRaySpan() {
  Span span = FullSpan();
  span.source = model::SpanSource::kXRay;
  span.flags = model::kSegment;
  span.name = "shop";
  span.status_message.clear();
  span.attributes = {
      {.key = "enduser.id", .value = Text("u-77")},
      {.key = "url.full", .value = Text("https://x.example/?m=canary.bird@example.com")}};
  span.events.clear();
  span.links.clear();
  span.document = kDocument;
  return span;
}

TEST(RedactBatch, LeavesNothingInDocumentsThatColumnsLost) {
  const auto policy = Make({{.name = "who", .match = "enduser.id"},
                            {.name = "ip", .match = "client_ip", .action = Action::kDrop}});
  const Span out = Redacted(*policy, XRaySpan());
  for (const std::string_view gone :
       {"canary", "hunter2", "u-77", "203.0.113.7", "4111111111111111"})
    EXPECT_EQ(out.document.find(gone), std::string::npos) << gone << " in " << out.document;
  EXPECT_TRUE(JsonTree::Parse(out.document)) << out.document;
  for (const std::string_view kept :
       {R"("id":"4539148803436467")", R"("name":"shop")", R"("start_time":1700000000.1)",
        R"("method":"GET")", "tell me"})
    EXPECT_THAT(out.document, HasSubstr(std::string(kept)));
  // What a rule about a member takes from the document goes from the columns.
  Span span = XRaySpan();
  span.attributes.push_back({.key = "client.address", .value = Text("203.0.113.7")});
  const Span other = Redacted(*policy, span);
  EXPECT_EQ(*other.Find("client.address")->AsString(), "");
}

TEST(RedactBatch, ContentModes) {
  Span span = XRaySpan();
  span.attributes = {{.key = "gen_ai.input.messages", .value = Text("[{\"role\":\"user\"}]")},
                     {.key = "gen_ai.prompt.0.role", .value = Text("user")},
                     {.key = "gen_ai.usage.input_tokens", .value = {std::int64_t{12}}},
                     {.key = "retrieval.documents.0.document.score", .value = {0.5}},
                     {.key = "embedding.embeddings.0.embedding.vector",
                      .value = {AttributeValue::Array{{{0.5}}}}}};
  span.events.push_back({.time_ns = 1,
                         .name = "gen_ai.user.message",
                         .attributes = {{.key = "content", .value = Text("hello")}}});
  const Span none = Redacted(*Make({}, ContentMode::kNone), span);
  EXPECT_EQ(none.Find("gen_ai.input.messages"), nullptr);
  EXPECT_EQ(none.events[0].Find("content"), nullptr);
  EXPECT_THAT(none.document, HasSubstr(R"("gen_ai.prompt":null)"));
  const Span hash = Redacted(*Make({}, ContentMode::kHash), span);
  EXPECT_THAT(*hash.Find("gen_ai.input.messages")->AsString(),
              MatchesRegex("<content:[0-9a-f]{12} 17 bytes ~5 tokens>"));
  EXPECT_THAT(*hash.events[0].Find("content")->AsString(), HasSubstr("5 bytes ~2 tokens"));
  EXPECT_EQ(hash.document.find("tell me"), std::string::npos);
  const Span redacted = Redacted(*Make(), span);
  EXPECT_THAT(redacted.document, HasSubstr("tell me"));
  for (const Span* out : {&none, &hash, &redacted}) {
    EXPECT_EQ(*out->Find("gen_ai.prompt.0.role")->AsString(), "user");
    EXPECT_EQ(*out->Find("gen_ai.usage.input_tokens")->AsInt(), 12);
    EXPECT_EQ(*out->Find("retrieval.documents.0.document.score")->AsDouble(), 0.5);
    EXPECT_EQ(out->Find("embedding.embeddings.0.embedding.vector"), nullptr);
  }
}

TEST(RedactBatch, TakesTheEndOfTextsThatWereCut) {
  const model::Limits limits;
  Span span = FullSpan();
  const std::string half = "canary.bir";
  span.attributes = {
      {.key = "a", .value = Text(std::string(limits.value_bytes_max - half.size(), ' ') + half)},
      {.key = "b",
       .value = Text(std::string(limits.value_bytes_max / 2 - half.size(), ' ') + half)}};
  const Span out = Redacted(*Make(), span);
  EXPECT_EQ(out.Find("a")->AsString()->find(half), std::string::npos);
  EXPECT_TRUE(out.Find("a")->AsString()->ends_with("<cut>"));
  EXPECT_TRUE(out.Find("b")->AsString()->ends_with(half));
  EXPECT_EQ(Redacted(*Make(), out), out);
}

TEST(RedactBatch, TakesBothSidesOfWhereTheMiddleWasLeftOut) {
  const model::Limits limits;
  // The decoder keeps three quarters and one quarter: the canary stands across both borders.
  std::string text;
  for (int i = 0; i < 400'000; ++i) text += "canary.bird@example.com ";
  Span span = FullSpan();
  span.attributes = {
      {.key = "gen_ai.prompt", .value = Text(model::CutInTwo(text, limits.content_bytes_max))}};
  ASSERT_NE(span.Find("gen_ai.prompt")->AsString()->find(model::kLeftOut), std::string::npos);
  const Span out = Redacted(*Make(), span);
  const std::string& scrubbed = *out.Find("gen_ai.prompt")->AsString();
  EXPECT_EQ(scrubbed.find("canary"), std::string::npos);
  EXPECT_EQ(scrubbed.find("bird"), std::string::npos);
  EXPECT_THAT(scrubbed, HasSubstr("<cut of " + std::to_string(text.size()) + " bytes"));
  EXPECT_EQ(Redacted(*Make(), out), out);
}

}  // namespace
}  // namespace fluoro::redact
