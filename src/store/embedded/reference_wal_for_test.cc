#include <lz4.h>
#include <xxhash.h>

#include <bit>
#include <cstring>

#include "store/embedded/reference_cursor_for_test.h"
#include "store/embedded/reference_reader_for_test.h"
#include "store/embedded/reference_values_for_test.h"

namespace fluoro::store::reference {
namespace {

/// Columns of a batch: docs/formats/wal.md, "Body of a batch".
class Batch {
 public:
  Batch(Cursor& in, std::uint64_t version) : in_(in), version_(version) {}

  using Numbers = std::vector<std::uint64_t>;
  struct Ref {
    std::uint32_t begin = 0, length = 0;
  };
  using Refs = std::vector<Ref>;

  Numbers Planes(std::uint64_t count, int width) {
    Numbers values(count);
    const std::uint64_t present = version_ == 1 ? 0xff : in_.Fixed(1);
    for (int plane = 0; plane < width; ++plane) {
      if ((present >> plane & 1) == 0) continue;
      const std::string bytes = in_.Bytes(count);
      if (in_.failed()) return values;
      for (std::uint64_t i = 0; i < count; ++i)
        values[i] |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * plane);
    }
    return values;
  }
  std::vector<std::string> Raw(std::uint64_t count, std::uint64_t width) {
    std::vector<std::string> rows;
    for (std::uint64_t i = 0; i < count; ++i) rows.push_back(in_.Bytes(width));
    return rows;
  }
  Refs References(std::uint64_t count) {
    const Numbers distances = Planes(count, 4);
    const Numbers lengths = Planes(count, 4);
    Refs refs;
    std::uint32_t end = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      const Ref ref{.begin = static_cast<std::uint32_t>(end + distances[i]),
                    .length = static_cast<std::uint32_t>(lengths[i])};
      end = ref.begin + ref.length;
      refs.push_back(ref);
    }
    return refs;
  }
  std::vector<std::int64_t> Times(std::uint64_t count) {
    std::vector<std::int64_t> times;
    std::uint64_t time = 0;
    for (const std::uint64_t difference : Planes(count, 8)) {
      time += static_cast<std::uint64_t>(Cursor::UnZigZag(difference));
      times.push_back(static_cast<std::int64_t>(time));
    }
    return times;
  }

 private:
  Cursor& in_;
  std::uint64_t version_;
};

template <class Id>
Id IdOf(const std::string& bytes, std::size_t from = 0) {
  Id id;
  if (bytes.size() >= from + id.bytes.size())
    std::memcpy(id.bytes.data(), bytes.data() + from, id.bytes.size());
  return id;
}

/// Reads the columns in their order, then makes spans of them.
class BatchReader {
 public:
  explicit BatchReader(std::string_view payload) : in_(payload) {}

  Result<Record> Read() {
    Record record;
    record.type = 1;
    const std::uint64_t version = in_.Fixed(1);
    if (version != 1 && version != 2) return Wrong("the version of a batch");
    record.arrival_ns = static_cast<std::int64_t>(in_.Fixed(8));
    const std::uint64_t spans = in_.Count(), resources = in_.Count(), scopes = in_.Count(),
                        events = in_.Count(), links = in_.Count(), attributes = in_.Count(),
                        keys = in_.Count(), arena = in_.Varint();
    if (in_.failed()) return Wrong("the counts of a batch");
    Batch columns(in_, version);
    const auto trace_ids = columns.Raw(spans, 16);
    const auto span_ids = columns.Raw(spans, 8);
    const auto parent_ids = columns.Raw(spans, 8);
    const auto starts = columns.Times(spans);
    const auto durations = columns.Planes(spans, 8);
    const auto names = columns.References(spans);
    const auto span_resources = columns.Planes(spans, 4);
    const auto span_scopes = columns.Planes(spans, 4);
    const auto kinds = columns.Planes(spans, 1);
    const auto statuses = columns.Planes(spans, 1);
    const auto sources = columns.Planes(spans, 1);
    const auto flags = columns.Planes(spans, 4);
    const auto otel_flags = columns.Planes(spans, 4);
    const auto states = columns.References(spans);
    const auto messages = columns.References(spans);
    const auto span_attributes = columns.References(spans);
    const auto span_events = columns.References(spans);
    const auto span_links = columns.References(spans);
    const auto dropped_attributes = columns.Planes(spans, 4);
    const auto dropped_events = columns.Planes(spans, 4);
    const auto dropped_links = columns.Planes(spans, 4);
    const auto documents = columns.References(spans);

    const auto resource_attributes = columns.References(resources);
    const auto resource_dropped = columns.Planes(resources, 4);
    (void)columns.References(resources);  // services: service.name of the attributes
    const auto resource_schemas = columns.References(resources);
    const auto resource_entities = columns.References(resources);

    const auto scope_names = columns.References(scopes);
    const auto scope_versions = columns.References(scopes);
    const auto scope_attributes = columns.References(scopes);
    const auto scope_dropped = columns.Planes(scopes, 4);
    const auto scope_schemas = columns.References(scopes);

    const auto event_times = columns.Times(events);
    const auto event_names = columns.References(events);
    const auto event_attributes = columns.References(events);
    const auto event_dropped = columns.Planes(events, 4);

    const auto link_ids = columns.Raw(links, 24);
    const auto link_states = columns.References(links);
    const auto link_attributes = columns.References(links);
    const auto link_dropped = columns.Planes(links, 4);
    const auto link_flags = columns.Planes(links, 4);

    ReadAttributes(columns, attributes);
    keys_ = columns.References(keys);
    arena_ = in_.Bytes(arena);
    if (in_.failed() || !in_.done()) return Wrong("the columns of a batch");

    std::vector<std::shared_ptr<const model::Resource>> resource_objects;
    for (std::uint64_t i = 0; i < resources; ++i) {
      auto resource = std::make_shared<model::Resource>();
      resource->attributes = Attributes(resource_attributes[i]);
      resource->dropped_attributes = static_cast<std::uint32_t>(resource_dropped[i]);
      resource->schema_url = Text(resource_schemas[i]);
      resource->entity_refs = Text(resource_entities[i]);
      resource_objects.push_back(std::move(resource));
    }
    std::vector<std::shared_ptr<const model::Scope>> scope_objects;
    for (std::uint64_t i = 0; i < scopes; ++i) {
      auto scope = std::make_shared<model::Scope>();
      scope->name = Text(scope_names[i]);
      scope->version = Text(scope_versions[i]);
      scope->attributes = Attributes(scope_attributes[i]);
      scope->dropped_attributes = static_cast<std::uint32_t>(scope_dropped[i]);
      scope->schema_url = Text(scope_schemas[i]);
      scope_objects.push_back(std::move(scope));
    }
    for (std::uint64_t i = 0; i < spans; ++i) {
      model::Span span;
      span.trace_id = IdOf<model::TraceId>(trace_ids[i]);
      span.span_id = IdOf<model::SpanId>(span_ids[i]);
      span.parent_id = IdOf<model::SpanId>(parent_ids[i]);
      span.start_ns = starts[i];
      span.end_ns =
          static_cast<std::int64_t>(static_cast<std::uint64_t>(starts[i]) +
                                    static_cast<std::uint64_t>(Cursor::UnZigZag(durations[i])));
      span.name = Text(names[i]);
      if (span_resources[i] >= resources || span_scopes[i] >= scopes)
        return Wrong("a span's resource or scope");
      span.resource = resource_objects[span_resources[i]];
      span.scope = scope_objects[span_scopes[i]];
      span.kind = static_cast<model::SpanKind>(kinds[i]);
      span.status = static_cast<model::StatusCode>(statuses[i]);
      span.source = static_cast<model::SpanSource>(sources[i]);
      span.flags = static_cast<std::uint32_t>(flags[i]);
      span.otel_flags = static_cast<std::uint32_t>(otel_flags[i]);
      span.trace_state = Text(states[i]);
      span.status_message = Text(messages[i]);
      span.attributes = Attributes(span_attributes[i]);
      if (!Fits(span_events[i], events) || !Fits(span_links[i], links))
        return Wrong("a span's events or links");
      for (std::uint32_t e = span_events[i].begin; e < End(span_events[i]); ++e) {
        span.events.push_back({.time_ns = event_times[e],
                               .name = Text(event_names[e]),
                               .attributes = Attributes(event_attributes[e]),
                               .dropped_attributes = static_cast<std::uint32_t>(event_dropped[e])});
      }
      for (std::uint32_t l = span_links[i].begin; l < End(span_links[i]); ++l) {
        span.links.push_back({.trace_id = IdOf<model::TraceId>(link_ids[l]),
                              .span_id = IdOf<model::SpanId>(link_ids[l], 16),
                              .trace_state = Text(link_states[l]),
                              .attributes = Attributes(link_attributes[l]),
                              .dropped_attributes = static_cast<std::uint32_t>(link_dropped[l]),
                              .otel_flags = static_cast<std::uint32_t>(link_flags[l])});
      }
      span.dropped_attributes = static_cast<std::uint32_t>(dropped_attributes[i]);
      span.dropped_events = static_cast<std::uint32_t>(dropped_events[i]);
      span.dropped_links = static_cast<std::uint32_t>(dropped_links[i]);
      span.document = Text(documents[i]);
      record.spans.push_back(std::move(span));
    }
    if (failed_) return Wrong("a reference of a batch");
    return record;
  }

 private:
  struct Cell {
    std::uint64_t key = 0, type = 0, role = 0, number = 0;
    Batch::Ref text;
  };

  static std::uint64_t End(Batch::Ref ref) { return std::uint64_t{ref.begin} + ref.length; }
  static bool Fits(Batch::Ref ref, std::uint64_t count) { return End(ref) <= count; }

  void ReadAttributes(Batch& columns, std::uint64_t count) {
    const auto keys = columns.Planes(count, 4);
    const auto types = columns.Planes(count, 1);
    const auto roles = columns.Planes(count, 1);
    const auto low = columns.Planes(count, 4);
    const auto high = columns.Planes(count, 4);
    std::uint32_t end = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      Cell cell{.key = keys[i], .type = types[i], .role = roles[i], .number = 0, .text = {}};
      if (IsText(cell.type)) {
        cell.text = {.begin = static_cast<std::uint32_t>(end + high[i]),
                     .length = static_cast<std::uint32_t>(low[i])};
        end = cell.text.begin + cell.text.length;
      } else {
        cell.number = low[i] | high[i] << 32;
      }
      cells_.push_back(cell);
    }
  }

  std::string Text(Batch::Ref ref) {
    if (!Fits(ref, arena_.size())) {
      failed_ = true;
      return {};
    }
    return arena_.substr(ref.begin, ref.length);
  }

  std::vector<model::Attribute> Attributes(Batch::Ref range) {
    std::vector<model::Attribute> attributes;
    if (!Fits(range, cells_.size())) {
      failed_ = true;
      return attributes;
    }
    for (std::uint64_t i = range.begin; i < End(range); ++i) {
      const Cell& cell = cells_[i];
      if (cell.key >= keys_.size()) {
        failed_ = true;
        return attributes;
      }
      attributes.push_back({.key = Text(keys_[cell.key]),
                            .value = Value(cell),
                            .role = static_cast<model::AttributeRole>(cell.role)});
    }
    return attributes;
  }

  model::AttributeValue Value(const Cell& cell) {
    Cursor check("");
    const std::string text = IsText(cell.type) ? Text(cell.text) : std::string();
    model::AttributeValue value = ValueOf(cell.type, cell.number, text, check);
    failed_ = failed_ || check.failed();
    return value;
  }

  Cursor in_;
  std::vector<Cell> cells_;
  Batch::Refs keys_;
  std::string arena_;
  bool failed_ = false;
};

Result<Record> ReadTombstone(std::string_view body) {
  Record record;
  record.type = 2;
  Cursor in(body);
  const bool is_known = in.Fixed(1) == 1;
  record.head_only = in.Fixed(1) != 0;
  record.upto_lsn = in.Fixed(8);
  record.deleted.resize(in.Count());
  for (model::TraceId& id : record.deleted) id = IdOf<model::TraceId>(in.Bytes(16));
  if (!is_known || in.failed() || !in.done()) return Wrong("a tombstone");
  return record;
}

}  // namespace

Result<Record> ReadBatch(std::string_view payload) { return BatchReader(payload).Read(); }

Result<WalFile> ReadWal(std::string_view file, const Keys& keys) {
  if (file.size() < 4096) return Wrong("a log file is too short");
  WalFile wal;
  std::string salt;
  bool has_header = false;
  bool is_encrypted = false;
  Unsealer unsealer;
  for (const std::size_t copy : {0U, 2048U}) {
    const std::string_view bytes = file.substr(copy, 88);
    Cursor in(bytes);
    bool is_one = in.Bytes(8) == "FLORWAL1";
    const std::uint64_t major = in.Fixed(2);
    is_one = is_one && (major == 1 || major == 2);
    is_encrypted = major == 2;
    in.Bytes(6);
    wal.file_number = in.Fixed(8);
    salt = in.Bytes(16);
    wal.first_lsn = in.Fixed(8);
    wal.last_good_lsn = in.Fixed(8);
    wal.created_ns = static_cast<std::int64_t>(in.Fixed(8));
    in.Bytes(16);
    has_header = is_one && in.Fixed(8) == XXH3_64bits(bytes.data(), 80);
    if (has_header && is_encrypted) {
      auto found = Unsealer::Of(file.substr(copy + 88, 208), 1, wal.file_number, keys);
      if (!found && found.error().code == ErrorCode::kPermissionDenied)
        return std::unexpected(found.error());
      has_header = found.has_value();
      if (found) unsealer = *std::move(found);
    }
    if (has_header) break;
  }
  if (is_encrypted) wal.seen.insert("encrypted");
  if (!has_header) return Wrong("a log file's header");
  for (int byte = 0; byte < 8; ++byte)
    salt.push_back(static_cast<char>(wal.file_number >> (8 * byte)));
  const std::uint64_t seed = XXH3_64bits(salt.data(), salt.size());

  std::string body;  // of a record that goes on
  std::uint64_t open_lsn = 0;
  for (std::size_t at = 4096; at + 40 <= file.size();) {
    Cursor in(file.substr(at));
    const std::uint64_t sum = in.Fixed(8);
    const bool is_frame = in.Bytes(4) == "FRAM";
    Record record;
    record.type = static_cast<int>(in.Fixed(1));
    const std::uint64_t codec = in.Fixed(1);
    record.flags = static_cast<int>(in.Fixed(2));
    const std::uint64_t stored = in.Fixed(4);
    const std::uint64_t raw = in.Fixed(4);
    record.lsn = in.Fixed(8);
    record.synced_lsn = in.Fixed(8);
    std::string part = in.Bytes(stored);
    if (!is_frame || in.failed() || stored > (15U << 20) ||
        sum != XXH3_64bits_withSeed(file.data() + at + 8, 32 + stored, seed)) {
      at += 8;
      continue;
    }
    if (is_encrypted) {
      FLUORO_TRY(part, unsealer.Open(at, std::string(file.substr(at + 8, 32)), part));
    }
    at += (40 + stored + 7) / 8 * 8;
    const bool goes_on = (record.flags & 1) != 0;
    const bool began_before = (record.flags & 2) != 0;
    if (began_before && open_lsn != record.lsn) {
      open_lsn = 0;
      continue;
    }
    if (!began_before) body.clear();
    body += part;
    open_lsn = goes_on ? record.lsn : 0;
    if (goes_on) continue;
    wal.seen.insert("type " + std::to_string(record.type));
    wal.seen.insert("codec " + std::to_string(codec));
    if (began_before) wal.seen.insert("continued");
    std::string whole = body;
    if (codec == 1) {
      whole.assign(raw, '\0');
      const int got = LZ4_decompress_safe(body.data(), whole.data(), static_cast<int>(body.size()),
                                          static_cast<int>(raw));
      if (got != static_cast<int>(raw)) return Wrong("a record's LZ4 block");
    }
    if (codec > 1 || whole.size() != raw) return Wrong("a record's length");
    if (record.type > 2) continue;
    FLUORO_TRY(Record content, record.type == 1 ? ReadBatch(whole) : ReadTombstone(whole));
    content.lsn = record.lsn;
    content.synced_lsn = record.synced_lsn;
    content.flags = record.flags;
    wal.records.push_back(std::move(content));
  }
  return wal;
}

}  // namespace fluoro::store::reference
