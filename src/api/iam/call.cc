#include "api/iam/call.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>

#include "auth/canonical_request.h"
#include "auth/managed_policies.h"
#include "auth/policy.h"
#include "base/log.h"
#include "base/percent.h"

namespace fluoro::api::iam {
namespace {

constexpr std::size_t kPathBytesMax = 512;
// 128 and 256 characters of UTF-8.
constexpr std::size_t kTagKeyBytesMax = 512;
constexpr std::size_t kTagValueBytesMax = 1'024;

std::string LowerFirst(std::string_view name) {
  std::string text(name);
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z')
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}

std::unexpected<QueryError> Invalid(std::string_view name, std::string_view constraint) {
  return Refuse(400, "ValidationError",
                fmt::format("1 validation error detected: Value at '{}' failed to satisfy "
                            "constraint: Member must {}",
                            LowerFirst(name), constraint));
}

std::string AnyCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

}  // namespace

std::unexpected<QueryError> Refuse(int status, std::string_view code, std::string message) {
  return std::unexpected(QueryError{status, std::string(code), std::move(message)});
}

std::unexpected<QueryError> NoSuchEntity(std::string message) {
  return Refuse(404, "NoSuchEntity", std::move(message));
}

QueryError FromError(const Error& error) {
  if (error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kNoSpace)
    return {503, "ServiceUnavailable", "try again"};
  log::Error("iam", {{"code", std::string(ErrorCodeName(error.code))}, {"error", error.message}});
  return {500, "ServiceFailure", "internal failure"};
}

QueryResult<Parameters> Parameters::Parse(std::string_view form) {
  if (form.size() > kFormBytesMax) {
    return Refuse(400, "InvalidParameterValue",
                  fmt::format("at most {} bytes of parameters are taken", kFormBytesMax));
  }
  Parameters parameters;
  for (const std::string_view one : auth::Split(form, '&')) {
    if (one.empty()) continue;
    const std::size_t equals = one.find('=');
    std::string name = PercentDecode(one.substr(0, equals), true);
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view{} : one.substr(equals + 1);
    if (!parameters.values_.try_emplace(name, PercentDecode(value, true)).second)
      return Refuse(400, "InvalidParameterCombination",
                    fmt::format("parameter '{}' is there twice", name.substr(0, 64)));
    if (parameters.values_.size() > kParametersMax) {
      return Refuse(400, "InvalidParameterValue",
                    fmt::format("at most {} parameters are taken", kParametersMax));
    }
  }
  return parameters;
}

std::string_view Parameters::Text(std::string_view name, std::string_view fallback) const {
  const auto found = values_.find(name);
  return found == values_.end() ? fallback : std::string_view(found->second);
}

QueryResult<std::string> Parameters::Wanted(std::string_view name, std::size_t bytes_max) const {
  if (!Has(name)) return Invalid(name, "not be null");
  const std::string_view text = Text(name);
  if (text.empty()) return Invalid(name, "have length greater than or equal to 1");
  if (text.size() > bytes_max)
    return Invalid(name, fmt::format("have length less than or equal to {}", bytes_max));
  return std::string(text);
}

QueryResult<std::string> Parameters::EntityName(std::string_view name,
                                                std::size_t bytes_max) const {
  FLUORO_TRY(std::string text, Wanted(name, bytes_max));
  if (!auth::IsEntityName(text, bytes_max)) {
    return Refuse(400, "ValidationError",
                  fmt::format("The specified value for {} is invalid. It must contain only "
                              "alphanumeric characters and/or the following: +=,.@_-",
                              LowerFirst(name)));
  }
  return text;
}

QueryResult<std::int64_t> Parameters::Int(std::string_view name, std::int64_t fallback,
                                          std::int64_t min, std::int64_t max) const {
  if (!Has(name)) return fallback;
  const std::string_view text = Text(name);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return Invalid(name, "be a number");
  if (number < min)
    return Invalid(name, fmt::format("have value greater than or equal to {}", min));
  if (number > max) return Invalid(name, fmt::format("have value less than or equal to {}", max));
  return number;
}

QueryResult<std::string> Parameters::Path() const {
  std::string path(Text("Path", "/"));
  const bool clean = std::ranges::all_of(path, [](char c) { return c > 0x20 && c < 0x7f; });
  if (!path.starts_with('/') || !path.ends_with('/') || path.size() > kPathBytesMax || !clean) {
    return Refuse(400, "ValidationError",
                  "The specified value for path is invalid. It must begin and end with / and "
                  "contain only alphanumeric characters and/or / characters.");
  }
  return path;
}

QueryResult<auth::Tags> Parameters::Tags() const {
  auth::Tags tags;
  for (std::size_t i = 1;; ++i) {
    const std::string prefix = fmt::format("Tags.member.{}.", i);
    if (!Has(prefix + "Key")) return tags;
    if (i > auth::kTagsMax)
      return Invalid("tags", fmt::format("have length less than or equal to {}", auth::kTagsMax));
    const std::string key(Text(prefix + "Key"));
    const std::string value(Text(prefix + "Value"));
    if (key.empty() || key.size() > kTagKeyBytesMax)
      return Invalid(fmt::format("tags.{}.member.key", i), "have length between 1 and 128");
    if (value.size() > kTagValueBytesMax) {
      return Invalid(fmt::format("tags.{}.member.value", i),
                     "have length less than or equal to 256");
    }
    for (const auto& [other, text] : tags) {
      if (AnyCase(other) == AnyCase(key)) {
        return Refuse(400, "InvalidInput",
                      "Duplicate tag keys found. Please note that Tag keys are case insensitive.");
      }
    }
    tags.emplace_back(key, value);
  }
}

std::vector<std::string> Parameters::List(std::string_view name) const {
  std::vector<std::string> values;
  for (std::size_t i = 1;; ++i) {
    const std::string key = fmt::format("{}.member.{}", name, i);
    if (!Has(key)) return values;
    values.emplace_back(Text(key));
  }
}

QueryResult<void> Change(Call& call,
                         const std::function<QueryResult<void>(control::Transaction&)>& change) {
  std::optional<QueryError> refused;
  const auto written = call.repository.Write(
      call.caller.arn(), [&](control::Transaction& transaction) -> Result<void> {
        refused.reset();
        if (auto done = change(transaction); !done) {
          refused = std::move(done).error();
          return Fail(ErrorCode::kInvalidArgument, "refused");
        }
        return {};
      });
  if (refused) return std::unexpected(*std::move(refused));
  return Lift(written);
}

QueryResult<void> MergeTags(auth::Tags& tags, const auth::Tags& added) {
  for (const auto& [key, value] : added) {
    const auto found = std::ranges::find(tags, key, [](const auto& tag) { return tag.first; });
    if (found == tags.end()) {
      tags.emplace_back(key, value);
    } else {
      found->second = value;
    }
  }
  if (tags.size() > auth::kTagsMax) {
    return Refuse(
        409, "LimitExceeded",
        fmt::format("The number of tags has reached the maximum limit: {}.", auth::kTagsMax));
  }
  return {};
}

std::string IsoTime(std::int64_t ns) {
  const std::chrono::sys_seconds time{std::chrono::seconds(ns / kNsPerSecond)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

QueryResult<void> CheckDocument(std::string_view document, auth::PolicyKind kind) {
  const auto policy = auth::Policy::Parse(document, kind);
  if (!policy) return Refuse(400, "MalformedPolicyDocument", policy.error().message);
  return {};
}

std::string ArnOf(const Call& call, const auth::PolicyRef& ref, std::string_view path) {
  if (ref.starts_with("arn:")) return ref;
  return fmt::format("arn:aws:iam::{}:policy{}{}", call.account, path, ref.substr(7));
}

}  // namespace fluoro::api::iam
