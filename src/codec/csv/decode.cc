#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "base/clock.h"
#include "codec/common/bounds.h"
#include "codec/common/text.h"
#include "codec/csv/columns.h"
#include "codec/csv/csv.h"

namespace fluoro::codec::csv {
namespace {

using internal::Column;
using internal::kColumnNames;
using internal::kColumnsCount;

constexpr std::size_t kColumnsMax = 256;
// A record takes about this much while the text is read, whatever its cells hold.
constexpr std::size_t kSpansMax = 4'000'000;

struct Place {
  std::size_t line = 1;
  std::size_t column = 1;
};

std::unexpected<Error> Bad(Place at, std::string_view what) {
  return Fail(ErrorCode::kCorruption, "line " + std::to_string(at.line) + ", column " +
                                          std::to_string(at.column) + ": " + std::string(what));
}

struct Cell {
  std::string text;
  Place place;
};

/// Splits the text into records; lines end with LF or CRLF, quoted cells may hold anything.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
  }

  /// The next record that is not an empty line; false at the end.
  Result<bool> Next(std::vector<Cell>& cells) {
    do {
      cells.clear();
      if (at_ >= text_.size()) return false;
      do {
        if (cells.size() >= kColumnsMax) {
          return Bad(place_, "more than " + std::to_string(kColumnsMax) + " cells");
        }
        Cell& cell = cells.emplace_back();
        cell.place = place_;
        FLUORO_CHECK_OK(ReadCell(cell.text));
      } while (Take(','));
      if (Peek() == '\r') Advance();
      if (at_ < text_.size() && !Take('\n'))
        return Bad(place_, "a comma or a line end was expected");
    } while (cells.size() == 1 && cells[0].text.empty());
    return true;
  }

 private:
  [[nodiscard]] char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void Advance() {
    const bool line_end = text_[at_++] == '\n';
    place_ = line_end ? Place{place_.line + 1, 1} : Place{place_.line, place_.column + 1};
  }

  bool Take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    Advance();
    return true;
  }

  Result<void> ReadCell(std::string& out) {
    if (Take('"')) return ReadQuoted(out);
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ',' || c == '\n' || c == '\r') break;
      if (c == '"') return Bad(place_, "a quote inside a cell that does not begin with one");
      out += c;
      Advance();
    }
    return {};
  }

  Result<void> ReadQuoted(std::string& out) {
    const Place begin = place_;
    while (at_ < text_.size()) {
      if (Take('"')) {
        if (!Take('"')) return {};
        out += '"';
        continue;
      }
      out += text_[at_];
      Advance();
    }
    return Bad({begin.line, begin.column - 1}, "a quote that does not end");
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Place place_;
};

/// Where each of our columns stands in a record.
using Order = std::array<std::optional<std::size_t>, kColumnsCount>;

Order DefaultOrder() {
  Order order;
  for (std::size_t i = 0; i < kColumnsCount; ++i) order[i] = i;
  return order;
}

// A header names at least the trace id; ids themselves never look like that.
bool IsHeader(const std::vector<Cell>& cells) {
  return std::any_of(cells.begin(), cells.end(),
                     [](const Cell& cell) { return cell.text == kColumnNames[Column::kTraceId]; });
}

Result<Order> ReadHeader(const std::vector<Cell>& cells) {
  Order order;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const auto name = std::find(kColumnNames.begin(), kColumnNames.end(), cells[i].text);
    if (name == kColumnNames.end()) continue;
    auto& place = order[static_cast<std::size_t>(name - kColumnNames.begin())];
    if (place) return Bad(cells[i].place, std::string(*name) + ": a second column of this name");
    place = i;
  }
  for (const Column column : {Column::kTraceId, Column::kSpanId, Column::kStart}) {
    if (!order[column]) {
      return Bad(cells[0].place, std::string(kColumnNames[column]) + ": no such column");
    }
  }
  if (!order[Column::kEnd] && !order[Column::kDuration]) {
    return Bad(cells[0].place, "EndTimeUnixNano, Duration: neither column is there");
  }
  return order;
}

/// One record, read through the order of its columns.
class Record {
 public:
  Record(const std::vector<Cell>& cells, const Order& order) : cells_(cells), order_(order) {}

  /// Empty where the record has no such cell.
  [[nodiscard]] std::string_view Raw(Column column) const {
    const Cell* const cell = Find(column);
    return cell == nullptr ? std::string_view() : std::string_view(cell->text);
  }

  /// The error stands at the cell, or at the record where there is none.
  [[nodiscard]] std::unexpected<Error> Wrong(Column column, std::string_view what) const {
    const Cell* const cell = Find(column);
    return Bad(cell == nullptr ? cells_[0].place : cell->place,
               std::string(kColumnNames[column]) + ": " + std::string(what));
  }

  /// Nanoseconds or microseconds, not negative; nullopt where the cell is absent or empty.
  [[nodiscard]] Result<std::optional<std::int64_t>> Number(Column column) const {
    const std::string_view text = Raw(column);
    if (text.empty()) return std::nullopt;
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < 0) {
      return Wrong(column, "a whole number was expected");
    }
    return number;
  }

  /// Text as it was before a guard against spreadsheets was put in front.
  [[nodiscard]] std::string Text(Column column) const {
    std::string text(Raw(column));
    if (text.starts_with('\'') && internal::NeedsGuard(text)) text.erase(0, 1);
    return text;
  }

 private:
  [[nodiscard]] const Cell* Find(Column column) const {
    const std::optional<std::size_t> place = order_[column];
    return place && *place < cells_.size() ? &cells_[*place] : nullptr;
  }

  const std::vector<Cell>& cells_;
  const Order& order_;
};

Result<model::Span> ReadSpan(const Record& record) {
  model::Span span;
  const auto trace_id = common::ParseTraceIdPadded(record.Raw(Column::kTraceId));
  if (!trace_id) return record.Wrong(Column::kTraceId, trace_id.error().message);
  span.trace_id = *trace_id;
  const auto span_id = common::ParseSpanIdPadded(record.Raw(Column::kSpanId));
  if (!span_id) return record.Wrong(Column::kSpanId, span_id.error().message);
  span.span_id = *span_id;
  const std::string_view parent = record.Raw(Column::kParentId);
  if (!parent.empty() && parent != internal::kRootParent) {
    const auto parent_id = common::ParseSpanIdPadded(parent);
    if (!parent_id) {
      return record.Wrong(Column::kParentId, "`root` or " + parent_id.error().message);
    }
    span.parent_id = *parent_id;
  }
  span.name = record.Text(Column::kOperationName);

  FLUORO_TRY(const auto start, record.Number(Column::kStart));
  FLUORO_TRY(const auto end, record.Number(Column::kEnd));
  FLUORO_TRY(const auto duration_us, record.Number(Column::kDuration));
  if (!start) return record.Wrong(Column::kStart, "missing");
  if (!end && !duration_us) return record.Wrong(Column::kEnd, "missing");
  span.start_ns = *start;
  if (end) {
    if (*end < *start) return record.Wrong(Column::kEnd, "before the start");
    span.end_ns = *end;
    return span;
  }
  const auto duration = common::NsFromUs(*duration_us);
  if (!duration || *duration > INT64_MAX - *start) {
    return record.Wrong(Column::kDuration, "out of range");
  }
  span.end_ns = *start + *duration;
  return span;
}

/// Spans of one text, before their kinds are known.
class Collector {
 public:
  Collector(const model::Limits& limits, model::DecodeStats& stats)
      : limits_(limits), stats_(stats), scope_(std::make_shared<model::Scope>()) {}

  void Add(model::Span span, const std::string& pod_name) {
    if (!common::AcceptsStart(limits_, span.start_ns, stats_)) return;
    auto [it, is_new] = pods_.try_emplace(pod_name);
    Pod& pod = it->second;
    if (is_new) {
      model::Resource resource;
      auto& attributes = resource.attributes;
      if (!pod_name.empty()) {
        attributes = {{.key = std::string(internal::kPodKey), .value = {pod_name}}};
      }
      pod.flags = common::ApplyLimits(limits_, resource, stats_);
      // Of the name as it is kept: two that differ in what was repaired are one service.
      if (!attributes.empty()) {
        pod.service = ServiceOfPod(*attributes.front().value.AsString());
        attributes.insert(attributes.begin(),
                          {.key = std::string(internal::kServiceKey), .value = {pod.service}});
      }
      pod.resource = std::make_shared<const model::Resource>(std::move(resource));
    }
    span.resource = pod.resource;
    span.scope = scope_;
    span.source = model::SpanSource::kCsv;
    span.flags |= pod.flags;
    common::ApplyLimits(limits_, span, stats_);
    index_.try_emplace({span.trace_id, span.span_id}, spans_.size());
    services_.push_back(&pod.service);
    spans_.push_back(std::move(span));
  }

  [[nodiscard]] std::size_t size() const { return spans_.size(); }

  model::SpanBatch Take() && {
    std::vector<bool> calls_away(spans_.size(), false);
    for (std::size_t i = 0; i < spans_.size(); ++i) {
      model::Span& span = spans_[i];
      const auto parent = index_.find({span.trace_id, span.parent_id});
      const bool entry = parent == index_.end() || *services_[parent->second] != *services_[i];
      span.kind = entry ? model::SpanKind::kServer : model::SpanKind::kInternal;
      if (entry && parent != index_.end()) calls_away[parent->second] = true;
    }
    model::SpanBatch batch;
    for (std::size_t i = 0; i < spans_.size(); ++i) {
      if (calls_away[i] && spans_[i].kind == model::SpanKind::kInternal) {
        spans_[i].kind = model::SpanKind::kClient;
      }
      batch.AppendSpan(spans_[i]);
    }
    stats_.spans += spans_.size();
    return batch;
  }

 private:
  struct Pod {
    std::shared_ptr<const model::Resource> resource;
    std::string service;
    std::uint32_t flags = 0;
  };
  const model::Limits& limits_;
  model::DecodeStats& stats_;
  std::shared_ptr<const model::Scope> scope_;
  std::unordered_map<std::string, Pod> pods_;
  std::vector<model::Span> spans_;
  std::vector<const std::string*> services_;  ///< of spans_, in pods_
  std::map<std::pair<model::TraceId, model::SpanId>, std::size_t> index_;
};

}  // namespace

Result<model::SpanBatch> DecodeSpans(std::string_view text, const model::Limits& limits,
                                     model::DecodeStats& stats) {
  if (text.size() > limits.body_bytes_max) {
    return Fail(ErrorCode::kTooLarge, "text of " + std::to_string(text.size()) +
                                          " bytes, at most " +
                                          std::to_string(limits.body_bytes_max) + " are taken");
  }
  Reader reader(text);
  Collector collector(limits, stats);
  Order order = DefaultOrder();
  std::vector<Cell> cells;
  for (bool first = true;; first = false) {
    FLUORO_TRY(const bool more, reader.Next(cells));
    if (!more) break;
    if (first && IsHeader(cells)) {
      FLUORO_TRY(order, ReadHeader(cells));
      continue;
    }
    if (collector.size() >= kSpansMax) {
      return Fail(ErrorCode::kTooLarge, "more than " + std::to_string(kSpansMax) + " spans");
    }
    const Record record(cells, order);
    FLUORO_TRY(model::Span span, ReadSpan(record));
    collector.Add(std::move(span), record.Text(Column::kPodName));
  }
  return std::move(collector).Take();
}

std::string_view ServiceOfPod(std::string_view pod_name) {
  // The letters that Kubernetes takes for random parts of names: no vowels, so no words.
  constexpr std::string_view kRandom = "bcdfghjklmnpqrstvwxz2456789";
  constexpr std::size_t kPodBytes = 5;
  constexpr std::size_t kHashBytesMin = 5;
  constexpr std::size_t kHashBytesMax = 10;
  const auto is_random = [&](std::string_view part) {
    return part.find_first_not_of(kRandom) == std::string_view::npos;
  };
  const std::size_t pod_dash = pod_name.rfind('-');
  if (pod_dash == std::string_view::npos || pod_dash == 0) return pod_name;
  const std::size_t hash_dash = pod_name.rfind('-', pod_dash - 1);
  if (hash_dash == std::string_view::npos || hash_dash == 0) return pod_name;
  const std::string_view pod = pod_name.substr(pod_dash + 1);
  const std::string_view hash = pod_name.substr(hash_dash + 1, pod_dash - hash_dash - 1);
  const bool deployed = pod.size() == kPodBytes && hash.size() >= kHashBytesMin &&
                        hash.size() <= kHashBytesMax && is_random(pod) && is_random(hash);
  return deployed ? pod_name.substr(0, hash_dash) : pod_name;
}

}  // namespace fluoro::codec::csv
