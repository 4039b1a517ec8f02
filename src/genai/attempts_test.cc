#include "genai/attempts.h"

#include <gmock/gmock.h>

#include "base/clock.h"
#include "model/testing.h"

namespace fluoro::genai {
namespace {

using model::SpanKind;
using model::testing::OtelSpan;

struct Case {
  const char* name;
  std::vector<Request> requests;
  std::int64_t resends;
};

Request Sent(std::int64_t start, std::int64_t end, bool failed, bool answered,
             std::uint64_t target = 1) {
  return {target, start * kNsPerMs, end * kNsPerMs, failed, answered};
}

TEST(Attempts, AreRowsOfLostRequestsToOneTarget) {
  const Case cases[] = {
      {"one", {Sent(0, 10, true, false)}, 0},
      {"timed out, then answered", {Sent(0, 10, true, false), Sent(20, 30, false, true)}, 1},
      {"throttled twice, out of order",
       {Sent(40, 50, false, true), Sent(0, 10, true, true), Sent(20, 30, true, true)},
       2},
      {"all failed", {Sent(0, 10, true, true), Sent(20, 30, true, true)}, 1},
      {"a client that left without a word",
       {Sent(0, 10, false, false), Sent(20, 30, false, true)},
       1},
      {"who never writes a status tells nothing",
       {Sent(0, 10, false, false), Sent(20, 30, false, false)},
       0},
      {"asked twice, answered twice", {Sent(0, 10, false, true), Sent(20, 30, false, true)}, 0},
      {"at the same time", {Sent(0, 10, true, true), Sent(5, 30, false, true)}, 0},
      {"another target", {Sent(0, 10, true, true), Sent(20, 30, false, true, 2)}, 0},
      {"a minute later", {Sent(0, 10, true, true), Sent(60'010, 60'020, false, true)}, 1},
      {"more than a minute later", {Sent(0, 10, true, true), Sent(60'011, 60'020, false, true)}, 0},
      {"two rows, the longer one counts",
       {Sent(0, 10, true, true), Sent(20, 30, false, true), Sent(40, 50, true, true),
        Sent(60, 70, true, true), Sent(80, 90, false, true)},
       2},
  };
  for (Case one : cases) EXPECT_EQ(ResendsAmong(one.requests), one.resends) << one.name;
  std::vector<Request> edges{{1, INT64_MIN, INT64_MIN, true, true},
                             {1, INT64_MAX, INT64_MAX, true, true}};
  EXPECT_EQ(ResendsAmong(edges), 0);
}

TEST(Attempts, RequestsAreThoseOfClientsUnderBothNames) {
  const auto old = RequestOf(OtelSpan(1, SpanKind::kClient, "POST")
                                 .Set("http.url", "http://m/v1")
                                 .Set("http.status_code", 429));
  ASSERT_TRUE(old);
  EXPECT_TRUE(old->failed && old->answered);
  const auto newer = RequestOf(OtelSpan(2, SpanKind::kClient, "POST")
                                   .Set("url.full", "http://m/v1")
                                   .Set("http.response.status_code", 200));
  ASSERT_TRUE(newer);
  EXPECT_TRUE(!newer->failed && newer->answered && newer->target == old->target);
  EXPECT_TRUE(RequestOf(OtelSpan(3, SpanKind::kClient, "POST")
                            .Set("url.full", "http://m/v1")
                            .Status(model::StatusCode::kError, "timed out"))
                  ->failed);
  EXPECT_FALSE(RequestOf(OtelSpan(4, SpanKind::kServer, "POST").Set("url.full", "http://m/v1")));
  EXPECT_FALSE(RequestOf(OtelSpan(5, SpanKind::kClient, "POST").Set("url.full", 7)));
  EXPECT_FALSE(RequestOf(OtelSpan(6, SpanKind::kClient, "POST")));
}

}  // namespace
}  // namespace fluoro::genai
