#include "cli/waterfall.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "cli/json_read.h"
#include "cli/units.h"

namespace fluoro::cli {
namespace {

using simdjson::dom::element;

struct Row {
  std::string id, parent, name, service, outcome, step_kind, error;
  std::int64_t start_ns = 0, duration_ns = 0;
  bool in_progress = false, inferred = false;
  std::vector<std::size_t> children;
  std::vector<std::pair<std::int64_t, std::int64_t>> critical;
};

std::int64_t ReadNumber(element object, std::string_view key) {
  return ReadMember<std::int64_t>(object, key, 0);
}

bool ReadFlag(element object, std::string_view key) { return ReadMember<bool>(object, key, false); }

struct View {
  std::vector<Row> rows;
  std::vector<std::size_t> roots;
  std::int64_t start_ns = 0;
  std::int64_t duration_ns = 0;
};

Result<View> Read(element document) {
  View view;
  simdjson::dom::array spans;
  if (document["spans"].get(spans) != simdjson::SUCCESS)
    return Fail(ErrorCode::kCorruption, "the answer holds no spans");
  std::unordered_map<std::string, std::size_t> by_id;
  view.duration_ns = ReadNumber(document, "duration_ns");
  view.start_ns = INT64_MAX;
  for (const element span : spans) {
    Row row{ReadText(span, "id"),
            ReadText(span, "parent"),
            Sanitise(ReadText(span, "name")),
            Sanitise(ReadText(span, "service")),
            ReadText(span, "outcome"),
            ReadText(span, "step_kind"),
            {},
            ReadNumber(span, "start_ns"),
            ReadNumber(span, "duration_ns"),
            ReadFlag(span, "in_progress"),
            ReadFlag(span, "inferred"),
            {},
            {}};
    simdjson::dom::array errors;
    if (span["errors"].get(errors) == simdjson::SUCCESS && errors.size() > 0) {
      std::string text = ReadText(errors.at(0).value(), "type");
      const std::string message = ReadText(errors.at(0).value(), "message");
      if (!text.empty() && !message.empty()) text += ": ";
      text += message;
      row.error = Sanitise(text);
    }
    view.start_ns = std::min(view.start_ns, row.start_ns);
    by_id.emplace(row.id, view.rows.size());
    view.rows.push_back(std::move(row));
  }
  for (std::size_t i = 0; i < view.rows.size(); ++i) {
    const auto parent = by_id.find(view.rows[i].parent);
    if (parent == by_id.end() || parent->second == i) {
      view.roots.push_back(i);
    } else {
      view.rows[parent->second].children.push_back(i);
    }
  }
  const auto by_start = [&view](std::size_t a, std::size_t b) {
    return view.rows[a].start_ns < view.rows[b].start_ns;
  };
  std::ranges::stable_sort(view.roots, by_start);
  for (Row& row : view.rows) std::ranges::stable_sort(row.children, by_start);
  simdjson::dom::array path;
  if (document["critical_path"].get(path) == simdjson::SUCCESS) {
    for (const element interval : path) {
      if (const auto row = by_id.find(ReadText(interval, "span_id")); row != by_id.end()) {
        view.rows[row->second].critical.emplace_back(ReadNumber(interval, "start_ns"),
                                                     ReadNumber(interval, "end_ns"));
      }
    }
  }
  return view;
}

// The bar of one row over the whole trace's time, one cell a column.
std::string Bar(const View& view, const Row& row, std::size_t columns, const Terminal& terminal) {
  const double scale = view.duration_ns > 0
                           ? static_cast<double>(columns) / static_cast<double>(view.duration_ns)
                           : 0;
  const auto column = [&](std::int64_t ns) {
    const double at = static_cast<double>(ns - view.start_ns) * scale;
    return std::min(columns - 1, static_cast<std::size_t>(std::max(0.0, at)));
  };
  const std::size_t first = column(row.start_ns);
  const std::size_t last =
      std::max(first, column(row.start_ns + std::max<std::int64_t>(0, row.duration_ns - 1)));
  std::vector<bool> critical(columns, false);
  for (const auto& [start, end] : row.critical) {
    if (end > start)
      std::fill(critical.begin() + static_cast<std::ptrdiff_t>(column(start)),
                critical.begin() + static_cast<std::ptrdiff_t>(column(end - 1)) + 1, true);
  }
  std::string bar;
  for (std::size_t i = first; i <= last; ++i) bar += critical[i] ? "█" : "░";
  const std::size_t after = columns - last - 1;
  if (row.in_progress && after > 0) bar += "▶";
  return std::string(first, ' ') + terminal.Paint(bar, OutcomeInk(row.outcome)) +
         std::string(row.in_progress && after > 0 ? after - 1 : after, ' ');
}

std::string Label(const Row& row) {
  std::string label = row.service;
  if (row.name != row.service) label += (label.empty() ? "" : "  ") + row.name;
  if (row.inferred) label += " (inferred)";
  return label;
}

void RenderTree(const View& view, const Terminal& terminal, std::string& out) {
  const std::size_t label_columns = std::clamp<std::size_t>(terminal.columns * 45 / 100, 28, 72);
  const std::size_t kind_columns = 10;
  const std::size_t bar_columns =
      terminal.columns - std::min(terminal.columns - 12, label_columns + kind_columns + 12);
  struct Item {
    std::size_t row;
    std::string prefix;
    bool last;
    bool root;
  };
  std::vector<Item> stack;
  for (auto it = view.roots.rbegin(); it != view.roots.rend(); ++it)
    stack.push_back({*it, "", true, true});
  while (!stack.empty()) {
    const Item item = std::move(stack.back());
    stack.pop_back();
    const Row& row = view.rows[item.row];
    const std::string branch = item.root ? "" : item.prefix + (item.last ? "└─ " : "├─ ");
    const std::string below = item.root ? "" : item.prefix + (item.last ? "   " : "│  ");
    std::string label = Fit(branch + Label(row), label_columns);
    if (row.outcome != "ok") label = terminal.Paint(label, OutcomeInk(row.outcome));
    const std::string duration = row.in_progress ? "running" : FormatDuration(row.duration_ns);
    out += label + " " + terminal.Paint(Fit(row.step_kind, kind_columns), Ink::kDim) +
           Bar(view, row, bar_columns, terminal) + " ";
    out += std::string(9 - std::min<std::size_t>(9, DisplayWidth(duration)), ' ') + duration;
    if (row.outcome != "ok") out += " " + terminal.Paint(row.outcome, OutcomeInk(row.outcome));
    out += "\n";
    if (!row.error.empty()) {
      const std::string indent = below + (row.children.empty() ? "   " : "│  ");
      out += indent +
             terminal.Paint(
                 Fit("! " + row.error,
                     terminal.columns - std::min(terminal.columns / 2, DisplayWidth(indent))),
                 Ink::kRed) +
             "\n";
      while (out.size() > 1 && out[out.size() - 2] == ' ') out.erase(out.size() - 2, 1);
    }
    // Deep chains keep the picture readable: beyond 24 levels the indent stands still.
    const std::string prefix = DisplayWidth(below) > 48 ? item.prefix : below;
    for (std::size_t i = row.children.size(); i-- > 0;) {
      stack.push_back({row.children[i], prefix, i + 1 == row.children.size(), false});
    }
  }
}

void RenderLedger(element document, std::int64_t total_ns, const Terminal& terminal,
                  std::string& out) {
  simdjson::dom::array ledger;
  if (document["ledger"].get(ledger) != simdjson::SUCCESS || ledger.size() == 0 || total_ns <= 0)
    return;
  std::vector<std::pair<std::int64_t, std::string>> parts;
  for (const element entry : ledger)
    parts.emplace_back(ReadNumber(entry, "path_ns"), ReadText(entry, "step_kind"));
  std::ranges::sort(parts, std::greater{});
  out += terminal.Paint("critical path", Ink::kBold);
  std::int64_t sum = 0;
  for (const auto& [ns, kind] : parts) sum += ns;
  for (const auto& [ns, kind] : parts) {
    out += fmt::format("  {} {} ({:.0f} %)", kind, FormatDuration(ns),
                       sum > 0 ? 100.0 * static_cast<double>(ns) / static_cast<double>(sum) : 0.0);
  }
  out += "\n";
  element usage;
  if (document["usage"].get(usage) == simdjson::SUCCESS &&
      ReadNumber(usage, "prompt_tokens") + ReadNumber(usage, "completion_tokens") > 0) {
    out += terminal.Paint("tokens", Ink::kBold) +
           fmt::format("  {} in, {} out", ReadNumber(usage, "prompt_tokens"),
                       ReadNumber(usage, "completion_tokens"));
    if (const auto cached = ReadNumber(usage, "cached_tokens"); cached > 0)
      out += fmt::format(", {} cached", cached);
    out += "\n";
  }
}

}  // namespace

Result<std::string> RenderWaterfall(std::string_view json, const Terminal& terminal) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  element document;
  if (parser.parse(padded).get(document) != simdjson::SUCCESS)
    return Fail(ErrorCode::kCorruption, "the answer is not JSON");
  FLUORO_TRY(const View view, Read(document));
  std::string out = terminal.Paint(ReadText(document, "trace_id"), Ink::kBold);
  out += fmt::format(
      "  {}  {}  {} spans{}\n", ReadText(document, "start"), FormatDuration(view.duration_ns),
      view.rows.size(),
      ReadFlag(document, "complete") ? "" : "  " + terminal.Paint("in progress", Ink::kYellow));
  const auto after = ReadMember<std::uint64_t>(document, "spans_after", 0);
  if (after > 0) {
    out += terminal.Paint(
        fmt::format(
            "a part: {} more spans follow (fluoro export and BatchGetTraces give them all)\n",
            after),
        Ink::kYellow);
  }
  RenderTree(view, terminal, out);
  RenderLedger(document, view.duration_ns, terminal, out);
  return out;
}

}  // namespace fluoro::cli
