#include "redact/pattern.h"

#include <re2/re2.h>

namespace fluoro::redact {
namespace {

constexpr std::int64_t kMemoryMax = std::int64_t{1} << 20;

}  // namespace

Result<Pattern> Pattern::Compile(const std::string& text) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMemoryMax);
  auto compiled = std::make_shared<const re2::RE2>(text, options);
  if (!compiled->ok()) return Fail(ErrorCode::kInvalidArgument, "pattern: " + compiled->error());
  if (re2::RE2::FullMatch("", *compiled))
    return Fail(ErrorCode::kInvalidArgument, "pattern: it matches the empty text");
  return Pattern(std::move(compiled));
}

std::optional<std::pair<std::size_t, std::size_t>> Pattern::Find(std::string_view text,
                                                                 std::size_t from) const {
  re2::StringPiece found;
  // An empty match (\b) removes nothing.
  while (from < text.size() && compiled_->Match({text.data(), text.size()}, from, text.size(),
                                                re2::RE2::UNANCHORED, &found, 1)) {
    const auto begin = static_cast<std::size_t>(found.data() - text.data());
    if (!found.empty()) return std::pair(begin, begin + found.size());
    from = begin + 1;
  }
  return std::nullopt;
}

}  // namespace fluoro::redact
