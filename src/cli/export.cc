// fluoro export [EXPR] --format F
#include <fmt/format.h>

#include <cstdio>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/query_options.h"
#include "cli/terminal.h"
#include "cli/units.h"

namespace fluoro::cli {
namespace {

int Export(const SourceOptions& source_options, const QueryOptions& query,
           const std::string& format, const std::string& path) {
  auto source = OpenSource(source_options);
  if (!source) return Report(source.error());
  auto body = QueryBody(query, {.limit = 0, .next_token = {}, .format = format, .explain = false},
                        SystemClock().UnixNs());
  if (!body) return Report(body.error());
  std::FILE* file = path.empty() ? stdout : std::fopen(path.c_str(), "wb");
  if (file == nullptr) return Report(Error{ErrorCode::kInvalidArgument, "cannot write " + path});
  net::HttpRequest request;
  request.method = "POST";
  request.path = "/ui/api/export";
  request.headers["content-type"] = "application/json";
  request.body = *std::move(body);
  Progress progress("exporting");
  std::uint64_t bytes = 0;
  bool written = true;
  const auto result = (*source)->Stream(std::move(request), [&](std::string_view piece) {
    bytes += piece.size();
    progress.Update(FormatBytes(bytes));
    written = std::fwrite(piece.data(), 1, piece.size(), file) == piece.size();
    return written;
  });
  written = (path.empty() ? std::fflush(file) : std::fclose(file)) == 0 && written;
  if (!result) return Report(result.error());
  if (!written)
    return Report(Error{ErrorCode::kIo, path.empty() ? "standard output was closed"
                                                     : "cannot write all of " + path});
  return kDone;
}

}  // namespace

void AddExport(const Registry& registry) {
  struct Options {
    bool json = false;
    std::string format, path;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = registry.Add("export", "writes whole traces, so that import gives them back",
                                   "  fluoro export --format otlp-json --last 1h > traces.jsonl\n"
                                   "  fluoro export 'fault' --format xray --output faults.jsonl",
                                   options->json);
  const auto query = AddQueryOptions(*command);
  command->add_option("--format", options->format, "otlp-json, otlp-proto, xray or csv")
      ->required()
      ->check(CLI::IsMember({"otlp-json", "otlp-proto", "xray", "csv"}));
  command->add_option("-o,--output", options->path, "file; standard output if absent");
  const auto source = AddSourceOptions(*command);
  Action& action = registry.action;
  command->callback([&action, options, query, source] {
    action = [=] { return Export(*source, *query, options->format, options->path); };
  });
}

}  // namespace fluoro::cli
