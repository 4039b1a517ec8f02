// The one way in: bytes of any protocol -> decode -> store, with counters by protocol and reason.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/metrics.h"
#include "codec/otlp/otlp.h"
#include "codec/xray/decode.h"
#include "codec/zipkin/zipkin.h"
#include "model/limits.h"
#include "net/byte_budget.h"
#include "redact/policy.h"
#include "store/trace_store.h"

namespace fluoro::ingest {

struct Options {
  model::Limits limits;  ///< times are filled per request from the clock
  std::int64_t accept_age_ns =
      INT64_MAX;  ///< INT64_MAX: any age (`--accept-age any`), also any future
  std::int64_t accept_ahead_ns =
      7'200'000'000'000;  ///< spans further ahead are refused unless any age is accepted
  std::size_t in_flight_bytes_max = std::size_t{128}
                                    << 20;  ///< of spans being decoded and stored, as bounded by
                                            ///< the size of their requests; beyond: kUnavailable.
                                            ///< Whoever is alone is let in, datagrams always.
};

/// Thread-safe. Every call returns after the store acknowledged, so 200 may be sent.
/// Errors of all calls: those of the decoder (kCorruption, kTooLarge: the client's fault) and of
/// TraceStore::Append (kUnavailable, kNoSpace, kIo: not stored, retry later).
///
/// Counters, each with label `protocol` (xray, xray_udp, otlp_http, otlp_http_logs, otlp_grpc,
/// otlp_grpc_logs, zipkin, import, ...): fluoro_ingest_spans_total;
/// fluoro_ingest_rejected_total{reason} in spans, documents or datagrams that were refused one by
/// one, and in whole requests that could not be decoded; fluoro_ingest_dropped_total{part},
/// fluoro_ingest_truncated_values_total, fluoro_ingest_repaired_texts_total,
/// fluoro_ingest_folded_chunks_total. fluoro_redactions_total{rule,action}: values that a detector
/// or a rule removed.
class Pipeline {
 public:
  Pipeline(store::TraceStore& store, const Clock& clock, Metrics& metrics, const Options& options);
  ~Pipeline();

  /// PutTraceSegments: one batch, stored whole or not at all. Documents may also be the OTLP
  /// strings T1S.../T1U...; T1M (metrics) is dropped and counted. What is not stored is in the
  /// answer, in order of the documents; documents beyond limits.body_bytes_max in sum are
  /// "BatchTooLarge", as are those behind limits.batch_bytes_max of spans. More documents than
  /// limits.documents_max: kTooLarge.
  Result<std::vector<codec::xray::Unprocessed>> PutSegments(
      std::span<const std::string_view> documents);

  /// From the next batch on, whatever protocol it comes by, nothing is stored before this policy
  /// has seen it, and no answer quotes what it removes. Null (as at the start): everything is
  /// stored as sent.
  void SetRedaction(std::shared_ptr<const redact::Policy> policy);
  [[nodiscard]] std::shared_ptr<const redact::Policy> redaction() const;
  /// A text about what was sent, fit for an answer.
  [[nodiscard]] std::string Redacted(std::string text) const;

  struct OtlpAnswer {
    std::uint64_t rejected_spans = 0;
    std::string message;  ///< the first reason, when spans were rejected
  };
  /// `protocol`: label of the counters, from a closed set of our own.
  Result<OtlpAnswer> ExportOtlp(std::string_view body, codec::otlp::Encoding encoding,
                                std::string_view protocol);

  /// Log records that name a span: its events (codec/otlp/logs.h). In the answer `rejected_spans`
  /// counts records.
  Result<OtlpAnswer> ExportOtlpLogs(std::string_view body, codec::otlp::Encoding encoding,
                                    std::string_view protocol);

  Result<void> PutZipkin(std::string_view json, codec::zipkin::Version version);

  /// Lets in a body that is decoded elsewhere (imports); to be held until it is stored. Errors:
  /// kUnavailable.
  Result<net::ByteCharge> Admit(std::size_t body_bytes, std::string_view protocol);
  /// Spans that were decoded elsewhere; `stats` goes into the counters under `protocol`.
  Result<void> PutBatch(model::SpanBatch batch, const model::DecodeStats& stats,
                        std::string_view protocol);

  /// The limits of the options for a body of this size, with the accepted times and the receive
  /// time of now.
  [[nodiscard]] model::Limits LimitsNow(std::size_t body_bytes = SIZE_MAX / 16) const;

  /// Bytes of all bodies and datagrams that were let in, inflated.
  [[nodiscard]] std::uint64_t bytes_in() const;

  /// Datagrams received together; never answered, only counted. Append is Durability::kWritten.
  void PutDatagrams(std::span<const std::string_view> datagrams);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fluoro::ingest
