#include "api/xray/model_check.h"

#include <algorithm>

#include "base/assert.h"

namespace fluoro::api::xray {
namespace {

using simdjson::dom::element;

template <class T>
T Get(element value, std::string_view key) {
  T found{};
  FLUORO_ASSERT(value[key].get(found) == simdjson::SUCCESS);
  return found;
}

std::string_view TextOr(element value, std::string_view key, std::string_view fallback) {
  std::string_view text;
  return value[key].get(text) == simdjson::SUCCESS ? text : fallback;
}

}  // namespace

ServiceModel::ServiceModel() {
  FLUORO_ASSERT(parser_.load("src/api/xray/testdata/model.json").get(root_) == simdjson::SUCCESS);
}

element ServiceModel::Shape(std::string_view name) const {
  return Get<element>(Get<element>(root_, "shapes"), name);
}

simdjson::dom::object ServiceModel::Operations() const {
  return Get<simdjson::dom::object>(root_, "operations");
}

std::vector<std::string> ServiceModel::ProblemsOf(std::string_view operation,
                                                  std::string_view json) const {
  std::vector<std::string> problems;
  simdjson::dom::parser parser;
  element value;
  if (parser.parse(simdjson::padded_string(json)).get(value) != simdjson::SUCCESS)
    return {"not JSON"};
  const element described = Get<element>(Get<element>(root_, "operations"), operation);
  Check(value, Get<std::string_view>(Get<element>(described, "output"), "shape"), "", problems);
  return problems;
}

void ServiceModel::Check(element value, std::string_view shape_name, const std::string& path,
                         std::vector<std::string>& problems) const {
  const element shape = Shape(shape_name);
  const std::string_view type = Get<std::string_view>(shape, "type");
  const auto problem = [&](const std::string& what) { problems.push_back(path + ": " + what); };
  if (type == "structure") {
    simdjson::dom::object object;
    if (value.get(object) != simdjson::SUCCESS) return problem("not an object");
    const element members = Get<element>(shape, "members");
    for (const auto& [key, item] : object) {
      element member;
      const std::string member_path = path + "." + std::string(key);
      if (members[key].get(member) != simdjson::SUCCESS) {
        problems.push_back(member_path + ": not in the model");
      } else {
        Check(item, Get<std::string_view>(member, "shape"), member_path, problems);
      }
    }
  } else if (type == "list") {
    simdjson::dom::array list;
    if (value.get(list) != simdjson::SUCCESS) return problem("not a list");
    std::size_t index = 0;
    for (const element item : list) {
      Check(item, Get<std::string_view>(Get<element>(shape, "member"), "shape"),
            path + "[" + std::to_string(index++) + "]", problems);
    }
  } else if (type == "map") {
    simdjson::dom::object object;
    if (value.get(object) != simdjson::SUCCESS) return problem("not an object");
    for (const auto& [key, item] : object) {
      Check(item, Get<std::string_view>(Get<element>(shape, "value"), "shape"),
            path + "." + std::string(key), problems);
    }
  } else if (type == "string") {
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS) return problem("not a string");
    simdjson::dom::array values;
    if (shape["enum"].get(values) == simdjson::SUCCESS) {
      const bool known = std::any_of(values.begin(), values.end(), [&](element allowed) {
        return std::string_view(allowed) == text;
      });
      if (!known) problem("not in the enumeration");
    }
  } else if (type == "integer" || type == "long") {
    if (!value.is_int64()) return problem("not written as an integer");
    const std::int64_t number = value.get_int64().value_unsafe();
    if (type == "integer" && (number > INT32_MAX || number < INT32_MIN)) problem("outside 32 bits");
  } else if (type == "double" || type == "timestamp") {
    if (!value.is_number()) problem("not a number");
  } else if (type == "boolean") {
    if (!value.is_bool()) problem("not a boolean");
  } else {
    problem("model type " + std::string(TextOr(shape, "type", "?")) + " is not known here");
  }
}

}  // namespace fluoro::api::xray
