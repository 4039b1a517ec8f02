#include "cli/bench/rows.h"

#include <bit>
#include <cstdio>
#include <cstring>

#include "base/clock.h"
#include "cli/exit_code.h"

namespace fluoro::cli::bench {
namespace {

constexpr std::size_t kWriteBytes = std::size_t{4} << 20;

// RowBinary: integers little-endian, texts and arrays behind their length as a varint, a map as an
// array of pairs.
class RowWriter {
 public:
  void Span(const model::Span& span) {
    Integer(span.start_ns);
    Text(span.trace_id.ToHex());
    Text(span.span_id.ToHex());
    Text(span.parent_id.IsZero() ? "" : span.parent_id.ToHex());
    Text(span.trace_state);
    Text(span.name);
    Text(KindName(span.kind));
    Text(span.service());
    Map(span.resource->attributes);
    Text(span.scope->name);
    Text(span.scope->version);
    Map(span.attributes);
    Integer(span.end_ns - span.start_ns);
    Text(span.status == model::StatusCode::kError ? "Error" : "Unset");
    Text(span.status_message);
    Length(span.events.size());
    for (const auto& event : span.events) Integer(event.time_ns);
    Length(span.events.size());
    for (const auto& event : span.events) Text(event.name);
    Length(span.events.size());
    for (const auto& event : span.events) Map(event.attributes);
    for (int i = 0; i < 4; ++i) Length(0);  // links: the generated spans have none
  }
  std::string bytes;

 private:
  static std::string_view KindName(model::SpanKind kind) {
    switch (kind) {
      case model::SpanKind::kServer:
        return "Server";
      case model::SpanKind::kClient:
        return "Client";
      default:
        return "Internal";
    }
  }
  void Integer(std::int64_t value) {
    static_assert(std::endian::native == std::endian::little);
    const std::size_t at = bytes.size();
    bytes.resize(at + sizeof value);
    std::memcpy(bytes.data() + at, &value, sizeof value);
  }
  void Length(std::size_t value) {
    for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>(value | 0x80));
    bytes.push_back(static_cast<char>(value));
  }
  void Text(std::string_view text) {
    Length(text.size());
    bytes += text;
  }
  void Map(const std::vector<model::Attribute>& attributes) {
    Length(attributes.size());
    for (const auto& attribute : attributes) {
      Text(attribute.key);
      const std::int64_t* const number = attribute.value.AsInt();
      const std::string* const text = attribute.value.AsString();
      Text(number != nullptr ? std::to_string(*number) : text != nullptr ? *text : "");
    }
  }
};

Result<void> Write(const BenchOptions& options, const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "wb"),
                                                             std::fclose);
  if (file == nullptr) return Fail(ErrorCode::kIo, "cannot write " + path);
  RowWriter rows;
  const auto flush = [&] {
    const bool done =
        std::fwrite(rows.bytes.data(), 1, rows.bytes.size(), file.get()) == rows.bytes.size();
    rows.bytes.clear();
    return done && std::fflush(file.get()) == 0;
  };
  TraceStream traces(options.load, SystemClock().UnixNs());
  for (auto trace = traces.Next(); !trace.empty(); trace = traces.Next()) {
    for (const auto& span : trace) rows.Span(span);
    if (rows.bytes.size() >= kWriteBytes && !flush())
      return Fail(ErrorCode::kIo, "cannot write " + path);
  }
  if (!flush()) return Fail(ErrorCode::kIo, "cannot write " + path);
  return {};
}

}  // namespace

int WriteRows(const BenchOptions& options, const std::string& path) {
  const auto done = Write(options, path);
  return done ? kDone : Report(done.error());
}

}  // namespace fluoro::cli::bench
