#include "cli/ledger_tables.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <array>
#include <vector>

#include "cli/json_read.h"
#include "cli/units.h"

namespace fluoro::cli {
namespace {

using simdjson::dom::element;

constexpr auto kDimensions =
    std::to_array<std::string_view>({"kind", "sub_kind", "tool", "model", "tenant", "route"});

std::string Right(std::string_view text, std::size_t columns) {
  return std::string(columns - std::min(columns, DisplayWidth(text)), ' ') + std::string(text);
}

std::int64_t Whole(element object, std::string_view key) {
  return ReadMember<std::int64_t>(object, key, 0);
}

std::string Time(element object, std::string_view key, std::size_t columns = 10) {
  element value;
  if (object[key].get(value) != simdjson::SUCCESS || value.is_null()) return Right("?", columns);
  const std::int64_t ns = Whole(object, key);
  return Right(ns == 0 ? "-" : FormatDuration(ns), columns);
}

// What has no price is marked: it is not for nothing.
std::string Usd(element object, std::string_view key, std::size_t columns = 14) {
  element value;
  if (object[key].get(value) == simdjson::SUCCESS && value.is_null())
    return Right("unpriced", columns);
  const double usd = ReadMember<double>(object, key, 0);
  const bool partly = key == "usd" && Whole(object, "unpriced_tokens") > 0;
  return Right(usd == 0 && !partly ? "-" : fmt::format("{:.9f}{}", usd, partly ? "+" : ""),
               columns);
}

std::string Share(double share) { return Right(fmt::format("{:.1f} %", share * 100), 8); }

// The dimensions that the rows have, and how wide they are shown.
struct Columns {
  std::vector<std::string_view> names;
  std::size_t width = 28;

  explicit Columns(element document) {
    simdjson::dom::array by;
    if (document["by"].get(by) != simdjson::SUCCESS) return;
    for (const element name : by) {
      std::string_view text;
      if (name.get(text) == simdjson::SUCCESS) names.push_back(text);
    }
    if (names.size() > 1) width = 20;
  }
  [[nodiscard]] std::string Heading() const {
    std::string out;
    for (const std::string_view name : names) out += Fit(name, width - 1) + " ";
    return out;
  }
  [[nodiscard]] std::string Cells(element row) const {
    std::string out;
    const bool other = ReadMember<bool>(row, "other", false);
    for (const std::string_view name : names) {
      const std::string text = ReadText(row, name);
      out += Fit(other ? "(other)" : text.empty() ? "-" : Sanitise(text), width - 1) + " ";
    }
    return out;
  }
};

Result<element> Parse(simdjson::dom::parser& parser, const simdjson::padded_string& json,
                      std::string_view list) {
  element document;
  simdjson::dom::array rows;
  if (parser.parse(json).get(document) != simdjson::SUCCESS ||
      document[list].get(rows) != simdjson::SUCCESS)
    return Fail(ErrorCode::kCorruption, "the answer is not as expected");
  return document;
}

template <class Visit>
void ForEach(element object, std::string_view key, Visit&& visit) {
  simdjson::dom::array array;
  if (object[key].get(array) != simdjson::SUCCESS) return;
  for (const element item : array) visit(item);
}

bool IsOneTrace(element document) { return !ReadText(document, "trace_id").empty(); }

// What the figures do not tell.
std::string Doubts(element document) {
  std::string out;
  const auto note = [&](std::string_view key, std::string_view text) {
    if (const std::int64_t count = Whole(document, key); count > 0)
      out += fmt::format("{} {}\n", count, text);
  };
  note("unpriced_tokens", "tokens have no price and are in no figure of money");
  note("possibly_billed_attempts", "attempts may have been billed, unknown for how much");
  note("flagged_traces",
       "traces have flaws: steps without an end or beyond their parent, missing spans");
  note("crowded_out", "lines had no row of their own");
  if (!ReadMember<bool>(document, "complete", true))
    out += fmt::format("there are more traces: {:.0f} % of the candidates were looked at\n",
                       ReadMember<double>(document, "scanned_share", 1) * 100);
  return out;
}

std::string WhatIf(element document, const Terminal& terminal) {
  element change;
  if (document["what_if"].get(change) != simdjson::SUCCESS) return {};
  const bool one = IsOneTrace(document);
  const auto line = [&](std::string_view name, std::string_view key, std::string_view new_key) {
    return fmt::format("  {:<10}{} -> {}\n", name, Time(change, key), Time(change, new_key));
  };
  std::string out = "\n" +
                    terminal.Paint(fmt::format("what if: {} steps in {} traces",
                                               Whole(change, "steps"), Whole(change, "traces")),
                                   Ink::kBold) +
                    "\n";
  if (one) {
    out += line("duration", "root_ns", "new_root_ns");
  } else {
    out += line("mean", "mean_ns", "new_mean_ns") + line("p50", "p50_ns", "new_p50_ns") +
           line("p95", "p95_ns", "new_p95_ns");
  }
  return out + fmt::format("  {:<10}{}{}\n", "saves", Time(change, "saved_ns"),
                           Usd(change, "saved_usd") + " USD");
}

std::string Links(element document, const Terminal& terminal) {
  element trace;
  element links;
  if (document["trace"].get(trace) != simdjson::SUCCESS ||
      trace["links"].get(links) != simdjson::SUCCESS || Whole(links, "count") == 0)
    return {};
  std::string out = "\n" +
                    terminal.Paint(fmt::format("links to {} producers, each with an equal part",
                                               Whole(links, "count")),
                                   Ink::kBold) +
                    "\n";
  ForEach(links, "shown", [&](element link) {
    out += fmt::format("  {}  waited{}  part{}{} USD  {} {}\n", ReadText(link, "trace_id"),
                       Time(link, "queue_ns"), Time(link, "share_ns"), Usd(link, "share_usd"),
                       Sanitise(ReadText(link, "tenant")), Sanitise(ReadText(link, "route")));
  });
  return out;
}

std::string Names(element step) {
  for (const std::string_view key : {"tool", "model", "name"}) {
    if (std::string text = ReadText(step, key); !text.empty()) return Sanitise(text);
  }
  return "-";
}

std::string Spans(element finding, std::string_view key) {
  std::string out;
  ForEach(finding, key, [&](element span) {
    std::string_view id;
    if (span.get(id) == simdjson::SUCCESS) out += (out.empty() ? "" : " ") + std::string(id);
  });
  return out;
}

std::string FindingsOfOne(element trace, const Terminal& terminal) {
  std::string out;
  ForEach(trace, "findings", [&](element finding) {
    const std::string stood = ReadText(finding, "stood");
    out += fmt::format("{} {}: {}{}{}\n", ReadText(finding, "kind"), Names(finding),
                       terminal.Paint(ReadText(finding, "cause"), Ink::kRed),
                       stood.empty() ? ", gave up" : ", then " + stood + " succeeded",
                       ReadMember<bool>(finding, "fallback", false) ? " (another model)" : "");
    out += fmt::format("  failed{}  back-off{}  recoverable{}  lost{} USD  spans {}\n",
                       Time(finding, "failed_ns"), Time(finding, "backoff_ns"),
                       Time(finding, "recoverable_ns"), Usd(finding, "waste_usd"),
                       Spans(finding, "failed"));
  });
  ForEach(trace, "repeated", [&](element work) {
    out += fmt::format("{} {}: again{}{} USD  spans {}\n",
                       terminal.Paint(ReadText(work, "what"), Ink::kYellow),
                       Sanitise(ReadText(work, "name")), Time(work, "again_ns"),
                       Usd(work, "again_usd"), Spans(work, "spans"));
  });
  ForEach(trace, "steps", [&](element step) {
    const auto flag = [&](std::string_view key, std::string_view text) {
      return ReadMember<bool>(step, key, false) ? std::string(text) : std::string();
    };
    out += fmt::format("{} {}: {} retries{}{}{}{}\n", ReadText(step, "kind"), Names(step),
                       Whole(step, "retries"), flag("timeout", ", timed out"),
                       flag("timeout_partial", ", an attempt timed out"),
                       flag("throttled", ", throttled"), flag("cancelled", ", cancelled"));
  });
  return out;
}

std::string FindingsOfMany(element document, const Terminal& terminal) {
  const Columns columns(document);
  std::string out = terminal.Paint(columns.Heading() +
                                       fmt::format("{:<10}{:>8}{:>10}{:>9}{:>10}{:>10}{:>12}{:>14}",
                                                   "cause", "traces", "attempts", "gave up",
                                                   "failed", "back-off", "recoverable", "USD"),
                                   Ink::kBold) +
                    "\n";
  ForEach(document, "rows", [&](element row) {
    out += columns.Cells(row) + fmt::format("{:<10}{:>8}{:>10}{:>9}{}{}{}{}\n",
                                            ReadText(row, "cause"), Whole(row, "traces"),
                                            Whole(row, "attempts"), Whole(row, "gave_up"),
                                            Time(row, "failed_ns"), Time(row, "backoff_ns"),
                                            Time(row, "recoverable_ns", 12), Usd(row, "waste_usd"));
  });
  ForEach(document, "repeated", [&](element row) {
    out += fmt::format("{} {}: {} traces, {} calls (at most {} in {}), again{}{} USD\n",
                       terminal.Paint(ReadText(row, "what"), Ink::kYellow),
                       Sanitise(ReadText(row, "name")), Whole(row, "traces"), Whole(row, "calls"),
                       Whole(row, "calls_max"), ReadText(row, "example"), Time(row, "again_ns"),
                       Usd(row, "again_usd"));
  });
  bool first = true;
  ForEach(document, "worst", [&](element trace) {
    if (first) out += "\n" + terminal.Paint("traces with most to recover", Ink::kBold) + "\n";
    first = false;
    out +=
        fmt::format("  {}  took{}  waste{}  recoverable{}\n", ReadText(trace, "trace_id"),
                    Time(trace, "root_ns"), Time(trace, "waste_ns"), Time(trace, "recoverable_ns"));
  });
  return out;
}

std::string PhaseText(std::string_view name, std::int64_t ns, std::int64_t of_ns) {
  return fmt::format("  {:<20}{:>10}{}\n", name, FormatDuration(ns),
                     Share(of_ns > 0 ? static_cast<double>(ns) / static_cast<double>(of_ns) : 0));
}

std::string StepTimes(element step) {
  const std::int64_t first_ns = Whole(step, "first_token_ns");
  std::string out = fmt::format("{} {}: first token after {}", ReadText(step, "span_id"),
                                Sanitise(ReadText(step, "model")), FormatDuration(first_ns));
  double per_token_ms = 0;
  if (step["per_token_ms"].get(per_token_ms) == simdjson::SUCCESS)
    out += fmt::format(", {:.2f} ms a token", per_token_ms);
  out += "\n";
  element phases;
  if (step["phases"].get(phases) == simdjson::SUCCESS && phases.is_object()) {
    for (const auto& [key, name] : {std::pair{"connect_send_ns", "connect and send"},
                                    {"queue_ns", "queue"},
                                    {"prefill_ns", "prefill"},
                                    {"first_token_return_ns", "first token back"}})
      out += PhaseText(name, Whole(phases, key), first_ns);
  } else {
    out += PhaseText("to first token", first_ns, first_ns);
  }
  const std::int64_t whole_ns = Whole(step, "duration_ns");
  out += PhaseText("decode (of all)", Whole(step, "decode_ns"), whole_ns);
  out += PhaseText("tail (of all)", Whole(step, "tail_ns"), whole_ns);
  if (const std::int64_t stalls = Whole(step, "stall_count"); stalls > 0)
    out +=
        fmt::format("  {} stalls, {} together\n", stalls, FormatDuration(Whole(step, "stall_ns")));
  if (ReadMember<bool>(step, "clocks_differ", false))
    out += "  the engine's clock differs: its times were cut to fit\n";
  return out;
}

std::string ModelPhases(element row) {
  element phases;
  element estimate;
  if (row["phases"].get(phases) == simdjson::SUCCESS && phases.is_object()) {
    const std::int64_t first_ns = Whole(phases, "first_token_mean_ns");
    std::string out;
    for (const auto& [key, name] : {std::pair{"connect_send_mean_ns", "connect and send"},
                                    {"queue_mean_ns", "queue"},
                                    {"prefill_mean_ns", "prefill"},
                                    {"first_token_return_mean_ns", "first token back"}})
      out += PhaseText(name, Whole(phases, key), first_ns);
    return out;
  }
  if (row["estimate"].get(estimate) != simdjson::SUCCESS || !estimate.is_object()) return {};
  if (estimate["phases"].get(phases) != simdjson::SUCCESS || !phases.is_object())
    return "  (estimated) the times do not tell prefill from queue\n";
  return fmt::format(
      "  (estimated) prefill {} ({} to {}), queue {}, the way {}\n",
      FormatDuration(Whole(phases, "prefill_ns")), FormatDuration(Whole(phases, "prefill_low_ns")),
      FormatDuration(Whole(phases, "prefill_high_ns")), FormatDuration(Whole(phases, "queue_ns")),
      FormatDuration(Whole(phases, "base_ns")));
}

}  // namespace

Result<std::string> RenderLedger(std::string_view json, const Terminal& terminal) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  FLUORO_TRY(const element document, Parse(parser, padded, "rows"));
  if (Whole(document, "traces") == 0) return std::string("no traces\n");
  const bool one = IsOneTrace(document);
  const Columns columns(document);
  std::string heading = columns.Heading();
  heading += one ? fmt::format("{:>10}{:>8}{:>14}{:>10}", "path", "share", "USD", "waste")
                 : fmt::format("{:>8}{:>10}{:>8}{:>10}{:>10}{:>14}{:>14}{:>10}", "traces", "mean",
                               "share", "p50", "p95", "USD", "USD mean", "waste");
  std::string out = terminal.Paint(heading, Ink::kBold) + "\n";
  ForEach(document, "rows", [&](element row) {
    const std::string share = Share(ReadMember<double>(row, "share", 0));
    out += columns.Cells(row);
    if (one) {
      out += Time(row, "path_ns") + share + Usd(row, "usd");
    } else {
      out += Right(std::to_string(Whole(row, "traces")), 8) + Time(row, "path_mean_ns") + share +
             Time(row, "path_p50_ns") + Time(row, "path_p95_ns") + Usd(row, "usd") +
             Usd(row, "usd_mean");
    }
    out += Time(row, "waste_ns") + "\n";
  });
  const std::string all = Fit("all", columns.names.size() * columns.width);
  out += terminal.Paint(one ? all + Time(document, "root_ns") + Share(1) + Usd(document, "usd") +
                                  Time(document, "waste_ns")
                            : all + Right(std::to_string(Whole(document, "traces")), 8) +
                                  Time(document, "root_mean_ns") + Share(1) +
                                  Time(document, "root_p50_ns") + Time(document, "root_p95_ns") +
                                  Usd(document, "usd") + Usd(document, "usd_mean") +
                                  Time(document, "waste_ns"),
                        Ink::kBold) +
         "\n";
  return out + WhatIf(document, terminal) + Links(document, terminal) + Doubts(document);
}

Result<std::string> RenderWaste(std::string_view json, const Terminal& terminal) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  FLUORO_TRY(const element document, Parse(parser, padded, "rows"));
  if (Whole(document, "traces") == 0) return std::string("no traces\n");
  element trace;
  const bool one = document["trace"].get(trace) == simdjson::SUCCESS;
  std::string out = fmt::format(
      "{} of {} traces lost{} in failed attempts and back-off,{} USD; without it they would have "
      "taken{} less\n",
      Whole(document, "traces_with_waste"), Whole(document, "traces"),
      Time(document, "waste_ns", 0).insert(0, " "), Usd(document, "waste_usd", 0).insert(0, " "),
      Time(document, "recoverable_ns", 0).insert(0, " "));
  return out + (one ? FindingsOfOne(trace, terminal) : FindingsOfMany(document, terminal)) +
         Doubts(document);
}

Result<std::string> RenderTtft(std::string_view json, const Terminal& terminal) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  FLUORO_TRY(const element document, Parse(parser, padded, "models"));
  std::string out;
  ForEach(document, "steps", [&](element step) { out += StepTimes(step); });
  if (!out.empty()) return out + Doubts(document);
  ForEach(document, "models", [&](element row) {
    if (out.empty())
      out = terminal.Paint(
                fmt::format("{}{:>8}{:>12}{:>10}{:>10}{:>12}{:>12}{:>8}", Fit("model", 28), "calls",
                            "first token", "p50", "p95", "token p50", "token p95", "stalls"),
                Ink::kBold) +
            "\n";
    const std::string model = ReadText(row, "model");
    out += Fit(model.empty() ? "-" : Sanitise(model), 28) +
           fmt::format("{:>8}{}{}{}{}{}{:>8}\n", Whole(row, "calls"),
                       Time(row, "first_token_mean_ns", 12), Time(row, "first_token_p50_ns"),
                       Time(row, "first_token_p95_ns"), Time(row, "per_token_p50_ns", 12),
                       Time(row, "per_token_p95_ns", 12), Whole(row, "stalls")) +
           ModelPhases(row);
  });
  return (out.empty() ? std::string("no streamed answers\n") : out) + Doubts(document);
}

}  // namespace fluoro::cli
