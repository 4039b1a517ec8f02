#include "genai/labels.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <set>

#include "genai/fields.h"
#include "model/testing.h"

namespace fluoro::genai {
namespace {

using model::AssembledTrace;
using model::Span;
using model::SpanKind;
using model::testing::AssembleSpans;
using model::testing::OtelSpan;
using model::testing::SpanBuilder;
using model::testing::TestSpanId;
using model::testing::XRaySegment;
using model::testing::XRaySubsegment;
using ::testing::ElementsAre;

SpanBuilder Step(std::uint64_t id, std::uint64_t parent) {
  return OtelSpan(id, SpanKind::kInternal, "step").Parent(parent).Between(0, 100);
}
SpanBuilder Root() { return OtelSpan(1, SpanKind::kServer, "POST /chat").Between(0, 100); }

std::string Of(const std::vector<Span>& spans, std::uint64_t id, Label label) {
  const AssembledTrace trace = AssembleSpans(spans);
  return std::string(LabelsOf(trace).Get(trace.Find(TestSpanId(id)), label));
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kLabels; ++i) names.emplace_back(LabelName(static_cast<Label>(i)));
  return names;
}

TEST(TraceLabels, AreNamedAsTheCanonicalFields) {
  EXPECT_THAT(Names(), ElementsAre("tenant", "route", "experiment_id", "experiment_arm",
                                   "session_id", "user_id", "agent_name", "workflow_name"));
}

TEST(TraceLabels, PassDownFromTheNearestAncestor) {
  for (std::size_t i = 0; i < kLabels; ++i) {
    const auto label = static_cast<Label>(i);
    const std::string key(LabelName(label));
    const std::vector<Span> spans = {Root().Set(key, "top"), Step(2, 1),
                                     Step(3, 1).Set(key, "mine"), Step(4, 3)};
    EXPECT_EQ(Of(spans, 2, label), "top") << key;
    EXPECT_EQ(Of(spans, 3, label), "mine") << key;
    EXPECT_EQ(Of(spans, 4, label), "mine") << key;
  }
}

// Gotcha 19: the tenant on any one span is that of the whole trace.
TEST(TraceLabels, TheOnlyTenantExperimentAndSessionOfATracePassUpwards) {
  const std::set<std::string> upwards = {"tenant", "experiment_id", "experiment_arm", "session_id"};
  for (std::size_t i = 0; i < kLabels; ++i) {
    const auto label = static_cast<Label>(i);
    const std::string key(LabelName(label));
    const std::string wanted = upwards.contains(key) ? "acme" : "";
    const std::vector<Span> one = {Root(), Step(2, 1).Set(key, "acme"), Step(3, 1), Step(4, 2)};
    EXPECT_EQ(Of(one, 1, label), wanted) << key;
    EXPECT_EQ(Of(one, 3, label), wanted) << key;
    EXPECT_EQ(Of(one, 4, label), "acme") << key;
    std::vector<Span> two = one;
    two.push_back(Step(5, 1).Set(key, "globex"));
    EXPECT_EQ(Of(two, 1, label), "") << key;
    EXPECT_EQ(Of(two, 3, label), "") << key;
    EXPECT_EQ(Of(two, 4, label), "acme") << key;
  }
}

TEST(TraceLabels, AreReadUnderEveryName) {
  EXPECT_EQ(Of({Root().Set("langsmith.metadata.tenant_id", "acme"), Step(2, 1)}, 2, Label::kTenant),
            "acme");
  EXPECT_EQ(Of({Root().Resource("tenant.id", "acme"), Step(2, 1)}, 2, Label::kTenant), "acme");
  EXPECT_EQ(Of({Root().Set("http.route", "/v1/chat"), Step(2, 1)}, 2, Label::kRoute), "/v1/chat");
  EXPECT_EQ(Of({Root().Event("feature_flag.evaluation", {{"feature_flag.key", "rerank_v2"},
                                                         {"feature_flag.result.variant", "B"}}),
                Step(2, 1)},
               2, Label::kExperimentArm),
            "B");
  Span segment = XRaySegment(1, "web").Between(0, 100);
  segment.document = R"({"name":"web","metadata":{"default":{"tenant":"acme"}}})";
  EXPECT_EQ(Of({segment, XRaySubsegment(2, 1, "call").Between(0, 50)}, 2, Label::kTenant), "acme");
  EXPECT_EQ(Of({XRaySegment(1, "web").Between(0, 100).Annotate("tenant", "acme"),
                XRaySubsegment(2, 1, "call").Between(0, 50)},
               2, Label::kTenant),
            "acme");
}

TEST(TraceLabels, NoNameOfALabelIsPassedOver) {
  for (const Field& field : Fields()) {
    const std::vector<std::string> names = Names();
    const auto at = std::find(names.begin(), names.end(), field.name);
    if (at == names.end()) continue;
    const auto label = static_cast<Label>(at - names.begin());
    for (const Source& source : field.sources) {
      const SpanBuilder span =
          source.reading == Reading::kTag
              ? Root().Set(source.key, std::vector<std::string>{std::string(source.part) + "x"})
          : source.reading == Reading::kMember
              ? Root().Set(source.key, "{\"" + std::string(source.part) + "\":\"x\"}")
              : Root().Set(source.key, "x");
      EXPECT_EQ(Of({span}, 1, label), OwnLabel(span, label)) << source.key;
    }
    for (const std::string_view key : field.resource) {
      EXPECT_EQ(Of({Root().Resource(key, "x")}, 1, label), "x") << key;
    }
  }
}

TEST(TraceLabels, TheAddressOfACallIsNoRoute) {
  const SpanBuilder call = OtelSpan(2, SpanKind::kClient, "POST")
                               .Parent(1)
                               .Between(0, 50)
                               .Set("url.full", "https://api.openai.com/v1/chat/completions");
  EXPECT_EQ(Of({Root().Set("http.route", "/ask"), call}, 2, Label::kRoute), "/ask");
  EXPECT_EQ(Of({Root(), call}, 2, Label::kRoute), "");
  EXPECT_EQ(Of({Root(), SpanBuilder(call).Set("route", "/own")}, 2, Label::kRoute), "/own");
}

TEST(TraceLabels, InferredCalleesHaveTheirCallers) {
  const AssembledTrace trace =
      AssembleSpans({XRaySegment(1, "web").Between(0, 100).Annotate("tenant", "acme"),
                     XRaySubsegment(2, 1, "dynamodb", "aws").Between(0, 50)});
  const TraceLabels labels = LabelsOf(trace);
  ASSERT_EQ(trace.entities.back().role, model::EntityRole::kInferred);
  for (std::size_t i = 0; i < trace.entities.size(); ++i) {
    EXPECT_EQ(labels.Get(static_cast<std::int32_t>(i), Label::kTenant), "acme");
  }
  EXPECT_EQ(labels.Get(-1, Label::kTenant), "");
  EXPECT_EQ(labels.Get(99, Label::kTenant), "");
}

TEST(TraceLabels, AreCutBetweenCharacters) {
  std::string tenant(kLabelBytesMax - 1, 'x');
  EXPECT_EQ(Of({Root().Set("tenant", tenant + "\xc3\xa9 and more")}, 1, Label::kTenant), tenant);
}

// The rule in its plainest words: own, else the nearest above, else the only one there is.
std::string Naive(const AssembledTrace& trace, std::size_t entity, Label label) {
  const auto own = [&](std::size_t at) {
    const model::Entity& e = trace.entities[at];
    return e.role == model::EntityRole::kInferred ? std::string() : OwnLabel(*e.span, label);
  };
  for (auto at = static_cast<std::int32_t>(entity); at >= 0;
       at = trace.entities[static_cast<std::size_t>(at)].parent) {
    if (std::string text = own(static_cast<std::size_t>(at)); !text.empty()) return text;
  }
  if (label == Label::kRoute || label >= Label::kUserId) return {};
  std::set<std::string> all;
  for (std::size_t at = 0; at < trace.entities.size(); ++at) all.insert(own(at));
  all.erase("");
  return all.size() == 1 ? *all.begin() : std::string();
}

TEST(TraceLabels, AgreeWithTheNaiveRule) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](unsigned end) { return static_cast<int>(random() % end); };
    std::vector<Span> spans;
    const int count = 1 + below(14);
    for (int i = 1; i <= count; ++i) {
      // Parents later in the list, missing ones and circles among them.
      SpanBuilder span = OtelSpan(static_cast<unsigned>(i), static_cast<SpanKind>(below(6)), "s")
                             .Parent(static_cast<unsigned>(below(static_cast<unsigned>(count) + 3)))
                             .Between(below(50), 50 + below(50));
      for (std::size_t label = 0; label < kLabels; ++label) {
        if (below(6) == 0) {
          span.Set(LabelName(static_cast<Label>(label)), "v" + std::to_string(below(2)));
        }
      }
      if (below(4) == 0) span.Set("url.path", "/p" + std::to_string(below(3)));
      spans.push_back(span);
    }
    const AssembledTrace trace = AssembleSpans(spans);
    const TraceLabels labels = LabelsOf(trace);
    for (std::size_t entity = 0; entity < trace.entities.size(); ++entity) {
      for (std::size_t i = 0; i < kLabels; ++i) {
        const auto label = static_cast<Label>(i);
        ASSERT_EQ(labels.Get(static_cast<std::int32_t>(entity), label), Naive(trace, entity, label))
            << "seed " << seed << " entity " << entity << " " << LabelName(label);
      }
    }
  }
}

}  // namespace
}  // namespace fluoro::genai
