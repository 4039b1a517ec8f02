// Settings of the X-Ray API of which there is one each.
#pragma once

#include <cstdint>
#include <string>

#include "control/repository.h"

namespace fluoro::control {

inline constexpr std::string_view kSettingKind = "setting";

/// PutEncryptionConfig. Which key encrypts new files, the store knows; this is the name by which it
/// was asked for.
struct EncryptionSetting {
  bool is_set = false;  ///< somebody decided
  std::string key_arn;  ///< empty: new files are not encrypted
  /// The last part of the ARN, as which the store knows the key.
  [[nodiscard]] std::string_view key_name() const;
};
EncryptionSetting ReadEncryption(const Snapshot& snapshot);
Result<void> PutEncryption(Transaction& transaction, std::string_view key_arn);

/// The one indexing rule, Default.
struct IndexingRule {
  double desired_percentage = 1;
  std::int64_t modified_ns = 0;
};
IndexingRule ReadIndexingRule(const Snapshot& snapshot);
/// Errors: kInvalidArgument unless 0..100.
Result<void> PutIndexingRule(Transaction& transaction, double desired_percentage);

/// UpdateTraceSegmentDestination.
struct SegmentDestination {
  std::string name = "XRay";     ///< or CloudWatchLogs
  std::int64_t modified_ns = 0;  ///< 0: never
};
SegmentDestination ReadSegmentDestination(const Snapshot& snapshot);
Result<void> PutSegmentDestination(Transaction& transaction, std::string_view name);

/// A RecordCheck.
Result<void> CheckSettingRecord(std::string_view name, std::string_view body);

}  // namespace fluoro::control
