#include "cli/whatif_table.h"

#include <fmt/format.h>

#include "cli/json_read.h"
#include "cli/units.h"

namespace fluoro::cli {
namespace {

using Element = simdjson::dom::element;

Element Member(Element object, std::string_view key) {
  Element member;
  return object[key].get(member) == simdjson::SUCCESS ? member : Element();
}

std::string Share(double part, double whole) {
  return whole <= 0 ? "-" : fmt::format("{:.1f} %", 100 * part / whole);
}

// "1234 (1201..1267)", or the number alone where nothing is left to chance.
std::string FigureText(Element figure) {
  const double expected = ReadMember<double>(figure, "expected", 0);
  const double low = ReadMember<double>(figure, "low", expected);
  const double high = ReadMember<double>(figure, "high", expected);
  if (high - low < 0.5) return fmt::format("{:.0f}", expected);
  return fmt::format("{:.0f} ({:.0f}..{:.0f})", expected, low, high);
}

std::string Usd(double usd) { return fmt::format("${:.2f}", usd); }

std::string Heading(const Terminal& terminal, const std::string& text) {
  return terminal.Paint(text, Ink::kBold) + "\n";
}

std::string Totals(Element answer, const Terminal& terminal) {
  const Element seen = Member(answer, "seen");
  const Element recorded = Member(answer, "recorded");
  const Element kept = Member(answer, "kept");
  const auto of = static_cast<double>(ReadMember<std::uint64_t>(seen, "traces", 0));
  const auto row = [&](std::string_view name, const std::string& traces, double count,
                       std::uint64_t spans, std::uint64_t bytes, const std::string& usd) {
    return fmt::format("{}  {:>26}  {:>8}  {:>11}  {:>10}  {}\n", Fit(name, 10), traces,
                       Share(count, of), spans, FormatBytes(bytes), usd);
  };
  const auto counted = [&](std::string_view name, Element count, const std::string& usd) {
    return row(name, FigureText(count), ReadMember<double>(count, "expected", 0),
               ReadMember<std::uint64_t>(count, "spans", 0),
               ReadMember<std::uint64_t>(count, "bytes", 0), usd);
  };
  std::string out =
      Heading(terminal, fmt::format("{}  {:>26}  {:>8}  {:>11}  {:>10}  {}", Fit("", 10), "traces",
                                    "share", "spans", "bytes", "recorded a month, X-Ray's price"));
  out += row("seen", fmt::format("{:.0f}", of), of, ReadMember<std::uint64_t>(seen, "spans", 0),
             ReadMember<std::uint64_t>(seen, "bytes", 0),
             Usd(ReadMember<double>(answer, "usd_month_of_all", 0)));
  const double usd = ReadMember<double>(recorded, "usd_month", 0);
  const double usd_low = ReadMember<double>(recorded, "usd_month_low", usd);
  const double usd_high = ReadMember<double>(recorded, "usd_month_high", usd);
  out += counted("recorded", recorded,
                 usd_high - usd_low < 0.005
                     ? Usd(usd)
                     : fmt::format("{} ({}..{})", Usd(usd), Usd(usd_low), Usd(usd_high)));
  out += counted("kept", kept, "");
  return out;
}

// Rules or policies: what reaches them, and what they let through.
std::string Rows(Element answer, std::string_view list, const Terminal& terminal) {
  simdjson::dom::array rows;
  if (answer[list].get(rows) != simdjson::SUCCESS || rows.size() == 0) return {};
  const bool rules = list == "rules";
  std::string out =
      "\n" + Heading(terminal, fmt::format("{}  {:>16}  {:>10}  {:>26}  {:>8}",
                                           Fit(rules ? "head rule" : "tail policy", 20),
                                           rules ? "rate" : "keep", rules ? "matched" : "traces",
                                           rules ? "recorded" : "kept", "share"));
  for (const Element row : rows) {
    const Element through = Member(row, rules ? "recorded" : "kept");
    const double before = rules ? static_cast<double>(ReadMember<std::uint64_t>(row, "matched", 0))
                                : ReadMember<double>(Member(row, "taken"), "expected", 0);
    const double rate = ReadMember<double>(row, rules ? "fixed_rate" : "keep", 1) * 100;
    out += fmt::format(
        "{}  {:>16}  {:>10.0f}  {:>26}  {:>8}\n", Fit(Sanitise(ReadText(row, "name")), 20),
        rules ? fmt::format("{}/s + {:g} %", ReadMember<std::int64_t>(row, "reservoir", 0), rate)
              : fmt::format("{:g} %", rate),
        before, FigureText(through), Share(ReadMember<double>(through, "expected", 0), before));
  }
  return out;
}

std::string Coverage(Element answer, const Terminal& terminal) {
  std::string out =
      "\n" + Heading(terminal, fmt::format("{}  {:>10}  {:>26}  {:>8}", Fit("of these traces", 30),
                                           "seen", "kept", "share"));
  const auto row = [&](const std::string& name, Element of) {
    const auto seen = static_cast<double>(ReadMember<std::uint64_t>(of, "seen", 0));
    return fmt::format("{}  {:>10.0f}  {:>26}  {:>8}\n", Fit(Sanitise(name), 30), seen,
                       FigureText(of), Share(ReadMember<double>(of, "expected", 0), seen));
  };
  simdjson::dom::array classes;
  if (answer["classes"].get(classes) == simdjson::SUCCESS) {
    for (const Element one : classes) out += row(ReadText(one, "name"), one);
  }
  constexpr std::size_t kShown = 10;
  for (const std::string_view list : {"routes", "tenants"}) {
    const Element parts = Member(answer, list);
    simdjson::dom::array most;
    if (parts["most"].get(most) != simdjson::SUCCESS || most.size() == 0) continue;
    out += row(std::string(list) + " with at least one", parts);
    std::size_t shown = 0;
    for (const Element part : most) {
      if (shown++ == kShown) break;
      out += row("  " + ReadText(part, "name"), part);
    }
  }
  return out;
}

}  // namespace

std::string WhatIfTables(Element predicted, const Terminal& terminal) {
  return Totals(predicted, terminal) + Rows(predicted, "rules", terminal) +
         Rows(predicted, "policies", terminal) + Coverage(predicted, terminal);
}

std::string ReplayDoubts(Element answer, const Terminal& terminal) {
  std::string out;
  const auto say = [&](std::string_view key, std::string_view text) {
    if (const auto count = ReadMember<std::uint64_t>(answer, key, 0); count > 0)
      out += terminal.Paint(fmt::format("{} {}\n", count, text), Ink::kDim);
  };
  say("unknown_filters",
      "of the traces were thinned before: no filter is asked of them, which widens the ranges");
  say("unknown_requests", "of the traces do not tell what head rules match on");
  say("chosen_before",
      "of the traces were chosen by a head rule: what it refused is not among what is seen");
  if (!out.empty()) out.insert(0, "\n");
  if (!ReadMember<bool>(answer, "complete", true)) {
    out +=
        terminal.Paint(fmt::format("\nthe newest traces only, {:.1f} % of the window: narrow it\n",
                                   ReadMember<double>(answer, "scanned_share", 1) * 100),
                       Ink::kRed);
  }
  return out;
}

}  // namespace fluoro::cli
