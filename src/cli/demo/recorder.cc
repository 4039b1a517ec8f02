#include "cli/demo/recorder.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/clock.h"
#include "base/json.h"
#include "codec/otlp/otlp.h"
#include "net/http_client.h"

namespace fluoro::cli::demo {
namespace {

constexpr std::size_t kWaitingSpansMax = 10'000;
constexpr std::string_view kDaemonHeader = "{\"format\":\"json\",\"version\":1}\n";

model::AttributeValue Value(auto value) {
  model::AttributeValue result;
  result.value = std::move(value);
  return result;
}

}  // namespace

Result<std::unique_ptr<Recorder>> Recorder::Open(const std::string& udp_address,
                                                 std::string otlp_url) {
  const auto colon = udp_address.rfind(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  std::uint16_t port = 0;
  std::from_chars(udp_address.data() + colon + 1, udp_address.data() + udp_address.size(), port);
  address.sin_port = htons(port);
  const int socket_fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (inet_pton(AF_INET, udp_address.substr(0, colon).c_str(), &address.sin_addr) != 1 ||
      socket_fd < 0 ||
      ::connect(socket_fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (socket_fd >= 0) ::close(socket_fd);
    return Fail(ErrorCode::kUnreachable, "cannot send datagrams to " + udp_address);
  }
  return std::unique_ptr<Recorder>(new Recorder(socket_fd, std::move(otlp_url)));
}

Recorder::Recorder(int socket, std::string otlp_url)
    : socket_(socket), otlp_url_(std::move(otlp_url)), rng_(RandomSeed()) {}

Recorder::~Recorder() { ::close(socket_); }

void Recorder::SendDocument(std::string_view json) {
  std::string datagram(kDaemonHeader);
  datagram += json;
  (void)::send(socket_, datagram.data(), datagram.size(), 0);
  MutexLock lock(mutex_);
  ++sent_.documents;
}

void Recorder::AddSpan(model::Span span) {
  MutexLock lock(mutex_);
  if (waiting_.size() < kWaitingSpansMax) waiting_.push_back(std::move(span));
}

Result<void> Recorder::Flush() {
  std::vector<model::Span> spans;
  {
    MutexLock lock(mutex_);
    spans.swap(waiting_);
  }
  if (spans.empty()) return {};
  net::HttpCall call;
  call.method = "POST";
  call.url = otlp_url_;
  call.headers["content-type"] = "application/x-protobuf";
  call.body = codec::otlp::EncodeTraces(spans, codec::otlp::Encoding::kProtobuf);
  FLUORO_TRY(const net::HttpResponse answer, net::Call(call));
  if (answer.status != 200)
    return Fail(ErrorCode::kUnavailable,
                "the server answered " + std::to_string(answer.status) + " to OTLP");
  MutexLock lock(mutex_);
  sent_.spans += spans.size();
  return {};
}

model::SpanId Recorder::NewSpanId() {
  MutexLock lock(mutex_);
  const std::uint64_t bits = rng_.Next() | 1;
  model::SpanId id;
  std::memcpy(id.bytes.data(), &bits, sizeof bits);
  return id;
}

model::TraceId Recorder::NewTraceId() {
  const auto seconds = static_cast<std::uint32_t>(SystemClock().UnixNs() / kNsPerSecond);
  MutexLock lock(mutex_);
  model::TraceId id;
  for (std::size_t i = 0; i < 4; ++i)
    id.bytes[i] = static_cast<std::uint8_t>(seconds >> (24 - 8 * i));
  for (std::size_t i = 4; i < 16; ++i) id.bytes[i] = static_cast<std::uint8_t>(rng_.Next());
  return id;
}

Recorder::Sent Recorder::sent() const {
  MutexLock lock(mutex_);
  return sent_;
}

struct Scope::Node {
  model::TraceId trace_id;
  model::SpanId id;
  model::SpanId parent_id;
  std::string name;
  model::SpanKind kind = model::SpanKind::kServer;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  std::vector<std::pair<std::string, model::AttributeValue>> attributes;
  std::vector<model::Event> events;
  std::int64_t status = 0;
  bool failed = false;
  std::string error_type;
  std::string error_message;
  Mutex mutex;
  std::vector<std::shared_ptr<Node>> children
      FLUORO_GUARDED_BY(mutex);  ///< ended ones; X-Ray services only

  [[nodiscard]] const model::AttributeValue* Find(std::string_view key) const {
    for (const auto& [name_of, value] : attributes) {
      if (name_of == key) return &value;
    }
    return nullptr;
  }
};

/// Writes a service's work on one request as a segment document with embedded subsegments.
struct DocumentWriter {
  using Node = Scope::Node;
  JsonWriter out;

  static constexpr std::array<std::string_view, 9> kMembers{
      "http.request.method", "url.full",       "user_agent.original",
      "client.address",      "db.system.name", "db.query.text",
      "enduser.id",          "server.address", "http.response.status_code"};

  void Text(std::string_view key, const Node& node, std::string_view attribute) {
    if (const auto* value = node.Find(attribute); value != nullptr && value->AsString() != nullptr)
      out.Key(key).String(*value->AsString());
  }

  void Http(const Node& node) {
    if (node.Find("http.request.method") == nullptr) return;
    out.Key("http").BeginObject().Key("request").BeginObject();
    Text("method", node, "http.request.method");
    Text("url", node, "url.full");
    Text("user_agent", node, "user_agent.original");
    Text("client_ip", node, "client.address");
    out.EndObject();
    if (node.status != 0)
      out.Key("response").BeginObject().Key("status").Int(node.status).EndObject();
    out.EndObject();
  }

  void Failure(const Node& node) {
    if (node.status == 429) out.Key("throttle").Bool(true);
    if (node.status >= 400 && node.status < 500) out.Key("error").Bool(true);
    if (node.status >= 500 || (node.failed && node.status < 400)) out.Key("fault").Bool(true);
    if (node.error_message.empty()) return;
    out.Key("cause").BeginObject().Key("exceptions").BeginArray().BeginObject();
    out.Key("id")
        .String(node.id.ToHex())
        .Key("type")
        .String(node.error_type)
        .Key("message")
        .String(node.error_message);
    out.EndObject().EndArray().EndObject();
  }

  void Annotations(const Node& node) {
    bool open = false;
    for (const auto& [key, value] : node.attributes) {
      if (std::ranges::find(kMembers, key) != kMembers.end()) continue;
      if (!std::exchange(open, true)) out.Key("annotations").BeginObject();
      std::string clean = key;
      std::ranges::replace(clean, '.', '_');
      out.Key(clean);
      if (const auto* text = value.AsString()) {
        out.String(*text);
      } else if (const auto* number = value.AsInt()) {
        out.Int(*number);
      } else if (const auto* real = value.AsDouble()) {
        out.Double(*real);
      } else {
        out.Bool(*value.AsBool());
      }
    }
    if (open) out.EndObject();
  }

  void Entity(Node& node, bool segment) {
    out.BeginObject().Key("name").String(node.name).Key("id").String(node.id.ToHex());
    out.Key("start_time").Seconds(node.start_ns).Key("end_time").Seconds(node.end_ns);
    if (segment) {
      out.Key("trace_id").String(node.trace_id.ToXRay());
      if (!node.parent_id.IsZero()) out.Key("parent_id").String(node.parent_id.ToHex());
      Text("user", node, "enduser.id");
      out.Key("service").BeginObject().Key("version").String("demo").EndObject();
    } else if (node.kind == model::SpanKind::kClient) {
      out.Key("namespace").String("remote");
    }
    Http(node);
    if (node.Find("db.query.text") != nullptr) {
      out.Key("sql").BeginObject();
      Text("database_type", node, "db.system.name");
      Text("sanitized_query", node, "db.query.text");
      out.EndObject();
    }
    Failure(node);
    Annotations(node);
    MutexLock lock(node.mutex);
    if (!node.children.empty()) {
      out.Key("subsegments").BeginArray();
      for (const auto& child : node.children) Entity(*child, false);
      out.EndArray();
    }
    out.EndObject();
  }

  static model::Span ToSpan(const Node& node, const std::string& service) {
    model::Span span;
    span.trace_id = node.trace_id;
    span.span_id = node.id;
    span.parent_id = node.parent_id;
    span.name = node.name;
    span.start_ns = node.start_ns;
    span.end_ns = node.end_ns;
    span.kind = node.kind;
    span.status =
        node.failed || node.status >= 500 ? model::StatusCode::kError : model::StatusCode::kUnset;
    span.status_message = node.error_message;
    auto resource = std::make_shared<model::Resource>();
    resource->attributes.push_back({"service.name", Value(service)});
    resource->attributes.push_back({"service.version", Value(std::string("demo"))});
    resource->attributes.push_back({"telemetry.sdk.language", Value(std::string("cpp"))});
    span.resource = std::move(resource);
    auto scope = std::make_shared<model::Scope>();
    scope->name = "fluoro-demo";
    span.scope = std::move(scope);
    for (const auto& [key, value] : node.attributes) span.attributes.push_back({key, value});
    if (node.status != 0)
      span.attributes.push_back({"http.response.status_code", Value(node.status)});
    span.events = node.events;
    if (!node.error_message.empty()) {
      span.attributes.push_back({"error.type", Value(node.error_type)});
      span.events.push_back({node.end_ns,
                             "exception",
                             {{"exception.type", Value(node.error_type)},
                              {"exception.message", Value(node.error_message)}},
                             0});
    }
    return span;
  }
};

Scope::Scope(Recorder& recorder, const Service& service, const propagation::Context& caller,
             const std::string& name)
    : recorder_(&recorder), service_(&service), node_(std::make_shared<Node>()) {
  node_->trace_id = caller.trace_id ? *caller.trace_id : recorder.NewTraceId();
  node_->id = recorder.NewSpanId();
  if (caller.parent_id) node_->parent_id = *caller.parent_id;
  node_->name = service.protocol == Protocol::kXRay ? service.name : name;
  node_->start_ns = SystemClock().UnixNs();
}

Scope::Scope(Recorder& recorder, const Service& service, std::shared_ptr<Node> node,
             std::shared_ptr<Node> parent)
    : recorder_(&recorder),
      service_(&service),
      node_(std::move(node)),
      parent_(std::move(parent)) {}

Scope::Scope(Scope&&) noexcept = default;

Scope::~Scope() {
  if (node_ == nullptr) return;
  node_->end_ns = SystemClock().UnixNs();
  if (service_->protocol == Protocol::kOtlp) {
    recorder_->AddSpan(DocumentWriter::ToSpan(*node_, service_->name));
  } else if (parent_ != nullptr) {
    MutexLock lock(parent_->mutex);
    parent_->children.push_back(node_);
  } else {
    DocumentWriter writer;
    writer.Entity(*node_, true);
    recorder_->SendDocument(writer.out.Take());
  }
}

Scope Scope::Child(std::string name, model::SpanKind kind) {
  auto child = std::make_shared<Node>();
  child->trace_id = node_->trace_id;
  child->id = recorder_->NewSpanId();
  child->parent_id = node_->id;
  child->name = std::move(name);
  child->kind = kind;
  child->start_ns = SystemClock().UnixNs();
  return Scope(*recorder_, *service_, std::move(child), node_);
}

void Scope::Set(std::string key, std::string value) {
  node_->attributes.emplace_back(std::move(key), Value(std::move(value)));
}
void Scope::Set(std::string key, std::int64_t value) {
  node_->attributes.emplace_back(std::move(key), Value(value));
}
void Scope::Set(std::string key, bool value) {
  node_->attributes.emplace_back(std::move(key), Value(value));
}
void Scope::Set(std::string key, double value) {
  node_->attributes.emplace_back(std::move(key), Value(value));
}

void Scope::SetStatus(int http_status) { node_->status = http_status; }

void Scope::Fail(std::string type, std::string message) {
  node_->failed = true;
  node_->error_type = std::move(type);
  node_->error_message = std::move(message);
}

void Scope::AddEvent(std::string name) {
  node_->events.push_back({SystemClock().UnixNs(), std::move(name), {}, 0});
}

net::Headers Scope::Propagate() const {
  propagation::Context context;
  context.trace_id = node_->trace_id;
  context.parent_id = node_->id;
  context.sampled = propagation::Sampled::kYes;
  context.trace_flags = 1;
  return {{"x-amzn-trace-id", propagation::PrintXRay(context)},
          {"traceparent", propagation::PrintTraceparent(context)}};
}

std::string Scope::trace_id() const { return node_->trace_id.ToXRay(); }

}  // namespace fluoro::cli::demo
