#include "codec/otlp/keys.h"

#include <algorithm>
#include <array>

#include "model/content.h"

namespace fluoro::codec::otlp::internal {
namespace {

// In the order of SpanSource.
constexpr std::array<std::string_view, 5> kSourceNames = {"otlp", "xray", "zipkin", "jaeger",
                                                          "csv"};

}  // namespace

std::string_view SourceName(model::SpanSource source) {
  return kSourceNames.at(static_cast<std::size_t>(source));
}

std::optional<model::SpanSource> SourceFromName(std::string_view name) {
  const auto it = std::ranges::find(kSourceNames, name);
  if (it == kSourceNames.end()) return std::nullopt;
  return static_cast<model::SpanSource>(it - kSourceNames.begin());
}

bool IsViewKey(std::string_view key, bool xray) {
  if (key.starts_with("fluoro.")) {
    return key == kSourceKey || key == kFlagsKey || key.starts_with(kPlainPrefix) ||
           key.starts_with(kAnnotationPrefix);
  }
  if (!xray || !key.starts_with("aws.xray.")) return false;
  return key == kDocumentKey || key == kAnnotationsKey || key == kFaultKey || key == kErrorKey ||
         key == kThrottleKey || key == kInProgressKey || key.starts_with(kMetadataPrefix);
}

KeyClass ClassifyKey(std::string_view key) {
  if (key == kSourceKey) return KeyClass::kSource;
  if (key == kDocumentKey) return KeyClass::kDocument;
  if (IsViewKey(key, /*xray=*/true)) return KeyClass::kView;
  return model::IsContentKey(key) ? KeyClass::kContent : KeyClass::kPlain;
}

}  // namespace fluoro::codec::otlp::internal
