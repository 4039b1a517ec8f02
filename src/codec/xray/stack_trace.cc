#include "codec/xray/stack_trace.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace fluoro::codec::xray {
namespace {

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::optional<std::int64_t> Number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Takes `:<number>` off the end.
std::optional<std::int64_t> TakeNumber(std::string_view& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto number = Number(text.substr(colon + 1));
  if (number) text = text.substr(0, colon);
  return number;
}

// `java.io.IOException: text` -> type and message.
void SetTypeAndMessage(std::string_view line, StackedException& exception) {
  const std::size_t colon = line.find(": ");
  exception.type = Trim(line.substr(0, colon));
  exception.message = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 2);
}

//   \tat [module/]package.Class.method(File.java:12)
std::vector<StackedException> ParseJava(const std::vector<std::string_view>& lines) {
  constexpr std::string_view kAt = "\tat ";
  constexpr std::string_view kCausedBy = "Caused by: ";
  std::vector<StackedException> chain(1);
  bool in_message = false;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    std::string_view line = lines[i];
    if (line.starts_with(kCausedBy)) {
      SetTypeAndMessage(line.substr(kCausedBy.size()), chain.emplace_back());
      in_message = true;
    } else if (line.starts_with(kAt)) {
      in_message = false;
      line.remove_prefix(kAt.size());
      const std::size_t open = line.find('(');
      const std::size_t close = line.rfind(')');
      if (open == std::string_view::npos || close == std::string_view::npos || close < open)
        continue;
      std::string_view label = line.substr(0, open);
      if (const std::size_t slash = label.find('/'); slash != std::string_view::npos)
        label.remove_prefix(slash + 1);
      std::string_view path = line.substr(open + 1, close - open - 1);
      const auto number = TakeNumber(path);
      chain.back().stack.push_back(
          {.path = std::string(path), .label = std::string(label), .line = number.value_or(0)});
    } else if (line.starts_with('\t')) {
      in_message = false;  // `... 5 more`, suppressed exceptions
    } else if (in_message) {
      chain.back().message.append("\n").append(line);
    }
  }
  return chain;
}

//     File "path", line 12, in name       the last call is the last frame; an earlier exception
//     stands above
std::vector<StackedException> ParsePython(const std::vector<std::string_view>& lines) {
  constexpr std::string_view kFile = "  File \"";
  std::vector<StackedException> chain(1);
  bool wants_type = false;
  for (std::size_t i = lines.empty() ? 0 : lines.size() - 1; i-- > 0;) {
    const std::string_view line = lines[i];
    if (line == "During handling of the above exception, another exception occurred:" ||
        line == "The above exception was the direct cause of the following exception:") {
      chain.emplace_back();
      wants_type = true;
      continue;
    }
    if (line.starts_with(kFile)) {
      wants_type = false;
      const std::size_t quote = line.find('"', kFile.size());
      constexpr std::string_view kLine = ", line ";
      if (quote == std::string_view::npos || !line.substr(quote + 1).starts_with(kLine)) continue;
      const std::string_view rest = line.substr(quote + 1 + kLine.size());
      const std::size_t comma = std::min(rest.find(','), rest.size());
      constexpr std::string_view kIn = ", in ";
      const std::string_view tail = rest.substr(comma);
      chain.back().stack.push_back(
          {.path = std::string(line.substr(kFile.size(), quote - kFile.size())),
           .label = std::string(tail.starts_with(kIn) ? tail.substr(kIn.size()) : ""),
           .line = Number(rest.substr(0, comma)).value_or(0)});
    } else if (wants_type && !line.empty() && !line.starts_with(' ')) {
      SetTypeAndMessage(line, chain.back());
    }
  }
  return chain;
}

//     at label (path:line:column)        at path:line:column
std::vector<StackedException> ParseJavaScript(const std::vector<std::string_view>& lines) {
  constexpr std::string_view kAt = "at ";
  std::vector<StackedException> chain(1);
  for (const std::string_view whole : lines) {
    std::string_view line = Trim(whole);
    if (!line.starts_with(kAt) || !whole.starts_with(' ')) continue;
    line.remove_prefix(kAt.size());
    std::string_view label;
    std::string_view path = line;
    if (const std::size_t open = line.rfind('(');
        open != std::string_view::npos && line.ends_with(')')) {
      label = Trim(line.substr(0, open));
      path = line.substr(open + 1, line.size() - open - 2);
    }
    const auto last = TakeNumber(path);
    const auto before = TakeNumber(path);
    chain.back().stack.push_back({.path = std::string(path),
                                  .label = std::string(label),
                                  .line = before ? *before : last.value_or(0)});
  }
  return chain;
}

//   at Namespace.Class.Method(String s) in path:line 12
std::vector<StackedException> ParseDotNet(const std::vector<std::string_view>& lines) {
  constexpr std::string_view kAt = "at ";
  constexpr std::string_view kIn = " in ";
  constexpr std::string_view kLine = ":line ";
  std::vector<StackedException> chain(1);
  for (const std::string_view whole : lines) {
    std::string_view line = Trim(whole);
    if (!line.starts_with(kAt)) continue;
    line.remove_prefix(kAt.size());
    StackFrame& frame = chain.back().stack.emplace_back();
    const std::size_t in = line.rfind(kIn);
    frame.label = line.substr(0, in);
    if (in == std::string_view::npos) continue;
    std::string_view path = line.substr(in + kIn.size());
    if (const std::size_t number = path.rfind(kLine); number != std::string_view::npos) {
      frame.line = Number(path.substr(number + kLine.size())).value_or(0);
      path = path.substr(0, number);
    }
    frame.path = path;
  }
  return chain;
}

//   goroutine 1 [running]:
//   main.f(0x1)
//   \t/src/main.go:12 +0x1d
std::vector<StackedException> ParseGo(const std::vector<std::string_view>& lines) {
  std::vector<StackedException> chain(1);
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    if (lines[i].empty() || lines[i].starts_with('\t') || !lines[i + 1].starts_with('\t')) continue;
    std::string_view path = Trim(lines[i + 1]);
    path = path.substr(0, path.find(' '));
    const auto number = TakeNumber(path);
    chain.back().stack.push_back(
        {.path = std::string(path), .label = std::string(lines[i]), .line = number.value_or(0)});
    ++i;
  }
  return chain;
}

}  // namespace

std::vector<StackedException> ParseStackTrace(std::string_view language, std::string_view text) {
  const std::vector<std::string_view> lines = Lines(text);
  std::vector<StackedException> chain;
  if (language == "java" || language == "php") {
    chain = ParseJava(lines);
  } else if (language == "python") {
    chain = ParsePython(lines);
  } else if (language == "javascript" || language == "nodejs" || language == "webjs") {
    chain = ParseJavaScript(lines);
  } else if (language == "dotnet") {
    chain = ParseDotNet(lines);
  } else if (language == "go") {
    chain = ParseGo(lines);
  }
  const bool framed =
      std::any_of(chain.begin(), chain.end(),
                  [](const StackedException& exception) { return !exception.stack.empty(); });
  if (!framed) chain.clear();
  return chain;
}

}  // namespace fluoro::codec::xray
