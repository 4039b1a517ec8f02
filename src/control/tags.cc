#include "control/tags.h"

#include <re2/re2.h>

#include "base/json.h"
#include "base/json_tree.h"

namespace fluoro::control {
namespace {

Result<Tags> ParseTags(std::string_view body) {
  FLUORO_TRY(const JsonTree tree, JsonTree::Parse(body));
  const JsonView list = tree.root()["Tags"];
  if (!list.IsObject()) return Fail(ErrorCode::kInvalidArgument, "Tags: an object wanted");
  Tags tags;
  for (const JsonView::Member& member : list.Members()) {
    const auto value = member.value.String();
    if (!value) return Fail(ErrorCode::kInvalidArgument, "Tags: strings wanted");
    tags.emplace(member.key, *value);
  }
  return tags;
}

std::string PrintTags(const Tags& tags) {
  JsonWriter out;
  out.BeginObject().Key("Tags").BeginObject();
  for (const auto& [key, value] : tags) out.Key(key).String(value);
  out.EndObject().EndObject();
  return out.Take();
}

Result<void> Check(const Tags& tags) {
  static const RE2 kAllowed(R"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)");
  for (const auto& [key, value] : tags) {
    if (key.starts_with("aws:"))
      return Fail(ErrorCode::kInvalidArgument, "Tag keys that begin with aws: are reserved");
    for (const std::string* text : {&key, &value}) {
      if (!RE2::FullMatch(*text, kAllowed)) {
        return Fail(ErrorCode::kInvalidArgument,
                    "Tag '" + key + "': letters, digits, spaces and _.:/=+-@ are allowed");
      }
    }
  }
  if (tags.size() > kTagsMax)
    return Fail(ErrorCode::kTooLarge,
                "A resource can have at most " + std::to_string(kTagsMax) + " tags");
  return {};
}

Result<Tags> Standing(Transaction& transaction, std::string_view arn) {
  FLUORO_TRY(const auto record, transaction.Find(kTagsKind, arn));
  if (!record) return Tags();
  return ParseTags(record->body);
}

Result<void> Put(Transaction& transaction, std::string_view arn, const Tags& tags) {
  if (tags.empty()) return DeleteTags(transaction, arn);
  FLUORO_CHECK_OK(transaction.Put(kTagsKind, arn, PrintTags(tags)));
  return {};
}

}  // namespace

Tags ReadTags(const Snapshot& snapshot, std::string_view arn) {
  const Record* record = snapshot.Find(kTagsKind, arn);
  if (record == nullptr) return {};
  return ParseTags(record->body).value_or(Tags());
}

Result<void> AddTags(Transaction& transaction, std::string_view arn, const Tags& tags) {
  FLUORO_TRY(Tags all, Standing(transaction, arn));
  for (const auto& [key, value] : tags) all[key] = value;
  FLUORO_CHECK_OK(Check(all));
  return Put(transaction, arn, all);
}

Result<void> RemoveTags(Transaction& transaction, std::string_view arn,
                        const std::vector<std::string>& keys) {
  FLUORO_TRY(Tags all, Standing(transaction, arn));
  std::size_t removed = 0;
  for (const std::string& key : keys) removed += all.erase(key);
  return removed == 0 ? Result<void>() : Put(transaction, arn, all);
}

Result<void> DeleteTags(Transaction& transaction, std::string_view arn) {
  FLUORO_CHECK_OK(transaction.Delete(kTagsKind, arn));
  return {};
}

Result<void> CheckTagsRecord(std::string_view, std::string_view body) {
  FLUORO_TRY(const Tags tags, ParseTags(body));
  return Check(tags);
}

}  // namespace fluoro::control
