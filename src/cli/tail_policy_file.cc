#include "cli/tail_policy_file.h"

#include <fmt/format.h>

#include <sstream>

// The library throws on bad TOML otherwise; without exceptions it returns a result.
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "base/fs.h"

namespace fluoro::cli {
namespace {

Result<std::string> JsonOfToml(const std::string& text) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    const auto& error = parsed.error();
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("line {}, column {}: {}", error.source().begin.line,
                            error.source().begin.column, error.description()));
  }
  std::ostringstream json;
  json << toml::json_formatter(parsed.table());
  return json.str();
}

Result<std::string> JsonOfFile(const std::string& path) {
  const auto fs = MakePosixFs();
  FLUORO_TRY(std::string text, ReadFile(*fs, path));
  if (!path.ends_with(".toml")) return text;
  return JsonOfToml(text);
}

}  // namespace

Result<sampling::TailPolicies> ReadTailPolicyFile(const std::string& path) {
  const auto read = [&]() -> Result<sampling::TailPolicies> {
    FLUORO_TRY(const std::string text, JsonOfFile(path));
    return sampling::ParseTailPolicies(text);
  };
  auto policies = read();
  if (!policies) return std::unexpected(std::move(policies).error().With(path));
  return policies;
}

Result<sampling::RuleFile> ReadRuleFile(const std::string& path) {
  const auto read = [&]() -> Result<sampling::RuleFile> {
    FLUORO_TRY(const std::string text, JsonOfFile(path));
    return sampling::ParseRuleFile(text);
  };
  auto file = read();
  if (!file) return std::unexpected(std::move(file).error().With(path));
  return file;
}

}  // namespace fluoro::cli
