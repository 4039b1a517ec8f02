#include "store/embedded/reference_row_group_for_test.h"

#include "store/embedded/reference_attributes_for_test.h"
#include "store/embedded/reference_values_for_test.h"
#include "store/embedded/reference_zones_for_test.h"

namespace fluoro::store::reference {
namespace {

class RowGroup {
 public:
  RowGroup(const GroupSections& sections, std::set<std::string>& seen)
      : sections_(sections), columns_(sections.columns, seen), seen_(seen) {}

  /// Appends the spans to their traces.
  Result<void> Read(const std::vector<Run>& runs) {
    Cursor counts = columns_.Column(1);
    spans_ = counts.Count();
    resources_ = counts.Count();
    scopes_ = counts.Count();
    events_ = counts.Count();
    links_ = counts.Count();
    if (counts.failed()) return Wrong("counts");
    std::uint64_t rows = 0;
    for (const Run& run : runs) rows += run.rows;
    if (rows != spans_) return Wrong("the trace table and the counts disagree");
    const Attributes attributes(columns_, {resources_, scopes_, spans_, events_, links_});
    ReadResources(attributes);
    ReadScopes(attributes);
    spans_out_.resize(spans_);
    ReadSpans(runs, attributes);
    ReadEvents(attributes);
    ReadLinks(attributes);
    if (columns_.failed()) return Wrong("a column of the row group");
    if (!sections_.zones.empty()) {
      const bool has_overflow = !columns_.Column(40).done() || !columns_.Column(42).done();
      FLUORO_CHECK_OK(CheckZones(sections_.zones, sections_.filters, attributes.directory(),
                                 has_overflow, spans_out_, seen_));
    }
    std::size_t row = 0;
    for (const Run& run : runs) {
      for (std::uint64_t i = 0; i < run.rows; ++i)
        run.trace->spans.push_back(std::move(spans_out_[row++]));
    }
    return {};
  }

 private:
  void ReadResources(const Attributes& attributes) {
    Cursor in = columns_.Column(21);
    const auto dropped = Ints(in, resources_, seen_);
    (void)Texts(in, resources_, seen_);  // the services: service.name of the attributes
    const auto schemas = Texts(in, resources_, seen_);
    const auto entities = Texts(in, resources_, seen_);
    columns_.Check(in);
    if (columns_.failed()) return;
    for (std::uint64_t i = 0; i < resources_; ++i) {
      auto resource = std::make_shared<model::Resource>();
      resource->attributes = attributes.Of(0, i);
      resource->dropped_attributes = static_cast<std::uint32_t>(dropped[i]);
      resource->schema_url = schemas[i];
      resource->entity_refs = entities[i];
      resources_out_.push_back(std::move(resource));
    }
  }

  void ReadScopes(const Attributes& attributes) {
    Cursor in = columns_.Column(22);
    const auto dropped = Ints(in, scopes_, seen_);
    const auto names = Texts(in, scopes_, seen_);
    const auto versions = Texts(in, scopes_, seen_);
    const auto schemas = Texts(in, scopes_, seen_);
    columns_.Check(in);
    if (columns_.failed()) return;
    for (std::uint64_t i = 0; i < scopes_; ++i) {
      auto scope = std::make_shared<model::Scope>();
      scope->name = names[i];
      scope->version = versions[i];
      scope->attributes = attributes.Of(1, i);
      scope->dropped_attributes = static_cast<std::uint32_t>(dropped[i]);
      scope->schema_url = schemas[i];
      scopes_out_.push_back(std::move(scope));
    }
  }

  void ReadSpans(const std::vector<Run>& runs, const Attributes& attributes) {
    Cursor ids = columns_.Column(2);
    const auto parents = columns_.IntsOf(3, spans_);
    Cursor parent_ids = columns_.Column(4);
    const auto starts = columns_.IntsOf(5, spans_);
    const auto durations = columns_.IntsOf(6, spans_);
    const auto names = columns_.TextsOf(7, spans_);
    const auto resources = columns_.IntsOf(8, spans_);
    const auto scopes = columns_.IntsOf(9, spans_);
    const auto kinds = columns_.IntsOf(10, spans_);
    const auto statuses = columns_.IntsOf(11, spans_);
    const auto sources = columns_.IntsOf(12, spans_);
    const auto flags = columns_.IntsOf(13, spans_);
    const auto otel_flags = columns_.IntsOf(14, spans_);
    const auto states = columns_.TextsOf(15, spans_);
    const auto messages = columns_.TextsOf(16, spans_);
    const auto dropped_attributes = columns_.IntsOf(17, spans_);
    const auto dropped_events = columns_.IntsOf(18, spans_);
    const auto dropped_links = columns_.IntsOf(19, spans_);
    const auto documents = columns_.TextsOf(20, spans_);
    if (columns_.failed()) return;
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
            columns_.Fail();
            return;
          }
          span.parent_id = spans_out_[first + static_cast<std::size_t>(place)].span_id;
        }
        span.start_ns = Plus(run.trace->start_ns, starts[row]);
        span.end_ns = Plus(span.start_ns, durations[row]);
        span.name = names[row];
        if (resources[row] >= resources_ || scopes[row] >= scopes_) {
          columns_.Fail();
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
        span.attributes = attributes.Of(2, row);
      }
    }
    columns_.Check(ids);
    columns_.Check(parent_ids);
  }

  void ReadEvents(const Attributes& attributes) {
    const auto counts = columns_.IntsOf(23, spans_);
    const auto times = columns_.IntsOf(24, events_);
    const auto names = columns_.TextsOf(25, events_);
    const auto dropped = columns_.IntsOf(26, events_);
    std::size_t next = 0;
    for (std::size_t row = 0; row < spans_ && !columns_.failed(); ++row) {
      for (std::uint64_t i = 0; i < counts[row]; ++i, ++next) {
        if (next >= events_) {
          columns_.Fail();
          return;
        }
        spans_out_[row].events.push_back(
            {.time_ns = Plus(spans_out_[row].start_ns,
                             static_cast<std::uint64_t>(Cursor::UnZigZag(times[next]))),
             .name = names[next],
             .attributes = attributes.Of(3, next),
             .dropped_attributes = static_cast<std::uint32_t>(dropped[next])});
      }
    }
    if (next != events_) columns_.Fail();
  }

  void ReadLinks(const Attributes& attributes) {
    const auto counts = columns_.IntsOf(27, spans_);
    Cursor ids = columns_.Column(28);
    Cursor in = columns_.Column(29);
    const auto states = Texts(in, links_, seen_);
    const auto dropped = Ints(in, links_, seen_);
    const auto flags = Ints(in, links_, seen_);
    columns_.Check(in);
    std::size_t next = 0;
    for (std::size_t row = 0; row < spans_ && !columns_.failed(); ++row) {
      for (std::uint64_t i = 0; i < counts[row]; ++i, ++next) {
        if (next >= links_) {
          columns_.Fail();
          return;
        }
        model::Link link;
        link.trace_id = TakeId<model::TraceId>(ids);
        link.span_id = TakeId<model::SpanId>(ids);
        link.trace_state = states[next];
        link.attributes = attributes.Of(4, next);
        link.dropped_attributes = static_cast<std::uint32_t>(dropped[next]);
        link.otel_flags = static_cast<std::uint32_t>(flags[next]);
        spans_out_[row].links.push_back(std::move(link));
      }
    }
    columns_.Check(ids);
    if (next != links_) columns_.Fail();
  }

  const GroupSections& sections_;
  GroupColumns columns_;
  std::set<std::string>& seen_;
  std::uint64_t spans_ = 0, resources_ = 0, scopes_ = 0, events_ = 0, links_ = 0;
  std::vector<std::shared_ptr<const model::Resource>> resources_out_;
  std::vector<std::shared_ptr<const model::Scope>> scopes_out_;
  std::vector<model::Span> spans_out_;
};

}  // namespace

Result<void> ReadRowGroup(const GroupSections& sections, const std::vector<Run>& runs,
                          std::set<std::string>& seen) {
  return RowGroup(sections, seen).Read(runs);
}

}  // namespace fluoro::store::reference
