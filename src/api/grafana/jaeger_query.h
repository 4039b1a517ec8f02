// Jaeger's query API, so that Grafana's Jaeger data source and Jaeger's own tools can read us.
// Source: jaegertracing.io, "APIs", HTTP JSON; docs/formats/zipkin-jaeger.md.
#pragma once

#include "base/clock.h"
#include "net/http.h"
#include "store/trace_store.h"

namespace fluoro::api::grafana {

/// /api/services, /api/services/{s}/operations, /api/operations, /api/traces, /api/traces/{id},
/// /api/dependencies. Thread-safe.
class JaegerQuery {
 public:
  JaegerQuery(store::TraceStore& store, const Clock& clock) : store_(store), clock_(clock) {}
  net::HttpResponse Handle(const net::HttpRequest& request);

 private:
  store::TraceStore& store_;
  const Clock& clock_;
};

}  // namespace fluoro::api::grafana
