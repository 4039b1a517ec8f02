#include "cli/bench/questions.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/clock.h"
#include "base/json.h"
#include "cli/bench/fill.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/json_read.h"
#include "cli/terminal.h"
#include "cli/units.h"

namespace fluoro::cli::bench {
namespace {

// So many requests of 500 spans are in memory at once.
constexpr std::uint64_t kRequestsPerLoad = 400;

struct Loaded {
  std::unique_ptr<ServerProcess> server;
  Sample sample;
  ServerProcess::ColdBy cold_by = ServerProcess::ColdBy::kAdvice;
};

// A server with the spans in merged blocks, started anew with none of them in the page cache.
Result<Loaded> Load(const BenchOptions& options) {
  Loaded loaded;
  FLUORO_TRY(loaded.server, ServerProcess::Start(options.cores));
  RequestStream stream(options.load, SystemClock().UnixNs());
  Progress progress("loading spans");
  std::uint64_t sent = 0;
  for (;;) {
    const auto requests = Take(stream, kRequestsPerLoad);
    if (requests.empty()) break;
    FLUORO_CHECK_OK(SendHttp(loaded.server->ports(), requests, ""));
    for (const Request& request : requests) sent += request.spans;
    progress.Update(fmt::format("{} of {}", sent, options.load.spans));
  }
  loaded.sample = stream.sample();
  FLUORO_CHECK_OK(loaded.server->Stop());
  FLUORO_CHECK_OK(loaded.server->Merge());
  loaded.cold_by = loaded.server->MakeCold();
  FLUORO_CHECK_OK(loaded.server->StartAgain());
  return loaded;
}

double Milliseconds(std::int64_t ns) { return static_cast<double>(ns) / 1e6; }

// Lookups.

struct LookupRow {
  std::string name;
  std::string cold_by;
  std::vector<std::int64_t> took_ns;
  double cpu_seconds = 0;
};

void PrintLookups(LookupRow row, std::uint64_t peak_rss_bytes, bool json) {
  std::ranges::sort(row.took_ns);
  const auto at = [&row](double share) {
    const auto place = static_cast<std::size_t>(share * static_cast<double>(row.took_ns.size()));
    return Milliseconds(row.took_ns[std::min(place, row.took_ns.size() - 1)]);
  };
  const double each_ms = row.cpu_seconds * 1e3 / static_cast<double>(row.took_ns.size());
  if (!json) {
    Print(fmt::format("{:<22}{:>10}{:>10.2f}{:>10.2f}{:>10.2f}{:>12.2f}{:>12}\n",
                      row.cold_by.empty() ? row.name : row.name + " (" + row.cold_by + ")",
                      row.took_ns.size(), at(0.5), at(0.99), at(1), each_ms,
                      FormatBytes(peak_rss_bytes)));
    return;
  }
  JsonWriter out;
  out.BeginObject().Key("name").String(row.name).Key("lookups").Uint(row.took_ns.size());
  out.Key("cold_by").String(row.cold_by);
  out.Key("p50_ms").Double(at(0.5)).Key("p99_ms").Double(at(0.99)).Key("max_ms").Double(at(1));
  out.Key("cpu_ms").Double(each_ms).Key("peak_rss_bytes").Uint(peak_rss_bytes).EndObject();
  Print(out.Take() + "\n");
}

Result<void> Lookups(const BenchOptions& options) {
  FLUORO_TRY(const Loaded loaded, Load(options));
  Rng rng(options.load.seed);
  const auto traces = loaded.sample.Draw(options.lookups, rng);
  if (!options.json)
    Print(fmt::format("{:<22}{:>10}{:>10}{:>10}{:>10}{:>12}{:>12}\n", "page cache", "lookups",
                      "p50 ms", "p99 ms", "max ms", "CPU ms each", "peak RSS"));
  for (const bool cold : {true, false}) {
    LookupRow row{.name = cold ? "cold" : "warm", .cold_by = {}, .took_ns = {}, .cpu_seconds = 0};
    if (cold)
      row.cold_by =
          loaded.cold_by == ServerProcess::ColdBy::kDropCaches ? "drop_caches" : "fadvise";
    const double cpu_before = loaded.server->CostNow().cpu_seconds;
    for (const Sample::Trace& trace : traces) {
      FLUORO_TRY(const Asked asked,
                 Ask(*loaded.server, "/Traces", fmt::format(R"({{"TraceIds":["{}"]}})", trace.id)));
      if (asked.answer.find(trace.id) == std::string::npos)
        return Fail(ErrorCode::kNotFound,
                    "trace " + trace.id + " was acknowledged and is not found");
      row.took_ns.push_back(asked.took_ns);
    }
    row.cpu_seconds = loaded.server->CostNow().cpu_seconds - cpu_before;
    PrintLookups(std::move(row), loaded.server->CostNow().peak_rss_bytes, options.json);
  }
  return {};
}

// Searches and graphs.

struct QuestionRow {
  std::string name;
  std::string key;      // of the JSON
  double first_ms = 0;  // of the first time
  double ms = 0;        // medians of the others
  double cpu_ms = 0;
  double spans = 0;  // that the answer is about
  std::uint64_t matched = 0;
  std::uint64_t row_groups = 0;  // whose columns were read
  std::uint64_t pruned = 0;      // that zones and filters left out
};

void PrintQuestionHeader() {
  Print(fmt::format("{:<26}{:>9}{:>12}{:>12}{:>10}{:>10}{:>16}{:>12}\n", "question", "matched",
                    "spans", "first ms", "ms", "CPU ms", "spans/s a core", "peak RSS"));
}

void PrintQuestion(const QuestionRow& row, std::uint64_t peak_rss_bytes, bool json) {
  const double rate = row.spans / std::max(row.cpu_ms, 0.001) * 1e3;
  if (!json) {
    Print(fmt::format("{:<26}{:>9}{:>12.0f}{:>12.1f}{:>10.1f}{:>10.1f}{:>16.0f}{:>12}\n", row.name,
                      row.matched, row.spans, row.first_ms, row.ms, row.cpu_ms, rate,
                      FormatBytes(peak_rss_bytes)));
    return;
  }
  JsonWriter out;
  out.BeginObject().Key("name").String(row.key).Key("matched").Uint(row.matched);
  out.Key("spans").Double(row.spans).Key("first_ms").Double(row.first_ms);
  out.Key("row_groups").Uint(row.row_groups).Key("pruned").Uint(row.pruned);
  out.Key("ms").Double(row.ms).Key("cpu_ms").Double(row.cpu_ms);
  out.Key("spans_per_second_per_core").Double(rate);
  out.Key("peak_rss_bytes").Uint(peak_rss_bytes).EndObject();
  Print(out.Take() + "\n");
}

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

// Asks once, then `repeats` times more. Gives the last answer.
Result<std::string> Repeat(const ServerProcess& server, const std::string& path,
                           const std::string& body, int repeats, QuestionRow& row) {
  FLUORO_TRY(Asked asked, Ask(server, path, body));
  row.first_ms = Milliseconds(asked.took_ns);
  std::vector<double> ms, cpu_ms;
  for (int i = 0; i < repeats; ++i) {
    FLUORO_TRY(asked, Ask(server, path, body));
    ms.push_back(Milliseconds(asked.took_ns));
    cpu_ms.push_back(asked.cpu_seconds * 1e3);
  }
  row.ms = Median(std::move(ms));
  row.cpu_ms = Median(std::move(cpu_ms));
  return std::move(asked.answer);
}

struct Question {
  std::string key;
  std::string name;
  std::string expression;
  std::uint64_t limit = 10'000;
  bool from_spans = false;     // of a graph: not from the sums that the store keeps by minute
  bool without_index = false;  // of a search: all row groups are scanned
};

std::string BodyOf(const Question& question) {
  JsonWriter body;
  body.BeginObject().Key("expression").String(question.expression);
  body.Key("limit").Uint(question.limit).Key("explain").Bool(true);
  body.Key("from_spans").Bool(question.from_spans);
  body.Key("without_index").Bool(question.without_index).EndObject();
  return body.Take();
}

Result<void> Search(const Loaded& loaded, const Question& question, const BenchOptions& options) {
  QuestionRow row;
  row.name = question.name;
  row.key = question.key;
  FLUORO_TRY(const std::string answer,
             Repeat(*loaded.server, "/ui/api/search", BodyOf(question), options.repeats, row));
  std::string_view text = answer;
  row.matched = static_cast<std::uint64_t>(std::ranges::count(text, '\n')) - 1;
  text.remove_suffix(1);
  simdjson::dom::parser parser;
  const simdjson::padded_string last(text.substr(text.rfind('\n') + 1));
  simdjson::dom::element document;
  if (parser.parse(last).get(document) != simdjson::SUCCESS)
    return Fail(ErrorCode::kCorruption, "the last line of a search is not JSON");
  row.spans =
      static_cast<double>(options.load.spans) * ReadMember<double>(document, "scanned_share", 1);
  simdjson::dom::element explain;
  if (document["explain"].get(explain) == simdjson::SUCCESS) {
    row.row_groups = ReadMember<std::uint64_t>(explain, "row_groups", 0);
    row.pruned = ReadMember<std::uint64_t>(explain, "pruned_by_zones", 0) +
                 ReadMember<std::uint64_t>(explain, "pruned_by_filters", 0);
  }
  PrintQuestion(row, loaded.server->CostNow().peak_rss_bytes, options.json);
  return {};
}

Result<void> Searches(const BenchOptions& options) {
  FLUORO_TRY(const Loaded loaded, Load(options));
  const auto& traces = loaded.sample.traces;
  const std::string one_request = traces[traces.size() / 2].request_id;
  // The tenants follow Zipf, so a late one is rare and yet in every part of the store: nothing can
  // be passed over by an index.
  const std::string unique = "annotation.request.id = \"" + one_request + "\"";
  const std::array questions = {
      Question{"newest", "newest 20", "", 20},
      Question{"rare", "a rare value", R"(annotation.tenant = "tenant-477")"},
      // Scanned, which is what a comparison of engines asks; then by the filters of the row groups.
      Question{.key = "unique",
               .name = "a value of one span",
               .expression = unique,
               .without_index = true},
      Question{"unique_by_filters", "the same by filters", unique},
      Question{"nobody", "a value nobody has", R"(annotation.tenant = "nobody")"},
      Question{.key = "substring",
               .name = "substring",
               .expression = R"(annotation.url.full CONTAINS "/77777?")",
               .without_index = true},
      Question{"fault", "service and fault", R"(service("service-07") { fault = true })"},
      Question{"slow", "slow", "responsetime > 2"},
  };
  if (!options.json) PrintQuestionHeader();
  for (const Question& question : questions) FLUORO_CHECK_OK(Search(loaded, question, options));
  return {};
}

Result<void> Graphs(const BenchOptions& options) {
  FLUORO_TRY(const Loaded loaded, Load(options));
  if (!options.json) PrintQuestionHeader();
  const std::array questions = {
      Question{"graph", "graph", ""},
      Question{.key = "graph_from_spans",
               .name = "graph from spans",
               .expression = "",
               .from_spans = true},
      Question{"graph_of_tenant", "graph of one tenant", R"(annotation.tenant = "tenant-477")"},
  };
  for (const Question& question : questions) {
    QuestionRow row;
    row.name = question.name;
    row.key = question.key;
    FLUORO_CHECK_OK(Repeat(*loaded.server, "/ui/api/graph", BodyOf(question),
                           std::min(options.repeats, 3), row));
    row.spans = static_cast<double>(options.load.spans);
    PrintQuestion(row, loaded.server->CostNow().peak_rss_bytes, options.json);
  }
  return {};
}

struct Chart {
  std::string key;
  std::string name;
  std::string members;  // of the body, besides the window
};

Result<void> Dashboards(const BenchOptions& options) {
  const std::array charts = {
      Chart{"models", "by model", R"("of":"models")"},
      Chart{"models_by_hour", "by model, each hour", R"("of":"models","step_minutes":60)"},
      Chart{"tenants", "by tenant", R"("of":"models","by":["tenant"])"},
      Chart{"tenants_by_hour", "by tenant, each hour",
            R"("of":"models","by":["tenant"],"step_minutes":60)"},
      Chart{"one_tenant", "one tenant by model, each hour",
            R"("of":"models","where":{"tenant":"tenant-7"},"step_minutes":60)"},
      Chart{"tools", "tools, each hour", R"("of":"tools","step_minutes":60)"},
      Chart{"routes", "by route", R"("of":"all","by":["route","kind"])"},
      Chart{"agents", "by agent, each day", R"("of":"all","by":["agent"],"step_minutes":1440)"},
      Chart{"arms", "by experiment and arm", R"("of":"all","by":["experiment","arm"])"},
      Chart{"prompts", "by prompt", R"("of":"models","by":["prompt"])"},
      Chart{"pair", "one tenant by tool (from minutes)",
            R"("of":"tools","where":{"tenant":"tenant-7"})"}};
  FLUORO_TRY(const auto server, ServerProcess::Start(options.cores));
  FLUORO_CHECK_OK(server->Stop());
  LoadOptions load = options.load;
  load.workload = WorkloadKind::kGenAi;
  FLUORO_CHECK_OK(FillFolder(load, server->data_folder()));
  (void)server->MakeCold();
  FLUORO_CHECK_OK(server->StartAgain());
  const std::int64_t now_ns = SystemClock().UnixNs();
  if (!options.json)
    Print(fmt::format("{:<36}{:>8}{:>12}{:>10}{:>10}{:>12}\n", "chart", "rows", "first ms", "ms",
                      "CPU ms", "peak RSS"));
  for (const Chart& chart : charts) {
    QuestionRow row;
    row.name = chart.name;
    row.key = chart.key;
    FLUORO_TRY(const std::string answer,
               Repeat(*server, "/ui/api/genai",
                      fmt::format(R"({{"from":{},"to":{},{}}})", now_ns - load.over_ns, now_ns,
                                  chart.members),
                      options.repeats, row));
    simdjson::dom::parser parser;
    const simdjson::padded_string padded(answer);
    simdjson::dom::array rows;
    if (parser.parse(padded)["rows"].get(rows) != simdjson::SUCCESS)
      return Fail(ErrorCode::kCorruption, "the answer is not a list of calls");
    row.matched = rows.size();
    const std::uint64_t rss = server->CostNow().peak_rss_bytes;
    if (options.json) {
      PrintQuestion(row, rss, true);
    } else {
      Print(fmt::format("{:<36}{:>8}{:>12.1f}{:>10.1f}{:>10.1f}{:>12}\n", row.name, row.matched,
                        row.first_ms, row.ms, row.cpu_ms, FormatBytes(rss)));
    }
  }
  return {};
}

int ExitCode(const Result<void>& done) { return done ? kDone : Report(done.error()); }

}  // namespace

int BenchLookup(const BenchOptions& options) { return ExitCode(Lookups(options)); }
int BenchSearch(const BenchOptions& options) { return ExitCode(Searches(options)); }
int BenchGraph(const BenchOptions& options) { return ExitCode(Graphs(options)); }
int BenchDashboards(const BenchOptions& options) { return ExitCode(Dashboards(options)); }

}  // namespace fluoro::cli::bench
