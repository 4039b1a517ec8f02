// BatchGetTraces.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/xray/context.h"
#include "api/xray/page_token.h"
#include "base/json.h"
#include "codec/xray/encode.h"
#include "genai/xray_annotations.h"

namespace fluoro::api::xray {
namespace {

constexpr std::size_t kTraceIdsMax = 5;
/// A page ends with the document that takes it beyond this.
constexpr std::size_t kPageDocumentBytes = std::size_t{16} << 20;

// position := trace index:4 span:4 segment index:4
constexpr std::size_t kPositionBytes = 12;
struct Position {
  std::size_t trace = 0;    ///< of the ids asked for
  std::uint64_t span = 0;   ///< first of the trace's part
  std::size_t segment = 0;  ///< document of that part
};

ApiResult<Position> PositionOf(const MembersView& members, const Fingerprint& fingerprint) {
  const auto token = members.Text("NextToken");
  if (!token) return Position{};
  auto reader = PositionReader::Open(*token, fingerprint, kPositionBytes);
  if (!reader) return std::unexpected(std::move(reader).error());
  Position position;
  position.trace = reader->Take(4);
  position.span = reader->Take(4);
  position.segment = reader->Take(4);
  return position;
}

/// Writes traces until the page is full. A trace too large to be held whole takes a page a part.
class PageWriter {
 public:
  PageWriter(Context& context, JsonWriter& out) : context_(context), out_(out) {}

  /// Writes the documents of one trace from `at` on. False: the page ends, and `at` is where the
  /// next one begins.
  ApiResult<bool> AppendTrace(const model::TraceId& id, Position& at) {
    if (full()) return false;
    FLUORO_API_TRY(auto part, context_.store.ReadTrace(id, at.span));
    if (!part) return true;  // unknown, or deleted since the page before
    const auto trace = model::Assemble(std::move(part), {.now_ns = context_.clock.UnixNs()});
    const auto documents =
        codec::xray::EncodeSegments(trace, {.annotations = genai::XRayAnnotations(trace)});
    out_.BeginObject().Key("Id").String(id.ToXRay());
    out_.Key("Duration").Seconds(trace.end_ns - trace.start_ns);
    out_.Key("LimitExceeded").Bool(trace.trace->limit_exceeded);
    out_.Key("Segments").BeginArray();
    for (; at.segment < documents.size() && !full(); ++at.segment) {
      out_.BeginObject().Key("Id").String(documents[at.segment].id);
      out_.Key("Document").String(documents[at.segment].document).EndObject();
      bytes_ += documents[at.segment].document.size();
    }
    out_.EndArray().EndObject();
    if (at.segment < documents.size()) return false;
    if (trace.trace->spans_after == 0) {
      CountRetrieved(context_, trace);
      return true;
    }
    at.span += trace.trace->spans.size();
    at.segment = 0;
    return false;
  }

 private:
  [[nodiscard]] bool full() const { return bytes_ >= kPageDocumentBytes; }

  Context& context_;
  JsonWriter& out_;
  std::size_t bytes_ = 0;
};

}  // namespace

ApiResult<Answer> BatchGetTraces(Context& context, const Request& request) {
  const MembersView& members = request.members();
  const TraceIds asked = TraceIdsOf(members);
  if (asked.ids.size() + asked.malformed.size() > kTraceIdsMax) {
    return Refuse("At most " + std::to_string(kTraceIdsMax) +
                  " trace ids can be asked for at once");
  }
  Fingerprint fingerprint("BatchGetTraces");
  for (const model::TraceId& id : asked.ids) fingerprint.Add(id.ToHex());
  const auto start = PositionOf(members, fingerprint);
  if (!start) return std::unexpected(start.error());

  FLUORO_API_TRY(const std::vector<bool> exist, context.store.Exist(asked.ids));

  JsonWriter out;
  out.BeginObject().Key("Traces").BeginArray();
  PageWriter page(context, out);
  std::optional<std::string> next_token;
  Position at = *start;
  for (; at.trace < asked.ids.size(); at = {.trace = at.trace + 1}) {
    const auto finished = page.AppendTrace(asked.ids[at.trace], at);
    if (!finished) return std::unexpected(finished.error());
    if (*finished) continue;
    next_token =
        PositionWriter().Add(at.trace, 4).Add(at.span, 4).Add(at.segment, 4).Token(fingerprint);
    break;
  }
  out.EndArray().Key("UnprocessedTraceIds").BeginArray();
  for (const std::string& text : asked.malformed) out.String(text);
  for (std::size_t i = 0; i < asked.ids.size(); ++i) {
    if (!exist[i]) out.String(asked.ids[i].ToXRay());
  }
  out.EndArray();
  if (next_token) out.Key("NextToken").String(*next_token);
  out.EndObject();
  return Answer{.body = out.Take()};
}

}  // namespace fluoro::api::xray
