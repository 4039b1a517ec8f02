// Every operation with bodies made at random from its input shape: good, broken and hostile ones.
// Whatever comes, the answer is one that the model knows, and nothing is InternalFailure.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "api/xray/shape.h"
#include "api/xray/test_server.h"
#include "base/json.h"
#include "base/rng.h"

namespace fluoro::api::xray {
namespace {

constexpr int kRounds = 1'500;

class BodyMaker {
 public:
  explicit BodyMaker(std::uint64_t seed) : rng_(seed) {}

  std::string Make(const Shape& input) {
    JsonWriter out;
    Write(out, input, "");
    return out.Take();
  }
  /// Something that an answer named: later requests ask for it.
  void Remember(std::string text) {
    if (known_.size() == kKnownMax) known_.erase(known_.begin());
    known_.push_back(std::move(text));
  }

 private:
  static constexpr std::size_t kKnownMax = 40;

  template <class T, std::size_t N>
  const T& AnyOf(const std::array<T, N>& values) {
    return values[rng_.Below(N)];
  }

  void Write(JsonWriter& out, const Shape& shape, std::string_view name) {
    if (rng_.Chance(0.02)) return WriteAnything(out);
    switch (shape.kind) {
      case ShapeKind::kString:
        return (void)out.String(Text(shape, name));
      case ShapeKind::kInteger:
      case ShapeKind::kLong:
        return (void)out.Int(Int(shape));
      case ShapeKind::kDouble:
        return (void)out.Double(AnyOf(std::array{0.0, 0.5, 1.0, 5.0, 100.0, -1.0, 1e300}));
      case ShapeKind::kTimestamp:
        return (void)out.Double(AnyOf(std::array{0.0, 1478293000.0, 1478293362.0, 1478293400.5,
                                                 1478293362123.0, -5.0, 1e18, 1e300}));
      case ShapeKind::kBoolean:
        return (void)out.Bool(rng_.Chance(0.5));
      case ShapeKind::kList: {
        out.BeginArray();
        for (std::uint64_t i = rng_.Below(rng_.Chance(0.05) ? 210 : 4); i > 0; --i)
          Write(out, *shape.element, name);
        return (void)out.EndArray();
      }
      case ShapeKind::kMap: {
        out.BeginObject();
        for (std::uint64_t i = rng_.Below(7); i > 0; --i) {
          out.Key(Text(*shape.key, ""));
          Write(out, *shape.element, "");
        }
        return (void)out.EndObject();
      }
      case ShapeKind::kStructure: {
        out.BeginObject();
        for (const Member& member : shape.members) {
          if (rng_.Chance(member.required ? 0.03 : 0.4)) continue;
          out.Key(member.name);
          Write(out, *member.shape, member.name);
        }
        if (rng_.Chance(0.1)) out.Key("Unknown").String("x");
        return (void)out.EndObject();
      }
    }
  }

  void WriteAnything(JsonWriter& out) {
    switch (rng_.Below(7)) {
      case 0:
        return (void)out.Null();
      case 1:
        return (void)out.Int(INT64_MIN);
      case 2:
        return (void)out.BeginObject().EndObject();
      case 3:
        return (void)out.BeginArray().EndArray();
      case 4:
        return (void)out.Bool(true);
      case 5:
        return (void)out.Raw("1e400");
      default:
        return (void)out.String("\xff\xfe\0x");
    }
  }

  std::int64_t Int(const Shape& shape) {
    if (shape.min && shape.max && rng_.Chance(0.8)) {
      const auto from = static_cast<std::int64_t>(*shape.min);
      return from + static_cast<std::int64_t>(
                        rng_.Below(static_cast<std::uint64_t>(*shape.max - *shape.min) + 1));
    }
    return AnyOf(std::array<std::int64_t, 8>{0, 1, 60, 300, 10'000, -1, INT32_MAX, INT64_MAX});
  }

  std::string Text(const Shape& shape, std::string_view name) {
    if (!shape.values.empty() && rng_.Chance(0.9))
      return std::string(shape.values[rng_.Below(shape.values.size())]);
    if (!known_.empty() && rng_.Chance(0.3)) return known_[rng_.Below(known_.size())];
    if (name == "FilterExpression" && rng_.Chance(0.8)) {
      return AnyOf(std::array<std::string, 6>{"fault", "responsetime > 5", "service(\"shop\")",
                                              "group.name = \"g\"", "((", "annotation.a = "});
    }
    if (name == "PolicyDocument" && rng_.Chance(0.7)) {
      return R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"xray:*",)"
             R"("Resource":"*"}]})";
    }
    if (name == "TraceIds" && rng_.Chance(0.8))
      return NumberedTraceId(1 + static_cast<unsigned>(rng_.Below(4)));
    static const std::array<std::string, 16> kTexts{"Default",
                                                    "g",
                                                    "pay",
                                                    "*",
                                                    "",
                                                    "a",
                                                    "Ünïcode \U0001F600",
                                                    "a'b\"c\\d`e",
                                                    "a\r\nb: c",
                                                    "../../etc/passwd",
                                                    "%2e%2e%2f",
                                                    "' OR 1=1 --",
                                                    "<script>x</script>",
                                                    "0123456789abcdef01234567",
                                                    "arn:aws:xray:us-east-1:000000000000:group/g",
                                                    std::string("nul\0inside", 10)};
    if (rng_.Chance(0.05)) return std::string(rng_.Below(6'000), 'x');
    return AnyOf(kTexts);
  }

  Rng rng_;
  std::vector<std::string> known_;
};

void RememberTexts(simdjson::dom::element value, BodyMaker& maker) {
  if (value.is_string()) {
    const std::string_view text = value.get_string().value_unsafe();
    if (text.size() < 400) maker.Remember(std::string(text));
  } else if (value.is_array()) {
    const simdjson::dom::array items = value.get_array().value_unsafe();
    for (const simdjson::dom::element item : items) RememberTexts(item, maker);
  } else if (value.is_object()) {
    const simdjson::dom::object members = value.get_object().value_unsafe();
    for (const auto& [key, item] : members) RememberTexts(item, maker);
  }
}

TEST(RandomRequests, AreAnsweredAsTheModelKnows) {
  const std::uint64_t seed = 20261129;
  TestServer server;
  server.PutGood({SegmentText{.trace_id = NumberedTraceId(1)}.Json()});
  const ServiceModel model;
  BodyMaker maker(seed);
  std::set<std::string_view> answered;
  for (int round = 0; round < kRounds; ++round) {
    for (const Operation& operation : Operations()) {
      if (operation.input == nullptr) continue;
      const std::string body = maker.Make(*operation.input);
      SCOPED_TRACE("seed " + std::to_string(seed) + ", round " + std::to_string(round) + ": " +
                   std::string(operation.name) + " " + body.substr(0, 2'000));
      const net::HttpResponse response = server.Send(operation.path, body);
      ASSERT_NE(response.status, 500);
      ASSERT_NE(response.status, 503);
      simdjson::dom::parser parser;
      simdjson::dom::element answer;
      ASSERT_EQ(parser.parse(simdjson::padded_string(response.body)).get(answer),
                simdjson::SUCCESS);
      if (response.status == 200) {
        answered.insert(operation.name);
        ASSERT_THAT(model.ProblemsOf(operation.name, response.body), testing::IsEmpty());
        RememberTexts(answer, maker);
      } else {
        ASSERT_NE(At(response.body, "/Message"), "");
        ASSERT_EQ(response.headers.at("x-amzn-errortype"), At(response.body, "/__type"));
      }
      server.clock().Advance(kNsPerSecond);
    }
  }
  EXPECT_GE(answered.size(), 30U) << testing::PrintToString(answered);
}

}  // namespace
}  // namespace fluoro::api::xray
