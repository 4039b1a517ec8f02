#include "control/settings.h"

#include "base/json.h"
#include "base/json_tree.h"
#include "control/attribute_settings.h"

namespace fluoro::control {
namespace {

constexpr std::string_view kEncryption = "encryption";
constexpr std::string_view kIndexing = "indexing-rule";
constexpr std::string_view kDestination = "trace-segment-destination";

/// The member of a setting's record; nullopt where there is none.
template <class Read>
auto MemberOf(const Record* record, std::string_view member, const Read& read)
    -> decltype(read(JsonView())) {
  if (record == nullptr) return std::nullopt;
  const auto tree = JsonTree::Parse(record->body);
  if (!tree) return std::nullopt;
  auto value = read(tree->root()[member]);
  return value;
}

std::optional<std::string> AsText(JsonView value) {
  const auto text = value.String();
  return text ? std::optional<std::string>(*text) : std::nullopt;
}

std::optional<double> AsNumber(JsonView value) { return value.Double(); }

Result<void> CheckPercentage(double percentage) {
  if (percentage >= 0 && percentage <= 100) return {};
  return Fail(ErrorCode::kInvalidArgument, "DesiredSamplingPercentage must be between 0 and 100");
}

Result<void> Put(Transaction& transaction, std::string_view name, const std::string& body) {
  FLUORO_CHECK_OK(transaction.Put(kSettingKind, name, body));
  return {};
}

}  // namespace

std::string_view EncryptionSetting::key_name() const {
  return std::string_view(key_arn).substr(key_arn.find_last_of("/:") + 1);
}

EncryptionSetting ReadEncryption(const Snapshot& snapshot) {
  const Record* record = snapshot.Find(kSettingKind, kEncryption);
  return {.is_set = record != nullptr, .key_arn = MemberOf(record, "KeyArn", AsText).value_or("")};
}

Result<void> PutEncryption(Transaction& transaction, std::string_view key_arn) {
  return Put(transaction, kEncryption,
             JsonWriter().BeginObject().Key("KeyArn").String(key_arn).EndObject().Take());
}

IndexingRule ReadIndexingRule(const Snapshot& snapshot) {
  const Record* record = snapshot.Find(kSettingKind, kIndexing);
  IndexingRule rule;
  rule.desired_percentage =
      MemberOf(record, "DesiredSamplingPercentage", AsNumber).value_or(rule.desired_percentage);
  if (record != nullptr) rule.modified_ns = record->modified_ns;
  return rule;
}

Result<void> PutIndexingRule(Transaction& transaction, double desired_percentage) {
  FLUORO_CHECK_OK(CheckPercentage(desired_percentage));
  return Put(transaction, kIndexing,
             JsonWriter()
                 .BeginObject()
                 .Key("DesiredSamplingPercentage")
                 .Double(desired_percentage)
                 .EndObject()
                 .Take());
}

SegmentDestination ReadSegmentDestination(const Snapshot& snapshot) {
  const Record* record = snapshot.Find(kSettingKind, kDestination);
  SegmentDestination destination;
  destination.name = MemberOf(record, "Destination", AsText).value_or(destination.name);
  if (record != nullptr) destination.modified_ns = record->modified_ns;
  return destination;
}

Result<void> PutSegmentDestination(Transaction& transaction, std::string_view name) {
  return Put(transaction, kDestination,
             JsonWriter().BeginObject().Key("Destination").String(name).EndObject().Take());
}

Result<void> CheckSettingRecord(std::string_view name, std::string_view body) {
  Record record;
  record.body = body;
  if (name == kIndexing) {
    const auto percentage = MemberOf(&record, "DesiredSamplingPercentage", AsNumber);
    if (!percentage)
      return Fail(ErrorCode::kInvalidArgument, "DesiredSamplingPercentage: a number wanted");
    return CheckPercentage(*percentage);
  }
  if (name == kCardinality) return CheckCardinality(body);
  if (name == kDestination) {
    const auto destination = MemberOf(&record, "Destination", AsText);
    if (destination == "XRay" || destination == "CloudWatchLogs") return {};
    return Fail(ErrorCode::kInvalidArgument, "Destination: XRay or CloudWatchLogs wanted");
  }
  // Which key encrypts this server's files is not for another server's export to say.
  return Fail(ErrorCode::kInvalidArgument,
              "the setting '" + std::string(name) + "' is not imported");
}

}  // namespace fluoro::control
