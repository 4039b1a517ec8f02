// Which handler answers which path of the main port. The order is the one of docs/cli.md.
#pragma once

#include "api/grafana/jaeger_query.h"
#include "api/ui/ui_api.h"
#include "api/xray/xray_api.h"
#include "base/metrics.h"
#include "net/http.h"

namespace fluoro::app {

struct Handlers {
  api::xray::XRayApi& xray;
  api::ui::UiApi& ui;
  api::grafana::JaegerQuery& jaeger;
  net::HttpHandler otlp;    ///< /v1/traces
  net::HttpHandler zipkin;  ///< /api/v2/spans, /api/v1/spans
  Metrics& metrics;
  std::function<bool()> ready;
};

/// Thread-safe: the handlers are. The referenced objects must outlive the result.
net::HttpHandler MakeRoutes(Handlers handlers);

/// How the main port answers what never reaches a handler: in the form of the protocol the path
/// belongs to.
net::HttpErrorAnswer MakeErrorAnswer(net::HttpErrorAnswer otlp_answer);

}  // namespace fluoro::app
