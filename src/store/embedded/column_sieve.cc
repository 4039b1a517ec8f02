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
  ColumnSieve(const query::Sieve& sieve, const RunReader& runs, const ColumnReader& column)
      : sieve_(sieve), runs_(runs), column_(column), hits_(sieve.probes().size()) {}

  Result<std::vector<bool>> Run() {
    bool has_extent = false;
    for (std::size_t i = 0; i < hits_.size(); ++i) {
      if (std::holds_alternative<query::ExtentProbe>(sieve_.probes()[i])) {
        has_extent = true;
        continue;
      }
      if (spans_ == 0) FLUORO_CHECK_OK(ReadCounts());
      hit_ = &hits_[i];
      FLUORO_CHECK_OK(
          std::visit([this](const auto& probe) { return this->Find(probe); }, sieve_.probes()[i]));
    }
    const bool any = std::ranges::any_of(hits_, [](const auto& rows) { return !rows.empty(); });
    if (!any && !has_extent && !sieve_.Passes(std::vector<bool>(hits_.size())))
      return std::vector<bool>();
    FLUORO_CHECK_OK(ReadRuns());
    for (std::vector<bool>& rows : hits_) {
      if (rows.empty()) rows.resize(traces_.size());
    }
    std::vector<bool> passes(traces_.size());
    std::vector<bool> holds(hits_.size());
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
    TextEntries texts;  ///< the numbers of its columns, from 1, of each different owner
    std::size_t owners = 0;
    bool overflow = false;  ///< some attributes stand outside the columns
    ByteReader codes_in{std::string_view()};
    std::optional<std::vector<std::uint64_t>> codes;  ///< once they were wanted
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
    return {};
  }

  Result<void> ReadRuns() {
    if (!run_begins_.empty()) return {};
    traces_ = runs_();
    run_begins_.reserve(traces_.size() + 1);
    std::size_t row = 0;
    for (const TraceRun& trace : traces_) {
      run_begins_.push_back(row);
      row += trace.rows;
    }
    run_begins_.push_back(row);
    if (spans_ != 0 && row != spans_) {
      return Fail(ErrorCode::kCorruption, "row group: the trace table says " + std::to_string(row) +
                                              " spans, the columns " + std::to_string(spans_));
    }
    return {};
  }

  Result<const std::vector<Entry>*> Directory() {
    if (directory_) return &*directory_;
    FLUORO_TRY(const ByteReader in, Column(RowColumn::kAttributeKeys));
    FLUORO_TRY(directory_, DecodeAttributeDirectory(in));
    return &*directory_;
  }

  Result<Shapes*> ShapesOf(AttributeOwner owner) {
    const auto index = static_cast<std::size_t>(owner);
    std::optional<Shapes>& known = shapes_[index];
    if (known) return &*known;
    Shapes shapes;
    shapes.owners = owner == AttributeOwner::kSpan ? spans_ : resources_;
    FLUORO_TRY(ByteReader in, Column(RowColumn::kShapes, index));
    FLUORO_TRY(shapes.texts, DecodeTextEntries(in, shapes.owners));
    shapes.codes_in = in;
    for (std::size_t i = 0; i < shapes.texts.entries.size(); ++i) {
      if (shapes.texts.Entry(i).size() % sizeof(std::uint32_t) != 0)
        return Fail(ErrorCode::kCorruption, "row group: a shape ends inside a number");
    }
    FLUORO_TRY(const ByteReader overflow, Column(RowColumn::kOverflow, index));
    shapes.overflow = overflow.left() > 0;
    known = std::move(shapes);
    return &*known;
  }

  // Which shape each owner has; empty: that of its own number.
  static Result<std::span<const std::uint64_t>> CodesOf(Shapes& shapes) {
    if (!shapes.codes) {
      FLUORO_TRY(shapes.codes, DecodeCodes(shapes.codes_in, shapes.texts, shapes.owners));
    }
    return std::span<const std::uint64_t>(*shapes.codes);
  }

  // Marks the runs of the rows for which `hits` says so; only then it matters where runs begin.
  template <class Hits>
  Result<void> MarkRows(const Hits& hits) {
    FLUORO_CHECK_OK(ReadRuns());
    if (hit_->empty()) hit_->resize(traces_.size());
    std::size_t run = 0;
    for (std::size_t row = 0; row < spans_; ++row) {
      if (!hits(row)) continue;
      while (row >= run_begins_[run + 1]) ++run;
      (*hit_)[run] = true;
    }
    return {};
  }
  Result<void> MarkAll() {
    return MarkRows([](std::size_t) { return true; });
  }

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
    if (TakeTemplatedKind(in)) {
      FLUORO_TRY(const CodedTexts texts, DecodeCutTexts(in, hits.size()));
      bool any = false;
      for (std::size_t i = 0; i < hits.size(); ++i) {
        if (test(texts.Entry(i))) hits[i] = any = true;
      }
      return any;
    }
    FLUORO_TRY(const TextEntries texts, DecodeTextEntries(in, hits.size()));
    bool any = false;
    std::vector<bool> entries(texts.entries.size());
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (test(texts.Entry(i))) entries[i] = any = true;
    }
    if (!any) return false;
    FLUORO_TRY(const auto codes, DecodeCodes(in, texts, hits.size()));
    if (!texts.is_coded) {
      hits = std::move(entries);
      return true;
    }
    any = false;
    for (std::size_t i = 0; i < hits.size(); ++i) {
      if (entries[codes[i]]) hits[i] = any = true;
    }
    return any;
  }
  // In texts that are cut into patterns and numbers, without putting them together.
  static Result<bool> FindBytes(const query::ValueTest::Bytes& bytes, ByteReader& in,
                                std::vector<bool>& hits) {
    if (bytes.is_whole) {
      FLUORO_TRY(bool may_be, TemplatedTexts::MayEqual(in, hits.size(), bytes.text));
      if (!may_be && bytes.or_empty) {
        FLUORO_TRY(may_be, TemplatedTexts::MayEqual(in, hits.size(), ""));
      }
      if (!may_be) return false;
    }
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

  // Sets those of the owners of which some value in these columns satisfies the test; they stay
  // empty if there are none.
  Result<void> FindOwners(AttributeOwner owner, const std::vector<std::size_t>& columns,
                          const query::ValueTest& test, std::vector<bool>& found) {
    if (columns.empty()) return {};
    FLUORO_TRY(Shapes* const shapes, ShapesOf(owner));
    for (const std::size_t column : columns) {
      const std::vector<std::uint32_t> times = TimesIn(*shapes, column);
      // Where all shapes have it alike, it takes no look at which owner has which.
      const bool is_even = !times.empty() && std::ranges::count(times, times.front()) ==
                                                 static_cast<std::ptrdiff_t>(times.size());
      std::span<const std::uint64_t> codes;
      std::uint64_t count = is_even ? std::uint64_t{times.front()} * shapes->owners : 0;
      const auto times_of = [&](std::size_t i) { return times[codes.empty() ? i : codes[i]]; };
      if (!is_even) {
        FLUORO_TRY(codes, CodesOf(*shapes));
        for (std::size_t i = 0; i < shapes->owners; ++i) count += times_of(i);
      }
      if (count > kRowGroupRowsMax)
        return Fail(ErrorCode::kCorruption, "row group: more attributes than allowed");
      FLUORO_TRY(const auto values, TestValues((*directory_)[column], column, count, test));
      if (!values) continue;
      if (found.empty()) found.resize(shapes->owners);
      std::size_t next = 0;
      for (std::size_t i = 0; i < shapes->owners; ++i) {
        for (std::uint32_t left = is_even ? times.front() : times_of(i); left > 0; --left) {
          if ((*values)[next++]) found[i] = true;
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
      FLUORO_TRY(const Shapes* const shapes, ShapesOf(owner));
      if (shapes->overflow) return MarkAll();
    }
    std::vector<bool> rows;
    FLUORO_CHECK_OK(FindOwners(AttributeOwner::kSpan, of_span, probe.test, rows));
    if (!rows.empty()) FLUORO_CHECK_OK(MarkRows([&](std::size_t row) { return rows[row]; }));
    std::vector<bool> resources;
    FLUORO_CHECK_OK(FindOwners(AttributeOwner::kResource, of_resource, probe.test, resources));
    if (resources.empty()) return {};
    FLUORO_TRY(ByteReader in, Column(RowColumn::kResources));
    std::vector<std::uint64_t> of_rows(spans_);
    FLUORO_CHECK_OK(DecodeIntsBelow(in, resources_, of_rows));
    return MarkRows([&](std::size_t row) { return resources[of_rows[row]]; });
  }

  Result<void> Find(const query::PresenceProbe& probe) {
    FLUORO_TRY(const auto* const directory, Directory());
    FLUORO_TRY(Shapes* const shapes, ShapesOf(AttributeOwner::kSpan));
    if (shapes->overflow) return MarkAll();
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
    std::vector<bool> hits(has.size());
    bool any = false;
    for (std::size_t shape = 0; shape < hits.size(); ++shape) {
      if (has[shape] && has_other[shape] && without[shape]) hits[shape] = any = true;
    }
    if (!any) return {};
    FLUORO_TRY(const auto codes, CodesOf(*shapes));
    return MarkRows([&](std::size_t row) { return hits[codes.empty() ? row : codes[row]]; });
  }

  template <class Satisfies>
  Result<void> FindTexts(RowColumn id, const Satisfies& satisfies) {
    FLUORO_TRY(ByteReader in, Column(id));
    std::vector<bool> hits(spans_);
    FLUORO_TRY(const bool any, TestTextsBy(satisfies, in, hits));
    if (!any) return {};
    return MarkRows([&](std::size_t row) { return hits[row]; });
  }

  template <class Satisfies>
  Result<void> FindInts(RowColumn id, const Satisfies& satisfies) {
    FLUORO_TRY(ByteReader in, Column(id));
    std::vector<std::uint64_t> values(spans_);
    FLUORO_CHECK_OK(DecodeInts(in, values));
    if (std::ranges::none_of(values, satisfies)) return {};
    return MarkRows([&](std::size_t row) { return satisfies(values[row]); });
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
  const RunReader& runs_;
  const ColumnReader& column_;
  std::vector<std::vector<bool>> hits_;  ///< by probe, by run; empty: it holds nowhere
  std::vector<bool>* hit_ = nullptr;     ///< of the probe that is looked for
  std::size_t spans_ = 0;
  std::size_t resources_ = 0;
  std::span<const TraceRun> traces_;     ///< once they were wanted
  std::vector<std::size_t> run_begins_;  ///< first row of each run, and the end
  std::optional<std::vector<Entry>> directory_;
  std::optional<Shapes> shapes_[kAttributeOwners];
};

}  // namespace

Result<std::vector<bool>> SieveRowGroup(const query::Sieve& sieve, const RunReader& runs,
                                        const ColumnReader& column) {
  return ColumnSieve(sieve, runs, column).Run();
}

}  // namespace fluoro::store
