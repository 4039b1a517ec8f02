// Test support: random traces and random filter expressions from the same small pools of keys and
// values, so that they meet often. Whatever holds for filters must hold for these.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "model/fact_sources.h"
#include "model/testing.h"

namespace fluoro::query::testing {

inline constexpr std::array<std::string_view, 14> kTexts = {
    "orders", "carts",          "db",   "orders@db", "GET",     "eu-west-1a",     "i-0abc",
    "alice",  "http://x.com/a", "/a?b", "acme",      "or ders", "pkg.orders/Get", "AWS::carts"};
inline constexpr std::array<std::string_view, 12> kOwnKeys = {
    "tenant", "tenant.id", "metadata",   "my.key",
    "my-key", "my_key",    "model",      "gen_ai.request.model",
    "count",  "route",     "http.route", "order id"};
inline constexpr std::array<std::string_view, 18> kDescribingKeys = {"aws.span.kind",
                                                                     "rpc.system",
                                                                     "aws.xray.fault",
                                                                     "aws.xray.error",
                                                                     "aws.xray.throttle",
                                                                     "db.system",
                                                                     "url.scheme",
                                                                     "url.path",
                                                                     "aws.xray.sql",
                                                                     "aws.xray.namespace",
                                                                     "aws.xray.annotations",
                                                                     "aws.xray.inprogress",
                                                                     "aws.remote.resource.type",
                                                                     "aws.account_id",
                                                                     "db.connection_string",
                                                                     "server.port",
                                                                     "http.target",
                                                                     "aws.sns.topic.arn"};

inline std::string_view AnyOf(Rng& rng, const auto& pool) { return pool[rng.Below(pool.size())]; }

inline model::AttributeValue RandomValue(Rng& rng) {
  switch (rng.Below(12)) {
    case 0:
      return {static_cast<std::int64_t>(rng.Below(3))};
    case 1:
      return {std::int64_t{200} + static_cast<std::int64_t>(rng.Below(4) * 100)};
    case 2:
      return {std::int64_t{429}};
    case 3:
      return {rng.Chance(0.5)};
    case 4:
      return {0.5 * static_cast<double>(rng.Below(4))};
    case 5:
      return {std::string(rng.Chance(0.5) ? "" : "500")};
    case 6:
      return model::testing::ToValue(std::vector<std::string>{std::string(AnyOf(rng, kTexts))});
    case 7:
      return {std::string("{\"tenant\":\"acme\",\"experiment\":\"alice\"}")};
    default:
      return {std::string(AnyOf(rng, kTexts))};
  }
}

inline std::string_view RandomKey(Rng& rng) {
  switch (rng.Below(10)) {
    case 0:
      return AnyOf(rng, model::kHostKeys);
    case 1:
      return AnyOf(rng, model::kUrlKeys);
    case 2:
      return AnyOf(rng, model::kStatusKeys);
    case 3:
      return AnyOf(rng, rng.Chance(0.5) ? model::kUserKeys : model::kMethodKeys);
    case 4:
      return AnyOf(rng, model::kClientIpKeys);
    case 5:
      return AnyOf(rng, model::kServiceNameKeys);
    case 6:
    case 7:
      return AnyOf(rng, kDescribingKeys);
    default:
      return AnyOf(rng, kOwnKeys);
  }
}

inline std::string_view RandomResourceKey(Rng& rng) {
  static constexpr std::array<std::string_view, 9> kKeys = {
      "service.name", "cloud.availability_zone", "host.id",    "cloud.resource_id", "tenant",
      "my.key",       "cloud.provider",          "app.tenant", "cloud.account.id"};
  return AnyOf(rng, kKeys);
}

/// A trace of 1 to 6 spans within about two seconds.
inline std::vector<model::Span> RandomTrace(Rng& rng, const model::TraceId& id,
                                            std::int64_t start_ms) {
  std::vector<model::Span> spans;
  const std::uint64_t count = 1 + rng.Below(6);
  const bool xray = rng.Chance(0.4);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto begin_ms = start_ms + static_cast<std::int64_t>(rng.Below(1'000));
    model::testing::SpanBuilder span(i + 1, AnyOf(rng, kTexts));
    span.InTrace(id).Between(begin_ms, begin_ms + static_cast<std::int64_t>(rng.Below(1'000)));
    if (i > 0 && rng.Chance(0.9)) span.Parent(1 + rng.Below(i));
    span.Kind(static_cast<model::SpanKind>(rng.Below(6)));
    if (xray) {
      span.Source(model::SpanSource::kXRay);
      span.Flags(i == 0 || rng.Chance(0.4) ? model::SpanFlag::kSegment
                                           : model::SpanFlag::kSubsegment);
      if (rng.Chance(0.1)) span.Flags(model::SpanFlag::kSentInferred);
    }
    if (rng.Chance(0.15)) span.Status(model::StatusCode::kError);
    for (const model::SpanFlag flag : {model::SpanFlag::kFault, model::SpanFlag::kError,
                                       model::SpanFlag::kThrottle, model::SpanFlag::kInProgress}) {
      if (rng.Chance(0.05)) span.Flags(flag);
    }
    if (rng.Chance(0.7)) span.Service(AnyOf(rng, kTexts));
    for (std::uint64_t n = rng.Below(3); n > 0; --n)
      span.Resource(RandomResourceKey(rng), RandomValue(rng));
    for (std::uint64_t n = rng.Below(7); n > 0; --n) span.Set(RandomKey(rng), RandomValue(rng));
    if (rng.Chance(0.4)) span.Annotate(AnyOf(rng, kOwnKeys), RandomValue(rng));
    if (rng.Chance(0.2)) {
      span.Set("aws.xray.annotations",
               std::vector<std::string>{std::string(RandomKey(rng)),
                                        "otel.resource." + std::string(RandomResourceKey(rng))});
    }
    model::Span built = span;
    if (xray && rng.Chance(0.3))
      built.document = R"({"metadata":{"default":{"tenant":"acme","model":"orders"}}})";
    spans.push_back(std::move(built));
  }
  return spans;
}

/// Text of a filter expression that parses.
class RandomExpression {
 public:
  explicit RandomExpression(Rng& rng) : rng_(rng) {}

  std::string Make(int depth = 3) {
    switch (depth <= 0 ? 9 : rng_.Below(10)) {
      case 0:
        return "(" + Make(depth - 1) + " AND " + Make(depth - 1) + ")";
      case 1:
        return "(" + Make(depth - 1) + " OR " + Make(depth - 1) + ")";
      case 2:
        return "!(" + Make(depth - 1) + ")";
      case 3:
        return "service(" + Text() + ")" + Block(depth);
      case 4:
        return "edge(" + Text() + ", " + Text() + ")" + Block(depth);
      case 5:
        return rng_.Chance(0.5) ? "rootcause.fault.entity { name = " + Text() + " }"
                                : "rootcause.responsetime.service { first }";
      default:
        return Simple();
    }
  }

 private:
  std::string Text() { return "\"" + std::string(AnyOf(rng_, kTexts)) + "\""; }

  std::string Block(int depth) {
    if (rng_.Chance(0.4)) return "";
    std::string block = Simple();
    if (depth > 1 && rng_.Chance(0.4)) block += (rng_.Chance(0.5) ? " AND " : " OR ") + Simple();
    return " { " + block + " }";
  }

  std::string Simple() {
    static constexpr std::array<std::string_view, 6> kFlags = {"ok",    "error",   "throttle",
                                                               "fault", "partial", "inferred"};
    static constexpr std::array<std::string_view, 9> kStringKeywords = {
        "http.url", "http.method",      "http.useragent", "http.clientip", "user",
        "name",     "availabilityzone", "instance.id",    "resource.arn"};
    static constexpr std::array<std::string_view, 3> kNumberKeywords = {"http.status", "duration",
                                                                        "responsetime"};
    switch (rng_.Below(5)) {
      case 0:
        return std::string(AnyOf(rng_, kFlags)) +
               std::string(AnyOf(
                   rng_, std::array<std::string_view, 4>{"", " = true", " = false", " != false"}));
      case 1:
        return std::string(AnyOf(rng_, kStringKeywords)) + StringTest();
      case 2: {
        const std::string_view keyword = AnyOf(rng_, kNumberKeywords);
        return std::string(keyword) + NumberTest(keyword == "http.status");
      }
      default:
        return Annotation();
    }
  }

  std::string StringTest() {
    static constexpr std::array<std::string_view, 5> kOperators = {" = ", " != ", " CONTAINS ",
                                                                   " BEGINSWITH ", " ENDSWITH "};
    if (rng_.Chance(0.1)) return "";
    return std::string(AnyOf(rng_, kOperators)) +
           (rng_.Chance(0.2) ? std::string("\"a\"") : Text());
  }

  std::string NumberTest(bool status) {
    static constexpr std::array<std::string_view, 6> kOperators = {" = ",  " != ", " < ",
                                                                   " <= ", " > ",  " >= "};
    static constexpr std::array<std::string_view, 4> kStatuses = {"200", "429", "500", "0"};
    static constexpr std::array<std::string_view, 4> kSeconds = {"0", "0.5", "1", "1.5"};
    return std::string(AnyOf(rng_, kOperators)) +
           std::string(AnyOf(rng_, status ? kStatuses : kSeconds));
  }

  std::string Annotation() {
    std::string key(rng_.Chance(0.8) ? AnyOf(rng_, kOwnKeys) : RandomKey(rng_));
    for (char& c : key) {
      if (c == ' ' || c == '-') c = '_';
    }
    const std::string name = "annotation." + key;
    switch (rng_.Below(4)) {
      case 0:
        return name + NumberTest(rng_.Chance(0.5));
      case 1:
        return name + (rng_.Chance(0.5) ? " = true" : "");
      default:
        return name + StringTest();
    }
  }

  Rng& rng_;
};

}  // namespace fluoro::query::testing
