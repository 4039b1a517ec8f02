#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "model/any_value.h"
#include "store/embedded/reference_cursor_for_test.h"
#include "store/embedded/reference_reader_for_test.h"

namespace fluoro::store::reference {
namespace {

using Columns = std::map<std::uint64_t, std::string>;

std::unexpected<Error> Wrong(const std::string& what) {
  return Fail(ErrorCode::kCorruption, "reference reader: " + what);
}

std::uint64_t Sum(std::string_view bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

template <class Id>
Id TakeId(Cursor& in) {
  Id id;
  const std::string bytes = in.Bytes(id.bytes.size());
  if (!in.failed()) std::memcpy(id.bytes.data(), bytes.data(), bytes.size());
  return id;
}

std::int64_t Plus(std::int64_t time, std::uint64_t more) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(time) + more);
}

bool IsText(std::uint64_t type) { return type == 1 || type >= 5; }

model::AttributeValue ValueOf(std::uint64_t type, std::uint64_t number, const std::string& text,
                              Cursor& in) {
  switch (type) {
    case 0:
      return {};
    case 1:
      return {text};
    case 2:
      return {number != 0};
    case 3:
      return {static_cast<std::int64_t>(number)};
    case 4:
      return {std::bit_cast<double>(number)};
    case 5:
      return {model::AttributeValue::Bytes{text}};
    default:
      break;
  }
  auto value = model::DecodeAnyValue(text);
  if (type > 7 || !value) {
    in.Fail();
    return {};
  }
  return *std::move(value);
}

// Section 15.
bool TextFilterMayHold(const std::string& filter, const std::string& text) {
  const auto mix = [](std::uint64_t h) {
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccd;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53;
    return h ^ (h >> 33);
  };
  Cursor in(filter);
  const std::uint64_t hash = mix(Sum(text, 0) + in.Fixed(8));
  const std::uint64_t bits = in.Fixed(1);
  const std::uint64_t segments = in.Varint();
  const std::string slots = in.Bytes((segments + 2) << bits);
  if (in.failed() || !in.done()) return false;
  const std::uint64_t length = std::uint64_t{1} << bits;
  // The upper half of hash x (segments x length), in halves of the hash.
  const std::uint64_t range = segments * length;
  const std::uint64_t low = ((hash & 0xffffffff) * range) >> 32;
  const std::uint64_t first = ((hash >> 32) * range + low) >> 32;
  const std::uint64_t second = (first + length) ^ ((hash >> 18) % length);
  const std::uint64_t third = (first + 2 * length) ^ (hash % length);
  const auto at = [&](std::uint64_t slot) { return static_cast<std::uint8_t>(slots[slot]); };
  return (at(first) ^ at(second) ^ at(third)) == static_cast<std::uint8_t>(hash ^ (hash >> 32));
}

/// One row group: columns to spans.
class RowGroup {
 public:
  /// `zones` is empty if the row group has none.
  RowGroup(const Columns& columns, const std::string& zones, const Columns& filters,
           std::set<std::string>& seen)
      : columns_(columns), zones_(zones), filters_(filters), seen_(seen) {}

  struct Run {
    Trace* trace;
    std::uint64_t rows;
  };

  /// Appends the spans to their traces.
  Result<void> Read(const std::vector<Run>& runs) {
    Cursor counts = Column(1);
    spans_ = counts.Count();
    resources_ = counts.Count();
    scopes_ = counts.Count();
    events_ = counts.Count();
    links_ = counts.Count();
    if (counts.failed()) return Wrong("counts");
    std::uint64_t rows = 0;
    for (const Run& run : runs) rows += run.rows;
    if (rows != spans_) return Wrong("the trace table and the counts disagree");
    ReadDirectory();
    ReadAttributes();
    ReadResources();
    ReadScopes();
    spans_out_.resize(spans_);
    ReadSpans(runs);
    ReadEvents();
    ReadLinks();
    if (failed_) return Wrong("a column of the row group");
    if (!zones_.empty()) FLUORO_CHECK_OK(CheckZones());
    std::size_t row = 0;
    for (const Run& run : runs) {
      for (std::uint64_t i = 0; i < run.rows; ++i)
        run.trace->spans.push_back(std::move(spans_out_[row++]));
    }
    return {};
  }

 private:
  Cursor Column(std::uint64_t id) const {
    const auto at = columns_.find(id);
    return Cursor(at == columns_.end() ? std::string_view() : at->second);
  }
  void Check(const Cursor& in) { failed_ = failed_ || in.failed(); }
  std::vector<std::uint64_t> IntsOf(std::uint64_t column, std::uint64_t count) {
    Cursor in = Column(column);
    auto values = Ints(in, count, seen_);
    Check(in);
    return values;
  }
  std::vector<std::string> TextsOf(std::uint64_t column, std::uint64_t count) {
    Cursor in = Column(column);
    auto values = Texts(in, count, seen_);
    Check(in);
    return values;
  }

  // Sections 14 and 15 say what the columns do.
  Result<void> CheckZones() {
    Cursor in(zones_);
    std::uint64_t flags = 0;
    std::uint64_t statuses = 0;
    std::uint64_t bits = 0;
    for (const model::Span& span : spans_out_) {
      flags |= span.flags;
      statuses |= std::uint64_t{1} << static_cast<unsigned>(span.status);
      if (!span.document.empty()) bits |= 1;
    }
    if (!Column(40).done() || !Column(42).done()) bits |= 2;
    if (in.Varint() != flags || in.Varint() != statuses || in.Fixed(1) != bits)
      return Wrong("what zones say of spans");
    std::uint64_t place = 0;
    const std::uint64_t count = in.Count();
    for (const AttributeColumn& column : directory_) {
      if (column.owner != 0 && column.owner != 2) continue;
      if (in.Fixed(1) != column.owner || in.Fixed(1) != column.type || in.Fixed(1) != column.role ||
          in.Text() != column.key)
        return Wrong("a column of the zones");
      const std::uint64_t kind = in.Fixed(1);
      seen_.insert("zone " + std::to_string(kind));
      if (kind == 1) {
        const double least = std::bit_cast<double>(in.Fixed(8));
        const double greatest = std::bit_cast<double>(in.Fixed(8));
        for (const std::uint64_t value : column.numbers) {
          const double number = column.type == 3   ? static_cast<double>(Cursor::UnZigZag(value))
                                : column.type == 4 ? std::bit_cast<double>(value)
                                                   : static_cast<double>(value);
          if (number < least || number > greatest) return Wrong("a range");
        }
      } else if (kind == 2) {
        const auto filter = filters_.find(place);
        if (filter == filters_.end()) return Wrong("a filter is missing");
        for (const std::string& text : column.texts) {
          if (!TextFilterMayHold(filter->second, text)) return Wrong("a filter");
        }
      } else if (kind != 0) {
        return Wrong("a kind of zone");
      }
      ++place;
    }
    if (in.failed() || !in.done() || place != count) return Wrong("the zones");
    return {};
  }

  struct AttributeColumn {
    std::uint64_t owner = 0, type = 0, role = 0;
    std::string key;
    std::vector<std::uint64_t> numbers;
    std::vector<std::string> texts;
    std::size_t next = 0;
  };

  void ReadDirectory() {
    Cursor in = Column(30);
    directory_.resize(in.Count());
    for (AttributeColumn& column : directory_) {
      column.owner = in.Fixed(1);
      column.type = in.Fixed(1);
      column.role = in.Fixed(1);
      column.key = in.Text();
      seen_.insert("attribute " + std::to_string(column.type));
    }
    Check(in);
  }

  // owners_[kind][i]: the attributes of the i-th owner of that kind.
  void ReadAttributes() {
    const std::uint64_t counts[5] = {resources_, scopes_, spans_, events_, links_};
    std::vector<std::vector<std::string>> shapes;
    std::vector<std::uint64_t> values(directory_.size());
    for (std::uint64_t kind = 0; kind < 5; ++kind) {
      shapes.push_back(TextsOf(32 + kind, counts[kind]));
      for (const std::string& shape : shapes.back()) {
        Cursor in(shape);
        while (!in.done()) {
          const std::uint64_t column = in.Fixed(4);
          if (column > directory_.size() || (column > 0 && directory_[column - 1].owner != kind)) {
            failed_ = true;
            return;
          }
          if (column > 0) ++values[column - 1];
        }
        Check(in);
      }
    }
    if (failed_) return;
    for (std::uint64_t i = 0; i < directory_.size(); ++i) {
      AttributeColumn& column = directory_[i];
      if (IsText(column.type)) {
        column.texts = TextsOf(64 + i, values[i]);
      } else if (column.type != 0) {
        column.numbers = IntsOf(64 + i, values[i]);
      }
    }
    for (std::uint64_t kind = 0; kind < 5 && !failed_; ++kind) {
      Cursor overflow = Column(40 + kind);
      for (const std::string& shape : shapes[kind]) {
        owners_[kind].push_back(AttributesOf(shape, overflow));
      }
      Check(overflow);
    }
  }

  std::vector<model::Attribute> AttributesOf(const std::string& shape, Cursor& overflow) {
    std::vector<model::Attribute> attributes;
    Cursor in(shape);
    while (!in.done()) {
      const std::uint64_t place = in.Fixed(4);
      model::Attribute attribute;
      std::uint64_t role = 0;
      if (place == 0) {
        seen_.insert("overflow");
        attribute.key = overflow.Text();
        const std::uint64_t type = overflow.Fixed(1);
        role = overflow.Fixed(1);
        const std::string text = IsText(type) ? overflow.Text() : std::string();
        const std::uint64_t number = IsText(type) ? 0 : overflow.Fixed(8);
        attribute.value = ValueOf(type, number, text, overflow);
      } else {
        AttributeColumn& column = directory_[place - 1];
        role = column.role;
        attribute.key = column.key;
        const std::size_t i = column.next++;
        const std::string text = IsText(column.type) ? column.texts[i] : std::string();
        std::uint64_t number = IsText(column.type) || column.type == 0 ? 0 : column.numbers[i];
        if (column.type == 3) number = static_cast<std::uint64_t>(Cursor::UnZigZag(number));
        attribute.value = ValueOf(column.type, number, text, overflow);
      }
      attribute.role = static_cast<model::AttributeRole>(role);
      attributes.push_back(std::move(attribute));
    }
    return attributes;
  }

  void ReadResources() {
    Cursor in = Column(21);
    const auto dropped = Ints(in, resources_, seen_);
    (void)Texts(in, resources_, seen_);  // the services: service.name of the attributes
    const auto schemas = Texts(in, resources_, seen_);
    const auto entities = Texts(in, resources_, seen_);
    Check(in);
    if (failed_) return;
    for (std::uint64_t i = 0; i < resources_; ++i) {
      auto resource = std::make_shared<model::Resource>();
      resource->attributes = owners_[0][i];
      resource->dropped_attributes = static_cast<std::uint32_t>(dropped[i]);
      resource->schema_url = schemas[i];
      resource->entity_refs = entities[i];
      resources_out_.push_back(std::move(resource));
    }
  }

  void ReadScopes() {
    Cursor in = Column(22);
    const auto dropped = Ints(in, scopes_, seen_);
    const auto names = Texts(in, scopes_, seen_);
    const auto versions = Texts(in, scopes_, seen_);
    const auto schemas = Texts(in, scopes_, seen_);
    Check(in);
    if (failed_) return;
    for (std::uint64_t i = 0; i < scopes_; ++i) {
      auto scope = std::make_shared<model::Scope>();
      scope->name = names[i];
      scope->version = versions[i];
      scope->attributes = owners_[1][i];
      scope->dropped_attributes = static_cast<std::uint32_t>(dropped[i]);
      scope->schema_url = schemas[i];
      scopes_out_.push_back(std::move(scope));
    }
  }

  void ReadSpans(const std::vector<Run>& runs) {
    Cursor ids = Column(2);
    const auto parents = IntsOf(3, spans_);
    Cursor parent_ids = Column(4);
    const auto starts = IntsOf(5, spans_);
    const auto durations = IntsOf(6, spans_);
    const auto names = TextsOf(7, spans_);
    const auto resources = IntsOf(8, spans_);
    const auto scopes = IntsOf(9, spans_);
    const auto kinds = IntsOf(10, spans_);
    const auto statuses = IntsOf(11, spans_);
    const auto sources = IntsOf(12, spans_);
    const auto flags = IntsOf(13, spans_);
    const auto otel_flags = IntsOf(14, spans_);
    const auto states = TextsOf(15, spans_);
    const auto messages = TextsOf(16, spans_);
    const auto dropped_attributes = IntsOf(17, spans_);
    const auto dropped_events = IntsOf(18, spans_);
    const auto dropped_links = IntsOf(19, spans_);
    const auto documents = TextsOf(20, spans_);
    if (failed_) return;
    for (model::Span& span : spans_out_) span.span_id = TakeId<model::SpanId>(ids);
    std::size_t row = 0;
    for (const Run& run : runs) {
      const std::size_t first = row;
      for (std::uint64_t i = 0; i < run.rows; ++i, ++row) {
        model::Span& span = spans_out_[row];
        span.trace_id = run.trace->id;
        if (parents[row] == 1) span.parent_id = TakeId<model::SpanId>(parent_ids);
        if (parents[row] >= 2) {
          const std::int64_t place =
              static_cast<std::int64_t>(i) + Cursor::UnZigZag(parents[row] - 2);
          if (place < 0 || place >= static_cast<std::int64_t>(run.rows)) {
            failed_ = true;
            return;
          }
          span.parent_id = spans_out_[first + static_cast<std::size_t>(place)].span_id;
        }
        span.start_ns = Plus(run.trace->start_ns, starts[row]);
        span.end_ns = Plus(span.start_ns, durations[row]);
        span.name = names[row];
        if (resources[row] >= resources_ || scopes[row] >= scopes_) {
          failed_ = true;
          return;
        }
        span.resource = resources_out_[resources[row]];
        span.scope = scopes_out_[scopes[row]];
        span.kind = static_cast<model::SpanKind>(kinds[row]);
        span.status = static_cast<model::StatusCode>(statuses[row]);
        span.source = static_cast<model::SpanSource>(sources[row]);
        span.flags = static_cast<std::uint32_t>(flags[row]);
        span.otel_flags = static_cast<std::uint32_t>(otel_flags[row]);
        span.trace_state = states[row];
        span.status_message = messages[row];
        span.dropped_attributes = static_cast<std::uint32_t>(dropped_attributes[row]);
        span.dropped_events = static_cast<std::uint32_t>(dropped_events[row]);
        span.dropped_links = static_cast<std::uint32_t>(dropped_links[row]);
        span.document = documents[row];
        span.attributes = owners_[2][row];
      }
    }
    Check(ids);
    Check(parent_ids);
  }

  void ReadEvents() {
    const auto counts = IntsOf(23, spans_);
    const auto times = IntsOf(24, events_);
    const auto names = TextsOf(25, events_);
    const auto dropped = IntsOf(26, events_);
    std::size_t next = 0;
    for (std::size_t row = 0; row < spans_ && !failed_; ++row) {
      for (std::uint64_t i = 0; i < counts[row]; ++i, ++next) {
        if (next >= events_) {
          failed_ = true;
          return;
        }
        spans_out_[row].events.push_back(
            {.time_ns = Plus(spans_out_[row].start_ns,
                             static_cast<std::uint64_t>(Cursor::UnZigZag(times[next]))),
             .name = names[next],
             .attributes = owners_[3][next],
             .dropped_attributes = static_cast<std::uint32_t>(dropped[next])});
      }
    }
    failed_ = failed_ || next != events_;
  }

  void ReadLinks() {
    const auto counts = IntsOf(27, spans_);
    Cursor ids = Column(28);
    Cursor in = Column(29);
    const auto states = Texts(in, links_, seen_);
    const auto dropped = Ints(in, links_, seen_);
    const auto flags = Ints(in, links_, seen_);
    Check(in);
    std::size_t next = 0;
    for (std::size_t row = 0; row < spans_ && !failed_; ++row) {
      for (std::uint64_t i = 0; i < counts[row]; ++i, ++next) {
        if (next >= links_) {
          failed_ = true;
          return;
        }
        model::Link link;
        link.trace_id = TakeId<model::TraceId>(ids);
        link.span_id = TakeId<model::SpanId>(ids);
        link.trace_state = states[next];
        link.attributes = owners_[4][next];
        link.dropped_attributes = static_cast<std::uint32_t>(dropped[next]);
        link.otel_flags = static_cast<std::uint32_t>(flags[next]);
        spans_out_[row].links.push_back(std::move(link));
      }
    }
    Check(ids);
    failed_ = failed_ || next != links_;
  }

  const Columns& columns_;
  const std::string& zones_;
  const Columns& filters_;
  std::set<std::string>& seen_;
  std::uint64_t spans_ = 0, resources_ = 0, scopes_ = 0, events_ = 0, links_ = 0;
  std::vector<AttributeColumn> directory_;
  std::vector<std::vector<model::Attribute>> owners_[5];
  std::vector<std::shared_ptr<const model::Resource>> resources_out_;
  std::vector<std::shared_ptr<const model::Scope>> scopes_out_;
  std::vector<model::Span> spans_out_;
  bool failed_ = false;
};

struct Section {
  std::uint64_t type = 0, codec = 0, row_group = 0, column = 0, offset = 0, stored = 0, raw = 0,
                sum = 0;
};

std::string Little(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text.push_back(static_cast<char>(value >> (8 * i)));
  return text;
}

Result<std::string> Content(std::string_view file, const Block& block, const Section& section,
                            const Unsealer* unsealer) {
  if (section.offset > file.size() || section.stored > file.size() - section.offset)
    return Wrong("a section lies outside the file");
  std::string stored(file.substr(section.offset, section.stored));
  if (Sum(stored, (block.id * 0x9e3779b97f4a7c15ULL) ^ section.offset) != section.sum)
    return Wrong("a section's sum");
  if (unsealer != nullptr) {
    const std::string what = Little(section.type, 1) + Little(section.codec, 1) +
                             Little(section.row_group, 4) + Little(section.column, 4) +
                             Little(section.raw, 8);
    FLUORO_TRY(stored, unsealer->Open(section.offset, what, stored));
  }
  if (section.codec == 0 && section.raw == stored.size()) return stored;
  if (section.codec != 1 || section.raw > (std::uint64_t{1} << 30))
    return Wrong("a section's codec");
  std::string raw(section.raw, '\0');
  if (ZSTD_decompress(raw.data(), raw.size(), stored.data(), stored.size()) != section.raw)
    return Wrong("a section's zstd frame");
  return raw;
}

// Sections 3 and 8.
Result<void> ReadTraces(const std::string& bytes, std::uint64_t count, bool placed, Block& block) {
  Cursor in(bytes);
  block.traces.resize(count);
  for (Trace& trace : block.traces) trace.id = TakeId<model::TraceId>(in);
  std::int64_t before = 0;
  const auto starts = Ints(in, count, block.seen);
  const auto durations = Ints(in, count, block.seen);
  const std::int64_t arrival = in.Signed();
  const auto first = Ints(in, count, block.seen);
  const auto last = Ints(in, count, block.seen);
  const auto rows = Ints(in, count, block.seen);
  const auto appends = Ints(in, count, block.seen);
  const auto flags = Ints(in, count, block.seen);
  const auto places = placed ? Ints(in, count, block.seen) : std::vector<std::uint64_t>(count);
  if (in.failed() || !in.done()) return Wrong("the trace table");
  std::int64_t row = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    Trace& trace = block.traces[i];
    before = trace.start_ns = Plus(before, starts[i]);
    trace.end_ns = Plus(trace.start_ns, durations[i]);
    trace.first_arrival_ns = Plus(arrival, static_cast<std::uint64_t>(Cursor::UnZigZag(first[i])));
    trace.last_arrival_ns = Plus(trace.first_arrival_ns, last[i]);
    trace.rows = rows[i];
    row += Cursor::UnZigZag(places[i]);
    trace.first_row = static_cast<std::uint64_t>(row);
    row += static_cast<std::int64_t>(rows[i]);
    trace.appends = appends[i];
    trace.flags = flags[i];
    trace.sealed_lsn = block.sealed_lsn;
  }
  return {};
}

Result<void> ReadServices(const std::string& bytes, Block& block) {
  Cursor in(bytes);
  for (std::uint64_t service = in.Count(); service > 0; --service) {
    auto& operations = block.services[in.Text()];
    for (std::uint64_t operation = in.Count(); operation > 0; --operation) {
      std::string name = in.Text();
      operations.emplace(std::move(name), static_cast<int>(in.Fixed(1)));
    }
  }
  if (in.failed() || !in.done()) return Wrong("the services");
  return {};
}

// Section 10 and, in minor version 0, which reason is whose.
Result<void> ReadKept(const std::string& bytes, std::vector<std::uint64_t> codes, Block& block) {
  Cursor in(bytes);
  std::vector<model::Kept> reasons(bytes.empty() ? 0 : in.Count());
  for (model::Kept& kept : reasons) {
    kept.reason = in.Text();
    kept.probability = std::bit_cast<double>(in.Fixed(8));
    if (!in.failed() && !(kept.probability > 0 && kept.probability <= 1)) in.Fail();
  }
  if (block.page_traces == 0 && !bytes.empty()) codes = Ints(in, block.traces.size(), block.seen);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (codes[i] > reasons.size()) in.Fail();
    if (in.failed() || codes[i] == 0) {
      block.seen.insert("not judged");
      continue;
    }
    block.traces[i].kept = reasons[codes[i] - 1];
  }
  if (in.failed() || !in.done()) return Wrong("why traces were kept");
  return {};
}

std::uint64_t InPage(const Block& block, std::uint64_t page, std::uint64_t traces) {
  return std::min(block.page_traces, traces - page * block.page_traces);
}

// Section 12. `codes`: the reasons for which the traces were kept.
Result<void> ReadTracePage(const std::string& bytes, std::uint64_t page, std::uint64_t traces,
                           Block& block, std::vector<std::uint64_t>& codes) {
  if (page >= block.page_ids.size() || block.traces.size() != page * block.page_traces)
    return Wrong("a page of the trace table");
  const std::uint64_t count = InPage(block, page, traces);
  Cursor in(bytes);
  std::int64_t start = in.Signed();
  const std::int64_t arrival = in.Signed();
  std::uint64_t row = in.Varint();
  const auto starts = Ints(in, count, block.seen);
  const auto durations = Ints(in, count, block.seen);
  const auto first = Ints(in, count, block.seen);
  const auto last = Ints(in, count, block.seen);
  const auto rows = Ints(in, count, block.seen);
  const auto places = Ints(in, count, block.seen);
  const auto appends = Ints(in, count, block.seen);
  const auto flags = Ints(in, count, block.seen);
  const auto behind = Ints(in, count, block.seen);
  const auto kept = Ints(in, count, block.seen);
  if (in.failed() || !in.done()) return Wrong("a page of the trace table");
  for (std::uint64_t i = 0; i < count; ++i) {
    Trace& trace = block.traces.emplace_back();
    start = trace.start_ns = Plus(start, starts[i]);
    trace.end_ns = Plus(start, durations[i]);
    trace.first_arrival_ns = Plus(arrival, static_cast<std::uint64_t>(Cursor::UnZigZag(first[i])));
    trace.last_arrival_ns = Plus(trace.first_arrival_ns, last[i]);
    trace.rows = rows[i];
    trace.first_row = row + static_cast<std::uint64_t>(Cursor::UnZigZag(places[i]));
    row = trace.first_row + trace.rows;
    trace.appends = appends[i];
    trace.flags = flags[i];
    trace.sealed_lsn = block.sealed_lsn - behind[i];
    codes.push_back(kept[i]);
  }
  return {};
}

// Section 13.
Result<void> ReadIdPage(const std::string& bytes, std::uint64_t page, std::uint64_t traces,
                        Block& block, std::vector<std::uint64_t>& by_id) {
  if (page >= block.page_ids.size() || by_id.size() != page * block.page_traces)
    return Wrong("a page of ids");
  const std::uint64_t count = InPage(block, page, traces);
  Cursor in(bytes);
  std::uint64_t high = in.Fixed(8);
  const auto steps = Ints(in, count, block.seen);
  const std::string low = in.Bytes(8 * count);
  const auto places = Ints(in, count, block.seen);
  if (in.failed() || !in.done()) return Wrong("a page of ids");
  for (std::uint64_t i = 0; i < count; ++i) {
    high += steps[i];
    if (places[i] >= block.traces.size()) return Wrong("a page of ids");
    model::TraceId& id = block.traces[places[i]].id;
    for (std::size_t byte = 0; byte < 8; ++byte)
      id.bytes[byte] = static_cast<std::uint8_t>(high >> (56 - 8 * byte));
    std::memcpy(id.bytes.data() + 8, low.data() + 8 * i, 8);
    if (i == 0 && id != block.page_ids[page]) return Wrong("the first id of a page");
    by_id.push_back(places[i]);
  }
  return {};
}

Result<void> ReadSkeletons(const std::string& bytes, Block& block) {
  Cursor in(bytes);
  std::vector<std::string> texts(in.Count());
  for (std::string& text : texts) text = in.Text();
  for (std::uint64_t i = in.Count(); i > 0; --i) {
    Skeleton& skeleton = block.skeletons.emplace_back();
    skeleton.id = TakeId<model::TraceId>(in);
    skeleton.start_ns = static_cast<std::int64_t>(in.Fixed(8));
    skeleton.duration_ns = static_cast<std::int64_t>(in.Fixed(8));
    skeleton.shape = in.Fixed(8);
    skeleton.arrival_s = in.Fixed(4);
    const std::uint64_t route = in.Fixed(4);
    const std::uint64_t reason = in.Fixed(4);
    skeleton.spans = in.Fixed(4);
    skeleton.bytes = in.Fixed(4);
    skeleton.outcomes = in.Fixed(1);
    if (in.Fixed(3) != 0 || route >= texts.size() || reason >= texts.size()) in.Fail();
    if (in.failed()) break;
    skeleton.route = texts[route];
    skeleton.reason = texts[reason];
  }
  if (in.failed() || !in.done()) return Wrong("skeletons");
  return {};
}

Result<std::vector<Section>> ReadFooter(const std::string& bytes, Block& block,
                                        std::uint64_t& traces, std::uint64_t& skeletons) {
  std::vector<Section> sections;
  Cursor in(bytes);
  block.order = 0;
  while (!in.done()) {
    const std::uint64_t tag = in.Varint();
    const std::string text = in.Text();
    Cursor value(text);
    switch (tag) {
      case 1:
        block.id = value.Varint();
        break;
      case 2:
        block.level = value.Varint();
        break;
      case 3:
        block.created_ns = value.Signed();
        break;
      case 4:
        block.sealed_lsn = value.Varint();
        break;
      case 5:
        block.spans = value.Varint();
        break;
      case 6:
        traces = value.Count();
        break;
      case 7:
        block.start_ns_min = value.Signed();
        break;
      case 8:
        block.start_ns_max = value.Signed();
        break;
      case 9:
        block.end_ns_max = value.Signed();
        break;
      case 10:
        block.arrival_ns_min = value.Signed();
        break;
      case 11:
        block.arrival_ns_max = value.Signed();
        break;
      case 12:
        block.id_min = TakeId<model::TraceId>(value);
        break;
      case 13:
        block.id_max = TakeId<model::TraceId>(value);
        break;
      case 14:
        while (!value.done()) block.replaces.push_back(value.Varint());
        break;
      case 15:
        while (!value.done()) block.row_groups.push_back(value.Varint());
        break;
      case 16:
        while (!value.done()) {
          Section section;
          section.type = value.Fixed(1);
          section.codec = value.Fixed(1);
          section.row_group = value.Varint();
          section.column = value.Varint();
          section.offset = value.Varint();
          section.stored = value.Varint();
          section.raw = value.Varint();
          section.sum = value.Fixed(8);
          sections.push_back(section);
        }
        break;
      case 17:
        block.order = value.Varint();
        break;
      case 18:
        block.judged_ns = value.Signed();
        break;
      case 19:
        skeletons = value.Varint();
        break;
      case 20:
        block.page_traces = value.Varint();
        while (!value.done()) block.page_ids.push_back(TakeId<model::TraceId>(value));
        break;
      default:
        block.seen.insert("unknown tag");
        continue;
    }
    if (value.failed() || !value.done()) return Wrong("footer field " + std::to_string(tag));
  }
  if (in.failed()) return Wrong("the footer");
  if (block.order == 0) block.order = block.id;
  return sections;
}

}  // namespace

bool FilterMayContain(std::string_view filter, const model::TraceId& id) {
  static constexpr std::uint32_t kSalts[8] = {0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d,
                                              0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31};
  const std::uint64_t hash = Sum({reinterpret_cast<const char*>(id.bytes.data()), 16}, 0);
  const std::uint64_t blocks = filter.size() / 32;
  const std::uint64_t block = ((hash >> 32) * blocks) >> 32;
  for (std::uint64_t word = 0; word < 8; ++word) {
    Cursor in(filter.substr(block * 32 + word * 4, 4));
    const std::uint32_t bit = (static_cast<std::uint32_t>(hash) * kSalts[word]) >> 27;
    if (((in.Fixed(4) >> bit) & 1) == 0) return false;
  }
  return true;
}

Result<Block> ReadBlock(std::string_view file, const Keys& keys) {
  if (file.size() < 104) return Wrong("the file is too short");
  Block block;
  Cursor trailer(file.substr(file.size() - 40));
  const std::uint64_t footer_offset = trailer.Fixed(8);
  const std::uint64_t footer_length = trailer.Fixed(8);
  const std::uint64_t footer_sum = trailer.Fixed(8);
  const std::uint64_t major = trailer.Fixed(2);
  const std::uint64_t minor = trailer.Fixed(2);
  const std::uint64_t zero = trailer.Fixed(4);
  const bool is_encrypted = major == 2;
  if (trailer.Bytes(8) != "FLOREND1" || (major != 1 && !is_encrypted) || zero != 0)
    return Wrong("the trailer");
  if (footer_offset < 64 || footer_offset > file.size() - 40 ||
      footer_length != file.size() - 40 - footer_offset)
    return Wrong("where the footer is");
  std::string footer(file.substr(footer_offset, footer_length));
  const std::uint64_t covered[3] = {footer_offset, footer_length, minor};
  if (Sum(footer, XXH3_64bits(covered, sizeof(covered))) != footer_sum)
    return Wrong("the footer's sum");
  Unsealer unsealer;
  if (is_encrypted) {
    Cursor id(file.substr(16, 8));
    FLUORO_TRY(unsealer, Unsealer::Of(file.substr(64, 208), 2, id.Fixed(8), keys));
    const std::string what = std::string(file.substr(0, 64)) + Little(footer_offset, 8) +
                             Little(footer_length, 8) + Little(major, 2) + Little(minor, 2);
    FLUORO_TRY(footer, unsealer.Open(footer_offset, what, footer));
    block.seen.insert("encrypted");
  }
  std::uint64_t traces = 0;
  std::uint64_t skeletons = 0;
  FLUORO_TRY(const std::vector<Section> sections, ReadFooter(footer, block, traces, skeletons));

  Cursor header(file.substr(0, 64));
  const bool header_is_right = header.Bytes(8) == "FLORBLK1" && header.Fixed(2) == major &&
                               header.Fixed(2) == minor && header.Fixed(4) == 0 &&
                               header.Fixed(8) == block.id &&
                               header.Fixed(8) == (is_encrypted ? block.sealed_lsn : 0) &&
                               header.Bytes(32) == std::string(32, '\0');
  if (!header_is_right) return Wrong("the header");

  std::uint64_t end = is_encrypted ? 272 : 64;
  std::map<std::uint64_t, Columns> groups;
  std::map<std::uint64_t, std::string> zones;
  std::map<std::uint64_t, Columns> filters;
  std::string index;
  std::string lsns;
  std::string kept;
  std::vector<std::uint64_t> codes;
  std::vector<std::uint64_t> by_id;
  std::uint64_t chunks = 0;
  for (const Section& section : sections) {
    if (section.offset != end) return Wrong("a gap between sections");
    end += section.stored;
    FLUORO_TRY(const std::string content,
               Content(file, block, section, is_encrypted ? &unsealer : nullptr));
    block.seen.insert("section " + std::to_string(section.type));
    block.seen.insert("codec " + std::to_string(section.codec));
    switch (section.type) {
      case 1:
        groups[section.row_group][section.column] = content;
        break;
      case 2: {
        Cursor in(content);
        while (!in.done()) {
          const std::uint64_t column = in.Varint();
          groups[section.row_group][column] = in.Text();
        }
        if (in.failed()) return Wrong("a pack");
        break;
      }
      case 3:
      case 8:
        FLUORO_CHECK_OK(ReadTraces(content, traces, section.type == 8, block));
        break;
      case 4:
        index = content;
        break;
      case 5:
        block.filter = content;
        break;
      case 6:
        FLUORO_CHECK_OK(ReadServices(content, block));
        break;
      case 7:
        lsns = content;
        break;
      case 10:
        kept = content;
        break;
      case 11:
        if (section.column != chunks++) return Wrong("the order of the skeletons");
        FLUORO_CHECK_OK(ReadSkeletons(content, block));
        break;
      case 12:
        FLUORO_CHECK_OK(ReadTracePage(content, section.column, traces, block, codes));
        break;
      case 13:
        FLUORO_CHECK_OK(ReadIdPage(content, section.column, traces, block, by_id));
        break;
      case 14:
        zones[section.row_group] = content;
        break;
      case 15:
        filters[section.row_group][section.column] = content;
        break;
      default:
        break;  // of a later minor version
    }
  }
  if (end != footer_offset) return Wrong("bytes between the sections and the footer");
  if (block.traces.size() != traces) return Wrong("there is no trace table");
  if (block.skeletons.size() != skeletons) return Wrong("the number of skeletons");
  FLUORO_CHECK_OK(ReadKept(kept, std::move(codes), block));
  if (block.page_traces == 0) {
    Cursor places(index);
    by_id = Ints(places, traces, block.seen);
  }
  if (std::set(by_id.begin(), by_id.end()).size() != traces) return Wrong("the index");
  for (std::size_t i = 0; i < by_id.size(); ++i) {
    if (by_id[i] >= traces || (i > 0 && block.traces[by_id[i]].id < block.traces[by_id[i - 1]].id))
      return Wrong("the index");
  }
  if (!lsns.empty()) {
    Cursor in(lsns);
    const auto behind = Ints(in, traces, block.seen);
    for (std::size_t i = 0; i < traces; ++i) block.traces[i].sealed_lsn -= behind[i];
    if (in.failed()) return Wrong("the sealed LSNs");
  }

  std::vector<Trace*> by_row;
  for (Trace& trace : block.traces) by_row.push_back(&trace);
  std::ranges::sort(by_row, {}, &Trace::first_row);
  Trace nobody;  // whose rows belong to no trace
  std::size_t next = 0;
  std::uint64_t row = 0;
  for (std::uint64_t group = 0; group < block.row_groups.size(); ++group) {
    std::vector<RowGroup::Run> runs;
    const std::uint64_t group_end = row + block.row_groups[group];
    while (row < group_end) {
      while (next < by_row.size() && by_row[next]->first_row + by_row[next]->rows <= row) ++next;
      const std::uint64_t begin = next < by_row.size() ? by_row[next]->first_row : group_end;
      const bool is_free = begin > row;
      const std::uint64_t run_end = is_free ? begin : begin + by_row[next]->rows;
      runs.push_back(
          {.trace = is_free ? &nobody : by_row[next], .rows = std::min(run_end, group_end) - row});
      if (is_free) block.seen.insert("rows of no trace");
      row += runs.back().rows;
    }
    FLUORO_CHECK_OK(RowGroup(groups[group], zones[group], filters[group], block.seen).Read(runs));
  }
  std::uint64_t spans = 0;
  for (const Trace& trace : block.traces) {
    if (trace.spans.size() != trace.rows) return Wrong("rows beyond the row groups");
    spans += trace.rows;
  }
  if (spans != block.spans) return Wrong("the number of spans");
  return block;
}

Result<std::vector<model::TraceId>> ReadDeletions(std::string_view file) {
  Cursor in(file);
  const bool is_list = in.Bytes(8) == "FLORDEL1" && in.Fixed(2) == 1;
  in.Fixed(2);
  std::vector<model::TraceId> ids(std::min<std::uint64_t>(in.Fixed(4), file.size() / 16));
  for (model::TraceId& id : ids) id = TakeId<model::TraceId>(in);
  const std::uint64_t sum = in.Fixed(8);
  if (!is_list || in.failed() || !in.done() || sum != Sum(file.substr(0, file.size() - 8), 0))
    return Wrong("a list of deletions");
  return ids;
}

}  // namespace fluoro::store::reference
