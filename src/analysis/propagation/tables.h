// What the traces read so far say together, and what each further one adds.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "analysis/propagation/peers.h"
#include "analysis/propagation/records.h"
#include "analysis/propagation/share.h"
#include "model/assembly.h"

namespace fluoro::analysis::propagation {

enum class EdgeKind : std::uint8_t {
  kCall,       ///< somebody waits for the answer
  kMessage,    ///< through a queue or topic
  kInProcess,  ///< from one task, thread or coroutine of a service to another
};

struct EdgeKey {
  TextId caller = 0;
  TextId callee = 0;
  EdgeKind kind = EdgeKind::kCall;
  TextId via = 0;  ///< queue or topic; name of the step in a process
  auto operator<=>(const EdgeKey&) const = default;
};

/// In what calls that survive and calls that do not may differ.
enum class Dimension : std::uint8_t { kHost, kCallerInstance, kCalleeInstance, kPart, kMethod };
inline constexpr std::size_t kDimensions = 5;
using Split = std::map<TextId, double>;
using Splits = std::array<Split, kDimensions>;
/// Values beyond the first 64 of a dimension are not told apart.
void AddTo(Splits& splits, const std::array<TextId, kDimensions>& values, double weight);

/// By how much the callee's clock may be ahead: at least .first, at most .second. Of one pair of
/// hosts.
using ClockBounds = std::vector<std::pair<std::int64_t, std::int64_t>>;

/// Calls whose callee named them.
struct EdgeTally {
  Weighted survived;
  std::uint64_t calls = 0;
  Splits splits;
  std::map<std::pair<TextId, TextId>, ClockBounds> clocks;  ///< by host of caller and callee
  model::TraceId example;
  bool xray_caller = false;
  bool xray_callee = false;
};

/// A segment: the time in which its service was at work for somebody.
struct Work : Place {
  std::uint64_t session = 0;  ///< hash of session or run id; 0: none
};

/// A trace that begins inside a service, asked by nobody.
struct InnerRoot : Work {
  TextId name = 0;
};

struct Tables {
  static constexpr std::size_t kRowsMax = 60'000;  ///< of each kind of row
  static constexpr std::size_t kEdgesMax = 10'000;
  static constexpr std::size_t kClocksMax = 4'096;  ///< pairs of hosts
  static constexpr std::size_t kClockSamplesMax = 128;

  Texts texts;
  PeerMap peers{texts};
  std::map<EdgeKey, EdgeTally> edges;
  std::vector<LostCall> calls;
  std::vector<LostEntry> entries;  ///< roots, and those whose parent is not there
  std::vector<InTrace> in_trace;
  std::vector<Message> sent;      ///< not received in their trace
  std::vector<Message> received;  ///< without parent and links
  /// Consumers by hash of the span that they link to.
  std::unordered_multimap<std::uint64_t, TextId> linked;
  std::vector<Work> works;
  std::vector<InnerRoot> inner_roots;
  /// Spans that have their parent in their own service, by service and name.
  std::map<std::pair<TextId, TextId>, Weighted> children;
  std::size_t clocks = 0;

  std::uint64_t traces = 0;
  std::uint64_t cut = 0;        ///< passed over: spans of them are missing in the store
  std::uint64_t unsettled = 0;  ///< passed over: more may come
  std::uint64_t left_out = 0;   ///< rows and edges there was no room for

  /// Nullptr: no room.
  EdgeTally* EdgeAt(const EdgeKey& key);
  template <class Row>
  void Push(std::vector<Row>& rows, Row row) {
    if (rows.size() < kRowsMax) {
      rows.push_back(std::move(row));
    } else {
      ++left_out;
    }
  }
};

std::uint64_t HashOf(const model::TraceId& trace, const model::SpanId& span);

/// Adds one whole trace. One that ends after `settled_ns`, or of which spans are missing, is
/// counted only.
void ReadTrace(const model::AssembledTrace& trace, std::int64_t settled_ns, Tables& tables);

}  // namespace fluoro::analysis::propagation
