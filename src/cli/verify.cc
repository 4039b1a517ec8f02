// fluoro verify DIR
#include <fmt/format.h>

#include "base/fs.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/terminal.h"
#include "cli/units.h"
#include "store/embedded/embedded_store.h"

namespace fluoro::cli {
namespace {

int Verify(const std::string& folder, bool json) {
  const auto fs = MakePosixFs();
  if (!fs->Exists(folder)) return Report(Error{ErrorCode::kNotFound, "no such folder: " + folder});
  const auto report = store::VerifyFolder(*fs, folder);
  if (!report) return Report(report.error());
  if (json) {
    JsonWriter out;
    out.BeginObject().Key("ok").Bool(report->ok()).Key("files").BeginArray();
    for (const auto& item : report->items) {
      out.BeginObject()
          .Key("file")
          .String(item.file)
          .Key("ok")
          .Bool(item.problem.empty())
          .Key("problem")
          .String(item.problem);
      out.Key("bytes")
          .Uint(item.bytes)
          .Key("traces")
          .Uint(item.traces)
          .Key("spans")
          .Uint(item.spans)
          .EndObject();
    }
    out.EndArray().EndObject();
    Print(out.Take() + "\n");
    return report->ok() ? kDone : kNotFoundOrFailed;
  }
  const Terminal terminal = Terminal::Detect();
  std::uint64_t bytes = 0, damaged = 0;
  for (const auto& item : report->items) {
    bytes += item.bytes;
    if (item.problem.empty()) continue;
    ++damaged;
    Print(terminal.Paint("damaged ", Ink::kRed) + item.file + ": " + item.problem + "\n");
  }
  Print(fmt::format("{} files, {}: {}\n", report->items.size(), FormatBytes(bytes),
                    damaged == 0 ? terminal.Paint("every checksum is right", Ink::kGreen)
                                 : terminal.Paint(fmt::format("{} damaged", damaged), Ink::kRed)));
  return report->ok() ? kDone : kNotFoundOrFailed;
}

}  // namespace

void AddVerify(const Registry& registry) {
  struct Options {
    bool json = false;
    std::string folder;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      registry.Add("verify", "walks every checksum of a data folder",
                   "  fluoro verify ./fluoro-data\n"
                   "  fluoro verify --json ./fluoro-data | jq '.files[] | select(.ok | not)'",
                   options->json);
  command->add_option("DIR", options->folder, "data folder")->required();
  Action& action = registry.action;
  command->callback(
      [&action, options] { action = [=] { return Verify(options->folder, options->json); }; });
}

}  // namespace fluoro::cli
