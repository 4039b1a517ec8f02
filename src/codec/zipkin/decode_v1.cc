// Zipkin v1: what happened is told by annotations (cs, cr, sr, ss, ms, mr), one span may hold the
// client's and the server's half of a call. Source: zipkin-api.yaml; zipkin2.v1.V1SpanConverter.
#include <algorithm>
#include <array>

#include "codec/zipkin/decode.h"

namespace fluoro::codec::zipkin::internal {
namespace {

struct Annotation {
  std::int64_t time_ns = 0;
  std::string value;
  Endpoint endpoint;
};
struct BinaryAnnotation {
  std::string key;
  std::string value;
  Endpoint endpoint;
};

// One side of the call in the making.
struct Half {
  model::SpanKind kind;
  std::string_view begin;  ///< annotation that starts it
  std::string_view end;    ///< annotation that ends it
  std::string_view peer;   ///< binary annotation that names the other side
  const Annotation* first = nullptr;
  const Annotation* last = nullptr;

  [[nodiscard]] bool present() const { return first != nullptr || last != nullptr; }
  [[nodiscard]] const Endpoint& endpoint() const {
    return (first != nullptr ? first : last)->endpoint;
  }
};

using Halves = std::array<Half, 4>;

Halves NewHalves() {
  using model::SpanKind;
  return {{{SpanKind::kClient, "cs", "cr", "sa"},
           {SpanKind::kServer, "sr", "ss", "ca"},
           {SpanKind::kProducer, "ms", "", "ma"},
           {SpanKind::kConsumer, "mr", "", "ma"}}};
}

Result<std::vector<Annotation>> ReadAnnotations(JsonView span) {
  std::vector<Annotation> annotations;
  FLUORO_TRY(const JsonView list, ReadOptional(span, "annotations", JsonType::kArray));
  for (const JsonView item : list.Elements()) {
    if (!item.IsObject()) return Bad(item, "annotations", "an object was expected");
    Annotation annotation;
    FLUORO_TRY(const auto time, ReadOptionalTime(item, "timestamp"));
    if (!time) return Bad(item, "timestamp", "missing");
    annotation.time_ns = *time;
    FLUORO_TRY(annotation.value, ReadText(item, "value"));
    FLUORO_TRY(annotation.endpoint, ReadEndpoint(item["endpoint"], "endpoint"));
    annotations.push_back(std::move(annotation));
  }
  return annotations;
}

Result<std::vector<BinaryAnnotation>> ReadBinaryAnnotations(JsonView span) {
  std::vector<BinaryAnnotation> annotations;
  FLUORO_TRY(const JsonView list, ReadOptional(span, "binaryAnnotations", JsonType::kArray));
  for (const JsonView item : list.Elements()) {
    if (!item.IsObject()) return Bad(item, "binaryAnnotations", "an object was expected");
    BinaryAnnotation annotation;
    FLUORO_TRY(annotation.key, ReadText(item, "key"));
    if (annotation.key.empty()) return Bad(item, "key", "missing");
    FLUORO_TRY(annotation.value,
               ReadScalarText(item["value"], "binaryAnnotations." + annotation.key));
    FLUORO_TRY(annotation.endpoint, ReadEndpoint(item["endpoint"], "endpoint"));
    annotations.push_back(std::move(annotation));
  }
  return annotations;
}

bool IsAddress(const BinaryAnnotation& annotation) {
  return (annotation.key == "sa" || annotation.key == "ca" || annotation.key == "ma") &&
         !annotation.endpoint.empty();
}

/// The spans of one v1 span, with what they hold in common spread over them.
class Conversion {
 public:
  Conversion(const Ids& ids, std::string name, std::optional<std::int64_t> start,
             std::optional<std::int64_t> duration, bool debug, std::int64_t receive_ns)
      : ids_(ids),
        name_(std::move(name)),
        start_(start),
        duration_(duration),
        debug_(debug),
        receive_ns_(receive_ns) {}

  void Convert(const std::vector<Annotation>& annotations,
               const std::vector<BinaryAnnotation>& binary) {
    Halves halves = NewHalves();
    std::vector<const Annotation*> events;
    for (const Annotation& annotation : annotations) {
      if (!Claim(halves, annotation)) events.push_back(&annotation);
    }
    NameByAddress(halves, binary);
    for (const Half& half : halves) {
      if (half.present()) Begin(half, binary);
    }
    if (spans_.empty()) BeginLocal(annotations, binary);
    for (const Annotation* event : events) {
      Nearest(event->endpoint)
          .events.push_back({.time_ns = event->time_ns, .name = event->value, .attributes = {}});
    }
    for (const BinaryAnnotation& annotation : binary) {
      const bool empty_component = annotation.key == "lc" && annotation.value.empty();
      if (!IsAddress(annotation) && !empty_component) {
        AddTag(Nearest(annotation.endpoint), annotation.key, annotation.value);
      }
    }
  }

  void AddTo(Sink& sink) && {
    for (std::size_t i = 0; i < spans_.size(); ++i) {
      sink.Add(std::move(spans_[i]), locals_[i].service);
    }
  }

 private:
  static bool Claim(Halves& halves, const Annotation& annotation) {
    for (Half& half : halves) {
      const Annotation*& place = annotation.value == half.begin ? half.first : half.last;
      const bool core = annotation.value == half.begin || annotation.value == half.end;
      if (!core || annotation.value.empty() || place != nullptr) continue;
      place = &annotation;
      return true;
    }
    return false;
  }

  // Without core annotations an address says which side this is.
  void NameByAddress(const Halves& halves, const std::vector<BinaryAnnotation>& binary) {
    if (std::any_of(halves.begin(), halves.end(), [](const Half& h) { return h.present(); }))
      return;
    for (const BinaryAnnotation& annotation : binary) {
      if (!IsAddress(annotation)) continue;
      if (annotation.key == "sa") bare_kind_ = model::SpanKind::kClient;
      if (annotation.key == "ca") bare_kind_ = model::SpanKind::kServer;
    }
  }

  void AddPeer(std::string_view key, const std::vector<BinaryAnnotation>& binary,
               model::Span& span) const {
    for (const BinaryAnnotation& annotation : binary) {
      if (annotation.key != key || !IsAddress(annotation)) continue;
      AddEndpoint(annotation.endpoint, kRemote, span);
      return;
    }
  }

  model::Span& Start(model::SpanKind kind, const Endpoint& local) {
    model::Span& span = spans_.emplace_back();
    locals_.push_back(local);
    span.trace_id = ids_.trace_id;
    span.span_id = ids_.id;
    span.parent_id = ids_.parent_id;
    span.name = name_;
    span.kind = kind;
    AddEndpoint(local, kLocal, span);
    return span;
  }

  void AddDebug(model::Span& span) const {
    if (debug_) span.attributes.push_back({.key = std::string(kDebugKey), .value = {true}});
  }

  void SetTimes(model::Span& span, std::optional<std::int64_t> start,
                std::optional<std::int64_t> end) const {
    span.start_ns = start ? *start : end ? *end : receive_ns_;
    span.end_ns = std::max(span.start_ns, end.value_or(span.start_ns));
  }

  [[nodiscard]] std::optional<std::int64_t> OwnEnd() const {
    if (!start_ || !duration_ || *duration_ > INT64_MAX - *start_) return std::nullopt;
    return *start_ + *duration_;
  }

  void Begin(const Half& half, const std::vector<BinaryAnnotation>& binary) {
    const bool second = !spans_.empty();
    model::Span& span = Start(half.kind, half.endpoint());
    // The span's own time is that of the side that started it; the other has its annotations.
    const auto time = [](const Annotation* a) {
      return a == nullptr ? std::optional<std::int64_t>() : std::optional(a->time_ns);
    };
    auto start = time(half.first);
    auto end = time(half.last);
    if (!second && start_) {
      start = start_;
      if (const auto own_end = OwnEnd()) end = own_end;
    }
    SetTimes(span, start, end);
    AddPeer(half.peer, binary, span);
    // A server that did not start the trace's id does not write the span's own time: it shares.
    const bool joined = half.kind == model::SpanKind::kServer && !start_;
    if (second || joined) MakeShared(span, ids_);
    AddDebug(span);
  }

  void BeginLocal(const std::vector<Annotation>& annotations,
                  const std::vector<BinaryAnnotation>& binary) {
    Endpoint local;
    const auto take = [&](const Endpoint& endpoint) {
      if (local.empty()) local = endpoint;
    };
    for (const Annotation& annotation : annotations) take(annotation.endpoint);
    for (const BinaryAnnotation& annotation : binary) {
      if (!IsAddress(annotation)) take(annotation.endpoint);
    }
    model::Span& span = Start(bare_kind_, local);
    const auto first = annotations.empty() ? std::optional<std::int64_t>()
                                           : std::optional(annotations.front().time_ns);
    SetTimes(span, start_ ? start_ : first, OwnEnd());
    AddPeer(bare_kind_ == model::SpanKind::kServer ? "ca" : "sa", binary, span);
    AddDebug(span);
  }

  // The span of the side that has this endpoint; the first where none has.
  model::Span& Nearest(const Endpoint& endpoint) {
    for (std::size_t i = 0; i < spans_.size(); ++i) {
      if (locals_[i] == endpoint) return spans_[i];
    }
    for (std::size_t i = 0; i < spans_.size(); ++i) {
      if (locals_[i].service == endpoint.service) return spans_[i];
    }
    return spans_.front();
  }

  Ids ids_;
  std::string name_;
  std::optional<std::int64_t> start_;
  std::optional<std::int64_t> duration_;
  bool debug_;
  std::int64_t receive_ns_;
  model::SpanKind bare_kind_ = model::SpanKind::kInternal;
  std::vector<model::Span> spans_;
  std::vector<Endpoint> locals_;
};

}  // namespace

Result<void> DecodeV1(JsonView value, Sink& sink) {
  FLUORO_TRY(const Ids ids, ReadIds(value));
  FLUORO_TRY(std::string name, ReadText(value, "name"));
  FLUORO_TRY(const auto start, ReadOptionalTime(value, "timestamp"));
  FLUORO_TRY(const auto duration, ReadOptionalTime(value, "duration"));
  FLUORO_TRY(const auto annotations, ReadAnnotations(value));
  FLUORO_TRY(const auto binary, ReadBinaryAnnotations(value));
  FLUORO_TRY(const JsonView debug, ReadOptional(value, "debug", JsonType::kBool));
  Conversion conversion(ids, std::move(name), start, duration, debug.Bool() == true,
                        sink.limits().receive_ns);
  conversion.Convert(annotations, binary);
  std::move(conversion).AddTo(sink);
  return {};
}

}  // namespace fluoro::codec::zipkin::internal
