#include "cost/usage_files.h"

#include "base/path.h"

namespace fluoro::cost {
namespace {

constexpr std::string_view kEnding = ".json";

}  // namespace

std::string UsageFiles::PathOf(analysis::Day day) const {
  return folder_ + "/" + analysis::DayText(day) + std::string(kEnding);
}

Result<std::optional<analysis::UsageFile>> UsageFiles::Read(analysis::Day day) const {
  const std::string path = PathOf(day);
  if (!fs_.Exists(path)) return std::nullopt;
  FLUORO_TRY(const std::string text, ReadFile(fs_, path));
  auto file = analysis::ParseUsageFile(text);
  if (!file) return std::unexpected(std::move(file).error().With(path));
  if (file->day != day) return Fail(ErrorCode::kCorruption, path + ": the usage of another day");
  return std::optional(*std::move(file));
}

Result<void> UsageFiles::Write(const analysis::UsageFile& file) {
  if (!fs_.Exists(folder_)) {
    FLUORO_CHECK_OK(fs_.MakeDirs(folder_));
    FLUORO_CHECK_OK(fs_.SyncDir(ParentPath(folder_)));
  }
  const std::string path = PathOf(file.day);
  const std::string next = path + ".new";
  const std::string text = analysis::PrintUsageFile(file);
  if (fs_.Exists(next)) FLUORO_CHECK_OK(fs_.Remove(next));
  {
    FLUORO_TRY(const auto out, fs_.Open(next, Fs::OpenMode::kCreate));
    FLUORO_CHECK_OK(out->WriteAt(0, text));
    FLUORO_CHECK_OK(out->Sync());
  }
  FLUORO_CHECK_OK(fs_.Rename(next, path));
  return fs_.SyncDir(folder_);
}

Result<std::vector<analysis::Day>> UsageFiles::Days() const {
  std::vector<analysis::Day> days;
  if (!fs_.Exists(folder_)) return days;
  FLUORO_TRY(const auto names, fs_.List(folder_));
  for (const std::string& name : names) {
    if (!name.ends_with(kEnding)) continue;
    if (const auto day = analysis::ParseDay(name.substr(0, name.size() - kEnding.size())))
      days.push_back(*day);
  }
  return days;
}

Result<void> UsageFiles::Forget(analysis::Day before) {
  FLUORO_TRY(const auto days, Days());
  for (const analysis::Day day : days) {
    if (day < before) FLUORO_CHECK_OK(fs_.Remove(PathOf(day)));
  }
  return {};
}

Result<void> UsageFiles::SetAside(analysis::Day day) {
  FLUORO_CHECK_OK(fs_.Rename(PathOf(day), PathOf(day) + ".damaged"));
  return fs_.SyncDir(folder_);
}

}  // namespace fluoro::cost
