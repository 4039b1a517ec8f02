#include "api/ui/request.h"

#include <simdjson.h>

#include <charconv>
#include <cmath>

#include "base/json.h"
#include "model/any_value.h"

namespace fluoro::api::ui {
namespace {

std::unexpected<Error> Wrong(std::string_view member, std::string_view wanted) {
  return Fail(ErrorCode::kInvalidArgument,
              std::string(member) + ": " + std::string(wanted) + " wanted");
}

Result<std::string> TakeText(simdjson::dom::element value, std::string_view member) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return Wrong(member, "a string");
  return std::string(text);
}

Result<std::int64_t> TakeInt(simdjson::dom::element value, std::string_view member) {
  std::int64_t number = 0;
  if (value.get(number) != simdjson::SUCCESS) return Wrong(member, "an integer");
  return number;
}

Result<std::vector<model::TraceId>> TakeIds(simdjson::dom::element value, std::string_view member) {
  simdjson::dom::array array;
  if (value.get(array) != simdjson::SUCCESS || array.size() > kDeleteIdsMax)
    return Wrong(member, "at most 10000 trace ids");
  std::vector<model::TraceId> ids;
  for (const auto item : array) {
    FLUORO_TRY(const std::string text, TakeText(item, member));
    FLUORO_TRY(const model::TraceId id, model::TraceId::Parse(text));
    ids.push_back(id);
  }
  return ids;
}

Result<query::Cursor> ParseToken(std::string_view text) {
  const auto dot = text.find('.');
  query::Cursor cursor;
  if (dot == std::string_view::npos) return Wrong("next_token", "a token of an earlier answer");
  const std::string_view start = text.substr(0, dot);
  const char* const start_end = start.data() + start.size();
  const auto [end, failure] = std::from_chars(start.data(), start_end, cursor.start_ns);
  auto id = model::TraceId::Parse(text.substr(dot + 1));
  if (failure != std::errc{} || end != start_end || !id) {
    return Wrong("next_token", "a token of an earlier answer");
  }
  cursor.trace_id = *id;
  return cursor;
}

}  // namespace

Result<QueryRequest> ParseQueryRequest(std::string_view body) {
  QueryRequest request;
  if (body.empty()) return request;
  if (JsonDepthExceeds(body, static_cast<std::size_t>(model::kNestingMax))) {
    return Fail(ErrorCode::kTooLarge, "body: nests deeper than 64 levels");
  }
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  const simdjson::padded_string padded(body);
  if (parser.parse(padded).get(object) != simdjson::SUCCESS) return Wrong("body", "a JSON object");
  for (const auto [key, value] : object) {
    if (value.is_null()) continue;
    if (key == "expression") {
      FLUORO_TRY(request.expression, TakeText(value, key));
    } else if (key == "from") {
      FLUORO_TRY(request.from_ns, TakeInt(value, key));
    } else if (key == "to") {
      FLUORO_TRY(request.until_ns, TakeInt(value, key));
    } else if (key == "limit") {
      FLUORO_TRY(const std::int64_t limit, TakeInt(value, key));
      if (limit < 1 || static_cast<std::uint64_t>(limit) > kSearchLimitMax)
        return Wrong(key, "1 to 10000");
      request.limit = static_cast<std::uint64_t>(limit);
    } else if (key == "group") {
      FLUORO_TRY(request.group, TakeText(value, key));
    } else if (key == "format") {
      FLUORO_TRY(request.format, TakeText(value, key));
    } else if (key == "next_token") {
      FLUORO_TRY(const std::string token, TakeText(value, key));
      FLUORO_TRY(request.after, ParseToken(token));
    } else if (key == "explain") {
      if (value.get(request.explain) != simdjson::SUCCESS) return Wrong(key, "true or false");
    } else if (key == "brief") {
      if (value.get(request.brief) != simdjson::SUCCESS) return Wrong(key, "true or false");
    } else if (key == "without_index") {
      if (value.get(request.without_index) != simdjson::SUCCESS) return Wrong(key, "true or false");
    } else if (key == "ids") {
      FLUORO_TRY(request.ids, TakeIds(value, key));
    } else if (key == "dry_run") {
      if (value.get(request.dry_run) != simdjson::SUCCESS) return Wrong(key, "true or false");
    } else if (key == "from_spans") {
      if (value.get(request.from_spans) != simdjson::SUCCESS) return Wrong(key, "true or false");
    }
  }
  if (request.from_ns >= request.until_ns) return Wrong("from", "a time before `to`");
  return request;
}

Result<query::Plan> MakePlan(const QueryRequest& request, std::int64_t now_monotonic_ns,
                             const query::GroupLookup& groups) {
  std::string expression = request.expression;
  if (!request.group.empty() && request.group != "Default") {
    const auto filter = groups ? groups(request.group) : std::nullopt;
    if (!filter) return Fail(ErrorCode::kNotFound, "Group not found: " + request.group);
    if (expression.empty()) {
      expression = *filter;
    } else if (!filter->empty()) {
      expression = "(" + *filter + ") AND (" + expression + ")";
    }
  }
  query::Plan plan;
  plan.from_ns = request.from_ns;
  plan.until_ns = request.until_ns;
  plan.after = request.after;
  plan.deadline_ns = now_monotonic_ns + kQueryDeadlineNs;
  plan.use_index = !request.without_index;
  if (!expression.empty()) {
    FLUORO_TRY(plan.filter, query::Filter::Parse(
                                expression, {.case_insensitive_strings = false, .groups = groups}));
  }
  return plan;
}

std::string PrintToken(const query::Cursor& cursor) {
  return std::to_string(cursor.start_ns) + "." + cursor.trace_id.ToHex();
}

void WriteTime(JsonWriter& out, std::string_view key, std::int64_t ns) {
  out.Key(key);
  if (ns == INT64_MIN || ns == INT64_MAX) {
    out.Null();
  } else {
    out.Int(ns);
  }
}

void WriteWeighted(JsonWriter& out, std::string_view key, double count) {
  out.Key(key);
  if (count == std::floor(count) && count < 9e15) {
    out.Int(static_cast<std::int64_t>(count));
  } else {
    out.Double(count);
  }
}

net::HttpResponse ErrorAnswer(const Error& error) {
  int status = 500;
  switch (error.code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kCorruption:
    case ErrorCode::kUnsupported:
      status = 400;
      break;
    case ErrorCode::kNotFound:
      status = 404;
      break;
    case ErrorCode::kTooLarge:
      status = 413;
      break;
    case ErrorCode::kPermissionDenied:
      status = 403;
      break;
    case ErrorCode::kUnavailable:
    case ErrorCode::kNoSpace:
      status = 503;
      break;
    case ErrorCode::kDeadlineExceeded:
      status = 504;
      break;
    default:
      break;
  }
  JsonWriter out;
  out.BeginObject().Key("error").BeginObject();
  out.Key("code").String(ErrorCodeName(error.code)).Key("message").String(error.message);
  out.EndObject().EndObject();
  net::HttpResponse answer = net::HttpResponse::Json(status, out.Take());
  if (status == 503) answer.headers["retry-after"] = "1";
  return answer;
}

}  // namespace fluoro::api::ui
