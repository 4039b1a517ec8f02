#include "cli/bench/questions.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/rng.h"
#include "cli/bench/server_process.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/json_read.h"
#include "cli/terminal.h"
#include "cli/units.h"
#include "net/http_client.h"

namespace fluoro::cli::bench {
namespace {

// Requests of so many spans are in memory at once.
constexpr std::uint64_t kSpansPerLoad = 200'000;

Result<std::unique_ptr<ServerProcess>> Load(const LoadOptions& options, Sample& sample) {
  FLUORO_TRY(auto server, ServerProcess::Start({}));
  Progress progress("loading spans");
  for (std::uint64_t sent = 0; sent < options.spans; sent += kSpansPerLoad) {
    const LoadOptions part{.spans = std::min(kSpansPerLoad, options.spans - sent),
                           .seed = options.seed + sent};
    if (!SendHttp(server->ports(), MakeOtlpRequests(part, &sample), ""))
      return Fail(ErrorCode::kUnavailable, "a request was refused");
    progress.Update(fmt::format("{} of {}", sent + part.spans, options.spans));
  }
  FLUORO_CHECK_OK(server->Restart());
  return server;
}

struct Asked {
  std::string answer;
  std::int64_t took_ns = 0;
  double cpu_seconds = 0;
};

Result<Asked> Ask(const ServerProcess& server, const std::string& path, std::string body) {
  net::HttpCall call;
  call.method = "POST";
  call.url = "http://" + server.ports().http + path;
  call.headers["content-type"] = "application/json";
  call.body = std::move(body);
  call.timeout_ns = 120 * kNsPerSecond;
  const double cpu_before = server.CostNow().cpu_seconds;
  const std::int64_t begin_ns = SystemClock().MonotonicNs();
  FLUORO_TRY(auto answer, net::Call(call));
  Asked asked;
  asked.took_ns = SystemClock().MonotonicNs() - begin_ns;
  asked.cpu_seconds = server.CostNow().cpu_seconds - cpu_before;
  if (answer.status != 200)
    return Fail(ErrorCode::kUnavailable, fmt::format("{}: {}", answer.status, answer.body));
  asked.answer = std::move(answer.body);
  return asked;
}

double Milliseconds(std::int64_t ns) { return static_cast<double>(ns) / 1e6; }

// Lookups.

struct LookupRow {
  std::string name;
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
    Print(fmt::format("{:<12}{:>10}{:>10.2f}{:>10.2f}{:>10.2f}{:>12.2f}{:>12}\n", row.name,
                      row.took_ns.size(), at(0.5), at(0.99), at(1), each_ms,
                      FormatBytes(peak_rss_bytes)));
    return;
  }
  JsonWriter out;
  out.BeginObject().Key("name").String(row.name).Key("lookups").Uint(row.took_ns.size());
  out.Key("p50_ms").Double(at(0.5)).Key("p99_ms").Double(at(0.99)).Key("max_ms").Double(at(1));
  out.Key("cpu_ms").Double(each_ms).Key("peak_rss_bytes").Uint(peak_rss_bytes).EndObject();
  Print(out.Take() + "\n");
}

Result<void> Lookups(const QuestionOptions& options) {
  Sample sample;
  FLUORO_TRY(const auto server, Load(options, sample));
  Rng rng(options.seed);
  std::vector<std::string> ids;
  ids.reserve(options.lookups);
  for (std::uint64_t i = 0; i < options.lookups; ++i)
    ids.push_back(sample.trace_ids[rng.Below(sample.trace_ids.size())]);
  if (!options.json)
    Print(fmt::format("{:<12}{:>10}{:>10}{:>10}{:>10}{:>12}{:>12}\n", "caches", "lookups", "p50 ms",
                      "p99 ms", "max ms", "CPU ms each", "peak RSS"));
  for (const char* name : {"cold", "warm"}) {
    LookupRow row{.name = name, .took_ns = {}, .cpu_seconds = 0};
    const double cpu_before = server->CostNow().cpu_seconds;
    for (const std::string& id : ids) {
      FLUORO_TRY(const Asked asked,
                 Ask(*server, "/Traces", fmt::format(R"({{"TraceIds":["{}"]}})", id)));
      if (asked.answer.find(id) == std::string::npos)
        return Fail(ErrorCode::kNotFound, "trace " + id + " was acknowledged and is not found");
      row.took_ns.push_back(asked.took_ns);
    }
    row.cpu_seconds = server->CostNow().cpu_seconds - cpu_before;
    PrintLookups(std::move(row), server->CostNow().peak_rss_bytes, options.json);
  }
  return {};
}

// Searches and graphs.

struct QuestionRow {
  std::string name;
  Asked asked;
  double spans = 0;  ///< that the answer is about
  std::uint64_t matched = 0;
};

void PrintQuestionHeader() {
  Print(fmt::format("{:<24}{:>10}{:>12}{:>12}{:>12}{:>16}{:>12}\n", "question", "matched", "spans",
                    "ms", "CPU ms", "spans/s a core", "peak RSS"));
}

void PrintQuestion(const QuestionRow& row, std::uint64_t peak_rss_bytes, bool json) {
  // The kernel counts in ticks of 10 ms.
  const double rate = row.spans / std::max(row.asked.cpu_seconds, 0.01);
  if (!json) {
    Print(fmt::format("{:<24}{:>10}{:>12.0f}{:>12.1f}{:>12.0f}{:>16.0f}{:>12}\n", row.name,
                      row.matched, row.spans, Milliseconds(row.asked.took_ns),
                      row.asked.cpu_seconds * 1e3, rate, FormatBytes(peak_rss_bytes)));
    return;
  }
  JsonWriter out;
  out.BeginObject().Key("name").String(row.name).Key("matched").Uint(row.matched);
  out.Key("spans").Double(row.spans).Key("ms").Double(Milliseconds(row.asked.took_ns));
  out.Key("cpu_ms").Double(row.asked.cpu_seconds * 1e3);
  out.Key("spans_per_second_per_core").Double(rate);
  out.Key("peak_rss_bytes").Uint(peak_rss_bytes).EndObject();
  Print(out.Take() + "\n");
}

struct Question {
  std::string name;
  std::string expression;
};

Result<QuestionRow> Search(const ServerProcess& server, const Question& question,
                           std::uint64_t limit, std::uint64_t spans) {
  JsonWriter body;
  body.BeginObject().Key("expression").String(question.expression).Key("limit").Uint(limit);
  body.EndObject();
  QuestionRow row;
  row.name = question.name;
  FLUORO_TRY(row.asked, Ask(server, "/ui/api/search", body.Take()));
  std::string_view text = row.asked.answer;
  row.matched = static_cast<std::uint64_t>(std::ranges::count(text, '\n')) - 1;
  text.remove_suffix(1);
  simdjson::dom::parser parser;
  const simdjson::padded_string last(text.substr(text.rfind('\n') + 1));
  simdjson::dom::element document;
  if (parser.parse(last).get(document) != simdjson::SUCCESS)
    return Fail(ErrorCode::kCorruption, "the last line of a search is not JSON");
  row.spans = static_cast<double>(spans) * ReadMember<double>(document, "scanned_share", 1);
  return row;
}

Result<void> Searches(const QuestionOptions& options) {
  constexpr std::uint64_t kNewest = 20;
  constexpr std::uint64_t kAll = 10'000;
  Sample sample;
  FLUORO_TRY(const auto server, Load(options, sample));
  const std::string& one_request = sample.request_ids[sample.request_ids.size() / 2];
  const std::array questions = {
      Question{"one of a million values", "annotation.request.id = \"" + one_request + "\""},
      Question{"one of 500 values", R"(annotation.tenant = "tenant-477")"},
      Question{"a value nobody has", R"(annotation.tenant = "nobody")"},
      Question{"substring", R"(annotation.url.full CONTAINS "/77777?")"},
      Question{"service and fault", R"(service("service-07") { fault = true })"},
      Question{"slow", "responsetime > 0.4"},
      Question{"url of the root", R"(http.url CONTAINS "/77777?")"},
  };
  if (!options.json) PrintQuestionHeader();
  FLUORO_TRY(QuestionRow newest,
             Search(*server, {.name = "newest 20", .expression = ""}, kNewest, options.spans));
  PrintQuestion(newest, server->CostNow().peak_rss_bytes, options.json);
  for (const Question& question : questions) {
    FLUORO_TRY(const QuestionRow row, Search(*server, question, kAll, options.spans));
    PrintQuestion(row, server->CostNow().peak_rss_bytes, options.json);
  }
  return {};
}

Result<void> Graphs(const QuestionOptions& options) {
  Sample sample;
  FLUORO_TRY(const auto server, Load(options, sample));
  if (!options.json) PrintQuestionHeader();
  for (const Question& question :
       {Question{"graph", ""},
        Question{"graph of one tenant", R"(annotation.tenant = "tenant-3")"}}) {
    JsonWriter body;
    body.BeginObject().Key("expression").String(question.expression).EndObject();
    QuestionRow row;
    row.name = question.name;
    FLUORO_TRY(row.asked, Ask(*server, "/ui/api/graph", body.Take()));
    row.spans = static_cast<double>(options.spans);
    PrintQuestion(row, server->CostNow().peak_rss_bytes, options.json);
  }
  return {};
}

int ExitCode(const Result<void>& done) { return done ? kDone : Report(done.error()); }

}  // namespace

int BenchLookup(const QuestionOptions& options) { return ExitCode(Lookups(options)); }
int BenchSearch(const QuestionOptions& options) { return ExitCode(Searches(options)); }
int BenchGraph(const QuestionOptions& options) { return ExitCode(Graphs(options)); }

}  // namespace fluoro::cli::bench
