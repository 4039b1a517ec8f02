// Seeded traffic of a shop of services, with a fault on one edge if wanted: for tests.
//
//   browser -> web -> orders -> payment -> (a third party, a database)
//                  |         `-> queue "shipments" -> shipper
//                  `-> catalog -> inventory
//
// Beside it: health checks, clients that call catalog directly, background jobs.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "model/assembly.h"

namespace fluoro::analysis::propagation::testing {

enum class Fault : std::uint8_t {
  kNone,
  kStrip,        ///< the header is lost on a share of the calls
  kStripAtHost,  ///< a share of the calls goes through a second proxy, which strips
  kBadInstance,  ///< one of two instances of the callee does not read it
  kOtherFormat,  ///< never read; the callee makes ids of another style
  kShortIds,     ///< the high half of the trace id is lost
  kNewTraceId,   ///< the parent is kept in a trace id of its own
  kRewrite,      ///< a hop puts in a parent of its own
  kDropClient,   ///< the caller's span is lost
  kDropServer,   ///< the callee's first span is lost
  kSamplingDiffers,
  kQueue,  ///< messages without context
  kAsync,  ///< a step in orders begins a trace of its own
  kClock,  ///< orders' clock is off by 2 s
};

struct Options {
  std::uint64_t seed = 1;
  int requests = 250;
  double seconds = 300;
  Fault fault = Fault::kNone;
  std::string caller = "web", callee = "orders";
  double fault_share = 0;    ///< of the calls
  double head_rate = 1;      ///< of the traces, decided where they begin
  double tail_rate = 1;      ///< of traces without error, decided for whole traces
  std::int64_t skew_ns = 0;  ///< of hosts, at most, either way
  double cut_rate = 0;       ///< of the traces lose half of their spans and say so
  double silent_rate = 0;    ///< of calls to catalog, of which the callee records nothing
  double slow_rate = 0.02;   ///< of requests take up to 90 s
  std::int64_t clock_ns = 2'000'000'000;
};

struct Traffic {
  std::vector<std::shared_ptr<const model::Trace>> traces;
  std::int64_t settled_ns = 0;
  double calls = 0;  ///< on the edge of the fault, recorded or not
  double survived = 0;
  [[nodiscard]] double share() const { return calls > 0 ? survived / calls : 1; }
};

class Generator {
 public:
  explicit Generator(const Options& options) : options_(options), rng_(options.seed * 7919 + 13) {
    for (const std::string_view name :
         {"web", "orders", "payment", "catalog", "inventory", "shipper"}) {
      for (int i = 0; i < 2; ++i) {
        Instance& instance = instances_[std::string(name)].emplace_back();
        auto resource = std::make_shared<model::Resource>();
        const auto set = [&](std::string_view key, std::string value) {
          resource->attributes.push_back(
              {std::string(key), {std::move(value)}, model::AttributeRole::kPlain});
        };
        set("service.name", std::string(name));
        set("host.name", std::string(name) + "-host-" + std::to_string(i));
        set("service.instance.id", std::string(name) + "-" + std::to_string(i));
        instance.resource = std::move(resource);
        instance.index = i;
        instance.clock_ns =
            static_cast<std::int64_t>((rng_.Unit() * 2 - 1) * static_cast<double>(options.skew_ns));
        if (options.fault == Fault::kClock && name == options.callee)
          instance.clock_ns += options.clock_ns;
      }
    }
  }

  Traffic Run() {
    const auto length_ns = static_cast<std::int64_t>(options_.seconds * 1e9);
    for (int i = 0; i < options_.requests; ++i) {
      const std::int64_t start_ns = kBegin + Random(length_ns);
      Serve("web", Begin(start_ns, {}), start_ns, "GET", "/shop/" + Word(), false);
      if (rng_.Chance(0.4)) {
        const std::int64_t at_ns = kBegin + Random(length_ns);
        Serve("catalog", Begin(at_ns, {}), at_ns, "GET", "/items/" + Number(50), false);
      }
    }
    for (const auto& [name, instances] : instances_) {
      for (int i = 0; i < 40; ++i) {
        const std::int64_t at_ns = kBegin + Random(length_ns);
        Health(name, at_ns);
        Job(name, kBegin + Random(length_ns));
      }
    }
    return Finish(kBegin + length_ns);
  }

 private:
  static constexpr std::int64_t kBegin = 1'790'000'000'000'000'000;
  static constexpr std::int64_t kMs = 1'000'000;

  struct Instance {
    std::shared_ptr<const model::Resource> resource;
    std::int64_t clock_ns = 0;
    int index = 0;
  };
  struct Context {
    model::TraceId trace;
    model::SpanId parent;
    bool sampled = true;
  };

  std::int64_t Random(std::int64_t below) {
    return static_cast<std::int64_t>(rng_.Below(static_cast<std::uint64_t>(below)));
  }
  std::int64_t Some(double mean_ms) {
    return static_cast<std::int64_t>(-std::log(1 - rng_.Unit()) * mean_ms * 1e6) + 50'000;
  }
  std::string Number(int below) {
    return std::to_string(rng_.Below(static_cast<std::uint64_t>(below)));
  }
  std::string Word() { return "p" + Number(5); }

  model::SpanId NewSpanId() {
    model::SpanId id;
    const std::uint64_t value = rng_.Next() | 1;
    std::memcpy(id.bytes.data(), &value, 8);
    return id;
  }
  Context Begin(std::int64_t at_ns, std::string_view by) {
    Context context;
    for (std::size_t half : {0U, 8U}) {
      const std::uint64_t value = rng_.Next() | 0x80;
      std::memcpy(context.trace.bytes.data() + half, &value, 8);
    }
    if (options_.fault == Fault::kOtherFormat && by == options_.callee) {
      const auto seconds = static_cast<std::uint32_t>(at_ns / 1'000'000'000);
      for (std::size_t i = 0; i < 4; ++i)
        context.trace.bytes[i] = static_cast<std::uint8_t>(seconds >> (24 - 8 * i));
    }
    context.sampled = rng_.Chance(options_.head_rate);
    return context;
  }

  model::Span New(const Instance& instance, const Context& context, model::SpanKind kind,
                  std::string name, std::int64_t start_ns) {
    static const auto scope = std::make_shared<const model::Scope>();
    model::Span span;
    span.trace_id = context.trace;
    span.parent_id = context.parent;
    span.span_id = NewSpanId();
    span.kind = kind;
    span.name = std::move(name);
    span.start_ns = start_ns + instance.clock_ns;
    span.resource = instance.resource;
    span.scope = scope;
    return span;
  }
  // Spans of traces that are not recorded stay empty.
  static void Set(model::Span& span, std::string_view key, std::string value) {
    span.attributes.push_back({std::string(key), {std::move(value)}, model::AttributeRole::kPlain});
  }
  static void Set(model::Span& span, std::string_view key, std::int64_t value) {
    span.attributes.push_back({std::string(key), {value}, model::AttributeRole::kPlain});
  }
  void Record(model::Span span, const Instance& instance, const Context& context,
              std::int64_t end_ns) {
    if (!context.sampled) return;
    span.end_ns = end_ns + instance.clock_ns;
    spans_[span.trace_id].push_back(std::move(span));
  }

  [[nodiscard]] bool At(std::string_view caller, std::string_view callee) const {
    return caller == options_.caller && callee == options_.callee;
  }

  // Each answers its end.
  std::int64_t Serve(const std::string& service, const Context& context, std::int64_t start_ns,
                     const std::string& method, const std::string& path, bool lose_span,
                     int instance_index = -1) {
    const auto& among = instances_.at(service);
    const Instance& instance =
        among[instance_index >= 0 ? static_cast<std::size_t>(instance_index) : rng_.Below(2)];
    model::Span span = New(instance, context, model::SpanKind::kServer, method, start_ns);
    Set(span, "http.request.method", method);
    Set(span, "url.path", path);
    if (service == "catalog") {
      Set(span, "server.address", "cat-lb.internal");
      Set(span, "server.port", std::int64_t{8080});
    }
    Set(span, "http.response.status_code", std::int64_t{rng_.Chance(0.02) ? 500 : 200});
    const Context inner{context.trace, span.span_id, context.sampled};
    std::int64_t at_ns = start_ns + Some(1);
    if (service == "web") {
      at_ns = Call(service, instance, inner, "catalog", "GET", "/items/" + Number(50), at_ns);
      if (rng_.Chance(0.8))
        at_ns = Call(service, instance, inner, "orders", "POST", "/orders/" + Number(9'999), at_ns);
      if (rng_.Chance(options_.slow_rate)) at_ns += Random(90'000 * kMs);
    } else if (service == "catalog") {
      at_ns = Call(service, instance, inner, "inventory", "GET", "/stock/" + Number(50), at_ns);
    } else if (service == "orders") {
      at_ns = Step(instance, inner, at_ns);
      at_ns = Call(service, instance, inner, "payment", "POST", "/charge", at_ns);
      at_ns = Send(instance, inner, at_ns);
    } else if (service == "payment") {
      at_ns = ThirdParty(instance, inner, at_ns);
      at_ns = Database(instance, inner, at_ns);
    }
    at_ns += Some(service == "inventory" ? 8 : 3);
    if (!lose_span) Record(std::move(span), instance, context, at_ns);
    return at_ns;
  }

  std::int64_t Call(const std::string& caller, const Instance& instance, const Context& context,
                    const std::string& callee, const std::string& method, const std::string& path,
                    std::int64_t start_ns) {
    model::Span span = New(instance, context, model::SpanKind::kClient, method, start_ns);
    std::string host = callee == "catalog"   ? "cat-lb.internal:8080"
                       : callee == "payment" ? "10.0.3.7:9090"
                                             : callee + ".shop.svc.cluster.local:8080";
    Context sent{context.trace, span.span_id, context.sampled};
    const std::int64_t arrives_ns = start_ns + Some(0.4);
    bool lose_client = false, lose_server = false;
    int to_instance = -1;
    if (At(caller, callee)) {
      ++calls_;
      const bool hit = rng_.Chance(options_.fault_share);
      bool lost = false;
      switch (options_.fault) {
        case Fault::kStrip:
        case Fault::kOtherFormat:
          lost = hit;
          break;
        case Fault::kStripAtHost:
          lost = hit;
          if (hit) host = "proxy-b.internal:3128";
          break;
        case Fault::kBadInstance:
          to_instance = hit ? 1 : 0;
          lost = hit;
          break;
        case Fault::kShortIds:
          if (hit) std::fill_n(sent.trace.bytes.begin(), 8, std::uint8_t{0});
          break;
        case Fault::kNewTraceId:
          if (hit) sent.trace = Begin(arrives_ns, callee).trace;
          break;
        case Fault::kRewrite:
          if (hit) sent.parent = NewSpanId();
          break;
        case Fault::kDropClient:
          lose_client = hit;
          break;
        case Fault::kDropServer:
          lose_server = hit;
          break;
        case Fault::kSamplingDiffers:
          sent.sampled = rng_.Chance(1 - options_.fault_share);
          break;
        default:
          break;
      }
      const bool survives = options_.fault == Fault::kSamplingDiffers
                                ? sent.sampled
                                : !hit || options_.fault == Fault::kClock;
      // Under differing decisions only what the caller records can be judged.
      if (options_.fault == Fault::kSamplingDiffers && !context.sampled) {
        --calls_;
      } else {
        survived_ += survives ? 1 : 0;
      }
      if (lost) sent = Begin(arrives_ns, callee);
    }
    if (callee == "catalog" && rng_.Chance(options_.silent_rate)) sent.sampled = false;
    Set(span, "http.request.method", method);
    Set(span, "url.full", "http://" + host + path);
    Set(span, "http.response.status_code", std::int64_t{200});
    const std::int64_t left_ns =
        Serve(callee, sent, arrives_ns, method, path, lose_server, to_instance);
    const std::int64_t end_ns = left_ns + Some(0.4);
    if (!lose_client) Record(std::move(span), instance, context, end_ns);
    return end_ns;
  }

  std::int64_t Step(const Instance& instance, Context context, std::int64_t start_ns) {
    if (options_.fault == Fault::kAsync) {
      ++calls_;
      if (rng_.Chance(options_.fault_share)) {
        context = Begin(start_ns, {});
      } else {
        ++survived_;
      }
    }
    model::Span span = New(instance, context, model::SpanKind::kInternal, "price cart", start_ns);
    const std::int64_t end_ns = start_ns + Some(2);
    Record(std::move(span), instance, context, end_ns);
    return end_ns;
  }

  std::int64_t Send(const Instance& instance, const Context& context, std::int64_t start_ns) {
    model::Span span =
        New(instance, context, model::SpanKind::kProducer, "send shipments", start_ns);
    Set(span, "messaging.system", "kafka");
    Set(span, "messaging.destination.name", "shipments");
    Set(span, "messaging.operation.type", "send");
    const std::int64_t end_ns = start_ns + Some(1);
    const std::int64_t taken_ns = end_ns + Some(200);
    Context received = Begin(taken_ns, {});
    const Instance& shipper = instances_.at("shipper")[rng_.Below(2)];
    model::Span process =
        New(shipper, received, model::SpanKind::kConsumer, "process shipments", taken_ns);
    Set(process, "messaging.system", "kafka");
    Set(process, "messaging.destination.name", "shipments");
    Set(process, "messaging.operation.type", "process");
    bool hit = false;
    if (options_.fault == Fault::kQueue) {
      hit = rng_.Chance(options_.fault_share);
      ++calls_;
      survived_ += hit ? 0 : 1;
    }
    if (!hit)
      process.links.push_back({.trace_id = context.trace,
                               .span_id = span.span_id,
                               .trace_state = {},
                               .attributes = {}});
    Record(std::move(process), shipper, received, taken_ns + Some(20));
    Record(std::move(span), instance, context, end_ns);
    return end_ns;
  }

  std::int64_t ThirdParty(const Instance& instance, const Context& context, std::int64_t start_ns) {
    model::Span span = New(instance, context, model::SpanKind::kClient, "POST", start_ns);
    Set(span, "http.request.method", "POST");
    Set(span, "url.full", "https://api.bank.example/v1/charges/" + Number(1'000));
    Set(span, "http.response.status_code", std::int64_t{200});
    const std::int64_t end_ns = start_ns + Some(30);
    Record(std::move(span), instance, context, end_ns);
    return end_ns;
  }

  std::int64_t Database(const Instance& instance, const Context& context, std::int64_t start_ns) {
    model::Span span = New(instance, context, model::SpanKind::kClient, "INSERT", start_ns);
    Set(span, "db.system.name", "postgresql");
    Set(span, "server.address", "orders.shop.svc");
    const std::int64_t end_ns = start_ns + Some(2);
    Record(std::move(span), instance, context, end_ns);
    return end_ns;
  }

  void Health(const std::string& service, std::int64_t at_ns) {
    const Instance& instance = instances_.at(service)[rng_.Below(2)];
    const Context context = Begin(at_ns, {});
    model::Span span = New(instance, context, model::SpanKind::kServer, "GET", at_ns);
    Set(span, "http.request.method", "GET");
    Set(span, "url.path", "/health");
    Record(std::move(span), instance, context, at_ns + Some(0.5));
  }

  void Job(const std::string& service, std::int64_t at_ns) {
    const Instance& instance = instances_.at(service)[rng_.Below(2)];
    const Context context = Begin(at_ns, {});
    model::Span span = New(instance, context, model::SpanKind::kInternal, "refresh cache", at_ns);
    Record(std::move(span), instance, context, at_ns + Some(5));
  }

  Traffic Finish(std::int64_t now_ns) {
    Traffic out;
    out.settled_ns = now_ns - 30'000 * kMs;
    out.calls = calls_;
    out.survived = survived_;
    for (auto& [id, spans] : spans_) {
      // What goes on is not sent yet.
      std::erase_if(spans, [&](const model::Span& span) { return span.end_ns > now_ns; });
      if (spans.empty()) continue;
      auto trace = std::make_shared<model::Trace>();
      trace->id = id;
      const bool error = std::ranges::any_of(spans, [](const model::Span& span) {
        const auto* status = span.Find("http.response.status_code");
        return status != nullptr && *status->AsInt() >= 500;
      });
      if (!error && options_.tail_rate < 1) {
        if (!rng_.Chance(options_.tail_rate)) continue;
        trace->kept = {.reason = "rest", .probability = options_.tail_rate};
      }
      if (rng_.Chance(options_.cut_rate)) {
        trace->limit_exceeded = true;
        spans.resize((spans.size() + 1) / 2);
      }
      // Senders differ in how soon they send.
      for (std::size_t i = spans.size(); i > 1; --i) std::swap(spans[i - 1], spans[rng_.Below(i)]);
      model::Deduplicate(spans);
      trace->spans = std::move(spans);
      out.traces.push_back(std::move(trace));
    }
    return out;
  }

  Options options_;
  Rng rng_;
  std::map<std::string, std::vector<Instance>> instances_;
  std::map<model::TraceId, std::vector<model::Span>> spans_;
  double calls_ = 0;
  double survived_ = 0;
};

inline Traffic Make(const Options& options) { return Generator(options).Run(); }

}  // namespace fluoro::analysis::propagation::testing
