// fluoro import FILE...
#include <fmt/format.h>
#include <simdjson.h>
#include <zlib.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "base/json.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/terminal.h"
#include "ingest/import.h"

namespace fluoro::cli {
namespace {

constexpr std::size_t kPieceBytesMax = std::size_t{16}
                                       << 20;  ///< one request; formats of lines are cut at lines
constexpr std::size_t kFileBytesMax = std::size_t{4} << 30;

struct Totals {
  std::uint64_t traces = 0, spans = 0, refused = 0;
  std::string format;
  std::vector<std::string> problems;
};

// Reads a file, gzipped or not: zlib tells by its first bytes.
Result<std::string> ReadAll(const std::string& path) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(
      path == "-" ? gzdopen(0, "rb") : gzopen(path.c_str(), "rb"), gzclose);
  if (file == nullptr) return Fail(ErrorCode::kNotFound, std::strerror(errno));
  std::string bytes;
  std::vector<char> piece(1 << 20);
  for (;;) {
    const int got = gzread(file.get(), piece.data(), static_cast<unsigned>(piece.size()));
    if (got < 0) {
      int code = 0;
      return Fail(ErrorCode::kCorruption, path + ": " + gzerror(file.get(), &code));
    }
    if (got == 0) return bytes;
    bytes.append(piece.data(), static_cast<std::size_t>(got));
    if (bytes.size() > kFileBytesMax)
      return Fail(ErrorCode::kTooLarge, path + ": larger than 4 GiB inflated; split it");
  }
}

// Pieces of at most kPieceBytesMax that end at a line; the CSV header is repeated in front of each.
std::vector<std::string> CutAtLines(std::string_view bytes, std::string_view header) {
  std::vector<std::string> pieces;
  std::string_view rest = bytes.substr(header.size());
  while (!rest.empty()) {
    std::size_t end = rest.size();
    if (end > kPieceBytesMax) {
      const auto line = rest.rfind('\n', kPieceBytesMax);
      end = line != std::string_view::npos
                ? line + 1
                : std::min(rest.find('\n', kPieceBytesMax), rest.size() - 1) + 1;
    }
    pieces.push_back(std::string(header) + std::string(rest.substr(0, end)));
    rest.remove_prefix(end);
  }
  return pieces;
}

std::vector<std::string> Pieces(std::string bytes, ingest::ImportFormat format) {
  if (bytes.size() > kPieceBytesMax) {
    if (format == ingest::ImportFormat::kCsv) {
      const std::string header = bytes.substr(0, bytes.find('\n') + 1);
      return CutAtLines(bytes, header);
    }
    // JSON lines: the first value ends where the first line ends.
    const bool json =
        format == ingest::ImportFormat::kOtlpJson || format == ingest::ImportFormat::kXRay;
    if (json && bytes.find('\n') != std::string::npos) {
      const std::string_view first_line = std::string_view(bytes).substr(0, bytes.find('\n'));
      if (ingest::SplitJsonValues(first_line).size() == 1 && first_line.ends_with('}'))
        return CutAtLines(bytes, {});
    }
  }
  std::vector<std::string> whole;
  whole.push_back(std::move(bytes));
  return whole;
}

Result<void> AddAnswer(std::string_view json, Totals& totals) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  simdjson::dom::element answer;
  std::uint64_t traces = 0, spans = 0, refused = 0;
  if (parser.parse(padded).get(answer) != simdjson::SUCCESS ||
      answer["traces"].get(traces) != simdjson::SUCCESS ||
      answer["spans"].get(spans) != simdjson::SUCCESS ||
      answer["refused"].get(refused) != simdjson::SUCCESS) {
    return Fail(ErrorCode::kCorruption, "the server's answer is not an import's");
  }
  totals.traces += traces;
  totals.spans += spans;
  totals.refused += refused;
  simdjson::dom::array problems;
  if (answer["problems"].get(problems) == simdjson::SUCCESS) {
    for (const auto problem : problems) {
      std::string_view text;
      if (problem.get(text) == simdjson::SUCCESS && totals.problems.size() < 100)
        totals.problems.emplace_back(text);
    }
  }
  return {};
}

Result<Totals> ImportFile(Source& source, const std::string& path, const std::string& format_name) {
  FLUORO_TRY(std::string bytes, ReadAll(path));
  auto format = ingest::ParseImportFormat(format_name);
  if (!format) {
    FLUORO_TRY(format, ingest::DetectImportFormat(bytes));
  }
  Totals totals;
  totals.format = ingest::ImportFormatName(*format);
  Progress progress("importing " + path);
  const auto pieces = Pieces(std::move(bytes), *format);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    progress.Update(fmt::format("{} of {}", i, pieces.size()));
    net::HttpRequest request;
    request.method = "POST";
    request.path = "/ui/api/import";
    request.query = "format=" + totals.format;
    request.headers["content-type"] = "application/octet-stream";
    request.body = pieces[i];
    std::string answer;
    FLUORO_CHECK_OK(source.Stream(std::move(request), [&answer](std::string_view piece) {
      answer += piece;
      return true;
    }));
    FLUORO_CHECK_OK(AddAnswer(answer, totals));
  }
  return totals;
}

int Import(const SourceOptions& options, const std::vector<std::string>& paths,
           const std::string& format, bool json) {
  SourceOptions writable = options;
  writable.writable = true;
  auto source = OpenSource(writable);
  if (!source) return Report(source.error());
  int code = kDone;
  for (const std::string& path : paths) {
    const auto totals = ImportFile(**source, path, format);
    if (!totals) {
      code = Report(totals.error().With(path));
      if (code == kUnreachable || code == kRefused) return code;
      continue;
    }
    if (totals->refused > 0) code = kNotFoundOrFailed;
    if (json) {
      JsonWriter out;
      out.BeginObject()
          .Key("file")
          .String(path)
          .Key("format")
          .String(totals->format)
          .Key("traces")
          .Uint(totals->traces);
      out.Key("spans")
          .Uint(totals->spans)
          .Key("refused")
          .Uint(totals->refused)
          .Key("problems")
          .BeginArray();
      for (const auto& problem : totals->problems) out.String(problem);
      out.EndArray().EndObject();
      Print(out.Take() + "\n");
      continue;
    }
    Print(fmt::format("{}: {} traces, {} spans ({}){}\n", path, totals->traces, totals->spans,
                      totals->format,
                      totals->refused > 0 ? fmt::format(", {} refused", totals->refused) : ""));
    for (const auto& problem : totals->problems)
      std::fprintf(stderr, "  %s\n", Sanitise(problem).c_str());
  }
  return code;
}

}  // namespace

void AddImport(const Registry& registry) {
  struct Options {
    bool json = false;
    std::string format = "auto";
    std::vector<std::string> paths;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = registry.Add(
      "import", "stores traces of files: OTLP, X-Ray, Jaeger, Zipkin or CSV, gzipped or not",
      "  fluoro import traces.jsonl minute.csv.gz\n"
      "  fluoro import --format jaeger --data ./fluoro-data export.json",
      options->json);
  command->add_option("FILE", options->paths, "files; - is standard input")->required();
  command
      ->add_option("--format", options->format,
                   "otlp-json, otlp-proto, xray, jaeger, zipkin, csv or auto")
      ->check(CLI::IsMember({"auto", "otlp-json", "otlp-proto", "xray", "jaeger", "zipkin", "csv"}))
      ->capture_default_str();
  const auto source = AddSourceOptions(*command);
  Action& action = registry.action;
  command->callback([&action, options, source] {
    action = [=] { return Import(*source, options->paths, options->format, options->json); };
  });
}

}  // namespace fluoro::cli
