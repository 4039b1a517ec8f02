#include "api/ui/comparing.h"

namespace fluoro::api::ui {
namespace {

std::unexpected<Error> Wanted(std::string_view member, std::string_view what) {
  return Fail(ErrorCode::kInvalidArgument,
              std::string(member) + ": " + std::string(what) + " wanted");
}

bool IsAbsent(JsonView value) { return !value.exists() || value.IsNull(); }

}  // namespace

double WeightOf(const model::AssembledTrace& trace) {
  const double probability = trace.trace->kept.probability;
  return probability > 0 ? 1 / probability : 1;
}

void WriteScanned(JsonWriter& out, const store::SearchResult& found, std::int64_t now_ns) {
  out.Key("as_of").Int(now_ns);
  out.Key("scanned_traces").Uint(found.scanned_traces);
  out.Key("scanned_share").Double(found.scanned_share);
  out.Key("complete").Bool(found.complete);
  out.Key("cut_traces").Uint(found.cut_traces);
  out.Key("damaged").BeginArray();
  for (const std::string& block : found.damaged) out.String(block);
  out.EndArray();
}

Result<double> NumberIn(JsonView object, std::string_view member, double fallback, double low,
                        double high) {
  const JsonView value = object[member];
  if (IsAbsent(value)) return fallback;
  const auto number = value.Double();
  if (!number || !(*number >= low && *number <= high)) {
    return Wanted(member, "a number from " + std::to_string(low) + " to " + std::to_string(high));
  }
  return *number;
}

Result<std::int64_t> IntIn(JsonView object, std::string_view member, std::int64_t fallback) {
  const JsonView value = object[member];
  if (IsAbsent(value)) return fallback;
  const auto number = value.Int();
  if (!number) return Wanted(member, "an integer");
  return *number;
}

Result<bool> BoolIn(JsonView object, std::string_view member) {
  const JsonView value = object[member];
  if (IsAbsent(value)) return false;
  const auto flag = value.Bool();
  if (!flag) return Wanted(member, "true or false");
  return *flag;
}

Result<std::string> TextIn(JsonView object, std::string_view member) {
  const JsonView value = object[member];
  if (IsAbsent(value)) return std::string();
  const auto text = value.String();
  if (!text) return Wanted(member, "a string");
  return std::string(*text);
}

}  // namespace fluoro::api::ui
