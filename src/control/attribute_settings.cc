#include "control/attribute_settings.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "base/json_tree.h"
#include "control/settings.h"

namespace fluoro::control {
namespace {

using cardinality::Index;
using cardinality::Settings;

std::unexpected<Error> Wrong(std::string_view member, std::string_view wanted) {
  return Fail(ErrorCode::kInvalidArgument,
              std::string(member) + ": " + std::string(wanted) + " wanted");
}

Result<std::uint32_t> ParseBudget(std::string_view member, JsonView value) {
  const auto number = value.Int();
  if (!number || *number < 1 || *number > cardinality::kBudgetMax)
    return Wrong(member, "a number from 1 to " + std::to_string(cardinality::kBudgetMax));
  return static_cast<std::uint32_t>(*number);
}

Result<JsonTree> ParseBody(std::string_view body) {
  auto tree = JsonTree::Parse(body, {.depth_max = 4, .values_max = 256});
  if (!tree || !tree->root().IsObject()) return Wrong("body", "a JSON object");
  return tree;
}

Result<Settings::Key> ParseKey(std::string_view body) {
  FLUORO_TRY(const JsonTree tree, ParseBody(body));
  Settings::Key key;
  for (const JsonView::Member& member : tree.root().Members()) {
    if (member.value.IsNull()) continue;
    if (member.key == "index") {
      key.index = cardinality::ParseIndex(member.value.String().value_or(""));
      if (!key.index) return Wrong("index", "full, lookup or none");
    } else if (member.key == "budget") {
      FLUORO_TRY(key.budget, ParseBudget("budget", member.value));
    } else {
      return Wrong(member.key, "index or budget");
    }
  }
  return key;
}

Result<void> ParseCardinality(std::string_view body, Settings& settings) {
  FLUORO_TRY(const JsonTree tree, ParseBody(body));
  for (const JsonView::Member& member : tree.root().Members()) {
    if (member.key == "guarded_index") {
      const auto index = cardinality::ParseIndex(member.value.String().value_or(""));
      if (!index || *index == Index::kFull) return Wrong("guarded_index", "lookup or none");
      settings.guarded_index = *index;
    } else if (member.key == "budgets") {
      for (const JsonView::Member& budget : member.value.Members()) {
        if (!cardinality::DefaultBudgets().contains(budget.key))
          return Wrong("budgets." + std::string(budget.key), "the name of a budget");
        FLUORO_TRY(settings.budgets[std::string(budget.key)],
                   ParseBudget("budgets." + std::string(budget.key), budget.value));
      }
    } else {
      return Wrong(member.key, "budgets or guarded_index");
    }
  }
  return {};
}

}  // namespace

Settings ReadAttributeSettings(const Snapshot& snapshot) {
  Settings settings;
  if (const Record* record = snapshot.Find(kSettingKind, kCardinality)) {
    if (!ParseCardinality(record->body, settings)) settings = {};
  }
  for (const Record& record : snapshot.List(kAttributeKind)) {
    if (const auto key = ParseKey(record.body)) settings.keys.emplace(record.name, *key);
  }
  return settings;
}

Result<void> PutAttribute(Transaction& transaction, std::string_view key,
                          const Settings::Key& decided) {
  if (key.empty() || key.size() > kNameBytesMax)
    return Wrong("key", "1 to " + std::to_string(kNameBytesMax) + " bytes");
  if (!decided.index && !decided.budget) {
    FLUORO_CHECK_OK(transaction.Delete(kAttributeKind, key));
    return {};
  }
  FLUORO_TRY(const auto before, transaction.List(kAttributeKind));
  if (before.size() >= kAttributeRecordsMax &&
      std::ranges::find(before, key, &Record::name) == before.end()) {
    return Fail(ErrorCode::kTooLarge, "there are " + std::to_string(kAttributeRecordsMax) +
                                          " keys with decisions of their own");
  }
  JsonWriter out;
  out.BeginObject();
  if (decided.index) out.Key("index").String(cardinality::IndexName(*decided.index));
  if (decided.budget) out.Key("budget").Uint(*decided.budget);
  out.EndObject();
  FLUORO_CHECK_OK(transaction.Put(kAttributeKind, key, out.Take()));
  return {};
}

Result<void> PutCardinality(Transaction& transaction, std::string_view body) {
  FLUORO_CHECK_OK(CheckCardinality(body));
  FLUORO_CHECK_OK(transaction.Put(kSettingKind, kCardinality, body));
  return {};
}

Result<void> CheckAttributeRecord(std::string_view name, std::string_view body) {
  if (name.empty()) return Wrong("name", "a key");
  FLUORO_CHECK_OK(ParseKey(body));
  return {};
}

Result<void> CheckCardinality(std::string_view body) {
  Settings settings;
  return ParseCardinality(body, settings);
}

}  // namespace fluoro::control
