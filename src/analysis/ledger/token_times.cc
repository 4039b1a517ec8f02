#include "analysis/ledger/token_times.h"

#include <algorithm>

#include "analysis/ledger/field.h"

namespace fluoro::analysis {
namespace {

using genai::StepKind;
using model::AssembledTrace;
using model::Entity;
using model::Span;

bool IsEngine(const Step& step) { return step.kind == StepKind::kLlm && step.sub_kind == "engine"; }

// What an engine tells of its phases, on its span, on the client's, or by spans of their own.
struct EngineTimes {
  std::optional<std::int64_t> queue_ns, prefill_ns, decode_ns, first_token_ns;
  [[nodiscard]] bool empty() const { return !queue_ns && !prefill_ns && !decode_ns; }
};

EngineTimes TimesOn(const Span& span) {
  return {.queue_ns = MillisecondsField(span, "queue_ms"),
          .prefill_ns = MillisecondsField(span, "prefill_ms"),
          .decode_ns = MillisecondsField(span, "decode_ms"),
          .first_token_ns = MillisecondsField(span, "ttft_ms")};
}

void AddPhaseSpans(const AssembledTrace& trace, const Entity& engine, EngineTimes& times) {
  for (const std::int32_t place : engine.children) {
    const Entity& child = trace.entities[static_cast<std::size_t>(place)];
    if (child.span == nullptr || child.in_progress) continue;
    const std::int64_t ns = std::max<std::int64_t>(child.duration_ns(), 0);
    if (child.span->name == "vllm_queue") times.queue_ns = ns;
    if (child.span->name == "vllm_prefill") times.prefill_ns = ns;
    if (child.span->name == "vllm_decode") times.decode_ns = ns;
  }
}

// Phases one after the other, none beyond the first token.
void DividePhases(const Entity& client, const Entity* engine, const EngineTimes& told,
                  TokenTimes& times) {
  std::int64_t left_ns = times.first_token_ns;
  const auto take = [&](std::int64_t wanted_ns) {
    const std::int64_t ns = std::clamp<std::int64_t>(wanted_ns, 0, left_ns);
    times.clocks_differ = times.clocks_differ || ns != wanted_ns;
    left_ns -= ns;
    return ns;
  };
  if (engine != nullptr) {
    times.phases = PhaseSource::kEngineSpan;
    times.connect_send_ns = take(engine->start_ns - client.start_ns);
    times.queue_ns = take(told.queue_ns.value_or(0));
    times.prefill_ns = take(told.prefill_ns.value_or(0));
    times.first_token_return_ns = left_ns;
  } else {
    times.phases = PhaseSource::kAttributes;
    times.queue_ns = take(told.queue_ns.value_or(0));
    times.prefill_ns = take(told.prefill_ns.value_or(0));
    times.connect_send_ns = left_ns;
  }
}

}  // namespace

std::vector<TokenTimes> TokenTimesOf(const AssembledTrace& trace, std::span<const Step> steps) {
  const std::vector<std::int32_t> order = ParentsFirst(trace);
  // The innermost client step above each engine, and which llm steps have a client's below them.
  std::vector<std::int32_t> client_above(steps.size(), -1);
  std::vector<std::int32_t> engine_of(steps.size(), -1);
  std::vector<bool> is_wrapper(steps.size(), false);
  for (const std::int32_t place : order) {
    const auto i = static_cast<std::size_t>(place);
    const std::int32_t parent = trace.entities[i].parent;
    const std::int32_t above = parent < 0 ? -1 : client_above[static_cast<std::size_t>(parent)];
    const Step& step = steps[i];
    client_above[i] = above;
    if (step.kind == StepKind::kLlm && step.is_work && !IsEngine(step)) {
      client_above[i] = place;
      if (above >= 0) is_wrapper[static_cast<std::size_t>(above)] = true;
    } else if (IsEngine(step) && above >= 0 && engine_of[static_cast<std::size_t>(above)] < 0) {
      engine_of[static_cast<std::size_t>(above)] = place;
    } else if (step.kind == StepKind::kAgent || step.kind == StepKind::kTool) {
      client_above[i] = -1;  // calls below are others
    }
  }
  std::vector<TokenTimes> all;
  for (const std::int32_t place : order) {
    const auto i = static_cast<std::size_t>(place);
    const Entity& entity = trace.entities[i];
    const Step& step = steps[i];
    if (step.kind != StepKind::kLlm || !step.is_work || step.in_progress || IsEngine(step) ||
        is_wrapper[i])
      continue;
    const Span& span = *entity.span;
    TokenTimes times{.step = place, .engine = engine_of[i]};
    if (step.model_owner >= 0)
      times.model = steps[static_cast<std::size_t>(step.model_owner)].model;
    const std::optional<genai::StreamSummary> stream = genai::StreamOf(span);
    times.duration_ns = std::max<std::int64_t>(entity.duration_ns(), 0);
    times.early_end = genai::EndsEarly(span);
    if (stream && stream->last_ns > times.duration_ns) {
      times.duration_ns = stream->last_ns;
      times.early_end = true;
    }
    const Entity* engine =
        times.engine < 0 ? nullptr : &trace.entities[static_cast<std::size_t>(times.engine)];
    EngineTimes told = engine != nullptr ? TimesOn(*engine->span) : TimesOn(span);
    if (engine != nullptr) AddPhaseSpans(trace, *engine, told);
    auto first_ns = MillisecondsField(span, "ttft_ms");
    if (!first_ns && engine != nullptr && told.first_token_ns) {
      first_ns = engine->start_ns - entity.start_ns + *told.first_token_ns;
      times.first_token_by_engine = true;
    }
    if (!first_ns || *first_ns <= 0) continue;
    times.first_token_ns = std::min(*first_ns, times.duration_ns);
    if (!told.empty()) DividePhases(entity, engine, told, times);
    times.engine_decode_ns = told.decode_ns.value_or(0);
    // The last token: by its chunk, else by the engine's end.
    std::int64_t last_ns = times.duration_ns;
    if (stream && stream->chunks > 1) {
      last_ns = stream->last_ns;
    } else if (engine != nullptr && !engine->in_progress) {
      last_ns = engine->end_ns - entity.start_ns;
    }
    last_ns = std::clamp(last_ns, times.first_token_ns, times.duration_ns);
    times.decode_ns = last_ns - times.first_token_ns;
    times.tail_ns = times.duration_ns - last_ns;
    times.prompt_tokens = CountField(span, "prompt_tokens").value_or(0);
    times.uncached_tokens = std::max<std::int64_t>(
        times.prompt_tokens - CountField(span, "cached_tokens").value_or(0), 0);
    times.completion_tokens = CountField(span, "completion_tokens").value_or(0);
    if (times.completion_tokens > 1)
      times.per_token_ms = static_cast<double>(times.duration_ns - times.first_token_ns) / 1e6 /
                           static_cast<double>(times.completion_tokens - 1);
    if (stream) {
      times.stalls = stream->longest_stalls;
      times.stall_count = stream->stalls;
      times.stall_ns = stream->stall_ns;
    }
    all.push_back(std::move(times));
  }
  std::ranges::stable_sort(all, {}, [&](const TokenTimes& times) {
    return trace.entities[static_cast<std::size_t>(times.step)].start_ns;
  });
  return all;
}

}  // namespace fluoro::analysis
