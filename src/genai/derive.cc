#include "genai/derive.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/json_tree.h"
#include "genai/classify.h"
#include "genai/conversation.h"
#include "genai/flags.h"
#include "genai/provider.h"
#include "genai/stream.h"
#include "genai/tokens.h"
#include "model/attribute_reader.h"

namespace fluoro::genai::derive {
namespace {

using model::AttributeValue;
using model::Event;
using model::Span;

Value Text(std::string text) {
  return text.empty() ? std::nullopt : Value(AttributeValue{std::move(text)});
}

Value Milliseconds(std::int64_t from_ns, std::int64_t until_ns) {
  std::int64_t ns = 0;
  if (__builtin_sub_overflow(until_ns, from_ns, &ns)) return std::nullopt;
  return AttributeValue{static_cast<double>(ns) / 1e6};
}

std::string TextField(const Span& span, std::string_view field) {
  const auto value = CanonicalField(span, field);
  const std::string* text = value ? value->AsString() : nullptr;
  return text == nullptr ? std::string() : *text;
}

double NumberField(const Span& span, std::string_view field) {
  const auto value = CanonicalField(span, field);
  if (!value) return 0;
  if (const std::int64_t* whole = value->AsInt()) return static_cast<double>(*whole);
  const double* number = value->AsDouble();
  return number == nullptr ? 0 : *number;
}

bool IsKind(const Span& span, StepKind kind) {
  const auto step = Classify(span);
  return step && step->kind == kind;
}

std::string EventText(const Event& event, std::string_view key) {
  const AttributeValue* value = event.Find(key);
  return value == nullptr ? std::string() : model::ScalarText(*value);
}

std::int64_t StatusCode(const Span& span) {
  return model::AttributeReader(span.attributes)
      .Integer({"http.response.status_code", "http.status_code"})
      .value_or(0);
}

std::int64_t GrpcStatus(const Span& span) {
  return model::AttributeReader(span.attributes)
      .Integer({"rpc.grpc.status_code", "rpc.response.status_code"})
      .value_or(0);
}

// Everything a span says about its failure, in one text.
std::string FailureText(const Span& span) {
  std::string text = TextAt(span, "error.type") + "\n" + span.status_message;
  for (const Event& event : span.events) {
    if (event.name == "exception") {
      text +=
          "\n" + EventText(event, "exception.type") + "\n" + EventText(event, "exception.message");
    }
  }
  return text;
}

template <std::size_t n>
bool MentionsAny(std::string_view text, const std::array<std::string_view, n>& words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return ContainsIgnoringCase(text, word); });
}

template <class Number, std::size_t n>
bool IsOneOf(Number number, const std::array<Number, n>& numbers) {
  return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

std::string ExperimentEvent(const Span& span, std::initializer_list<std::string_view> keys) {
  for (const Event& event : span.events) {
    if (event.name != "feature_flag.evaluation" && event.name != "feature_flag") continue;
    for (const std::string_view key : keys) {
      if (std::string text = EventText(event, key); !text.empty()) return text;
    }
  }
  return {};
}

Value ChunkGap(const Span& span, std::int64_t StreamSummary::* gap) {
  const auto stream = StreamOf(span);
  if (!stream || stream->chunks < 2) return std::nullopt;
  return AttributeValue{static_cast<double>((*stream).*gap) / 1e6};
}

struct Documents {
  std::int64_t count = 0;
  std::optional<double> top_score;
};

void CountScore(Documents& documents, double score) {
  documents.top_score = std::max(documents.top_score.value_or(score), score);
}

// `retrieval.documents.<i>.document.score` and the reranker's output, one attribute a document and
// member.
void CountFlattened(const Span& span, std::string_view prefix, Documents& documents) {
  for (const model::Attribute& attribute : span.attributes) {
    if (!attribute.key.starts_with(prefix)) continue;
    const std::string_view rest = std::string_view(attribute.key).substr(prefix.size());
    const std::string index(rest.substr(0, rest.find('.')));
    const auto number = model::ScalarInteger({index});
    if (!number || *number < 0) continue;
    documents.count = std::max(documents.count, *number + 1);
    if (!rest.ends_with(".score")) continue;
    if (const Value score = Coerce(attribute.value, Form::kNumber)) {
      CountScore(documents, *score->AsDouble());
    }
  }
}

Documents DocumentsOf(const Span& span) {
  Documents documents;
  for (const std::string_view key : {"gen_ai.retrieval.documents", "ai.ranking"}) {
    const AttributeValue* list = FindAny(span, key);
    if (list == nullptr || documents.count > 0) continue;
    ForEachElement(*list, [&](const AttributeValue& document) {
      ++documents.count;
      for (const std::string_view member : {"score", "relevanceScore"}) {
        const Value found = MemberOf(document, member);
        if (const Value score = found ? Coerce(*found, Form::kNumber) : std::nullopt) {
          CountScore(documents, *score->AsDouble());
        }
      }
    });
  }
  if (documents.count == 0) CountFlattened(span, "retrieval.documents.", documents);
  if (documents.count == 0) CountFlattened(span, "reranker.output_documents.", documents);
  return documents;
}

bool LooksLikeId(std::string_view part) {
  if (part.empty()) return false;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto is_hex = [&](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  };
  const auto is_base64 = [&](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-' || c == '=' || c == '+';
  };
  const auto all = [&](auto predicate) { return std::all_of(part.begin(), part.end(), predicate); };
  const bool has_digit = std::any_of(part.begin(), part.end(), is_digit);
  if (all(is_digit)) return true;
  if (part.size() >= 8 && all(is_hex)) return true;
  if (part.size() >= 8 && has_digit && all([&](char c) { return is_hex(c) || c == '-'; }))
    return true;
  if (part.size() >= 16 && has_digit && all(is_base64)) return true;
  return part.find('@') != std::string_view::npos && part.find('.') != std::string_view::npos;
}

struct ReasonWord {
  std::string_view raw;
  std::uint8_t rank;  ///< index into kReasons
};
// Worst first.
constexpr std::array<std::string_view, 7> kReasons = {
    "error", "content_filter", "cancelled", "length", "other", "tool_calls", "stop"};
constexpr auto kReasonWords = std::to_array<ReasonWord>({{"stop", 6},
                                                         {"end_turn", 6},
                                                         {"stop_sequence", 6},
                                                         {"eos", 6},
                                                         {"complete", 6},
                                                         {"completed", 6},
                                                         {"length", 3},
                                                         {"max_tokens", 3},
                                                         {"max_output_tokens", 3},
                                                         {"model_length", 3},
                                                         {"tool_calls", 5},
                                                         {"tool_call", 5},
                                                         {"tool-calls", 5},
                                                         {"tool_use", 5},
                                                         {"function_call", 5},
                                                         {"content_filter", 1},
                                                         {"content-filter", 1},
                                                         {"content_filtered", 1},
                                                         {"safety", 1},
                                                         {"recitation", 1},
                                                         {"blocklist", 1},
                                                         {"prohibited_content", 1},
                                                         {"spii", 1},
                                                         {"guardrail_intervened", 1},
                                                         {"refusal", 1},
                                                         {"cancelled", 2},
                                                         {"canceled", 2},
                                                         {"abort", 2},
                                                         {"aborted", 2},
                                                         {"incomplete", 2},
                                                         {"error", 0},
                                                         {"malformed_function_call", 0}});

std::size_t ReasonRank(std::string_view raw) {
  const std::string lower = LowerCase(raw);
  for (const ReasonWord& word : kReasonWords) {
    if (word.raw == lower) return word.rank;
  }
  return 4;
}

// Of the messages, in whatever form they came.
std::string MessageFinishReason(const Span& span) {
  std::size_t worst = kReasons.size();
  for (const Message& message : MessagesOf(span).output) {
    if (!message.finish_reason.empty()) worst = std::min(worst, ReasonRank(message.finish_reason));
  }
  return worst == kReasons.size() ? std::string() : std::string(kReasons[worst]);
}

// The caller gave up; no time limit did.
bool IsCancelled(const Span& span) {
  constexpr auto kTypes =
      std::to_array<std::string_view>({"AbortError", "CancelledError", "Canceled", "Cancelled"});
  constexpr std::int64_t kClientClosedRequest = 499;
  constexpr std::int64_t kGrpcCancelled = 1;
  return StatusCode(span) == kClientClosedRequest || GrpcStatus(span) == kGrpcCancelled ||
         MentionsAny(TextField(span, "error_type"), kTypes);
}

}  // namespace

bool IsTool(const Span& span) { return IsKind(span, StepKind::kTool); }
bool IsAgent(const Span& span) { return IsKind(span, StepKind::kAgent); }
bool IsRetriever(const Span& span) {
  return IsKind(span, StepKind::kRetriever) || IsKind(span, StepKind::kReranker);
}
bool IsCostInUsd(const Span& span) {
  const std::string currency = TextAt(span, "gen_ai.usage.cost.currency");
  return currency.empty() || LowerCase(currency) == "usd";
}

Value StepKindOf(const Span& span) {
  const auto step = Classify(span);
  return step ? Text(std::string(StepKindName(step->kind))) : std::nullopt;
}

Value SubKind(const Span& span) {
  const auto step = Classify(span);
  return step ? Text(std::string(step->sub_kind)) : std::nullopt;
}

Value StepName(const Span& span) {
  struct NamedBy {
    StepKind kind;
    std::string_view field;
  };
  constexpr auto kNamedBy = std::to_array<NamedBy>({{StepKind::kTool, "tool_name"},
                                                    {StepKind::kAgent, "agent_name"},
                                                    {StepKind::kRetriever, "data_source"},
                                                    {StepKind::kGateway, "route"},
                                                    {StepKind::kHttp, "route"}});
  const auto step = Classify(span);
  for (const NamedBy& rule : kNamedBy) {
    if (!step || step->kind != rule.kind) continue;
    if (std::string name = TextField(span, rule.field); !name.empty()) return Text(std::move(name));
  }
  return Text(span.name);
}

Value ProviderByHost(const Span& span) { return Text(std::string(ProviderOfHost(HostOf(span)))); }

Value CanonicalProvider(const Span& span, AttributeValue value, const Source* source) {
  if (source == nullptr) return value;  // by host: canonical already
  std::string provider = NormaliseProvider(*value.AsString());
  // Many providers are reached through OpenAI's client; the host says which.
  if (provider == "openai") {
    if (const std::string_view by_host = ProviderOfHost(HostOf(span)); !by_host.empty()) {
      provider = by_host;
    }
  }
  return Text(std::move(provider));
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): the signature of Field::finish
Value InclusivePrompt(const Span& span, AttributeValue value, const Source*) {
  const std::int64_t cache = CacheTokens(span);
  const bool add = cache > 0 && InclusionOf(span).without_cache;
  return AttributeValue{*value.AsInt() + (add ? cache : 0)};
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): the signature of Field::finish
Value InclusiveCompletion(const Span& span, AttributeValue value, const Source*) {
  const auto reasoning = static_cast<std::int64_t>(NumberField(span, "reasoning_tokens"));
  const bool add = reasoning > 0 && InclusionOf(span).without_reasoning;
  return AttributeValue{*value.AsInt() + (add ? reasoning : 0)};
}

Value CostSource(const Span& span) {
  return CanonicalField(span, "cost_usd") ? Text("reported") : std::nullopt;
}

Value ToolName(const Span& span) {
  if (!IsTool(span)) return std::nullopt;
  std::string_view name = span.name;
  for (const std::string_view prefix : {"execute_tool ", "tools/call "}) {
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  }
  return Text(std::string(name));
}

Value ToolLatency(const Span& span) {
  if (!IsTool(span) || span.Has(model::SpanFlag::kInProgress)) return std::nullopt;
  return Milliseconds(span.start_ns, span.end_ns);
}

Value Timeout(const Span& span) {
  constexpr auto kWords =
      std::to_array<std::string_view>({"timeout", "time-out", "time_out", "time out", "timed out",
                                       "deadline"});  // ETIMEDOUT: below
  constexpr auto kStatuses = std::to_array<std::int64_t>({408, 504, 524});
  constexpr std::int64_t kGrpcDeadlineExceeded = 4;
  const std::string failure = FailureText(span);
  const bool timeout = MentionsAny(failure, kWords) || ContainsIgnoringCase(failure, "etimedout") ||
                       IsOneOf(StatusCode(span), kStatuses) ||
                       GrpcStatus(span) == kGrpcDeadlineExceeded;
  return timeout ? Value(AttributeValue{true}) : std::nullopt;
}

Value Throttled(const Span& span) {
  constexpr auto kTypes = std::to_array<std::string_view>(
      {"rate_limit_exceeded", "RateLimitError", "ThrottlingException", "TooManyRequestsException",
       "overloaded_error"});
  constexpr auto kStatuses = std::to_array<std::int64_t>({429, 529});
  const bool throttled = span.Has(model::SpanFlag::kThrottle) ||
                         IsOneOf(StatusCode(span), kStatuses) ||
                         MentionsAny(TextField(span, "error_type"), kTypes);
  return throttled ? Value(AttributeValue{true}) : std::nullopt;
}

Value ErrorType(const Span& span) {
  for (const Event& event : span.events) {
    if (event.name != "exception" && event.name != "gen_ai.client.operation.exception") continue;
    if (std::string type = EventText(event, "exception.type"); !type.empty()) {
      return Text(std::move(type));
    }
  }
  return std::nullopt;
}

Value Route(const Span& span) {
  for (const std::string_view key : {"url.path", "http.target", "url.full", "http.url"}) {
    if (const std::string raw = TextAt(span, key); !raw.empty()) return Text(TemplateRoute(raw));
  }
  return std::nullopt;
}

std::string TemplateRoute(std::string_view url) {
  constexpr std::size_t kSegmentsMax = 8;
  url = url.substr(0, url.find_first_of("?#"));
  if (const std::size_t scheme = url.find("://"); scheme != std::string_view::npos) {
    const std::size_t path = url.find('/', scheme + 3);
    url = path == std::string_view::npos ? std::string_view("/") : url.substr(path);
  }
  std::string route;
  std::size_t segments = 0;
  while (!url.empty()) {
    const std::size_t begin = url.front() == '/' ? 1 : 0;
    const std::size_t end = std::min(url.size(), url.find('/', begin));
    const std::string_view part = url.substr(begin, end - begin);
    if (++segments > kSegmentsMax) return route + "/*";
    if (begin == 1) route += '/';
    route += LooksLikeId(part) ? std::string_view("{id}") : part;
    url.remove_prefix(end);
  }
  return route;
}

Value ExperimentId(const Span& span) { return Text(ExperimentEvent(span, {"feature_flag.key"})); }

Value ExperimentArm(const Span& span) {
  return Text(ExperimentEvent(span, {"feature_flag.result.variant", "feature_flag.variant"}));
}

Value DocumentCount(const Span& span) {
  const Documents documents = DocumentsOf(span);
  return documents.count == 0 ? std::nullopt : Value(AttributeValue{documents.count});
}

Value TopScore(const Span& span) {
  const Documents documents = DocumentsOf(span);
  return documents.top_score ? Value(AttributeValue{*documents.top_score}) : std::nullopt;
}

Value Stream(const Span& span) {
  const std::string operation = TextAt(span, "ai.operationId");
  const bool streams = ContainsIgnoringCase(operation, "streamText") ||
                       ContainsIgnoringCase(operation, "streamObject") ||
                       CanonicalField(span, "ttft_ms") || StreamOf(span);
  return streams ? Value(AttributeValue{true}) : std::nullopt;
}

Value TimeToFirstToken(const Span& span) {
  const auto is_first = [](const Event& event) {
    return event.name == "First Token Stream Event" || event.name == "ai.stream.firstChunk";
  };
  const auto first = std::find_if(span.events.begin(), span.events.end(), is_first);
  if (first != span.events.end()) return Milliseconds(span.start_ns, first->time_ns);
  if (const auto stream = StreamOf(span)) {
    return AttributeValue{static_cast<double>(stream->first_ns) / 1e6};
  }
  const auto completion = ParseIsoTime(TextAt(span, "langfuse.observation.completion_start_time"));
  return completion ? Milliseconds(span.start_ns, *completion) : std::nullopt;
}

// 0 < ttft <= duration with some slack; what fails as seconds may have been milliseconds all along.
Value PlausibleTtft(const Span& span, AttributeValue value, const Source* source) {
  const double ttft_ms = *value.AsDouble();
  const double duration_ms = static_cast<double>(span.end_ns - span.start_ns) / 1e6;
  const auto plausible = [&](double ms) { return ms > 0 && ms <= duration_ms * 1.05 + 50; };
  if (plausible(ttft_ms)) return value;
  const bool seconds = source != nullptr && source->reading == Reading::kSeconds;
  if (seconds && plausible(ttft_ms / 1000)) return AttributeValue{ttft_ms / 1000};
  return std::nullopt;
}

Value TimePerToken(const Span& span) {
  const double tokens = NumberField(span, "completion_tokens");
  if (tokens < 2) return std::nullopt;
  const double decode_ms = NumberField(span, "decode_ms");
  if (decode_ms > 0) return AttributeValue{decode_ms / (tokens - 1)};
  const double ttft_ms = NumberField(span, "ttft_ms");
  const double after_ms = static_cast<double>(span.end_ns - span.start_ns) / 1e6 - ttft_ms;
  if (ttft_ms <= 0 || after_ms < 0) return std::nullopt;
  return AttributeValue{after_ms / (tokens - 1)};
}

Value ChunkGapP50(const Span& span) { return ChunkGap(span, &StreamSummary::gap_p50_ns); }
Value ChunkGapP95(const Span& span) { return ChunkGap(span, &StreamSummary::gap_p95_ns); }
Value ChunkGapMax(const Span& span) { return ChunkGap(span, &StreamSummary::gap_max_ns); }

std::string CanonicalFinishReason(const AttributeValue& reasons) {
  std::size_t worst = kReasons.size();
  ForEachText(reasons, [&](std::string_view reason) {
    if (!reason.empty()) worst = std::min(worst, ReasonRank(reason));
  });
  return worst == kReasons.size() ? std::string() : std::string(kReasons[worst]);
}

Value FinishReason(const Span& span) {
  for (const std::string_view key :
       {"gen_ai.response.finish_reasons", "llm.finish_reason", "ai.response.finishReason",
        "gen_ai.response.finish_reason", "gen_ai.response.stop_reason",
        "llm.response.finish_reason", "llm.response.stop_reason"}) {
    const AttributeValue* reasons = FindAny(span, key);
    if (reasons == nullptr) continue;
    if (std::string reason = CanonicalFinishReason(*reasons); !reason.empty()) {
      return Text(std::move(reason));
    }
  }
  if (std::string reason = MessageFinishReason(span); !reason.empty()) {
    return Text(std::move(reason));
  }
  return IsKind(span, StepKind::kLlm) && IsCancelled(span) ? Text("cancelled") : std::nullopt;
}

Value NormFlags(const Span& span) { return Text(FlagsOf(span)); }

}  // namespace fluoro::genai::derive
