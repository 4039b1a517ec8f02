#include "query/root_request.h"

#include <gtest/gtest.h>

#include "model/testing.h"

namespace fluoro::query {
namespace {

using model::SpanKind;
using model::SpanSource;
using model::testing::SpanBuilder;

TEST(RootRequest, ReadsWhatAnXRaySegmentSays) {
  const RootRequest request =
      RootRequestOf(SpanBuilder(1, "shop")
                        .Source(SpanSource::kXRay)
                        .Flags(model::SpanFlag::kSegment)
                        .Service("shop")
                        .Resource("aws.xray.origin", "AWS::ECS::Container")
                        .Resource("aws.xray.resource_arn", "arn:aws:ecs:x:1:task/a")
                        .Set("url.full", "https://user:pw@shop.example:8443/orders/7?page=2#top")
                        .Set("http.request.method", "POST")
                        .Set("aws.xray.sampling_rule", "orders")
                        .Annotate("tenant", "acme")
                        .Build());
  EXPECT_EQ(request, (RootRequest{.service = "shop",
                                  .type = "AWS::ECS::Container",
                                  .host = "shop.example:8443",
                                  .method = "POST",
                                  .path = "/orders/7",
                                  .resource = "arn:aws:ecs:x:1:task/a",
                                  .tenant = "acme",
                                  .rule = "orders"}));
}

TEST(RootRequest, ReadsOldAndNewNamesOfOpenTelemetry) {
  const RootRequest neu = RootRequestOf(SpanBuilder(1, "GET /orders/{id}")
                                            .Kind(SpanKind::kServer)
                                            .Service("shop")
                                            .Resource("cloud.provider", "aws")
                                            .Resource("cloud.platform", "aws_ec2")
                                            .Set("url.path", "/orders/7")
                                            .Set("url.query", "page=2")
                                            .Set("http.request.method", "GET")
                                            .Set("server.address", "shop.example")
                                            .Build());
  EXPECT_EQ(neu, (RootRequest{.service = "shop",
                              .type = "AWS::EC2::Instance",
                              .host = "shop.example",
                              .method = "GET",
                              .path = "/orders/7"}));
  const RootRequest old = RootRequestOf(SpanBuilder(1, "GET")
                                            .Kind(SpanKind::kServer)
                                            .Service("shop")
                                            .Set("http.target", "/orders/7?page=2")
                                            .Set("http.method", "GET")
                                            .Set("http.host", "shop.example:80")
                                            .Set("tenant.id", "acme")
                                            .Build());
  EXPECT_EQ(old, (RootRequest{.service = "shop",
                              .host = "shop.example:80",
                              .method = "GET",
                              .path = "/orders/7",
                              .tenant = "acme"}));
}

TEST(RootRequest, CutsWhatIsLongAndAnswersNothingForNothing) {
  const RootRequest request = RootRequestOf(
      SpanBuilder(1, "x").Service("s").Set("url.path", "/" + std::string(1'000, 'a')).Build());
  EXPECT_EQ(request.path.size(), kRootTextBytesMax);
  EXPECT_EQ(request.host, "");
  EXPECT_EQ(RootRequestOf(SpanBuilder(1, "x").Set("http.url", "http://h").Build()).path, "/");
}

TEST(RootRequest, AttributesOfRulesAreReadFromTheSpanAndItsResource) {
  const auto span = SpanBuilder(1, "x").Service("s").Resource("env", "prod").Set("n", 3).Build();
  EXPECT_EQ(SamplingAttributesOf(span, {"env", "n", "none"}),
            (std::map<std::string, std::string>{{"env", "prod"}, {"n", "3"}}));
}

}  // namespace
}  // namespace fluoro::query
