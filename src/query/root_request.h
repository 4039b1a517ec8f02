// What a trace's root segment says about the request that began it: what head rules match on, and
// to whom it is accounted. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "model/span.h"
#include "sampling/rule.h"

namespace fluoro::query {

/// Longer texts are cut. Patterns of head rules end at 128 characters.
inline constexpr std::size_t kRootTextBytesMax = 256;

template <class Text>
struct RootTexts {
  Text service{};   ///< name of the service that the entry span belongs to
  Text type{};      ///< its AWS resource type, e.g. AWS::ECS::Container
  Text host{};      ///< Host header, or the server's address
  Text method{};    ///< of HTTP
  Text path{};      ///< of the URL, as it was sent, without its query
  Text resource{};  ///< ARN of what the service runs on
  Text tenant{};    ///< GenAI field `tenant` of the entry span
  Text rule{};      ///< head rule that chose the trace: attribute aws.xray.sampling_rule
  bool operator==(const RootTexts&) const = default;

  /// All of them, in the order in which they are stored.
  static constexpr std::array<Text RootTexts::*, 8> kFields{
      &RootTexts::service, &RootTexts::type,     &RootTexts::host,   &RootTexts::method,
      &RootTexts::path,    &RootTexts::resource, &RootTexts::tenant, &RootTexts::rule};
};
using RootRequest = RootTexts<std::string>;
using RootRequestView = RootTexts<std::string_view>;

RootRequestView ViewOf(const RootRequest& request);

/// Of the entry span (no parent; else the earliest), as samplers see a request: docs/sampling.md.
RootRequest RootRequestOf(const model::Span& entry);

/// What rules are matched with; of attributes nothing.
sampling::Request SamplingRequestOf(const RootRequestView& request);

/// Texts of these attributes of a span, or of its resource, where it has them.
std::map<std::string, std::string> SamplingAttributesOf(const model::Span& entry,
                                                        const std::set<std::string>& keys);

}  // namespace fluoro::query
