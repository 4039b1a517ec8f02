// What a streamed answer's time consists of: until the first token, and between tokens.
// Source of the rules: docs/genai.md, "Time to first token".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "analysis/ledger/steps.h"
#include "genai/stream.h"
#include "model/assembly.h"

namespace fluoro::analysis {

/// Who told of the phases before the first token.
enum class PhaseSource : std::uint8_t {
  kNone,        ///< nobody: only to_first_token and decode are known
  kEngineSpan,  ///< an inference engine's span below the step
  kAttributes,  ///< the engine's times on the step itself: when it got the request is not known, so
                ///< that connect_send holds the way back as well
};

/// One call of a model, as its client saw it. All in nanoseconds. first_token = connect_send +
/// queue + prefill + first_token_return where they are known; first_token + decode + tail =
/// duration.
struct TokenTimes {
  std::int32_t step = -1;
  std::int32_t engine = -1;  ///< the engine's entity; -1: none
  std::string model = {};
  std::int64_t duration_ns = 0;
  std::int64_t first_token_ns = 0;
  PhaseSource phases = PhaseSource::kNone;
  std::int64_t connect_send_ns = 0;  ///< until the engine has the request
  std::int64_t queue_ns = 0;
  std::int64_t prefill_ns = 0;
  std::int64_t first_token_return_ns = 0;
  std::int64_t decode_ns = 0;         ///< from the first token to the last, or to the engine's end
  std::int64_t tail_ns = 0;           ///< from there to the end of the step
  std::int64_t engine_decode_ns = 0;  ///< as the engine counts it; 0: not told
  std::int64_t prompt_tokens = 0;     ///< 0: not told, as for those below
  std::int64_t uncached_tokens = 0;   ///< of them, those that were not read from a cache
  std::int64_t completion_tokens = 0;
  std::optional<double> per_token_ms =
      {};  ///< from the first token to the end, by each further token
  std::vector<genai::Stall> stalls = {};  ///< the longest, in order of time
  std::int64_t stall_count = 0;
  std::int64_t stall_ns = 0;           ///< of all
  bool first_token_by_engine = false;  ///< the client did not tell: the engine's, and the way to it
  bool clocks_differ = false;          ///< the engine's times do not fit into the client's: cut
  bool early_end = false;              ///< chunks came after the end: it is the last chunk's
};

/// Of each llm step that is no engine's and no other's wrapper, and whose first token is known; in
/// order of start. `steps`: StepsOf(trace). Pure.
std::vector<TokenTimes> TokenTimesOf(const model::AssembledTrace& trace,
                                     std::span<const Step> steps);

}  // namespace fluoro::analysis
