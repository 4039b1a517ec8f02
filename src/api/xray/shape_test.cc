#include "api/xray/shape.h"

#include <gtest/gtest.h>

#include <string>

#include "api/xray/model_check.h"

namespace fluoro::api::xray {
namespace {

using simdjson::dom::element;

std::string_view KindInModel(ShapeKind kind) {
  switch (kind) {
    case ShapeKind::kString:
      return "string";
    case ShapeKind::kInteger:
      return "integer";
    case ShapeKind::kLong:
      return "long";
    case ShapeKind::kDouble:
      return "double";
    case ShapeKind::kBoolean:
      return "boolean";
    case ShapeKind::kTimestamp:
      return "timestamp";
    case ShapeKind::kList:
      return "list";
    case ShapeKind::kMap:
      return "map";
    case ShapeKind::kStructure:
      return "structure";
  }
  return "";
}

void ExpectSame(const ServiceModel& model, const Shape& shape, std::string_view name,
                const std::string& path) {
  SCOPED_TRACE(path);
  const element described = model.Shape(name);
  std::string_view type;
  ASSERT_EQ(described["type"].get(type), simdjson::SUCCESS);
  ASSERT_EQ(type, KindInModel(shape.kind));
  for (const auto& [key, bound] : {std::pair("min", shape.min), std::pair("max", shape.max)}) {
    double number = 0;
    if (path == "GetSamplingTargets.SamplingStatisticsDocuments" && bound) {
      EXPECT_EQ(bound, 100) << "more than the model's 25: a client may report 26 rules at once";
      continue;
    }
    // A lower bound of 0 on a length says nothing.
    if (described[key].get(number) == simdjson::SUCCESS && (bound || number != 0)) {
      EXPECT_EQ(bound, number) << key;
    } else {
      EXPECT_FALSE(bound) << key;
    }
  }
  simdjson::dom::array values;
  if (described["enum"].get(values) == simdjson::SUCCESS) {
    ASSERT_EQ(values.size(), shape.values.size());
    std::size_t i = 0;
    for (const element value : values) EXPECT_EQ(std::string_view(value), shape.values[i++]);
  } else {
    EXPECT_TRUE(shape.values.empty());
  }
  std::string_view pattern;
  if (described["pattern"].get(pattern) != simdjson::SUCCESS) pattern = "";
  EXPECT_EQ(pattern, shape.pattern);
  if (shape.kind == ShapeKind::kMap) {
    ExpectSame(model, *shape.key, described["key"]["shape"].get_string().value_unsafe(),
               path + "{}");
    ExpectSame(model, *shape.element, described["value"]["shape"].get_string().value_unsafe(),
               path + "{}");
  }
  if (shape.kind == ShapeKind::kList) {
    ExpectSame(model, *shape.element, described["member"]["shape"].get_string().value_unsafe(),
               path + "[]");
  }
  if (shape.kind != ShapeKind::kStructure) return;
  simdjson::dom::object members;
  ASSERT_EQ(described["members"].get(members), simdjson::SUCCESS);
  EXPECT_EQ(members.size(), shape.members.size());
  for (const Member& member : shape.members) {
    element in_model;
    ASSERT_EQ(members[member.name].get(in_model), simdjson::SUCCESS) << member.name;
    ExpectSame(model, *member.shape, in_model["shape"].get_string().value_unsafe(),
               path + "." + std::string(member.name));
    simdjson::dom::array required;
    bool is_required = false;
    if (described["required"].get(required) == simdjson::SUCCESS) {
      for (const element text : required)
        is_required = is_required || std::string_view(text) == member.name;
    }
    // One client in the field leaves out the list when it is empty, one misspells the count.
    const std::string member_path = path + "." + std::string(member.name);
    if (member_path == "GetSamplingTargets.SamplingStatisticsDocuments" ||
        member_path == "GetSamplingTargets.SamplingStatisticsDocuments[].SampledCount") {
      is_required = false;
    }
    EXPECT_EQ(is_required, member.required) << member.name;
  }
}

TEST(Shapes, AreThoseOfTheServiceModel) {
  const ServiceModel model;
  std::size_t described = 0;
  for (const Operation& operation : Operations()) {
    if (operation.input == nullptr) continue;
    ++described;
    const element in_model = model.Operations()[operation.name].value_unsafe();
    ExpectSame(model, *operation.input, in_model["input"]["shape"].get_string().value_unsafe(),
               std::string(operation.name));
  }
  EXPECT_GE(described, 10U);
}

TEST(Operations, HavePathsOfTheServiceModel) {
  const ServiceModel model;
  EXPECT_EQ(Operations().size(), model.Operations().size());
  for (const auto& [name, described] : model.Operations()) {
    std::string_view path;
    ASSERT_EQ(described["http"]["requestUri"].get(path), simdjson::SUCCESS);
    const Operation* found = FindOperation(path);
    ASSERT_NE(found, nullptr) << path;
    EXPECT_EQ(found->name, name);
  }
  EXPECT_EQ(FindOperation("/GetTraceSummaries"), nullptr);
  EXPECT_EQ(FindOperation("/traces"), nullptr) << "paths are case-sensitive";
}

}  // namespace
}  // namespace fluoro::api::xray
