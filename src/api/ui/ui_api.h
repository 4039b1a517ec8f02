// The JSON API under /ui/api that the web UI and our own commands read: trace, search, graph, tail,
// export, import, delete. The shapes are those of `fluoro trace|search|graph --json`: docs/cli.md.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "auth/caller.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "control/repository.h"
#include "cost/meter.h"
#include "net/http.h"
#include "store/trace_store.h"

namespace fluoro::ingest {
class Pipeline;
}

namespace fluoro::api::ui {

/// Thread-safe.
///   GET  /ui/api/trace/{id}        one trace
///   POST /ui/api/search {"expression","from","to","limit","group","next_token","explain"}: JSON
///   lines POST /ui/api/graph             {"expression","from","to","group"} GET
///   GET  /ui/api/insights?group=&state=&category=, /ui/api/insights/{id}: insights_json.h
///   POST /ui/api/genai: calls_json.h
///   GET  /ui/api/genai/conversation/{id}: conversation_json.h
///   POST /ui/api/propagation: propagation.h
///   POST /ui/api/differ, compare, genai/experiments: docs/compare.md
///   POST /ui/api/genai/cost, GET /ui/api/genai/audit/{id}: genai_cost.h
///   GET, POST, DELETE /ui/api/model-prices: model_prices_api.h
///   POST /ui/api/whatif {"policies","expression","from","to"}: what_if.h
///   POST /ui/api/cost, GET, POST, DELETE /ui/api/prices and /ui/api/budgets: cost_api.h
///   GET, POST, DELETE /ui/api/redaction, POST /ui/api/redaction/test: redaction.h
///   /ui/api/tail?q=EXPR       server-sent events, one summary a completed trace; bounded and
///   lossy, drops are told POST /ui/api/export            {"expression","from","to","format"}:
///   streamed bytes POST /ui/api/import?format=F   body in that format, or auto
///   POST /ui/api/delete {"ids"} or {"expression","from","to"}, "dry_run": {"traces","complete",
///   "damaged"}; sent as application/json, which no page of another origin can do unasked
class UiApi {
 public:
  /// `pipeline` may be null: a folder opened read-only takes no imports.
  UiApi(store::TraceStore& store, ingest::Pipeline* pipeline, control::Repository& control,
        cost::CostMeter& cost, const Clock& clock, Metrics& metrics);
  ~UiApi();
  /// `caller` must be allowed the call's action, else 403.
  net::HttpResponse Handle(const net::HttpRequest& request, const auth::Caller& caller);
  /// Every call that there is and what it needs: what a caller must be allowed to do.
  struct Rule {
    std::string_view method;
    std::string_view path;    ///< behind /ui/api/; one that ends with '/' takes one more part
    std::string_view action;  ///< "xray:*": for those who keep the server
  };
  static std::span<const Rule> Rules();
  /// Ends tail streams.
  void Stop();

  struct Impl;  ///< of ui_api.cc only

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace fluoro::api::ui
