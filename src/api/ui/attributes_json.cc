#include "api/ui/attributes_json.h"

#include <array>
#include <optional>
#include <utility>

#include "base/json.h"
#include "base/json_tree.h"
#include "cardinality/guard.h"
#include "cardinality/pattern.h"
#include "control/attribute_settings.h"

namespace fluoro::api::ui {
namespace {

using cardinality::Index;
using cardinality::KeyClass;
using cardinality::KeyReport;
using cardinality::State;

std::unexpected<Error> Wrong(const std::string& member, const std::string& wanted) {
  return Fail(ErrorCode::kInvalidArgument, member + ": " + wanted + " wanted");
}

template <class Value, class Write>
void WriteOptional(JsonWriter& out, std::string_view key, const std::optional<Value>& value,
                   const Write& write) {
  out.Key(key);
  if (value) {
    write(*value);
  } else {
    out.Null();
  }
}

void WriteCarriers(JsonWriter& out, std::uint8_t carriers) {
  using enum cardinality::Carrier;
  out.Key("on").BeginArray();
  for (const auto& [bit, name] : {std::pair{kResource, "resource"},
                                  {kScope, "scope"},
                                  {kSpan, "span"},
                                  {kEvent, "event"},
                                  {kLink, "link"},
                                  {kCall, "call"}}) {
    if ((carriers & bit) != 0) out.String(name);
  }
  out.EndArray().Key("annotation").Bool((carriers & cardinality::kAnnotation) != 0);
}

/// What to do, for a key of which something is to be done.
std::string_view RemedyOf(const KeyReport& report) {
  if (report.state == State::kOk || report.by_hand) return {};
  return cardinality::RemedyOf(report.pattern);
}

void WriteMembers(JsonWriter& out, const KeyReport& report) {
  out.Key("key").String(report.key);
  out.Key("class").String(cardinality::KeyClassName(report.key_class));
  WriteCarriers(out, report.carriers);
  out.Key("state").String(cardinality::StateName(report.state));
  out.Key("why").String(cardinality::WhyText(report.why));
  out.Key("since_ns").Int(report.since_ns);
  out.Key("index").String(cardinality::IndexName(report.index));
  out.Key("by_hand").Bool(report.by_hand);
  out.Key("budget_name").String(report.budget_name);
  WriteOptional(out, "budget", report.budget, [&](std::uint32_t budget) { out.Uint(budget); });
  out.Key("distinct").Uint(report.distinct).Key("error").Double(report.error);
  WriteOptional(out, "growth_per_hour", report.growth_per_hour,
                [&](double growth) { out.Double(growth); });
  WriteOptional(out, "breach_ns", report.breach_ns, [&](std::int64_t at) { out.Int(at); });
  out.Key("spans").Uint(report.spans).Key("bytes").Uint(report.bytes);
  out.Key("index_bytes").Uint(report.index_bytes);
  out.Key("first_seen_ns").Int(report.first_seen_ns);
  out.Key("last_seen_ns").Int(report.last_seen_ns);
  out.Key("pattern").String(cardinality::PatternName(report.pattern));
  out.Key("examples").BeginArray();
  for (const std::string& example : report.examples) out.String(example);
  out.EndArray().Key("remedy").String(RemedyOf(report));
}

Result<cardinality::Settings::Key> ParseAction(JsonView root,
                                               const cardinality::Settings::Key& before) {
  cardinality::Settings::Key key = before;
  const auto to = cardinality::ParseIndex(root["to"].String().value_or("none"));
  if (!to || *to == Index::kFull) return Wrong("to", "lookup or none");
  if (root["action"].exists()) {
    const std::string_view action = root["action"].String().value_or("");
    if (action == "index") {
      key.index = Index::kFull;
    } else if (action == "demote") {
      key.index = *to;
    } else if (action == "auto") {
      key = {};
    } else {
      return Wrong("action", "index, demote or auto");
    }
  }
  if (root["budget"].exists()) {
    const auto budget = root["budget"].Int();
    if (!budget || *budget < 1 || *budget > cardinality::kBudgetMax)
      return Wrong("budget", "a number from 1 to " + std::to_string(cardinality::kBudgetMax));
    key.budget = static_cast<std::uint32_t>(*budget);
  }
  return key;
}

std::string Decided(std::string_view name, const cardinality::Settings::Key& key) {
  JsonWriter out;
  out.BeginObject().Key("key").String(name);
  WriteOptional(out, "index", key.index,
                [&](Index index) { out.String(cardinality::IndexName(index)); });
  WriteOptional(out, "budget", key.budget, [&](std::uint32_t budget) { out.Uint(budget); });
  out.EndObject();
  return out.Take();
}

}  // namespace

Result<std::string> AttributesJson(store::AttributeCensus& store, std::string_view state) {
  if (!state.empty() && state != "ok" && state != "watch" && state != "guarded")
    return Wrong("state", "ok, watch or guarded");
  FLUORO_TRY(const cardinality::Census census, store.Attributes());
  JsonWriter out;
  out.BeginObject().Key("as_of_ns").Int(census.as_of_ns);
  out.Key("attributes").BeginArray();
  for (const KeyReport& report : census.keys) {
    if (!state.empty() && cardinality::StateName(report.state) != state) continue;
    out.BeginObject();
    WriteMembers(out, report);
    out.EndObject();
  }
  out.EndArray().Key("keys").Uint(census.keys.size()).Key("keys_max").Uint(census.keys_max);
  out.Key("crowded_out").Uint(census.crowded_out);
  out.Key("memory_bytes").Uint(census.memory_bytes);
  out.Key("memory_bytes_max").Uint(census.memory_bytes_max).EndObject();
  return out.Take();
}

Result<std::string> AttributeJson(store::AttributeCensus& store, std::string_view key) {
  FLUORO_TRY(const cardinality::KeyDetail detail, store.Attribute(key));
  JsonWriter out;
  out.BeginObject();
  WriteMembers(out, detail.report);
  out.Key("values").BeginArray();
  for (const auto& value : detail.values) {
    out.BeginObject().Key("value").String(value.text).Key("spans").Uint(value.count);
    out.Key("spans_over").Uint(value.over).EndObject();
  }
  out.EndArray().Key("other").String(cardinality::kOther);
  out.Key("other_spans").Uint(detail.other_spans).Key("hours").BeginArray();
  for (const auto& hour : detail.hours) {
    out.BeginObject().Key("hour_ns").Int(hour.count.hour * cardinality::kHourNs);
    out.Key("spans").Uint(hour.count.spans).Key("distinct").Uint(hour.count.distinct);
    out.Key("distinct_day").Uint(hour.count.distinct_day).Key("bytes").Uint(hour.bytes);
    out.Key("index_bytes").Uint(hour.index_bytes).EndObject();
  }
  out.EndArray().EndObject();
  return out.Take();
}

Result<std::string> ChangeAttributesJson(control::Repository& control, std::string_view who,
                                         std::string_view body) {
  const auto tree = JsonTree::Parse(body, {.depth_max = 4, .values_max = 256});
  if (!tree || !tree->root().IsObject()) return Wrong("body", "a JSON object");
  const JsonView root = tree->root();
  if (!root["key"].exists()) {
    FLUORO_CHECK_OK(control.Write(
        who, [&](control::Transaction& change) { return control::PutCardinality(change, body); }));
    return std::string(body);
  }
  const std::string key(root["key"].String().value_or(""));
  if (!root["action"].exists() && !root["budget"].exists())
    return Wrong("action", "index, demote or auto");
  const cardinality::Settings settings = control::ReadAttributeSettings(*control.Read());
  const auto* before = settings.Find(key);
  FLUORO_TRY(const auto decided,
             ParseAction(root, before == nullptr ? cardinality::Settings::Key() : *before));
  FLUORO_CHECK_OK(control.Write(who, [&](control::Transaction& change) {
    return control::PutAttribute(change, key, decided);
  }));
  return Decided(key, decided);
}

}  // namespace fluoro::api::ui
