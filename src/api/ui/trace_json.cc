#include "api/ui/trace_json.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <map>
#include <set>

#include "analysis/critical_path.h"
#include "analysis/ledger/ledger.h"
#include "analysis/step_time.h"
#include "api/ui/genai_cost.h"
#include "genai/step.h"

namespace fluoro::api::ui {
namespace {

using model::AttributeValue;

// Values nest at most kNestingMax deep: the decoders see to it.
void WriteValue(JsonWriter& out, const AttributeValue& value) {
  struct Visitor {
    JsonWriter& out;
    void operator()(std::monostate) const { out.Null(); }
    void operator()(const std::string& text) const { out.String(text); }
    void operator()(bool flag) const { out.Bool(flag); }
    void operator()(std::int64_t number) const { out.Int(number); }
    void operator()(double number) const {
      if (std::isfinite(number)) {
        out.Double(number);
      } else {
        out.String(std::isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity");
      }
    }
    void operator()(const AttributeValue::Bytes& bytes) const {
      static constexpr char kDigits[] = "0123456789abcdef";
      std::string hex;
      hex.reserve(bytes.data.size() * 2);
      for (const char c : bytes.data) {
        hex += kDigits[static_cast<unsigned char>(c) >> 4];
        hex += kDigits[static_cast<unsigned char>(c) & 15];
      }
      out.String(hex);
    }
    void operator()(const AttributeValue::Array& array) const {
      out.BeginArray();
      for (const auto& element : array.values) WriteValue(out, element);
      out.EndArray();
    }
    void operator()(const AttributeValue::KvList& list) const {
      out.BeginObject();
      for (const auto& entry : list.entries) {
        out.Key(entry.key);
        WriteValue(out, entry.value);
      }
      out.EndObject();
    }
  };
  std::visit(Visitor{out}, value.value);
}

std::string_view KindName(model::SpanKind kind) {
  static constexpr std::string_view kNames[] = {"unspecified", "internal", "server",
                                                "client",      "producer", "consumer"};
  return kNames[static_cast<std::size_t>(kind)];
}

void WriteOptional(JsonWriter& out, const std::optional<std::string>& text) {
  if (text) {
    out.String(*text);
  } else {
    out.Null();
  }
}

std::string ParentId(const model::AssembledTrace& trace, const model::Entity& entity) {
  if (entity.parent >= 0) return trace.entities[static_cast<std::size_t>(entity.parent)].id.ToHex();
  return entity.parent_id.IsZero() ? std::string{} : entity.parent_id.ToHex();
}

const model::ServiceKey* ServiceOf(const model::AssembledTrace& trace,
                                   const model::Entity& entity) {
  const model::Entity* owner =
      entity.segment < 0 ? &entity : &trace.entities[static_cast<std::size_t>(entity.segment)];
  return owner->service < 0 ? nullptr
                            : &trace.services[static_cast<std::size_t>(owner->service)].key;
}

// X-Ray names a call after its host; who sent a span of another kind looks for the span's name.
std::string_view DisplayName(const model::Entity& entity) {
  const bool own = entity.role != model::EntityRole::kInferred && !entity.synthetic &&
                   entity.span != nullptr && entity.span->source != model::SpanSource::kXRay;
  return own && !entity.span->name.empty() ? std::string_view(entity.span->name) : entity.name;
}

void WriteSpan(JsonWriter& out, const model::AssembledTrace& trace, const model::Entity& entity,
               genai::StepKind kind, std::int64_t self_ns) {
  const model::ServiceKey* service = ServiceOf(trace, entity);
  const bool inferred = entity.role == model::EntityRole::kInferred;
  out.BeginObject();
  out.Key("id").String(entity.id.ToHex());
  out.Key("parent");
  if (const std::string parent = ParentId(trace, entity); parent.empty()) {
    out.Null();
  } else {
    out.String(parent);
  }
  out.Key("name").String(DisplayName(entity));
  std::string_view service_name;
  if (service != nullptr) {
    service_name = service->name;
  } else if (entity.span != nullptr) {
    service_name = entity.span->service();
  }
  out.Key("service").String(service_name);
  out.Key("type").String(entity.IsSegment() && service != nullptr ? service->type
                                                                  : entity.name_space);
  out.Key("kind").String(
      KindName(entity.span != nullptr ? entity.span->kind : model::SpanKind::kUnspecified));
  out.Key("start_ns").Int(entity.start_ns);
  out.Key("duration_ns").Int(entity.duration_ns());
  out.Key("outcome").String(model::OutcomeName(entity.outcome()));
  out.Key("in_progress").Bool(entity.in_progress);
  out.Key("inferred").Bool(inferred);
  out.Key("step_kind").String(genai::StepKindName(kind));
  out.Key("self_ns").Int(self_ns);
  if (!entity.exceptions.empty()) {
    out.Key("errors").BeginArray();
    for (const auto& exception : entity.exceptions) {
      out.BeginObject()
          .Key("type")
          .String(exception.type)
          .Key("message")
          .String(exception.message)
          .EndObject();
    }
    out.EndArray();
  }
  out.Key("attributes").BeginObject();
  if (!inferred && !entity.synthetic && entity.span != nullptr) {
    std::set<std::string_view> written;  // the last of a key counts, as everywhere
    const auto& attributes = entity.span->attributes;
    for (auto it = attributes.rbegin(); it != attributes.rend(); ++it) {
      if (!written.insert(it->key).second) continue;
      out.Key(it->key);
      WriteValue(out, it->value);
    }
  }
  out.EndObject();
  out.EndObject();
}

// By owner kind. Of money that has no price null says "not known", never 0.
void WriteLedger(JsonWriter& out, const model::AssembledTrace& trace,
                 const genai::TraceCost& cost) {
  const analysis::Ledger ledger = analysis::LedgerOf(trace, cost, genai::LabelsOf(trace));
  std::map<genai::StepKind, analysis::LedgerLine> lines;
  for (const analysis::LedgerLine& line : ledger.lines) {
    analysis::LedgerLine& sum = lines[line.owner];
    sum.path_ns += line.path_ns;
    sum.cost_nano_usd += line.cost_nano_usd;
    sum.unpriced_steps += line.unpriced_steps;
    sum.waste_ns += line.waste_ns;
    sum.waste_nano_usd += line.waste_nano_usd;
  }
  out.Key("ledger").BeginArray();
  for (const auto& [kind, line] : lines) {
    out.BeginObject().Key("step_kind").String(genai::StepKindName(kind));
    out.Key("path_ns").Int(line.path_ns).Key("usd");
    if (line.cost_nano_usd == 0 && line.unpriced_steps > 0) {
      out.Null();
    } else {
      out.Seconds(line.cost_nano_usd);  // billionths, as exact decimals
    }
    out.Key("waste_ns").Int(line.waste_ns).Key("waste_usd").Seconds(line.waste_nano_usd);
    out.EndObject();
  }
  out.EndArray();
}

}  // namespace

std::string FormatUtc(std::int64_t unix_ns) {
  const std::chrono::sys_time<std::chrono::nanoseconds> time{std::chrono::nanoseconds{unix_ns}};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::string TraceJson(const model::AssembledTrace& trace, const genai::ModelPrices& prices) {
  const auto kinds = analysis::StepKinds(trace);
  const auto path = analysis::CriticalPath(trace);
  const auto self = analysis::SelfTimes(trace);

  JsonWriter out;
  out.BeginObject();
  out.Key("trace_id").String(trace.trace->id.ToXRay());
  out.Key("start").String(FormatUtc(trace.start_ns));
  out.Key("start_ns").Int(trace.start_ns);
  out.Key("duration_ns").Int(trace.end_ns - trace.start_ns);
  out.Key("complete").Bool(!trace.in_progress);
  out.Key("limit_exceeded").Bool(trace.trace->limit_exceeded);
  out.Key("spans_before").Uint(trace.trace->spans_before);
  out.Key("spans_after").Uint(trace.trace->spans_after);
  out.Key("spans").BeginArray();
  for (std::size_t i = 0; i < trace.entities.size(); ++i)
    WriteSpan(out, trace, trace.entities[i], kinds[i], self[i]);
  out.EndArray();
  out.Key("critical_path").BeginArray();
  for (const auto& interval : path) {
    out.BeginObject();
    out.Key("span_id").String(trace.entities[static_cast<std::size_t>(interval.entity)].id.ToHex());
    out.Key("start_ns").Int(interval.start_ns).Key("end_ns").Int(interval.end_ns).EndObject();
  }
  out.EndArray();
  const genai::TraceCost cost = genai::PriceTrace(trace, prices);
  WriteLedger(out, trace, cost);
  out.Key("usage");
  WriteUsage(out, cost, prices);
  out.Key("kept").BeginObject().Key("reason").String(trace.trace->kept.reason);
  out.Key("probability").Double(trace.trace->kept.probability).EndObject();
  out.EndObject();
  return out.Take();
}

std::string SummaryJson(const model::AssembledTrace& trace, const model::TraceSummary& summary) {
  JsonWriter out;
  const model::Entity* root = trace.Root();
  out.BeginObject();
  out.Key("trace_id").String(summary.id.ToXRay());
  out.Key("start_ns").Int(summary.start_ns);
  out.Key("duration_ns").Int(summary.duration_ns);
  out.Key("response_ns");
  if (summary.response_ns) {
    out.Int(*summary.response_ns);
  } else {
    out.Null();
  }
  const model::ServiceKey* service = root == nullptr ? nullptr : ServiceOf(trace, *root);
  out.Key("root_service")
      .String(service != nullptr ? service->name
              : root != nullptr  ? root->name
                                 : "");
  out.Key("root_name")
      .String(root != nullptr && root->span != nullptr && !root->span->name.empty()
                  ? root->span->name
              : root != nullptr ? root->name
                                : "");
  out.Key("outcome").String(root == nullptr ? "ok" : model::OutcomeName(root->outcome()));
  out.Key("http_status");
  if (summary.http.status) {
    out.Int(*summary.http.status);
  } else {
    out.Null();
  }
  out.Key("http_method");
  WriteOptional(out, summary.http.method);
  out.Key("http_url");
  WriteOptional(out, summary.http.url);
  out.Key("users").BeginArray();
  for (const auto& user : summary.users) out.String(user.name);
  out.EndArray();
  out.Key("services").BeginArray();
  std::set<std::string_view> names;
  for (const std::int32_t index : summary.services) {
    const auto& name = trace.services[static_cast<std::size_t>(index)].key.name;
    if (names.insert(name).second) out.String(name);
  }
  out.EndArray();
  out.Key("spans").Uint(trace.trace->TotalSpans());
  out.Key("annotations").BeginObject();
  for (const auto& [key, values] : summary.annotations) {
    out.Key(key).BeginArray();
    for (const auto& value : values) WriteValue(out, value.value);
    out.EndArray();
  }
  out.EndObject();
  out.Key("partial").Bool(summary.is_partial);
  out.Key("weight").Double(trace.trace->kept.probability > 0 ? 1 / trace.trace->kept.probability
                                                             : 1);
  out.EndObject();
  return out.Take();
}

std::string OutlineJson(const store::Outline& outline) {
  JsonWriter out;
  const auto write_int = [&out](const char* key, const std::optional<std::int64_t>& number) {
    out.Key(key);
    if (number) {
      out.Int(*number);
    } else {
      out.Null();
    }
  };
  out.BeginObject().Key("trace_id").String(outline.id.ToXRay());
  out.Key("start_ns").Int(outline.start_ns);
  out.Key("duration_ns").Int(outline.duration_ns);
  write_int("response_ns", outline.response_ns);
  out.Key("root_service").String(outline.root_service);
  out.Key("root_name").String(outline.root_name);
  out.Key("outcome").String(model::OutcomeName(outline.outcome));
  write_int("http_status", outline.http_status);
  out.Key("services").BeginArray();
  for (const std::string& service : outline.services) out.String(service);
  out.EndArray();
  out.Key("spans").Uint(outline.spans);
  out.Key("partial").Bool(outline.partial);
  out.Key("weight").Double(outline.probability > 0 ? 1 / outline.probability : 1);
  out.EndObject();
  return out.Take();
}

}  // namespace fluoro::api::ui
