#include "store/embedded/column_sieve.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "base/assert.h"
#include "store/embedded/attribute_directory.h"
#include "store/embedded/batch_codec.h"
#include "store/embedded/columns.h"
#include "store/embedded/text_template.h"

namespace fluoro::store {
namespace {

using model::AttributeType;

class ColumnSieve {
 public:
  ColumnSieve(const query::Sieve& sieve, std::span<const TraceRun> traces,
              const ColumnReader& column)
      : sieve_(sieve),
        traces_(traces),
        column_(column),
        hits_(sieve.probes().size(), std::vector<bool>(traces.size())) {}

  Result<std::vector<bool>> Run() {
    for (std::size_t i = 0; i < hits_.size(); ++i) {
      if (std::holds_alternative<query::ExtentProbe>(sieve_.probes()[i])) continue;
      if (run_begins_.empty()) FLUORO_CHECK_OK(ReadCounts());
      hit_ = &hits_[i];
      FLUORO_CHECK_OK(
          std::visit([this](const auto& probe) { return this->Find(probe); }, sieve_.probes()[i]));
    }
    std::vector<bool> passes(traces_.size());
    std::vector<bool> holds(hits_.size());
    const bool has_extent = std::ranges::any_of(sieve_.probes(), [](const query::Probe& probe) {
      return std::holds_alternative<query::ExtentProbe>(probe);
    });
    // Neighbours are mostly alike.
    std::optional<bool> before;
    for (std::size_t run = 0; run < traces_.size(); ++run) {
      for (std::size_t i = 0; i < hits_.size(); ++i) {
        if (holds[i] == hits_[i][run]) continue;
        holds[i] = hits_[i][run];
        before.reset();
      }
      if (has_extent) {
        std::vector<bool> with_extent = holds;
        query::HoldByExtent(sieve_, traces_[run].start_ns, traces_[run].end_ns, with_extent);
        passes[run] = sieve_.Passes(with_extent);
        continue;
      }
      if (!before) before = sieve_.Passes(holds);
      passes[run] = *before;
    }
    return passes;
  }

 private:
  using Entry = AttributeColumnName;
  struct Shapes {
    CodedTexts texts;  ///< of each owner: the numbers of its columns, from 1
    std::size_t owners = 0;
    bool overflow = false;                 ///< some attributes stand outside the columns
    std::vector<std::uint64_t> owners_of;  ///< by entry: how many owners have this shape
  };

  [[nodiscard]] Result<ByteReader> Column(RowColumn id, std::size_t index = 0) const {
    FLUORO_TRY(const std::string_view bytes,
               column_(static_cast<std::uint32_t>(id) + static_cast<std::uint32_t>(index)));
    return ByteReader(bytes);
  }

  Result<void> ReadCounts() {
    FLUORO_TRY(ByteReader in, Column(RowColumn::kCounts));
    FLUORO_TRY(spans_, in.TakeCount(kRowGroupSpansMax));
    FLUORO_TRY(resources_, in.TakeCount(spans_));
    std::uint64_t rows = 0;
    for (const TraceRun& trace : traces_) rows += trace.rows;
    if (rows != spans_) {
      return Fail(ErrorCode::kCorruption, "row group: the trace table says " +
                                              std::to_string(rows) + " spans, the columns " +
                                              std::to_string(spans_));
    }
    run_begins_.reserve(traces_.size() + 1);
    std::size_t row = 0;
    for (const TraceRun& trace : traces_) {
      run_begins_.push_back(row);
      row += trace.rows;
    }
    run_begins_.push_back(row);
    return {};
  }

  Result<const std::vector<Entry>*> Directory() {
    if (directory_) return &*directory_;
    FLUORO_TRY(const ByteReader in, Column(RowColumn::kAttributeKeys));
    FLUORO_TRY(directory_, DecodeAttributeDirectory(in));
    return &*directory_;
  }

  Result<const Shapes*> ShapesOf(AttributeOwner owner) {
    const auto index = static_cast<std::size_t>(owner);
    std::optional<Shapes>& known = shapes_[index];
    if (known) return &*known;
    Shapes shapes;
    shapes.owners = owner == AttributeOwner::kSpan ? spans_ : resources_;
    FLUORO_TRY(ByteReader in, Column(RowColumn::kShapes, index));
    FLUORO_TRY(shapes.texts, DecodeCodedTexts(in, shapes.owners));
    for (std::size_t i = 0; i < shapes.texts.entries.size(); ++i) {
      if (shapes.texts.Entry(i).size() % sizeof(std::uint32_t) != 0)
        return Fail(ErrorCode::kCorruption, "row group: a shape ends inside a number");
    }
    shapes.owners_of = shapes.texts.Uses(shapes.owners);
    FLUORO_TRY(const ByteReader overflow, Column(RowColumn::kOverflow, index));
    shapes.overflow = overflow.left() > 0;
    known = std::move(shapes);
    return &*known;
  }

  // Rows are marked in order, probe by probe.
  void MarkRow(std::size_t row) {
    if (row < run_begins_[run_]) run_ = 0;
    while (row >= run_begins_[run_ + 1]) ++run_;
    (*hit_)[run_] = true;
  }
  void MarkAll() { hit_->assign(hit_->size(), true); }

  // How often a column (counted from 0) stands in each shape.
  static std::vector<std::uint32_t> TimesIn(const Shapes& shapes, std::size_t column) {
    std::vector<std::uint32_t> times(shapes.texts.entries.size());
    for (std::size_t i = 0; i < times.size(); ++i) {
      const std::string_view numbers = shapes.texts.Entry(i);
      for (std::size_t at = 0; at < numbers.size(); at += sizeof(std::uint32_t)) {
        std::uint32_t number = 0;
        std::memcpy(&number, numbers.data() + at, sizeof number);
        times[i] += number == column + 1 ? 1 : 0;
      }
    }
    return times;
  }

  // Which values of a column satisfy the test; nothing if none does.
  [[nodiscard]] Result<std::optional<std::vector<bool>>> TestValues(
      const Entry& entry, std::size_t column, std::size_t count,
      const query::ValueTest& test) const {
    if (entry.type == AttributeType::kNull || count == 0) return std::nullopt;
    FLUORO_TRY(ByteReader in, Column(RowColumn::kAttributes, column));
    std::vector<bool> values(count);
    bool any = false;
    const auto set = [&](std::size_t i, bool satisfies) {
      values[i] = satisfies;
      any = any || satisfies;
    };
    switch (entry.type) {
      case AttributeType::kString: {
        FLUORO_TRY(any, TestTexts(in, test, values));
        break;
      }
      case AttributeType::kBool:
      case AttributeType::kInt:
      case AttributeType::kDouble: {
        std::vector<std::uint64_t> numbers(count);
        FLUORO_CHECK_OK(DecodeInts(in, numbers));
        for (std::size_t i = 0; i < count; ++i)
          set(i, test.Value(NumberOf(entry.type, numbers[i])));
        break;
      }
      default: {
        const bool satisfies = test.Value({model::AttributeValue::Bytes{}});
        for (std::size_t i = 0; i < count; ++i) set(i, satisfies);
      }
    }
    if (!any) return std::nullopt;
    return values;
  }

  // Sets those of the texts that satisfy the test. False: none does.
  static Result<bool> TestTexts(ByteReader& in, const query::ValueTest& test,
                                std::vector<bool>& hits) {
    const auto bytes = test.AsBytes();
    if (!bytes)
      return TestTextsBy([&](std::string_view text) { return test.Text(text); }, in, hits);
    if (!bytes->text.empty() && TakeTemplatedKind(in)) return FindBytes(*bytes, in, hits);
    return TestTextsBy([&](std::string_view text) { return bytes->Matches(text); }, in, hits);
  }
  template <class Test>
  static Result<bool> TestTextsBy(const Test& test, ByteReader& in, std::vector<bool>& hits) {
    FLUORO_TRY(const CodedTexts texts, DecodeCodedTexts(in, hits.size()));
    bool any = false;
    std::vector<bool> entries(texts.entries.size());
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (test(texts.Entry(i))) entries[i] = any = true;
    }
    if (!any) return false;
    if (texts.codes.empty()) {
      hits = std::move(entries);
    } else {
      for (std::size_t i = 0; i < hits.size(); ++i) hits[i] = entries[texts.codes[i]];
    }
    return true;
  }
  // In texts that are cut into patterns and numbers, without putting them together.
  static Result<bool> FindBytes(const query::ValueTest::Bytes& bytes, ByteReader& in,
                                std::vector<bool>& hits) {
    FLUORO_TRY(const TemplatedTexts texts, TemplatedTexts::Decode(in, hits.size()));
    bool any = false;
    const auto mark = [&](std::size_t i) { hits[i] = any = true; };
    if (bytes.or_empty) texts.FindEqual("", mark);
    if (bytes.is_whole) {
      texts.FindEqual(bytes.text, mark);
      return any;
    }
    FLUORO_TRY(const bool contained, texts.FindContaining(bytes.text, hits));
    return any || contained;
  }

  static model::AttributeValue NumberOf(AttributeType type, std::uint64_t bits) {
    if (type == AttributeType::kBool) return {bits != 0};
    if (type == AttributeType::kDouble) return {std::bit_cast<double>(bits)};
    return {UnZigZag(bits)};
  }

  // Calls `mark` with the owners of which some value in these columns satisfies the test.
  template <class Mark>
  Result<void> FindOwners(AttributeOwner owner, const std::vector<std::size_t>& columns,
                          const query::ValueTest& test, const Mark& mark) {
    if (columns.empty()) return {};
    FLUORO_TRY(const Shapes* shapes, ShapesOf(owner));
    for (const std::size_t column : columns) {
      const std::vector<std::uint32_t> times = TimesIn(*shapes, column);
      std::uint64_t count = 0;
      for (std::size_t i = 0; i < times.size(); ++i) count += times[i] * shapes->owners_of[i];
      if (count > kRowGroupRowsMax)
        return Fail(ErrorCode::kCorruption, "row group: more attributes than allowed");
      FLUORO_TRY(const auto values, TestValues((*directory_)[column], column, count, test));
      if (!values) continue;
      std::size_t next = 0;
      for (std::size_t i = 0; i < shapes->owners; ++i) {
        for (std::uint32_t left = times[shapes->texts.CodeOf(i)]; left > 0; --left) {
          if ((*values)[next++]) mark(i);
        }
      }
    }
    return {};
  }

  Result<void> Find(const query::AttributeProbe& probe) {
    FLUORO_TRY(const auto* const directory, Directory());
    std::vector<std::size_t> of_span;
    std::vector<std::size_t> of_resource;
    for (std::size_t i = 0; i < directory->size(); ++i) {
      const Entry& entry = (*directory)[i];
      if (entry.owner == AttributeOwner::kSpan && probe.ReadsSpanKey(entry.key))
        of_span.push_back(i);
      if (entry.owner == AttributeOwner::kResource && probe.ReadsResourceKey(entry.key))
        of_resource.push_back(i);
    }
    for (const AttributeOwner owner : {AttributeOwner::kSpan, AttributeOwner::kResource}) {
      FLUORO_TRY(const Shapes* shapes, ShapesOf(owner));
      if (!shapes->overflow) continue;
      MarkAll();
      return {};
    }
    FLUORO_CHECK_OK(FindOwners(AttributeOwner::kSpan, of_span, probe.test,
                               [this](std::size_t row) { MarkRow(row); }));
    std::vector<bool> resources(resources_);
    bool any = false;
    FLUORO_CHECK_OK(FindOwners(AttributeOwner::kResource, of_resource, probe.test,
                               [&](std::size_t i) { any = resources[i] = true; }));
    if (!any) return {};
    FLUORO_TRY(ByteReader in, Column(RowColumn::kResources));
    std::vector<std::uint64_t> of_rows(spans_);
    FLUORO_CHECK_OK(DecodeIntsBelow(in, resources_, of_rows));
    for (std::size_t row = 0; row < spans_; ++row) {
      if (resources[of_rows[row]]) MarkRow(row);
    }
    return {};
  }

  Result<void> Find(const query::PresenceProbe& probe) {
    FLUORO_TRY(const auto* const directory, Directory());
    FLUORO_TRY(const Shapes* shapes, ShapesOf(AttributeOwner::kSpan));
    if (shapes->overflow) {
      MarkAll();
      return {};
    }
    const auto names = [](const std::vector<std::string>& keys, std::string_view key) {
      return std::ranges::find(keys, key) != keys.end();
    };
    std::vector<bool> has(shapes->texts.entries.size());
    std::vector<bool> has_other(has.size(), probe.and_any_of.empty());
    std::vector<bool> without(has.size(), true);
    for (std::size_t i = 0; i < directory->size(); ++i) {
      const Entry& entry = (*directory)[i];
      if (entry.owner != AttributeOwner::kSpan) continue;
      const bool any_of = names(probe.any_of, entry.key);
      const bool none_of = names(probe.none_of, entry.key) &&
                           query::PresenceProbe::IsPlainScalar(entry.type, entry.role);
      const bool and_any_of = names(probe.and_any_of, entry.key);
      if (!any_of && !and_any_of && !none_of) continue;
      const std::vector<std::uint32_t> times = TimesIn(*shapes, i);
      for (std::size_t shape = 0; shape < times.size(); ++shape) {
        if (times[shape] == 0) continue;
        has[shape] = has[shape] || any_of;
        has_other[shape] = has_other[shape] || and_any_of;
        without[shape] = without[shape] && !none_of;
      }
    }
    for (std::size_t row = 0; row < spans_; ++row) {
      const std::size_t shape = shapes->texts.CodeOf(row);
      if (has[shape] && has_other[shape] && without[shape]) MarkRow(row);
    }
    return {};
  }

  template <class Satisfies>
  Result<void> FindTexts(RowColumn id, const Satisfies& satisfies) {
    FLUORO_TRY(ByteReader in, Column(id));
    FLUORO_TRY(const CodedTexts texts, DecodeCodedTexts(in, spans_));
    std::vector<bool> entries(texts.entries.size());
    for (std::size_t i = 0; i < entries.size(); ++i) entries[i] = satisfies(texts.Entry(i));
    if (std::ranges::find(entries, true) == entries.end()) return {};
    for (std::size_t row = 0; row < spans_; ++row) {
      if (entries[texts.CodeOf(row)]) MarkRow(row);
    }
    return {};
  }

  template <class Satisfies>
  Result<void> FindInts(RowColumn id, const Satisfies& satisfies) {
    FLUORO_TRY(ByteReader in, Column(id));
    std::vector<std::uint64_t> values(spans_);
    FLUORO_CHECK_OK(DecodeInts(in, values));
    for (std::size_t row = 0; row < spans_; ++row) {
      if (satisfies(values[row])) MarkRow(row);
    }
    return {};
  }

  Result<void> Find(const query::NameProbe& probe) {
    return FindTexts(RowColumn::kNames,
                     [&](std::string_view name) { return probe.test.Text(name); });
  }
  Result<void> Find(const query::DocumentProbe& probe) {
    return FindTexts(RowColumn::kDocuments,
                     [&](std::string_view document) { return probe.Holds(document); });
  }
  Result<void> Find(const query::FlagProbe& probe) {
    return FindInts(RowColumn::kFlags,
                    [&](std::uint64_t flags) { return (flags & probe.mask) != 0; });
  }
  Result<void> Find(const query::StatusProbe&) {
    return FindInts(RowColumn::kStatuses, [](std::uint64_t status) {
      return status == static_cast<std::uint64_t>(model::StatusCode::kError);
    });
  }
  static Result<void> Find(const query::ExtentProbe&) { return {}; }  // the runs say it

  const query::Sieve& sieve_;
  std::span<const TraceRun> traces_;
  const ColumnReader& column_;
  std::vector<std::vector<bool>> hits_;  ///< by probe, by run
  std::vector<bool>* hit_ = nullptr;     ///< of the probe that is looked for
  std::size_t spans_ = 0;
  std::size_t resources_ = 0;
  std::vector<std::size_t> run_begins_;  ///< first row of each run, and the end
  std::size_t run_ = 0;                  ///< of the row that was marked last
  std::optional<std::vector<Entry>> directory_;
  std::optional<Shapes> shapes_[kAttributeOwners];
};

}  // namespace

Result<std::vector<bool>> SieveRowGroup(const query::Sieve& sieve, std::span<const TraceRun> traces,
                                        const ColumnReader& column) {
  return ColumnSieve(sieve, traces, column).Run();
}

}  // namespace fluoro::store
