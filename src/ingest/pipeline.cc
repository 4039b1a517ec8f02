#include "ingest/pipeline.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "base/base64.h"
#include "base/mutex.h"
#include "codec/otlp/logs.h"
#include "codec/xray/id_scan.h"
#include "genai/stream.h"
#include "ingest/counters.h"
#include "ingest/redactor.h"
#include "net/byte_budget.h"

namespace fluoro::ingest {
namespace {

using codec::xray::Datagram;
using codec::xray::Unprocessed;
using store::Durability;

constexpr std::size_t kBatchBytesPerBodyByte = 6;
constexpr std::size_t kBatchBytesAlways = std::size_t{1} << 20;

/// Appends spans of a batch to another. The usual case, an empty target, costs nothing.
void MoveInto(model::SpanBatch& target, model::SpanBatch&& source) {
  if (target.empty()) {
    target = std::move(source);
    return;
  }
  model::SpanReader reader(source);
  for (std::uint32_t i = 0; i < source.size(); ++i) target.AppendSpan(reader.Read(i));
}

Unprocessed NotProcessed(std::string_view code, std::string_view cause) {
  return {.id = std::nullopt,
          .error_code = std::string(code),
          .message = "Invalid segment. ErrorCode: " + std::string(code) +
                     ", Cause: " + std::string(cause)};
}

/// Codes of the X-Ray decoder and of the functions here: the label values that may appear.
std::string_view ReasonOf(const Unprocessed& unprocessed) {
  static constexpr std::array<std::string_view, 14> kCodes = {
      "ParseError",       "DocumentTooLarge", "MissingId",       "InvalidId",     "MissingTraceId",
      "InvalidTraceId",   "MissingParentId",  "InvalidParentId", "MissingName",   "InvalidName",
      "MissingStartTime", "InvalidStartTime", "MissingEndTime",  "InvalidEndTime"};
  for (const std::string_view code : kCodes) {
    if (unprocessed.error_code == code) return code;
  }
  if (unprocessed.error_code == "BatchTooLarge") return "BatchTooLarge";
  return "other";
}

}  // namespace

struct Pipeline::Impl {
  Impl(store::TraceStore& trace_store, const Clock& wall_clock, Metrics& registry,
       const Options& pipeline_options)
      : store(trace_store),
        clock(wall_clock),
        metrics(registry),
        options(pipeline_options),
        redactor(registry),
        budget(pipeline_options.in_flight_bytes_max) {}

  ProtocolCounters& CountersOf(std::string_view protocol) {
    MutexLock lock(mutex);
    auto found = counters.find(protocol);
    if (found == counters.end()) {
      found = counters.try_emplace(std::string(protocol), metrics, std::string(protocol)).first;
    }
    return found->second;
  }

  /// Memory that the spans of a request may take: an ordinary one takes twice its size.
  [[nodiscard]] std::size_t BatchBytesMax(std::size_t body_bytes) const {
    return std::min(options.limits.batch_bytes_max,
                    kBatchBytesPerBodyByte * body_bytes + kBatchBytesAlways);
  }

  /// Refuses work beyond the bound before anything is decoded.
  Result<void> Admit(net::ByteCharge& charge, std::size_t body_bytes, ProtocolCounters& protocol) {
    if (charge.Grow(BatchBytesMax(body_bytes))) {
      bytes_in.fetch_add(body_bytes, std::memory_order_relaxed);
      return {};
    }
    protocol.Rejected("overload");
    return Fail(ErrorCode::kUnavailable, "too many bytes are being stored; try again");
  }

  /// The one way to the store: what is to be redacted is redacted here, for every protocol.
  Result<void> Append(model::SpanBatch batch, Durability durability, ProtocolCounters& protocol) {
    if (batch.empty()) return {};
    protocol.Folded(genai::FoldChunks(batch).chunks);
    redactor.Redact(options.limits, batch);
    const std::uint64_t spans = batch.size();
    if (auto stored = store.Append(std::move(batch), durability); !stored) {
      protocol.Rejected(ingest::ReasonOf(stored.error().code), spans);
      return stored;
    }
    protocol.Stored(spans);
    return {};
  }

  /// One document of an X-Ray request or datagram, whatever it carries.
  void Decode(const Datagram& body, const model::Limits& limits, ProtocolCounters& protocol,
              model::SpanBatch& batch, std::vector<Unprocessed>& unprocessed,
              codec::xray::DecodeScratch& scratch) {
    model::DecodeStats stats;
    const std::size_t before = unprocessed.size();
    switch (body.kind) {
      case Datagram::Body::kDocument:
        codec::xray::DecodeDocument(body.body, limits, batch, unprocessed, stats, scratch);
        break;
      case Datagram::Body::kOtlpSampled:
      case Datagram::Body::kOtlpUnsampled:
        DecodeOtlp(body, limits, batch, unprocessed, stats);
        break;
      case Datagram::Body::kMetrics:
        protocol.Rejected("metrics");
        return;
    }
    protocol.Decoded(stats);
    for (std::size_t i = before; i < unprocessed.size(); ++i) {
      protocol.Rejected(ReasonOf(unprocessed[i]));
    }
  }

  static void DecodeOtlp(const Datagram& body, const model::Limits& limits, model::SpanBatch& batch,
                         std::vector<Unprocessed>& unprocessed, model::DecodeStats& stats) {
    const std::optional<std::string> bytes = FromBase64(body.body);
    if (!bytes) {
      unprocessed.push_back(NotProcessed("ParseError", "OTLP string: base64 wanted"));
      return;
    }
    auto decoded = codec::otlp::DecodeTraces(*bytes, codec::otlp::Encoding::kProtobuf, limits,
                                             body.kind == Datagram::Body::kOtlpUnsampled);
    if (!decoded) {
      unprocessed.push_back(NotProcessed("ParseError", "OTLP string: " + decoded.error().message));
      return;
    }
    stats = decoded->stats;
    if (stats.rejected_spans > 0) {
      unprocessed.push_back(
          NotProcessed("ParseError", "OTLP string: " + std::to_string(stats.rejected_spans) +
                                         " spans rejected: " + decoded->reject_reason));
    }
    MoveInto(batch, std::move(decoded->batch));
  }

  /// One request of OTLP; `decode` runs only if there is room.
  Result<OtlpAnswer> Export(std::string_view body, std::string_view protocol_name,
                            const std::function<Result<codec::otlp::Decoded>()>& decode);

  store::TraceStore& store;
  const Clock& clock;
  Metrics& metrics;
  const Options options;
  Redactor redactor;
  net::ByteBudget budget;
  std::atomic<std::uint64_t> bytes_in{0};  ///< a sum; no other memory hangs on it
  Mutex mutex;
  // Nodes of a map stay where they are, so references outlive the lock.
  std::map<std::string, ProtocolCounters, std::less<>> counters FLUORO_GUARDED_BY(mutex);
};

Pipeline::Pipeline(store::TraceStore& store, const Clock& clock, Metrics& metrics,
                   const Options& options)
    : impl_(std::make_unique<Impl>(store, clock, metrics, options)) {}

Pipeline::~Pipeline() = default;

model::Limits Pipeline::LimitsNow(std::size_t body_bytes) const {
  model::Limits limits = impl_->options.limits;
  limits.batch_bytes_max = impl_->BatchBytesMax(body_bytes);
  limits.receive_ns = impl_->clock.UnixNs();
  if (impl_->options.accept_age_ns != INT64_MAX) {
    limits.start_ns_min = limits.receive_ns - impl_->options.accept_age_ns;
    limits.start_ns_max = limits.receive_ns + impl_->options.accept_ahead_ns;
  }
  return limits;
}

Result<std::vector<Unprocessed>> Pipeline::PutSegments(
    std::span<const std::string_view> documents) {
  ProtocolCounters& protocol = impl_->CountersOf("xray");
  std::size_t bytes = 0;
  for (const std::string_view document : documents) bytes += document.size();
  const model::Limits limits = LimitsNow(bytes);
  if (documents.size() > limits.documents_max) {
    protocol.Rejected("too_many_documents", documents.size());
    return Fail(ErrorCode::kTooLarge, std::to_string(documents.size()) +
                                          " documents in one request, at most " +
                                          std::to_string(limits.documents_max) + " are taken");
  }
  net::ByteCharge charge(impl_->budget);
  FLUORO_CHECK_OK(impl_->Admit(charge, bytes, protocol));

  model::SpanBatch batch;
  std::vector<Unprocessed> unprocessed;
  codec::xray::DecodeScratch scratch;
  std::size_t taken_bytes = 0;
  for (const std::string_view document : documents) {
    const bool memory_full = batch.UsedBytes() > limits.batch_bytes_max;
    if (memory_full || taken_bytes + document.size() > limits.body_bytes_max) {
      Unprocessed entry = NotProcessed(
          "BatchTooLarge", memory_full
                               ? "the spans before it take more than " +
                                     std::to_string(limits.batch_bytes_max) + " bytes of memory"
                               : "the documents before it make " + std::to_string(taken_bytes) +
                                     " bytes, at most " + std::to_string(limits.body_bytes_max) +
                                     " are taken in one request");
      entry.id = codec::xray::ScanForId(document);
      protocol.Rejected("BatchTooLarge");
      unprocessed.push_back(std::move(entry));
      continue;
    }
    taken_bytes += document.size();
    impl_->Decode(codec::xray::ClassifyBody(document), limits, protocol, batch, unprocessed,
                  scratch);
  }
  FLUORO_CHECK_OK(impl_->Append(std::move(batch), Durability::kSynced, protocol));
  for (Unprocessed& entry : unprocessed) {
    impl_->redactor.Redact(entry.message);
    if (entry.id) impl_->redactor.Redact(*entry.id);
  }
  return unprocessed;
}

Result<Pipeline::OtlpAnswer> Pipeline::Impl::Export(
    std::string_view body, std::string_view protocol_name,
    const std::function<Result<codec::otlp::Decoded>()>& decode) {
  ProtocolCounters& protocol = CountersOf(protocol_name);
  net::ByteCharge charge(budget);
  FLUORO_CHECK_OK(Admit(charge, body.size(), protocol));
  auto decoded = decode();
  if (!decoded) {
    protocol.Rejected(ingest::ReasonOf(decoded.error().code));
    redactor.Redact(decoded.error().message);
    return std::unexpected(std::move(decoded).error());
  }
  protocol.Decoded(decoded->stats);
  protocol.Rejected("span", decoded->stats.rejected_spans);
  FLUORO_CHECK_OK(Append(std::move(decoded->batch), Durability::kSynced, protocol));
  redactor.Redact(decoded->reject_reason);
  return OtlpAnswer{.rejected_spans = decoded->stats.rejected_spans,
                    .message = std::move(decoded->reject_reason)};
}

Result<Pipeline::OtlpAnswer> Pipeline::ExportOtlp(std::string_view body,
                                                  codec::otlp::Encoding encoding,
                                                  std::string_view protocol_name) {
  return impl_->Export(body, protocol_name, [&] {
    return codec::otlp::DecodeTraces(body, encoding, LimitsNow(body.size()));
  });
}

Result<Pipeline::OtlpAnswer> Pipeline::ExportOtlpLogs(std::string_view body,
                                                      codec::otlp::Encoding encoding,
                                                      std::string_view protocol_name) {
  return impl_->Export(body, protocol_name, [&] {
    return codec::otlp::DecodeLogs(body, encoding, LimitsNow(body.size()));
  });
}

Result<void> Pipeline::PutZipkin(std::string_view json, codec::zipkin::Version version) {
  ProtocolCounters& protocol = impl_->CountersOf("zipkin");
  net::ByteCharge charge(impl_->budget);
  FLUORO_CHECK_OK(impl_->Admit(charge, json.size(), protocol));
  model::DecodeStats stats;
  auto batch = codec::zipkin::DecodeSpans(json, version, LimitsNow(json.size()), stats);
  if (!batch) {
    protocol.Rejected(ingest::ReasonOf(batch.error().code));
    impl_->redactor.Redact(batch.error().message);
    return std::unexpected(std::move(batch).error());
  }
  protocol.Decoded(stats);
  protocol.Rejected("span", stats.rejected_spans);
  return impl_->Append(*std::move(batch), Durability::kSynced, protocol);
}

void Pipeline::SetRedaction(std::shared_ptr<const redact::Policy> policy) {
  impl_->redactor.Set(std::move(policy));
}

std::shared_ptr<const redact::Policy> Pipeline::redaction() const {
  return impl_->redactor.policy();
}

std::string Pipeline::Redacted(std::string text) const {
  impl_->redactor.Redact(text);
  return text;
}

std::uint64_t Pipeline::bytes_in() const { return impl_->bytes_in.load(std::memory_order_relaxed); }

Result<net::ByteCharge> Pipeline::Admit(std::size_t body_bytes, std::string_view protocol_name) {
  net::ByteCharge charge(impl_->budget);
  FLUORO_CHECK_OK(impl_->Admit(charge, body_bytes, impl_->CountersOf(protocol_name)));
  return charge;
}

Result<void> Pipeline::PutBatch(model::SpanBatch batch, const model::DecodeStats& stats,
                                std::string_view protocol_name) {
  ProtocolCounters& protocol = impl_->CountersOf(protocol_name);
  protocol.Decoded(stats);
  protocol.Rejected("span", stats.rejected_spans);
  return impl_->Append(std::move(batch), Durability::kSynced, protocol);
}

void Pipeline::PutDatagrams(std::span<const std::string_view> datagrams) {
  ProtocolCounters& protocol = impl_->CountersOf("xray_udp");
  std::size_t bytes = 0;
  for (const std::string_view datagram : datagrams) bytes += datagram.size();
  impl_->bytes_in.fetch_add(bytes, std::memory_order_relaxed);
  const model::Limits limits = LimitsNow(bytes);
  model::SpanBatch batch;
  std::vector<Unprocessed> unprocessed;
  codec::xray::DecodeScratch scratch;
  for (const std::string_view datagram : datagrams) {
    if (datagram.empty()) {
      protocol.Rejected("empty");
      continue;
    }
    const auto parsed = codec::xray::ParseDatagram(datagram);
    if (!parsed) {
      protocol.Rejected("bad_header");
      continue;
    }
    impl_->Decode(*parsed, limits, protocol, batch, unprocessed, scratch);
    unprocessed.clear();
  }
  // A failure is counted with its spans; there is nobody to tell.
  (void)impl_->Append(std::move(batch), Durability::kWritten, protocol);
}

}  // namespace fluoro::ingest
