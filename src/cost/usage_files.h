// Usage by day on disk: <folder>/2026-11-29.json, replaced whole. docs/cost.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/usage.h"
#include "base/fs.h"

namespace fluoro::cost {

/// Days that are kept.
inline constexpr analysis::Day kUsageDaysKept = 400;

/// One thread at a time. `fs` must outlive it.
class UsageFiles {
 public:
  UsageFiles(Fs& fs, std::string folder) : fs_(fs), folder_(std::move(folder)) {}

  /// Nullopt: nothing was counted that day. Errors: kIo, kCorruption, kUnsupported.
  [[nodiscard]] Result<std::optional<analysis::UsageFile>> Read(analysis::Day day) const;
  /// Durable when it returns; what was there before stays whole if it fails. Errors: kIo, kNoSpace.
  Result<void> Write(const analysis::UsageFile& file);
  /// Days of which there are files, ascending. Errors: kIo.
  [[nodiscard]] Result<std::vector<analysis::Day>> Days() const;
  /// Lets go of files of days before. Errors: kIo.
  Result<void> Forget(analysis::Day before);
  /// Puts a file that cannot be read aside, as <day>.json.damaged.
  Result<void> SetAside(analysis::Day day);

 private:
  [[nodiscard]] std::string PathOf(analysis::Day day) const;
  Fs& fs_;
  std::string folder_;
};

}  // namespace fluoro::cost
