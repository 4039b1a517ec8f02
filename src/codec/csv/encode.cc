#include "base/clock.h"
#include "codec/csv/columns.h"
#include "codec/csv/csv.h"

namespace fluoro::codec::csv {
namespace {

void AppendCell(std::string_view text, std::string& out) {
  std::string guarded;
  if (internal::NeedsGuard(text)) {
    guarded = "'" + std::string(text);
    text = guarded;
  }
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    out += c;
    if (c == '"') out += c;
  }
  out += '"';
}

std::string_view PodOf(const model::Span& span) {
  const model::AttributeValue* const pod = span.resource->Find(internal::kPodKey);
  const std::string* const name = pod == nullptr ? nullptr : pod->AsString();
  return name == nullptr ? span.service() : std::string_view(*name);
}

}  // namespace

std::string EncodeSpans(std::span<const model::Span> spans, bool header) {
  std::string out;
  if (header) {
    for (const std::string_view name : internal::kColumnNames) {
      if (!out.empty()) out += ',';
      out += name;
    }
    out += '\n';
  }
  for (const model::Span& span : spans) {
    out += span.trace_id.ToHex() + ',' + span.span_id.ToHex() + ',';
    out += span.parent_id.IsZero() ? std::string(internal::kRootParent) : span.parent_id.ToHex();
    out += ',';
    AppendCell(PodOf(span), out);
    out += ',';
    AppendCell(span.name, out);
    out += ',' + std::to_string(span.start_ns) + ',' + std::to_string(span.end_ns) + ',' +
           std::to_string((span.end_ns - span.start_ns) / kNsPerUs) + '\n';
  }
  return out;
}

}  // namespace fluoro::codec::csv
