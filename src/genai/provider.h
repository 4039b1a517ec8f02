// One name for each model provider, whatever an instrumentation or a host name calls it.
#pragma once

#include <string>
#include <string_view>

#include "model/span.h"

namespace fluoro::genai {

/// `azure.ai.openai` -> `azure_openai`; unknown ones become `other:<lower case, at most 32
/// characters>`.
std::string NormaliseProvider(std::string_view raw);
/// "" where the host tells nothing.
std::string_view ProviderOfHost(std::string_view host);
/// Host (with the port, where one is given) that the span called, or "".
std::string HostOf(const model::Span& span);

}  // namespace fluoro::genai
