// fluoro verify DIR
#include <fmt/format.h>

#include "base/fs.h"
#include "base/json.h"
#include "cli/at_rest_key.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/terminal.h"
#include "cli/units.h"
#include "store/embedded/embedded_store.h"

namespace fluoro::cli {
namespace {

int Verify(const std::string& folder, const std::string& key_file, bool json) {
  const auto fs = MakePosixFs();
  if (!fs->Exists(folder)) return Report(Error{ErrorCode::kNotFound, "no such folder: " + folder});
  const auto keys = LoadAtRestKeys(key_file, folder);
  if (!keys) return Report(keys.error());
  const auto report = store::VerifyFolder(*fs, folder, keys->get());
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
          .Key("locked")
          .Bool(item.is_locked)
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
  std::uint64_t bytes = 0, damaged = 0, locked = 0;
  for (const auto& item : report->items) {
    bytes += item.bytes;
    if (item.problem.empty()) continue;
    ++(item.is_locked ? locked : damaged);
    Print(terminal.Paint(item.is_locked ? "locked  " : "damaged ", Ink::kRed) + item.file + ": " +
          item.problem + "\n");
  }
  std::string found = terminal.Paint(fmt::format("{} damaged", damaged), Ink::kRed);
  if (damaged == 0) found = terminal.Paint("every checksum is right", Ink::kGreen);
  if (locked > 0) {
    found = terminal.Paint(
        fmt::format("{} damaged, {} not checked for want of a key", damaged, locked), Ink::kRed);
  }
  Print(fmt::format("{} files, {}: {}\n", report->items.size(), FormatBytes(bytes), found));
  return report->ok() ? kDone : kNotFoundOrFailed;
}

}  // namespace

void AddVerify(const Registry& registry) {
  struct Options {
    bool json = false;
    std::string folder;
    std::string key_file;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      registry.Add("verify", "walks every checksum of a data folder",
                   "  fluoro verify ./fluoro-data\n"
                   "  fluoro verify --json ./fluoro-data | jq '.files[] | select(.ok | not)'",
                   options->json);
  command->add_option("DIR", options->folder, "data folder")->required();
  AddAtRestKey(*command, options->key_file);
  Action& action = registry.action;
  command->callback([&action, options] {
    action = [=] { return Verify(options->folder, options->key_file, options->json); };
  });
}

}  // namespace fluoro::cli
