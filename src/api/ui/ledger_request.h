// What POST /ui/api/genai/ledger, /waste and /ttft are asked, and the traces they look at.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/ledger/ledger_table.h"
#include "analysis/ledger/step_what_if.h"
#include "api/ui/request.h"
#include "genai/model_prices.h"
#include "store/trace_store.h"

namespace fluoro::api::ui {

/// Traces that are looked at, the newest first.
inline constexpr std::uint64_t kLedgerTracesUsual = 10'000;
inline constexpr std::uint64_t kLedgerTracesMax = 200'000;

struct LedgerContext {
  store::TraceStore& store;
  const genai::ModelPrices& prices;
  std::int64_t now_monotonic_ns = 0;
  query::GroupLookup groups = {};
};

struct LedgerRequest {
  QueryRequest query;
  std::optional<model::TraceId> trace;  ///< this one alone
  std::vector<analysis::LedgerDimension> by{analysis::LedgerDimension::kKind};
  analysis::LedgerClock clock = analysis::LedgerClock::kLastToken;
  std::optional<analysis::StepWhatIf> what_if;
  std::uint64_t traces_max = kLedgerTracesUsual;
  [[nodiscard]] analysis::LedgerDimensions Dimensions() const;
};

/// Window and expression as ParseQueryRequest takes them, and {"trace": id, "by": ["kind"|
/// "sub_kind"|"tool"|"model"|"tenant"|"route"], "clock": "last_token"|"first_token", "what_if":
/// text, "traces": n}. Errors: kInvalidArgument naming the member.
Result<LedgerRequest> ParseLedgerRequest(std::string_view body);

/// What was looked at.
struct LookedAt {
  bool complete = true;  ///< false: there are more, for want of time or beyond traces_max
  double scanned_share = 1;
  std::vector<std::string> damaged;
};

/// One trace, as long as the call lives; `weight` is 1 / kept probability.
using TraceVisitor = std::function<void(const analysis::TraceView& view, double weight)>;

/// Prices and visits the one trace, or those that match. Errors: kNotFound, those of the filter and
/// of the store.
Result<LookedAt> LookAt(const LedgerContext& context, const LedgerRequest& request,
                        const TraceVisitor& visit);

/// Window, trace, dimensions.
void WriteAsked(JsonWriter& out, const LedgerRequest& request);
void WriteLookedAt(JsonWriter& out, const LookedAt& looked_at);
/// The members that a row's dimensions have; null where there is none.
void WriteDimensions(JsonWriter& out, const LedgerRequest& request, const analysis::LedgerKey& key,
                     bool is_other);
/// Billionths as an exact decimal; null where nothing is known but that there are unpriced steps.
void WriteUsd(JsonWriter& out, std::string_view key, std::int64_t nano_usd,
              std::int64_t unpriced_steps = 0);
/// 16 hex digits of an entity's span.
void WriteSpanId(JsonWriter& out, std::string_view key, const model::AssembledTrace& trace,
                 std::int32_t entity);

}  // namespace fluoro::api::ui
