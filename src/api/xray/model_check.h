// Test support: is an answer what the service model says? Reads testdata/model.json.
#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>
#include <vector>

namespace fluoro::api::xray {

/// The service model of botocore.
class ServiceModel {
 public:
  ServiceModel();
  [[nodiscard]] simdjson::dom::element Shape(std::string_view name) const;
  [[nodiscard]] simdjson::dom::object Operations() const;
  /// Everything in which `json` differs from the operation's output shape: unknown members, wrong
  /// types, numbers with a fraction where the model wants integers, broken bounds. Empty: it fits.
  [[nodiscard]] std::vector<std::string> ProblemsOf(std::string_view operation,
                                                    std::string_view json) const;

 private:
  void Check(simdjson::dom::element value, std::string_view shape, const std::string& path,
             std::vector<std::string>& problems) const;
  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
};

}  // namespace fluoro::api::xray
