// What is remembered of each trace until all have been read: small rows, texts as numbers.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/ids.h"
#include "model/span_flags.h"

namespace fluoro::analysis::propagation {

/// 0: none.
using TextId = std::uint32_t;
/// Caller and callee.
using ServicePair = std::pair<TextId, TextId>;

/// Texts by number, each once. Not thread-safe.
class Texts {
 public:
  static constexpr std::size_t kMax = 100'000;
  static constexpr std::size_t kBytesMax = 256;  ///< of a text; longer ones are cut
  Texts() : texts_(1, nullptr) {}
  /// 0 for "", and for what is new when there is no room.
  TextId Id(std::string_view text);
  /// 0: it was never seen.
  [[nodiscard]] TextId Find(std::string_view text) const;
  /// "" for 0.
  [[nodiscard]] std::string_view At(TextId id) const {
    return id == 0 ? std::string_view() : *texts_[id];
  }
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  std::unordered_map<std::string, TextId, Hash, std::equal_to<>> ids_;
  std::vector<const std::string*> texts_;
  std::uint64_t left_out_ = 0;
};

/// How a trace id was made, as far as it shows.
enum class IdStyle : std::uint8_t {
  kRandom,
  kTimed,  ///< begins with the seconds of its start, as X-Ray wants it
  kShort,  ///< 64 bits, as B3 allows it
};

/// What one request was about, as each side of a call tells it. Hashes are 0 where unknown.
struct Request {
  TextId method = 0;
  TextId part = 0;  ///< "/" and the first part of the path
  std::uint64_t path = 0;
  std::uint64_t tail = 0;  ///< of the path without its first part, which a proxy may take away
  [[nodiscard]] bool Fits(const Request& other) const {
    if (method != 0 && other.method != 0 && method != other.method) return false;
    if (path == 0 || other.path == 0) return true;
    return path == other.path || path == other.tail || tail == other.path;
  }
};

/// One interval of a span, and whose it is.
struct Place {
  model::TraceId trace;
  model::SpanId span;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  double weight = 1;  ///< 1 / kept probability of the trace
  TextId service = 0;
  TextId instance = 0;  ///< process, pod or host
  IdStyle style = IdStyle::kRandom;
  model::SpanSource source = model::SpanSource::kOtlp;
};

/// Names of whom a call addresses: "name:", "rpc:", "host:" and the text.
using Peers = std::array<TextId, 4>;

/// A call to a service of which no span is below it.
struct LostCall : Place {
  Peers peers{};
  TextId host = 0;  ///< addressed
  Request request;
};

/// The first span of a service in a trace that continues no span there.
struct LostEntry : Place {
  Request request;
  model::SpanId parent;  ///< named, but not there; zero: none was named
  TextId via = 0;        ///< a proxy that shows in it
  TextId header = 0;     ///< format of a trace header that it recorded; what the header names:
  model::TraceId header_trace;
  model::SpanId header_parent;
  /// The trace has a whole root around it: the parent did end.
  bool enclosed = false;
  std::array<TextId, 6> others{};  ///< services that the trace holds besides
};

/// A call and what lies in it in the same trace without naming it.
struct InTrace {
  LostCall call;
  LostEntry entry;
  /// `entry` is no first span of its service: that one did not come.
  bool inner = false;
};

struct Message : Place {
  TextId destination = 0;
  TextId system = 0;
  std::uint64_t message_id = 0;  ///< hash; 0: unknown
};

}  // namespace fluoro::analysis::propagation
