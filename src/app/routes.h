// Which handler answers which path of the main port, and who may come in. The order is the one of
// docs/cli.md.
#pragma once

#include <span>
#include <string_view>

#include "api/grafana/jaeger_query.h"
#include "api/iam/iam_api.h"
#include "api/ui/ui_api.h"
#include "api/xray/xray_api.h"
#include "app/gate.h"
#include "base/metrics.h"
#include "cost/counters.h"
#include "net/http.h"

namespace fluoro::app {

struct Handlers {
  auth::Gatekeeper& gate;
  api::xray::XRayApi& xray;
  api::iam::IamApi& iam;
  api::ui::UiApi& ui;
  api::grafana::JaegerQuery& jaeger;
  net::HttpHandler otlp;    ///< /v1/traces and /v1/logs, behind no gate
  net::HttpHandler zipkin;  ///< /api/v2/spans, /api/v1/spans
  Metrics& metrics;
  std::function<bool()> ready;
  cost::Counters* counters = nullptr;  ///< of the processor time of answers
};

/// Who may come in at a route.
enum class Rule : std::uint8_t {
  kAnybody,  ///< nothing is told and nothing is changed
  kAction,   ///< whoever may do `action`
  kHandler,  ///< whoever is known; the handler has a rule for each of its calls
};

/// One line of the table; the first that fits answers.
struct Route {
  std::string_view method;  ///< "": any
  std::string_view path;    ///< one that ends with '*' stands for all that begin so
  Rule rule;
  std::string_view action;
  Form form;
  net::HttpResponse (*handle)(const Handlers&, net::HttpRequest&&, const auth::Caller&);
  /// Further condition; null: none.
  bool (*takes)(const net::HttpRequest&) = nullptr;
};
std::span<const Route> Routes();

/// Thread-safe: the handlers are. The referenced objects must outlive the result.
net::HttpHandler MakeRoutes(Handlers handlers);

/// How the main port answers what never reaches a handler: in the form of the protocol the path
/// belongs to.
net::HttpErrorAnswer MakeErrorAnswer(net::HttpErrorAnswer otlp_answer);

}  // namespace fluoro::app
