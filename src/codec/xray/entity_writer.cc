#include "codec/xray/entity_writer.h"

#include <charconv>
#include <cmath>
#include <unordered_map>

#include "base/assert.h"
#include "base/utf8.h"
#include "codec/xray/decimal.h"
#include "model/any_value.h"
#include "model/assembly.h"

namespace fluoro::codec::xray {
namespace {

using Kind = JsonTape::Kind;
using model::AttributeRole;

constexpr std::size_t kTextMax = 250;         // code points; X-Ray's default limit of a string
constexpr std::size_t kAnnotationMax = 1000;  // code points
constexpr std::string_view kProviderKey = "cloud.provider";
constexpr std::string_view kUnknownProvider = "unknown";
constexpr int kLinkValueHeightMax = model::kNestingMax - 2;

// OpenTelemetry's word for an X-Ray origin; empty if it has none.
std::string_view CloudPlatformOf(std::string_view origin) {
  if (origin == "AWS::EC2::Instance") return "aws_ec2";
  if (origin.starts_with("AWS::ECS::")) return "aws_ecs";
  if (origin == "AWS::EKS::Container") return "aws_eks";
  if (origin == "AWS::ElasticBeanstalk::Environment") return "aws_elastic_beanstalk";
  if (origin == "AWS::AppRunner::Service") return "aws_app_runner";
  if (origin == "AWS::Lambda" || origin == "AWS::Lambda::Function") return "aws_lambda";
  return {};
}

struct SqlUrl {
  std::string_view connection;
  std::string_view database;  ///< empty: the URL names none
};

// `^(.+//.+)/([^?]+)\??.*$`, which is how awsxrayreceiver splits it (internal/translator/sql.go):
// at the last slash behind the host that a name follows.
SqlUrl SplitSqlUrl(std::string_view url) {
  constexpr std::size_t kHostMin = 3;  // two slashes and a character
  const std::size_t host = url.find("//", 1);
  for (std::size_t slash = url.rfind('/');
       host != std::string_view::npos && slash != std::string_view::npos &&
       slash >= host + kHostMin;
       slash = url.rfind('/', slash - 1)) {
    const std::string_view rest = url.substr(slash + 1);
    if (const std::string_view database = rest.substr(0, rest.find('?')); !database.empty())
      return {url.substr(0, slash), database};
  }
  return {url, {}};
}

}  // namespace

struct EntityWriter::Tables {
  using enum FieldType;
  static constexpr std::array<Field, 4> kRequest = {
      {{"method", "http.request.method"},
       {"url", "url.full"},
       {"user_agent", "user_agent.original"},
       {"x_forwarded_for", "aws.xray.x_forwarded_for", kBool}}};
  static constexpr std::array<Field, 11> kAws = {
      {{"operation", "aws.operation"},
       {"region", "aws.region"},
       {"request_id", "aws.request_id"},
       {"queue_url", "aws.queue_url"},
       {"table_name", "aws.table_name"},
       {"table_names", "aws.dynamodb.table_names", kTexts},
       {"topic_arn", "aws.sns.topic.arn"},
       {"bucket_name", "aws.s3.bucket"},
       {"function_name", "aws.lambda.function_name"},
       {"resource_names", "aws.xray.resource_names", kTexts},
       {"retries", "aws.xray.retries", kInt}}};
  // Neighbours with one attribute are spellings of one member: the first that is there counts.
  static constexpr std::array<Field, 5> kEc2 = {{{"instance_id", "host.id"},
                                                 {"instance_size", "host.type"},
                                                 {"instance_type", "host.type"},
                                                 {"ami_id", "host.image.id"},
                                                 {"availability_zone", "cloud.availability_zone"}}};
  static constexpr std::array<Field, 8> kEcs = {{{"container", "container.name"},
                                                 {"container_id", "container.id"},
                                                 {"container_arn", "aws.ecs.container.arn"},
                                                 {"cluster_arn", "aws.ecs.cluster.arn"},
                                                 {"task_arn", "aws.ecs.task.arn"},
                                                 {"task_family", "aws.ecs.task.family"},
                                                 {"launch_type", "aws.ecs.launchtype"},
                                                 {"availability_zone", "cloud.availability_zone"}}};
  static constexpr std::array<Field, 3> kEks = {{{"pod", "k8s.pod.name"},
                                                 {"cluster_name", "k8s.cluster.name"},
                                                 {"container_id", "container.id"}}};
  static constexpr std::array<Field, 3> kBeanstalk = {{{"environment_name", "service.namespace"},
                                                       {"environment", "service.namespace"},
                                                       {"deployment_id", "service.instance.id"}}};
  static constexpr std::array<Field, 2> kSdk = {
      {{"sdk_version", "telemetry.sdk.version"},
       {"auto_instrumentation", "aws.xray.auto_instrumentation", kBool}}};
  static constexpr std::array<Field, 2> kRule = {
      {{"sampling_rule_name", "aws.xray.sampling_rule"}, {"rule_name", "aws.xray.sampling_rule"}}};
  static constexpr std::array<Field, 3> kService = {
      {{"version", "service.version"},
       {"runtime", "process.runtime.name"},
       {"runtime_version", "process.runtime.version"}}};
  static constexpr std::array<Field, 3> kSql = {{{"sanitized_query", "db.query.text"},
                                                 {"database_type", "db.system.name"},
                                                 {"user", "db.user"}}};
  static constexpr std::array<Field, 4> kException = {
      {{"remote", "aws.xray.exception.remote", kBool},
       {"truncated", "aws.xray.exception.truncated", kInt},
       {"skipped", "aws.xray.exception.skipped", kInt},
       {"cause", "aws.xray.exception.cause"}}};
};

void EntityWriter::BeginOwner() {
  attributes_count_ = 0;
  attributes_dropped_ = 0;
}

bool EntityWriter::HasRoom() {
  if (attributes_count_ < limits_.attributes_max) {
    ++attributes_count_;
    return true;
  }
  ++attributes_dropped_;
  ++stats_.dropped_attributes;
  return false;
}

std::string_view EntityWriter::Cut(std::string_view text, std::size_t code_points_max) {
  if (text.size() <= code_points_max) return text;
  std::size_t code_points = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) continue;
    if (code_points++ == code_points_max) {
      truncated_ = true;
      ++stats_.truncated_values;
      return text.substr(0, i);
    }
  }
  return text;
}

std::string_view EntityWriter::CutBytes(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  truncated_ = true;
  ++stats_.truncated_values;
  return TruncateUtf8(text, bytes_max);
}

void EntityWriter::AddText(std::string_view key, std::string_view value,
                           std::size_t code_points_max, AttributeRole role) {
  if (HasRoom()) batch_.AddString(key, Cut(value, code_points_max), role);
}

void EntityWriter::AddLongText(std::string_view key, std::string_view value) {
  if (HasRoom()) batch_.AddString(key, CutBytes(value, limits_.value_bytes_max));
}

void EntityWriter::AddTextMember(std::string_view key, std::uint32_t value) {
  if (const auto text = reader_.Text(value)) AddText(key, *text, kTextMax);
}

void EntityWriter::AddTexts(std::string_view key, const std::vector<std::string>& texts) {
  if (texts.empty() || !HasRoom()) return;
  model::AttributeValue::Array array;
  array.values.reserve(texts.size());
  for (const std::string& text : texts) {
    array.values.push_back({.value = std::string(Cut(text, kTextMax))});
  }
  batch_.AddValue(key, {.value = std::move(array)});
}

void EntityWriter::AddField(const Field& field, std::uint32_t value) {
  switch (field.type) {
    case FieldType::kText:
      AddTextMember(field.attribute, value);
      break;
    case FieldType::kInt:
      if (const auto integer = reader_.Integer(value); integer && HasRoom())
        batch_.AddInt(field.attribute, *integer);
      break;
    case FieldType::kBool:
      if (const auto truth = reader_.Bool(value); truth && HasRoom())
        batch_.AddBool(field.attribute, *truth);
      break;
    case FieldType::kTexts: {
      std::vector<std::string> texts;
      if (reader_.KindOf(value) == Kind::kArray) {
        reader_.ForEachValue(value, [&](std::uint32_t item) {
          if (const auto text = reader_.Text(item)) texts.emplace_back(*text);
        });
      } else if (const auto text = reader_.Text(value)) {
        texts.emplace_back(*text);
      }
      AddTexts(field.attribute, texts);
      break;
    }
  }
}

template <std::size_t N>
void EntityWriter::AddFields(std::uint32_t object, const std::array<Field, N>& fields) {
  if (object == 0 || reader_.KindOf(object) != Kind::kObject) return;
  std::array<std::uint32_t, N> values{};
  reader_.ForEachMember(object, [&](std::string_view name, std::uint32_t value) {
    for (std::size_t i = 0; i < N; ++i) {
      if (fields[i].member == name) values[i] = reader_.KindOf(value) == Kind::kNull ? 0 : value;
    }
  });
  std::string_view done;
  for (std::size_t i = 0; i < N; ++i) {
    if (values[i] == 0 || fields[i].attribute == done) continue;
    AddField(fields[i], values[i]);
    done = fields[i].attribute;
  }
}

std::uint32_t EntityWriter::AddScope() {
  if (!batch_.scope_rows.empty() && batch_.scope_rows.back() == model::ScopeRow{}) {
    return static_cast<std::uint32_t>(batch_.scope_rows.size() - 1);
  }
  return batch_.AddScope({});
}

bool EntityWriter::LastResourceSaysNothing() const {
  if (batch_.resource_rows.empty()) return false;
  const model::ResourceRow& row = batch_.resource_rows.back();
  model::ResourceRow wanted;
  wanted.attributes = {row.attributes.begin, row.attributes.begin + 1};
  if (row != wanted) return false;
  const model::AttributeCell& cell = batch_.attributes[row.attributes.begin];
  return batch_.Key(cell.key) == kProviderKey &&
         batch_.ValueOf(cell) == model::AttributeValue{std::string(kUnknownProvider)};
}

std::uint32_t EntityWriter::AddResource(const Members& members, bool segment) {
  BeginOwner();
  truncated_ = false;
  model::ResourceRow row;
  const model::SpanBatch::Mark before = batch_.MarkHere();
  const std::uint32_t begin = batch_.AttributesEnd();
  const std::uint32_t aws = members[Member::kAws];
  const bool on_aws = aws != 0 && reader_.KindOf(aws) == Kind::kObject;
  // Most subsegments on their own tell nothing of where they ran: neighbours share that.
  if (!segment && !on_aws && LastResourceSaysNothing()) {
    resource_truncated_ = false;
    return static_cast<std::uint32_t>(batch_.resource_rows.size() - 1);
  }
  bool has_version = false;
  if (segment) {
    const auto name = reader_.Text(members[Member::kName]);
    FLUORO_ASSERT(name.has_value());
    const std::string_view cut = Cut(*name, kTextMax);
    AddText("service.name", cut, kTextMax);
    row.service = batch_.AddText(cut);
    if (const auto origin = reader_.Text(members[Member::kOrigin])) {
      const std::string_view platform = CloudPlatformOf(*origin);
      AddText("aws.xray.origin", *origin, kTextMax);
      if (!platform.empty()) AddText("cloud.platform", platform, kTextMax);
    }
    AddTextMember("aws.xray.resource_arn", members[Member::kResourceArn]);
    AddTextMember("cloud.account.id", reader_.Find(aws, "account_id"));
    const std::uint32_t service = members[Member::kService];
    has_version = service != 0 && reader_.Text(reader_.Find(service, "version")).has_value();
    AddFields(service, Tables::kService);
  }
  AddText(kProviderKey, on_aws ? "aws" : kUnknownProvider, kTextMax);
  if (on_aws) {
    AddFields(reader_.Find(aws, "ec2"), Tables::kEc2);
    AddFields(reader_.Find(aws, "ecs"), Tables::kEcs);
    AddFields(reader_.Find(aws, "eks"), Tables::kEks);
    const std::uint32_t beanstalk = reader_.Find(aws, "elastic_beanstalk");
    AddFields(beanstalk, Tables::kBeanstalk);
    // The label of a deployment stands in for a version that the service does not tell itself.
    if (!has_version && beanstalk != 0)
      AddTextMember("service.version", reader_.Find(beanstalk, "version_label"));
    const std::uint32_t xray = reader_.Find(aws, "xray");
    std::uint32_t sdk = reader_.Find(xray, "sdk");
    if (sdk == 0) sdk = reader_.Find(reader_.Find(aws, "tracing"), "sdk");
    if (const auto name = reader_.Text(sdk)) {
      AddText("telemetry.sdk.name", *name, kTextMax);
      constexpr std::string_view kFor = "for ";
      if (const std::size_t at = name->rfind(kFor);
          at != std::string_view::npos && at + kFor.size() < name->size()) {
        AddText("telemetry.sdk.language", name->substr(at + kFor.size()), kTextMax);
      }
    }
    AddFields(xray, Tables::kSdk);
    AddLogs(reader_.Find(aws, "cloudwatch_logs"));
  }
  if (batch_.AttributesEnd() != begin) row.attributes = {begin, batch_.AttributesEnd()};
  row.dropped_attributes = attributes_dropped_;
  resource_truncated_ = truncated_;
  batch_.AddResource(row);
  return resources_.Settle(batch_, before);
}

void EntityWriter::AddLogs(std::uint32_t logs) {
  if (logs == 0 || reader_.KindOf(logs) != Kind::kArray) return;
  std::vector<std::string> names;
  std::vector<std::string> arns;
  reader_.ForEachValue(logs, [&](std::uint32_t log) {
    if (const auto name = reader_.Text(reader_.Find(log, "log_group"))) names.emplace_back(*name);
    if (const auto arn = reader_.Text(reader_.Find(log, "arn"))) arns.emplace_back(*arn);
  });
  AddTexts("aws.log.group.names", names);
  AddTexts("aws.log.group.arns", arns);
}

void EntityWriter::AddHttp(const Members& members) {
  const std::uint32_t http = members[Member::kHttp];
  const std::uint32_t request = reader_.Find(http, "request");
  const std::uint32_t response = reader_.Find(http, "response");
  AddFields(request, Tables::kRequest);
  if (const std::uint32_t address = reader_.Find(request, "client_ip"); address != 0) {
    if (reader_.KindOf(address) == Kind::kArray) {  // Python copies X-Forwarded-For as a list
      std::string list;
      reader_.ForEachValue(address, [&](std::uint32_t item) {
        const auto text = reader_.Text(item);
        if (text) list.append(list.empty() ? "" : ", ").append(*text);
      });
      if (!list.empty()) AddText("client.address", list, kTextMax);
    } else {
      AddTextMember("client.address", address);
    }
  }
  const bool traced = reader_.Bool(members[Member::kTraced]).value_or(false) ||
                      reader_.Bool(reader_.Find(request, "traced")).value_or(false);
  if (traced && HasRoom()) batch_.AddBool("aws.xray.traced", true);
  if (const auto status = reader_.Integer(reader_.Find(response, "status"))) {
    http_status_ = status;
    if (HasRoom()) batch_.AddInt("http.response.status_code", *status);
  }
  if (const auto length = reader_.Integer(reader_.Find(response, "content_length"));
      length && HasRoom()) {
    batch_.AddInt("http.response_content_length", *length);
  }
}

void EntityWriter::AddAws(std::uint32_t aws, bool segment) {
  if (aws == 0) return;
  if (!segment) AddTextMember("aws.account_id", reader_.Find(aws, "account_id"));
  AddFields(aws, Tables::kAws);
  AddFields(reader_.Find(aws, "xray"), Tables::kRule);
}

void EntityWriter::AddSql(std::uint32_t sql) {
  if (sql == 0 || reader_.KindOf(sql) != Kind::kObject) return;
  if (HasRoom()) batch_.AddBool("aws.xray.sql", true);
  AddFields(sql, Tables::kSql);
  const auto url = reader_.Text(reader_.Find(sql, "url"));
  if (!url) return AddTextMember("db.connection_string", reader_.Find(sql, "connection_string"));
  const SqlUrl parts = SplitSqlUrl(*url);
  AddText("db.connection_string", parts.connection, kTextMax);
  if (!parts.database.empty()) AddText("db.namespace", parts.database, kTextMax);
}

void EntityWriter::AddAnnotation(std::string_view key, std::uint32_t value) {
  const JsonTape::Node& node = reader_.tape().node(value);
  const bool scalar = node.kind == Kind::kString || node.kind == Kind::kNumber ||
                      node.kind == Kind::kTrue || node.kind == Kind::kFalse;
  if (!scalar || key.empty() || key.size() > limits_.key_bytes_max) {
    if (node.kind != Kind::kNull) {
      ++attributes_dropped_;
      ++stats_.dropped_attributes;
    }
    return;
  }
  switch (node.kind) {
    case Kind::kString:
      return AddText(key, reader_.tape().String(node, scratch_), kAnnotationMax,
                     AttributeRole::kAnnotation);
    case Kind::kNumber: {
      const std::string_view digits = reader_.tape().Raw(node);
      if (digits.find_first_of(".eE") == std::string_view::npos) {
        if (const auto integer = ParseInteger(digits)) {
          if (HasRoom()) batch_.AddInt(key, *integer, AttributeRole::kAnnotation);
          return;
        }
      }
      double number = 0;
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), number);
      if (error != std::errc()) {
        ++attributes_dropped_;
        ++stats_.dropped_attributes;
      } else if (HasRoom()) {
        batch_.AddDouble(key, number, AttributeRole::kAnnotation);
      }
      return;
    }
    default:
      if (HasRoom()) batch_.AddBool(key, node.kind == Kind::kTrue, AttributeRole::kAnnotation);
  }
}

void EntityWriter::AddAnnotations(std::uint32_t annotations) {
  if (annotations == 0 || reader_.KindOf(annotations) != Kind::kObject) return;
  // Of equal names the last counts; few names are compared with each other, many go through a map.
  constexpr std::size_t kFew = 32;
  std::vector<std::pair<std::string, std::uint32_t>> members;
  std::unordered_map<std::string, std::size_t> index;
  reader_.ForEachMember(annotations, [&](std::string_view name, std::uint32_t value) {
    if (index.empty() && members.size() < kFew) {
      for (auto& [known, node] : members) {
        if (known == name) {
          node = value;
          return;
        }
      }
    } else {
      if (index.empty()) {
        for (std::size_t i = 0; i < members.size(); ++i) index.emplace(members[i].first, i);
      }
      const auto [it, added] = index.emplace(name, members.size());
      if (!added) {
        members[it->second].second = value;
        return;
      }
    }
    members.emplace_back(name, value);
  });
  for (const auto& [name, value] : members) AddAnnotation(name, value);
}

void EntityWriter::AddCauseReference(std::uint32_t cause, std::uint32_t span) {
  if (cause == 0) return;
  if (reader_.KindOf(cause) == Kind::kString) {
    if (const auto text = reader_.Text(cause)) {
      const std::string_view cut = Cut(*text, kTextMax);
      AddText("aws.xray.cause", cut, kTextMax);
      batch_.status_messages[span] = batch_.AddText(cut);
    }
  } else if (const std::uint32_t id = reader_.Find(cause, "id"); id != 0) {
    const std::uint32_t exceptions = reader_.Find(cause, "exceptions");
    const bool none = exceptions == 0 || reader_.KindOf(exceptions) != Kind::kArray ||
                      reader_.tape().node(exceptions).next == exceptions + 1;
    if (none) AddTextMember("aws.xray.cause", id);
  }
}

void EntityWriter::AddExceptions(std::uint32_t cause, const EntityHeader& header) {
  if (cause == 0 || reader_.KindOf(cause) != Kind::kObject) return;
  const std::uint32_t exceptions = reader_.Find(cause, "exceptions");
  std::size_t count = 0;
  if (exceptions != 0 && reader_.KindOf(exceptions) == Kind::kArray) {
    reader_.ForEachValue(exceptions, [&](std::uint32_t exception) {
      if (reader_.KindOf(exception) == Kind::kNull) return;
      if (reader_.KindOf(exception) != Kind::kObject || count == limits_.events_max) {
        ++events_dropped_;
        ++stats_.dropped_events;
        return;
      }
      AddException(exception, count++, header);
    });
  }
  // A message alone tells of an exception of this entity; with an `id` it repeats one that is told
  // elsewhere.
  if (count == 0 && reader_.Find(cause, "id") == 0 &&
      reader_.Text(reader_.Find(cause, "message"))) {
    AddException(cause, 0, header);
  }
}

void EntityWriter::AddException(std::uint32_t exception, std::size_t index,
                                const EntityHeader& header) {
  BeginOwner();
  const std::uint32_t begin = batch_.AttributesEnd();
  const std::uint32_t type = reader_.Find(exception, "type");
  const std::uint32_t message = reader_.Find(exception, "message");
  const std::uint32_t id = reader_.Find(exception, "id");
  AddTextMember("exception.type", type);
  if (const auto text = reader_.Text(message)) AddLongText("exception.message", *text);
  if (const std::uint32_t stack = reader_.Find(exception, "stack");
      stack != 0 && reader_.KindOf(stack) == Kind::kArray &&
      reader_.tape().node(stack).next != stack + 1) {
    // The form in which Java prints it, so that readers of OpenTelemetry data show it.
    std::string trace;
    if (const auto text = reader_.Text(type)) trace.append(*text);
    if (const auto text = reader_.Text(message))
      trace.append(trace.empty() ? "" : ": ").append(*text);
    trace += '\n';
    reader_.ForEachValue(stack, [&](std::uint32_t frame) {
      if (reader_.KindOf(frame) != Kind::kObject) return;
      trace.append("\tat ").append(
          reader_.Text(reader_.Find(frame, "label")).value_or("<unknown>"));
      trace.append("(").append(reader_.Text(reader_.Find(frame, "path")).value_or("<unknown>"));
      trace.append(": ")
          .append(reader_.Text(reader_.Find(frame, "line")).value_or("<unknown>"))
          .append(")\n");
    });
    AddLongText("exception.stacktrace", trace);
  }
  if (const auto text = reader_.Text(id)) {
    AddText("aws.xray.exception.id", *text, kTextMax);
  } else if (HasRoom()) {
    const model::SpanId made =
        model::DeriveSpanId(header.trace_id, header.id, "exception " + std::to_string(index));
    batch_.AddString("aws.xray.exception.id", made.ToHex());
  }
  AddFields(exception, Tables::kException);
  batch_.events.push_back({.time_ns = header.end_ns,
                           .name = batch_.AddText("exception"),
                           .attributes = {begin, batch_.AttributesEnd()},
                           .dropped_attributes = attributes_dropped_});
}

model::AttributeValue EntityWriter::ToValue(std::uint32_t value) {
  const JsonTape::Node& node = reader_.tape().node(value);
  switch (node.kind) {
    case Kind::kNull:
      return {};
    case Kind::kTrue:
    case Kind::kFalse:
      return {.value = node.kind == Kind::kTrue};
    case Kind::kString:
      return {.value = std::string(
                  CutBytes(reader_.tape().String(node, scratch_), limits_.value_bytes_max))};
    case Kind::kNumber: {
      const std::string_view digits = reader_.tape().Raw(node);
      if (digits.find_first_of(".eE") == std::string_view::npos) {
        if (const auto integer = ParseInteger(digits)) return {.value = *integer};
      }
      double number = 0;
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), number);
      if (error != std::errc()) return {.value = std::string(digits)};
      return {.value = number};
    }
    case Kind::kArray: {
      model::AttributeValue::Array array;
      reader_.ForEachValue(value,
                           [&](std::uint32_t item) { array.values.push_back(ToValue(item)); });
      return {.value = std::move(array)};
    }
    case Kind::kObject: {
      model::AttributeValue::KvList list;
      reader_.ForEachMember(value, [&](std::string_view name, std::uint32_t item) {
        list.entries.push_back({.key = std::string(name), .value = ToValue(item)});
      });
      return {.value = std::move(list)};
    }
  }
  return {};
}

void EntityWriter::AddLink(std::uint32_t link) {
  const auto trace_text = reader_.Text(reader_.Find(link, "trace_id"));
  const auto trace_id = model::TraceId::Parse(trace_text.value_or(""));
  if (!trace_id) {
    ++links_dropped_;
    ++stats_.dropped_links;
    return;
  }
  const auto span_text = reader_.Text(reader_.Find(link, "id"));
  const auto span_id = model::SpanId::Parse(span_text.value_or(""));
  BeginOwner();
  const std::uint32_t begin = batch_.AttributesEnd();
  if (const std::uint32_t attributes = reader_.Find(link, "attributes");
      attributes != 0 && reader_.KindOf(attributes) == Kind::kObject) {
    reader_.ForEachMember(attributes, [&](std::string_view name, std::uint32_t value) {
      const bool deep = reader_.tape().node(value).height > kLinkValueHeightMax;
      if (name.empty() || name.size() > limits_.key_bytes_max || deep) {
        ++attributes_dropped_;
        ++stats_.dropped_attributes;
      } else if (HasRoom()) {
        batch_.AddValue(name, ToValue(value));
      }
    });
  }
  batch_.links.push_back({.trace_id = *trace_id,
                          .span_id = span_id ? *span_id : model::SpanId{},
                          .trace_state = {},
                          .attributes = {begin, batch_.AttributesEnd()},
                          .dropped_attributes = attributes_dropped_,
                          .otel_flags = 0});
}

void EntityWriter::AddLinks(std::uint32_t links) {
  if (links == 0 || reader_.KindOf(links) != Kind::kArray) return;
  std::size_t count = 0;
  reader_.ForEachValue(links, [&](std::uint32_t link) {
    if (count++ < limits_.links_max) return AddLink(link);
    ++links_dropped_;
    ++stats_.dropped_links;
  });
}

model::TextRef EntityWriter::AddDocument(std::uint32_t object, const Members& members) {
  const JsonTape& tape = reader_.tape();
  if (!members.cut) return batch_.AddText(tape.Raw(tape.node(object)));
  std::string& arena = batch_.arena;
  const std::size_t offset = arena.size();
  const std::string_view text = tape.text();
  arena += '{';
  std::string scratch;
  const std::uint32_t end = tape.node(object).next;
  for (std::uint32_t key = object + 1; key < end; key = tape.node(key + 1).next) {
    if (tape.String(tape.node(key), scratch) == "subsegments") continue;
    if (arena.size() - offset > 1) arena += ',';
    arena.append(text, tape.node(key).begin, tape.node(key + 1).end - tape.node(key).begin);
  }
  // An empty list says nothing, yet it was sent: it stays, behind all others, where the encoder
  // finds it.
  const std::uint32_t subsegments = members[Member::kSubsegments];
  if (reader_.KindOf(subsegments) == Kind::kArray &&
      tape.node(subsegments).next == subsegments + 1) {
    arena += kEmptySubsegments;
  } else {
    arena += '}';
  }
  FLUORO_ASSERT(arena.size() <= UINT32_MAX);
  return {.offset = static_cast<std::uint32_t>(offset),
          .bytes = static_cast<std::uint32_t>(arena.size() - offset)};
}

bool EntityWriter::IsError(const Members& members) {
  const std::uint32_t cause = members[Member::kCause];
  return reader_.Bool(members[Member::kFault]).value_or(false) ||
         reader_.Bool(members[Member::kError]).value_or(false) ||
         (http_status_ && IsErrorStatus(*http_status_)) ||
         (cause != 0 && (reader_.KindOf(cause) == Kind::kObject ||
                         (reader_.KindOf(cause) == Kind::kString && reader_.Text(cause))));
}

void EntityWriter::AddEntity(std::uint32_t object, const Members& members,
                             const EntityHeader& header, std::uint32_t resource,
                             std::uint32_t scope) {
  const bool segment = header.IsSegment();
  const std::uint32_t span = batch_.BeginSpan(header.trace_id, header.id);
  BeginOwner();
  events_dropped_ = 0;
  links_dropped_ = 0;
  truncated_ = false;
  http_status_.reset();
  batch_.parent_ids[span] = header.parent_id;
  batch_.start_ns[span] = header.start_ns;
  batch_.end_ns[span] = header.end_ns;
  const auto name = reader_.Text(members[Member::kName]);
  FLUORO_ASSERT(name.has_value());
  batch_.names[span] = batch_.AddText(CutBytes(*name, limits_.name_bytes_max));
  batch_.resources[span] = resource;
  batch_.scopes[span] = scope;
  batch_.sources[span] = model::SpanSource::kXRay;
  batch_.kinds[span] = segment ? model::SpanKind::kServer : model::SpanKind::kInternal;

  if (const auto name_space = reader_.Text(members[Member::kNamespace]);
      !segment && (name_space == "aws" || name_space == "remote")) {
    batch_.kinds[span] = model::SpanKind::kClient;
    const bool aws = name_space == "aws";
    AddText("aws.xray.namespace", *name_space, kTextMax);
    if (aws) AddTextMember("aws.service", members[Member::kName]);
  }
  if (segment) AddTextMember("enduser.id", members[Member::kUser]);
  AddHttp(members);
  AddAws(members[Member::kAws], segment);
  AddSql(members[Member::kSql]);
  AddCauseReference(members[Member::kCause], span);
  AddAnnotations(members[Member::kAnnotations]);
  batch_.CloseAttributes(span);
  batch_.dropped_attributes[span] = attributes_dropped_;
  AddExceptions(members[Member::kCause], header);
  AddLinks(members[Member::kLinks]);
  batch_.EndSpan(span);
  batch_.dropped_events[span] = events_dropped_;
  batch_.dropped_links[span] = links_dropped_;
  batch_.documents[span] = AddDocument(object, members);

  std::uint32_t flags = header.flags;
  const auto set = [&](Member member, std::uint32_t bit) {
    if (reader_.Bool(members[member]).value_or(false)) flags |= bit;
  };
  set(Member::kFault, model::kFault);
  set(Member::kError, model::kError);
  set(Member::kThrottle, model::kThrottle);
  set(Member::kInferred, model::kSentInferred);
  if (truncated_ || resource_truncated_) flags |= model::kTruncated;
  batch_.flags[span] = flags;
  if (IsError(members)) batch_.statuses[span] = model::StatusCode::kError;
}

}  // namespace fluoro::codec::xray
