#include "genai/provider.h"

#include <algorithm>
#include <array>

#include "base/utf8.h"
#include "genai/reading.h"

namespace fluoro::genai {
namespace {

struct Spelling {
  std::string_view raw;  ///< lower case
  std::string_view provider;
};
constexpr auto kSpellings = std::to_array<Spelling>({
    {"openai", "openai"},
    {"openai.chat", "openai"},
    {"openai.responses", "openai"},
    {"openai.embedding", "openai"},
    {"openai.completion", "openai"},
    {"azure.ai.openai", "azure_openai"},
    {"az.ai.openai", "azure_openai"},
    {"azure", "azure_openai"},
    {"azure-openai", "azure_openai"},
    {"azure_openai", "azure_openai"},
    {"azure.chat", "azure_openai"},
    {"azure-openai.chat", "azure_openai"},
    {"azure.ai.inference", "azure_inference"},
    {"az.ai.inference", "azure_inference"},
    {"azure_inference", "azure_inference"},
    {"anthropic", "anthropic"},
    {"anthropic.messages", "anthropic"},
    {"aws.bedrock", "aws_bedrock"},
    {"aws_bedrock", "aws_bedrock"},
    {"bedrock", "aws_bedrock"},
    {"amazon", "aws_bedrock"},
    {"aws", "aws_bedrock"},
    {"amazon-bedrock", "aws_bedrock"},
    {"gcp.gemini", "google_gemini"},
    {"gemini", "google_gemini"},
    {"google.generative-ai", "google_gemini"},
    {"google_genai", "google_gemini"},
    {"google_gemini", "google_gemini"},
    {"gcp.vertex_ai", "google_vertex"},
    {"vertex_ai", "google_vertex"},
    {"vertexai", "google_vertex"},
    {"google.vertex", "google_vertex"},
    {"google.vertex.chat", "google_vertex"},
    {"google_vertex", "google_vertex"},
    {"gcp.gen_ai", "google"},
    {"google", "google"},
    {"mistral_ai", "mistral"},
    {"mistralai", "mistral"},
    {"mistral", "mistral"},
    {"mistral.chat", "mistral"},
    {"cohere", "cohere"},
    {"cohere.chat", "cohere"},
    {"x_ai", "xai"},
    {"xai", "xai"},
    {"xai.chat", "xai"},
    {"deepseek", "deepseek"},
    {"deepseek.chat", "deepseek"},
    {"groq", "groq"},
    {"groq.chat", "groq"},
    {"perplexity", "perplexity"},
    {"perplexity.chat", "perplexity"},
    {"cerebras", "cerebras"},
    {"cerebras.chat", "cerebras"},
    {"replicate", "replicate"},
    {"replicate.chat", "replicate"},
    {"ai21", "ai21"},
    {"ai21.chat", "ai21"},
    {"moonshot_ai", "moonshot"},
    {"moonshot", "moonshot"},
    {"together_ai", "together"},
    {"together", "together"},
    {"togetherai.chat", "together"},
    {"fireworks", "fireworks"},
    {"fireworks.chat", "fireworks"},
    {"ibm.watsonx.ai", "ibm_watsonx"},
    {"watsonx", "ibm_watsonx"},
    {"ibm_watsonx", "ibm_watsonx"},
    {"openrouter", "openrouter"},
    {"hugging_face", "huggingface"},
    {"huggingface", "huggingface"},
    {"ollama", "ollama"},
    {"vllm", "vllm"},
    {"sglang", "sglang"},
    {"tgi", "tgi"},
});

struct HostPattern {
  std::string_view begin;
  std::string_view end;
  std::string_view provider;
};
// Of the host name; the whole of it lies between `begin` and `end`.
constexpr auto kHosts = std::to_array<HostPattern>({
    {"api.openai.com", "", "openai"},
    {"", ".openai.azure.com", "azure_openai"},
    {"", ".inference.ai.azure.com", "azure_inference"},
    {"", ".services.ai.azure.com", "azure_inference"},
    {"api.anthropic.com", "", "anthropic"},
    {"bedrock-runtime.", ".amazonaws.com", "aws_bedrock"},
    {"generativelanguage.googleapis.com", "", "google_gemini"},
    {"", "aiplatform.googleapis.com", "google_vertex"},
    {"api.mistral.ai", "", "mistral"},
    {"api.cohere.com", "", "cohere"},
    {"api.x.ai", "", "xai"},
    {"api.deepseek.com", "", "deepseek"},
    {"api.groq.com", "", "groq"},
    {"api.perplexity.ai", "", "perplexity"},
    {"api.cerebras.ai", "", "cerebras"},
    {"api.moonshot.ai", "", "moonshot"},
    {"api.moonshot.cn", "", "moonshot"},
    {"api.together.xyz", "", "together"},
    {"api.fireworks.ai", "", "fireworks"},
    {"", ".ml.cloud.ibm.com", "ibm_watsonx"},
    {"openrouter.ai", "", "openrouter"},
    {"api-inference.huggingface.co", "", "huggingface"},
});

}  // namespace

std::string NormaliseProvider(std::string_view raw) {
  constexpr std::size_t kRawBytesMax = 32;
  const std::string lower = LowerCase(raw);
  for (const Spelling& spelling : kSpellings) {
    if (spelling.raw == lower) return std::string(spelling.provider);
  }
  return "other:" + std::string(TruncateUtf8(lower, kRawBytesMax));
}

std::string_view ProviderOfHost(std::string_view host) {
  const std::string lower = LowerCase(host);
  if (lower.ends_with(":11434")) return "ollama";
  const std::string_view name = std::string_view(lower).substr(0, lower.find(':'));
  for (const HostPattern& pattern : kHosts) {
    const bool whole = pattern.end.empty() && name == pattern.begin;
    const bool around = !pattern.end.empty() && name.starts_with(pattern.begin) &&
                        name.ends_with(pattern.end) &&
                        name.size() >= pattern.begin.size() + pattern.end.size();
    if (whole || around) return pattern.provider;
  }
  return {};
}

std::string HostOf(const model::Span& span) {
  for (const std::string_view key : {"server.address", "net.peer.name", "http.host"}) {
    std::string host = TextAt(span, key);
    if (host.empty()) continue;
    for (const std::string_view port_key : {"server.port", "net.peer.port"}) {
      if (host.find(':') != std::string::npos) break;
      if (const std::string port = TextAt(span, port_key); !port.empty()) host += ":" + port;
    }
    return host;
  }
  for (const std::string_view key : {"url.full", "http.url"}) {
    const std::string url = TextAt(span, key);
    const std::size_t scheme = url.find("://");
    if (scheme == std::string::npos) continue;
    return url.substr(scheme + 3, url.find_first_of("/?#", scheme + 3) - scheme - 3);
  }
  return {};
}

}  // namespace fluoro::genai
