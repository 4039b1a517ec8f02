// BatchGetTraces.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/xray/context.h"
#include "api/xray/page_token.h"
#include "base/json.h"
#include "codec/xray/encode.h"

namespace fluoro::api::xray {
namespace {

constexpr std::size_t kTraceIdsMax = 5;
/// A page ends with the document that takes it beyond this.
constexpr std::size_t kPageDocumentBytes = std::size_t{16} << 20;

// position := trace index:4 segment index:4
constexpr std::size_t kPositionBytes = 8;
struct Position {
  std::size_t trace = 0;
  std::size_t segment = 0;
};

ApiResult<Position> PositionOf(const MembersView& members, const Fingerprint& fingerprint) {
  const auto token = members.Text("NextToken");
  if (!token) return Position{};
  auto reader = PositionReader::Open(*token, fingerprint, kPositionBytes);
  if (!reader) return std::unexpected(std::move(reader).error());
  Position position;
  position.trace = reader->Take(4);
  position.segment = reader->Take(4);
  return position;
}

/// Writes traces until the page is full.
class PageWriter {
 public:
  explicit PageWriter(JsonWriter& out) : out_(out) {}

  /// Writes the documents of one trace from `first` on. Returns the first document that did not
  /// fit; their number if all did.
  std::size_t AppendTrace(const model::AssembledTrace& trace, std::size_t first) {
    const auto documents = codec::xray::EncodeSegments(trace);
    out_.BeginObject().Key("Id").String(trace.trace->id.ToXRay());
    out_.Key("Duration").Seconds(trace.end_ns - trace.start_ns);
    out_.Key("LimitExceeded").Bool(trace.trace->limit_exceeded);
    out_.Key("Segments").BeginArray();
    std::size_t next = std::min(first, documents.size());
    while (next < documents.size() && !full()) {
      out_.BeginObject().Key("Id").String(documents[next].id);
      out_.Key("Document").String(documents[next].document).EndObject();
      bytes_ += documents[next].document.size();
      ++next;
    }
    out_.EndArray().EndObject();
    unfinished_ = next < documents.size();
    return next;
  }

  [[nodiscard]] bool full() const { return bytes_ >= kPageDocumentBytes; }
  [[nodiscard]] bool unfinished() const { return unfinished_; }

 private:
  JsonWriter& out_;
  std::size_t bytes_ = 0;
  bool unfinished_ = false;
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

  FLUORO_API_TRY(const auto traces, context.store.GetTraces(asked.ids));
  std::map<model::TraceId, std::shared_ptr<const model::Trace>> found;
  for (const auto& trace : traces) found.emplace(trace->id, trace);

  JsonWriter out;
  out.BeginObject().Key("Traces").BeginArray();
  PageWriter page(out);
  std::optional<std::string> next_token;
  for (std::size_t i = start->trace; i < asked.ids.size() && !next_token; ++i) {
    const auto trace = found.find(asked.ids[i]);
    if (trace == found.end()) continue;
    std::size_t next = i == start->trace ? start->segment : 0;
    if (!page.full()) {
      next = page.AppendTrace(model::Assemble(trace->second, {.now_ns = context.clock.UnixNs()}),
                              next);
      if (!page.unfinished()) continue;
    }
    next_token = PositionWriter().Add(i, 4).Add(next, 4).Token(fingerprint);
  }
  out.EndArray().Key("UnprocessedTraceIds").BeginArray();
  for (const std::string& text : asked.malformed) out.String(text);
  for (const model::TraceId& id : asked.ids) {
    if (!found.contains(id)) out.String(id.ToXRay());
  }
  out.EndArray();
  if (next_token) out.Key("NextToken").String(*next_token);
  out.EndObject();
  return Answer{.body = out.Take()};
}

}  // namespace fluoro::api::xray
