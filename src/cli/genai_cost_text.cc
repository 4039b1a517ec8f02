#include "cli/genai_cost_text.h"

#include <fmt/format.h>

#include <vector>

#include "cli/json_read.h"

namespace fluoro::cli {
namespace {

using simdjson::dom::element;

std::unexpected<Error> Unexpected() {
  return Fail(ErrorCode::kCorruption, "the answer is not as expected");
}

// What is not known is not 0.
std::string Usd(element object, std::string_view key) {
  double usd = 0;
  if (object[key].get(usd) != simdjson::SUCCESS) return "unpriced";
  return fmt::format("{:.9f}", usd);
}

std::int64_t Count(element object, std::string_view key) {
  return ReadMember<std::int64_t>(object, key, 0);
}

std::string Name(element object, std::string_view key) { return Sanitise(ReadText(object, key)); }

// "1 call and 250 tokens are unpriced.", as far as there are any.
std::string Unknown(element of, std::string_view calls_key, const Terminal& terminal) {
  std::string out;
  const std::int64_t calls = Count(of, calls_key);
  if (calls > 0)
    out += fmt::format("{} tokens unpriced, in {} call{}\n", Count(of, "unpriced_tokens"), calls,
                       calls == 1 ? "" : "s");
  if (const std::int64_t attempts = Count(of, "possibly_billed_attempts"); attempts > 0)
    out += fmt::format("{} failed after the first token and may have been billed\n", attempts);
  if (const std::int64_t tokens = Count(of, "unattributed_tokens"); tokens > 0)
    out += fmt::format("{} tokens that roll-ups tell of are on no span: spans were lost\n", tokens);
  return out.empty() ? out : terminal.Paint(out, Ink::kYellow);
}

std::string Tokens(element step) {
  std::string text = fmt::format("in {}", Count(step, "prompt_tokens"));
  if (const auto cached = Count(step, "cached_tokens"); cached > 0)
    text += fmt::format(" (cached {})", cached);
  if (const auto written = Count(step, "cache_write_tokens"); written > 0)
    text += fmt::format(" (to the cache {})", written);
  text += fmt::format(", out {}", Count(step, "completion_tokens"));
  if (const auto reasoning = Count(step, "reasoning_tokens"); reasoning > 0)
    text += fmt::format(" (reasoning {})", reasoning);
  return text;
}

std::string Heading(element step) {
  std::string text = ReadText(step, "step_kind") + " " + Name(step, "name");
  const std::string what =
      ReadText(step, "step_kind") == "tool" ? Name(step, "tool") : Name(step, "model");
  if (!what.empty()) text += "  " + what;
  if (const std::string provider = Name(step, "provider"); !provider.empty())
    text += " (" + provider + ")";
  return text + "  " + ReadText(step, "span_id");
}

std::string Flags(element step) {
  simdjson::dom::array flags;
  if (step["flags"].get(flags) != simdjson::SUCCESS) return {};
  std::string text;
  for (const element flag : flags) {
    std::string_view name;
    if (flag.get(name) == simdjson::SUCCESS) text += (text.empty() ? "" : ", ") + std::string(name);
  }
  return text;
}

std::string Counted(element step, const Terminal& terminal) {
  std::string out = terminal.Paint(Heading(step), Ink::kBold) + "\n";
  out += "  " + Tokens(step) + "; counts: " + ReadText(step, "reason") + "\n";
  element price;
  if (step["price"].get(price) == simdjson::SUCCESS && price.is_object()) {
    out += "  price " + Name(price, "id") + " of " + ReadText(price, "valid_from");
    if (const std::string tier = Name(price, "tier"); !tier.empty()) out += ", " + tier;
    out += "\n";
  }
  simdjson::dom::array lines;
  if (step["lines"].get(lines) == simdjson::SUCCESS) {
    for (const element line : lines)
      out += fmt::format("    {:<15} {}\n", ReadText(line, "part"), ReadText(line, "text"));
  }
  out +=
      "  " + Usd(step, "cost_usd") + " " + ReadText(step, "source") + ": " + ReadText(step, "why");
  double computed = 0;
  if (step["computed_usd"].get(computed) == simdjson::SUCCESS)
    out += fmt::format(" (by the table {:.9f})", computed);
  out += "\n";
  if (const std::string flags = Flags(step); !flags.empty())
    out += "  " + terminal.Paint("note: " + flags, Ink::kYellow) + "\n";
  return out;
}

std::string NotCounted(element step, const Terminal& terminal) {
  std::string out = terminal.Paint(Heading(step), Ink::kDim) + "\n";
  out += "  " + Tokens(step) + "; " + ReadText(step, "role") + ": " + ReadText(step, "reason");
  if (const auto lost = Count(step, "unattributed_tokens"); lost > 0)
    out += fmt::format("; {} tokens more than below", lost);
  return out + "\n";
}

}  // namespace

Result<std::string> RenderAudit(std::string_view json, const Terminal& terminal) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  element document;
  simdjson::dom::array counted;
  simdjson::dom::array others;
  if (parser.parse(padded).get(document) != simdjson::SUCCESS ||
      document["counted"].get(counted) != simdjson::SUCCESS ||
      document["not_counted"].get(others) != simdjson::SUCCESS)
    return Unexpected();
  std::string out = ReadText(document, "trace_id") + "  " +
                    terminal.Paint(Usd(document, "cost_usd") + " USD", Ink::kBold) +
                    ", prices of " + ReadText(document, "prices_date") + "\n";
  if (!ReadMember<bool>(document, "complete", true))
    out += "this is part of a trace, or it has not ended\n";
  for (const element step : counted) out += "\n" + Counted(step, terminal);
  if (others.size() > 0) out += "\nNot counted\n";
  for (const element step : others) out += NotCounted(step, terminal);
  out +=
      fmt::format("\nsum of the steps {} USD, of their lines {} USD: {} the trace's cost\n",
                  Usd(document, "sum_of_steps_usd"), Usd(document, "sum_of_lines_usd"),
                  ReadMember<bool>(document, "sums_to_cost", false) ? "equal to" : "NOT equal to");
  out += Unknown(document, "unpriced_steps", terminal);
  return out;
}

Result<std::string> RenderGenAiCost(std::string_view json, const Terminal& terminal) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  element document;
  element total;
  simdjson::dom::array rows;
  simdjson::dom::array by;
  if (parser.parse(padded).get(document) != simdjson::SUCCESS ||
      document["rows"].get(rows) != simdjson::SUCCESS ||
      document["total"].get(total) != simdjson::SUCCESS ||
      document["by"].get(by) != simdjson::SUCCESS)
    return Unexpected();
  std::vector<std::string> groups;
  for (const element name : by) {
    std::string_view text;
    if (name.get(text) == simdjson::SUCCESS) groups.emplace_back(text);
  }
  const std::size_t columns = groups.size() > 2 ? 20 : 28;
  std::string heading;
  for (const std::string& group : groups) heading += Fit(group, columns - 1) + " ";
  heading += fmt::format("{:>8}{:>13}{:>13}{:>13}{:>17}{:>13}", "calls", "in", "cached", "out",
                         "USD", "unpriced tok");
  std::string out = terminal.Paint(heading, Ink::kBold) + "\n";
  const auto line = [](element of) {
    return fmt::format("{:>8}{:>13}{:>13}{:>13}{:>17}{:>13}\n", Count(of, "calls"),
                       Count(of, "prompt_tokens"), Count(of, "cached_tokens"),
                       Count(of, "completion_tokens"), Usd(of, "cost_usd"),
                       Count(of, "unpriced_tokens"));
  };
  for (const element row : rows) {
    const bool other = ReadMember<bool>(row, "other", false);
    for (const std::string& group : groups) {
      const std::string text = other ? "(other)" : Name(row, group);
      out += Fit(text.empty() ? "-" : text, columns - 1) + " ";
    }
    out += line(row);
  }
  std::string all;
  for (std::size_t i = 0; i < groups.size(); ++i)
    all += Fit(i == 0 ? "all" : "", columns - 1) + " ";
  out += terminal.Paint(all + line(total), Ink::kBold);
  out += fmt::format("{} traces, prices of {}\n", Count(document, "traces"),
                     ReadText(document, "prices_date"));
  out += Unknown(total, "unpriced_calls", terminal);
  if (const auto estimated = Count(total, "estimated_calls"); estimated > 0)
    out += fmt::format("{} calls priced with a doubt: fluoro genai audit TRACE tells which\n",
                       estimated);
  if (!ReadMember<bool>(document, "complete", true))
    out += "not all traces could be read in time: narrow the window or the expression\n";
  return out;
}

}  // namespace fluoro::cli
