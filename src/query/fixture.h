// Test support: the traces of testdata/fixture.json, as X-Ray documents would be decoded.
#pragma once

#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/assembly.h"
#include "model/root_cause.h"
#include "query/test_data.h"

namespace fluoro::query::testing {

inline constexpr std::int64_t kOriginNs = 1'700'000'000'000'000'000;

class FixtureTrace {
 public:
  explicit FixtureTrace(const Json& segments, char letter) {
    trace_->id.bytes[0] = static_cast<std::uint8_t>(letter);
    for (const auto& segment : segments.Items()) {
      if (!segment.Has("calls")) continue;
      int call_number = 0;
      for (const auto& call : segment["calls"].Items()) {
        std::string id = segment["id"].Text();
        id[1] = 'c';
        id[2] = static_cast<char>('1' + call_number++);
        const bool direct = call.Has("direct");
        if (call.Has("to")) parents_[call["to"].Text()] = direct ? segment["id"].Text() : id;
        if (!direct) AddCall(call, id, segment["id"].Text(), segments);
      }
    }
    for (const auto& segment : segments.Items()) AddSegment(segment);
  }

  [[nodiscard]] model::AssembledTrace Assemble() const { return model::Assemble(trace_); }

 private:
  static model::SpanId Id(const std::string& text) { return *model::SpanId::Parse(text); }
  static std::int64_t Time(const Json& entry, const char* key) {
    return kOriginNs + std::llround(entry[key].Number() * 1e9);
  }
  static void AddText(const Json& from, const char* member, std::vector<model::Attribute>& to,
                      const char* key) {
    if (from.Has(member)) to.push_back({key, {from[member].Text()}});
  }

  model::Span Common(const Json& entry, const std::string& id, const std::string& name) {
    model::Span span;
    span.trace_id = trace_->id;
    span.span_id = Id(id);
    span.name = name;
    span.source = model::SpanSource::kXRay;
    span.scope = std::make_shared<const model::Scope>();
    span.start_ns = span.end_ns = Time(entry, "start");
    if (entry.Has("end")) span.end_ns = Time(entry, "end");
    const auto flag = [&](const char* member, model::SpanFlag bit) {
      if (entry.Has(member) && entry[member].Bool()) span.flags |= bit;
    };
    flag("fault", model::SpanFlag::kFault);
    flag("error", model::SpanFlag::kError);
    flag("throttle", model::SpanFlag::kThrottle);
    flag("in_progress", model::SpanFlag::kInProgress);
    if (entry.Has("http")) {
      const auto& http = entry["http"];
      AddText(http, "url", span.attributes, "url.full");
      AddText(http, "method", span.attributes, "http.request.method");
      AddText(http, "useragent", span.attributes, "user_agent.original");
      AddText(http, "clientip", span.attributes, "client.address");
      if (http.Has("status")) {
        span.attributes.push_back({"http.response.status_code", {http["status"].Int()}});
      }
    }
    if (entry.Has("annotations")) {
      for (const auto& [key, value] : entry["annotations"].Members()) {
        model::AttributeValue attribute;
        if (value.IsBool()) {
          attribute.value = value.Bool();
        } else if (value.IsInt()) {
          attribute.value = value.Int();
        } else {
          attribute.value = value.Text();
        }
        span.attributes.push_back({key, attribute, model::AttributeRole::kAnnotation});
      }
    }
    return span;
  }

  void AddCall(const Json& call, const std::string& id, const std::string& parent,
               const Json& segments) {
    std::string name = call.Has("name") ? call["name"].Text() : "";
    for (const auto& segment : segments.Items()) {
      if (call.Has("to") && segment["id"].Text() == call["to"].Text())
        name = segment["name"].Text();
    }
    const bool table = call.Has("type") && call["type"].Text() == "AWS::DynamoDB::Table";
    model::Span span = Common(call, id, table ? "DynamoDB" : name);
    span.parent_id = Id(parent);
    span.kind = model::SpanKind::kClient;
    span.flags |= model::SpanFlag::kSubsegment;
    span.resource = std::make_shared<const model::Resource>();
    span.attributes.push_back({"aws.xray.namespace", {std::string(table ? "aws" : "remote")}});
    if (table) span.attributes.push_back({"aws.table_name", {name}});
    trace_->spans.push_back(std::move(span));
  }

  void AddSegment(const Json& segment) {
    const std::string id = segment["id"].Text();
    model::Span span = Common(segment, id, segment["name"].Text());
    if (parents_.contains(id)) span.parent_id = Id(parents_[id]);
    span.kind = model::SpanKind::kServer;
    span.flags |= model::SpanFlag::kSegment;
    AddText(segment, "user", span.attributes, "enduser.id");
    auto resource = std::make_shared<model::Resource>();
    AddText(segment, "name", resource->attributes, "service.name");
    AddText(segment, "origin", resource->attributes, "aws.xray.origin");
    AddText(segment, "resource_arn", resource->attributes, "aws.xray.resource_arn");
    AddText(segment, "account", resource->attributes, "cloud.account.id");
    AddText(segment, "az", resource->attributes, "cloud.availability_zone");
    AddText(segment, "instance", resource->attributes, "host.id");
    span.resource = resource;
    trace_->spans.push_back(std::move(span));
  }

  std::shared_ptr<model::Trace> trace_ = std::make_shared<model::Trace>();
  std::map<std::string, std::string> parents_;
};

inline std::vector<model::RootCause> ReadCauses(const Json& kinds, const char* kind) {
  std::vector<model::RootCause> causes;
  if (!kinds.Has(kind)) return causes;
  for (const auto& from : kinds[kind].Items()) {
    model::RootCause& cause = causes.emplace_back();
    cause.client_impacting = from["ClientImpacting"].Bool();
    for (const auto& from_service : from["Services"].Items()) {
      model::RootCauseService& service = cause.services.emplace_back();
      service.name = from_service["Name"].Text();
      for (const auto& name : from_service["Names"].Items())
        service.names.emplace_back(name.Text());
      service.type = from_service["Type"].Text();
      service.inferred = from_service["Inferred"].Bool();
      for (const auto& from_entity : from_service["EntityPath"].Items()) {
        model::RootCauseEntity& entity = service.entity_path.emplace_back();
        entity.name = from_entity["Name"].Text();
        entity.remote = from_entity["Remote"].Bool();
        if (from_entity.Has("Coverage")) entity.coverage = from_entity["Coverage"].Number();
        if (!from_entity.Has("Exceptions")) continue;
        for (const auto& exception : from_entity["Exceptions"].Items()) {
          entity.exceptions.push_back({exception["Name"].Text(), exception["Message"].Text()});
        }
      }
    }
  }
  return causes;
}

/// The six traces by letter, ready to be asked.
class Fixture {
 public:
  Fixture() {
    const JsonFile data(kTestdata + "fixture.json");
    for (const auto& [letter, segments] : data["traces"].Members()) {
      const std::string& name = letter;
      traces_[name] =
          std::make_unique<model::AssembledTrace>(FixtureTrace(segments, name[0]).Assemble());
      model::RootCauses causes;
      if (data["root_causes"].Has(letter)) {
        const auto& kinds = data["root_causes"][letter];
        causes = {.fault = ReadCauses(kinds, "fault"),
                  .error = ReadCauses(kinds, "error"),
                  .response_time = ReadCauses(kinds, "responsetime")};
      }
      views_[name] = std::make_unique<TraceView>(*traces_[name], std::move(causes));
    }
  }
  /// Letters of the matching traces, with spaces between them.
  [[nodiscard]] std::string Select(const Filter& filter) const {
    std::string letters;
    for (const auto& [letter, view] : views_) {
      if (filter.Matches(*view)) letters += (letters.empty() ? "" : " ") + letter;
    }
    return letters;
  }
  [[nodiscard]] const TraceView& View(const std::string& letter) const {
    return *views_.at(letter);
  }

 private:
  std::map<std::string, std::unique_ptr<model::AssembledTrace>> traces_;
  std::map<std::string, std::unique_ptr<TraceView>> views_;
};

}  // namespace fluoro::query::testing
