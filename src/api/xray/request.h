// One request body, checked against its operation's input shape before anything reads it.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/xray/errors.h"
#include "api/xray/shape.h"

namespace fluoro::api::xray {

/// Limits of a body: nesting, and JSON values of bodies above 1 MiB (smaller ones cannot hold
/// harmful numbers).
inline constexpr std::size_t kBodyNestingMax = 64;
inline constexpr std::size_t kBodyValuesMax = 1'000'000;

/// The members of one checked structure. `null` counts as absent. Borrows from its Request.
class MembersView {
 public:
  explicit MembersView(simdjson::dom::element object) : object_(object) {}

  [[nodiscard]] std::optional<std::string_view> Text(std::string_view name) const;
  [[nodiscard]] std::optional<std::int64_t> Int(std::string_view name) const;
  [[nodiscard]] std::optional<double> Double(std::string_view name) const;
  [[nodiscard]] std::optional<bool> Bool(std::string_view name) const;
  /// Unix ns, rounded to the microsecond, clamped to what fits. Values from 1e11 on are
  /// milliseconds: so write the X-Ray SDK for Java and OpenTelemetry's Java sampler.
  [[nodiscard]] std::optional<std::int64_t> TimeNs(std::string_view name) const;
  [[nodiscard]] std::optional<MembersView> Structure(std::string_view name) const;
  [[nodiscard]] std::vector<std::string_view> Texts(std::string_view name) const;
  [[nodiscard]] std::vector<MembersView> Structures(std::string_view name) const;
  /// The entries of a map of texts; the last one where a key is repeated.
  [[nodiscard]] std::optional<std::map<std::string, std::string>> Map(std::string_view name) const;

 private:
  [[nodiscard]] std::optional<simdjson::dom::element> Find(std::string_view name) const;

  simdjson::dom::element object_;
};

class Request {
 public:
  /// An empty body counts as `{}`; unknown members are ignored.
  /// Errors: SerializationException (not a JSON object, a member of the wrong type),
  /// InvalidRequestException ("N validation error(s) detected: Value at 'startTime' failed to
  /// satisfy constraint: Member must not be null; ...").
  static ApiResult<Request> Parse(std::string_view body, const Shape& input);

  [[nodiscard]] const MembersView& members() const { return members_; }

  std::string principal = {};  ///< ARN of the caller

 private:
  Request(std::unique_ptr<simdjson::dom::parser> parser, simdjson::dom::element root)
      : parser_(std::move(parser)), members_(root) {}

  std::unique_ptr<simdjson::dom::parser> parser_;  ///< owns what the views read
  MembersView members_;
};

}  // namespace fluoro::api::xray
