// Test support: the traces of testdata/fixture.json, as X-Ray documents would be decoded.
#pragma once

#include <rapidjson/document.h>

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
  explicit FixtureTrace(const rapidjson::Value& segments, char letter) {
    trace_->id.bytes[0] = static_cast<std::uint8_t>(letter);
    for (const auto& segment : segments.GetArray()) {
      if (!segment.HasMember("calls")) continue;
      int call_number = 0;
      for (const auto& call : segment["calls"].GetArray()) {
        std::string id = segment["id"].GetString();
        id[1] = 'c';
        id[2] = static_cast<char>('1' + call_number++);
        const bool direct = call.HasMember("direct");
        if (call.HasMember("to"))
          parents_[call["to"].GetString()] = direct ? segment["id"].GetString() : id;
        if (!direct) AddCall(call, id, segment["id"].GetString(), segments);
      }
    }
    for (const auto& segment : segments.GetArray()) AddSegment(segment);
  }

  [[nodiscard]] model::AssembledTrace Assemble() const { return model::Assemble(trace_); }

 private:
  static model::SpanId Id(const std::string& text) { return *model::SpanId::Parse(text); }
  static std::int64_t Time(const rapidjson::Value& entry, const char* key) {
    return kOriginNs + std::llround(entry[key].GetDouble() * 1e9);
  }
  static void AddText(const rapidjson::Value& from, const char* member,
                      std::vector<model::Attribute>& to, const char* key) {
    if (from.HasMember(member)) to.push_back({key, {std::string(from[member].GetString())}});
  }

  model::Span Common(const rapidjson::Value& entry, const std::string& id,
                     const std::string& name) {
    model::Span span;
    span.trace_id = trace_->id;
    span.span_id = Id(id);
    span.name = name;
    span.source = model::SpanSource::kXRay;
    span.scope = std::make_shared<const model::Scope>();
    span.start_ns = span.end_ns = Time(entry, "start");
    if (entry.HasMember("end")) span.end_ns = Time(entry, "end");
    const auto flag = [&](const char* member, model::SpanFlag bit) {
      if (entry.HasMember(member) && entry[member].GetBool()) span.flags |= bit;
    };
    flag("fault", model::SpanFlag::kFault);
    flag("error", model::SpanFlag::kError);
    flag("throttle", model::SpanFlag::kThrottle);
    flag("in_progress", model::SpanFlag::kInProgress);
    if (entry.HasMember("http")) {
      const auto& http = entry["http"];
      AddText(http, "url", span.attributes, "url.full");
      AddText(http, "method", span.attributes, "http.request.method");
      AddText(http, "useragent", span.attributes, "user_agent.original");
      AddText(http, "clientip", span.attributes, "client.address");
      if (http.HasMember("status")) {
        span.attributes.push_back({"http.response.status_code", {http["status"].GetInt64()}});
      }
    }
    if (entry.HasMember("annotations")) {
      for (const auto& [key, value] : entry["annotations"].GetObject()) {
        model::AttributeValue attribute;
        if (value.IsBool()) {
          attribute.value = value.GetBool();
        } else if (value.IsInt64()) {
          attribute.value = value.GetInt64();
        } else {
          attribute.value = std::string(value.GetString());
        }
        span.attributes.push_back({key.GetString(), attribute, model::AttributeRole::kAnnotation});
      }
    }
    return span;
  }

  void AddCall(const rapidjson::Value& call, const std::string& id, const std::string& parent,
               const rapidjson::Value& segments) {
    std::string name = call.HasMember("name") ? call["name"].GetString() : "";
    for (const auto& segment : segments.GetArray()) {
      if (call.HasMember("to") && segment["id"] == call["to"]) name = segment["name"].GetString();
    }
    const bool table =
        call.HasMember("type") && std::string(call["type"].GetString()) == "AWS::DynamoDB::Table";
    model::Span span = Common(call, id, table ? "DynamoDB" : name);
    span.parent_id = Id(parent);
    span.kind = model::SpanKind::kClient;
    span.flags |= model::SpanFlag::kSubsegment;
    span.resource = std::make_shared<const model::Resource>();
    span.attributes.push_back({"aws.xray.namespace", {std::string(table ? "aws" : "remote")}});
    if (table) span.attributes.push_back({"aws.table_name", {name}});
    trace_->spans.push_back(std::move(span));
  }

  void AddSegment(const rapidjson::Value& segment) {
    const std::string id = segment["id"].GetString();
    model::Span span = Common(segment, id, segment["name"].GetString());
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

inline std::vector<model::RootCause> ReadCauses(const rapidjson::Value& kinds, const char* kind) {
  std::vector<model::RootCause> causes;
  if (!kinds.HasMember(kind)) return causes;
  for (const auto& from : kinds[kind].GetArray()) {
    model::RootCause& cause = causes.emplace_back();
    cause.client_impacting = from["ClientImpacting"].GetBool();
    for (const auto& from_service : from["Services"].GetArray()) {
      model::RootCauseService& service = cause.services.emplace_back();
      service.name = from_service["Name"].GetString();
      for (const auto& name : from_service["Names"].GetArray())
        service.names.emplace_back(name.GetString());
      service.type = from_service["Type"].GetString();
      service.inferred = from_service["Inferred"].GetBool();
      for (const auto& from_entity : from_service["EntityPath"].GetArray()) {
        model::RootCauseEntity& entity = service.entity_path.emplace_back();
        entity.name = from_entity["Name"].GetString();
        entity.remote = from_entity["Remote"].GetBool();
        if (from_entity.HasMember("Coverage"))
          entity.coverage = from_entity["Coverage"].GetDouble();
        if (!from_entity.HasMember("Exceptions")) continue;
        for (const auto& exception : from_entity["Exceptions"].GetArray()) {
          entity.exceptions.push_back(
              {exception["Name"].GetString(), exception["Message"].GetString()});
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
    const auto data = ReadJson(kTestdata + "fixture.json");
    for (const auto& [letter, segments] : data["traces"].GetObject()) {
      const std::string name = letter.GetString();
      traces_[name] =
          std::make_unique<model::AssembledTrace>(FixtureTrace(segments, name[0]).Assemble());
      model::RootCauses causes;
      if (data["root_causes"].HasMember(letter)) {
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
