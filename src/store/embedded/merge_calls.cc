// Sums of calls of merged blocks are added up, minute by minute.
#include <array>

#include "base/log.h"
#include "store/embedded/call_section.h"
#include "store/embedded/merge.h"

namespace fluoro::store {

using rollup::CallSums;
using rollup::RollupWindow;

namespace {

struct Source {
  std::shared_ptr<Block> block;
  std::shared_ptr<const CallTable> table;
  /// By facet; all null: its sums are by minute only.
  std::array<std::shared_ptr<const CallTable>, rollup::kCallFacets.size()> hours;
};

// Of a block that was written before calls were summed.
Result<bool> MayHoldCalls(const Block& block) {
  FLUORO_TRY(const auto table, block.Table());
  for (std::uint32_t group = 0; group < block.meta().row_groups.size(); ++group) {
    FLUORO_TRY(const bool may, block.GroupMayHoldCalls(*table, group));
    if (may) return true;
  }
  return false;
}

// Sums by hour, by facet.
class HourEncoders {
 public:
  explicit HourEncoders(BlockWriter& writer) {
    for (std::uint32_t facet = 0; facet < rollup::kCallFacets.size(); ++facet) {
      encoders_.emplace_back([&writer, facet](std::uint32_t chunk, std::string_view bytes) {
        return writer.PutSums(SectionType::kCallHours, CallPart(facet, chunk + 1), bytes);
      });
    }
  }

  // All facets of an hour, then the next hour.
  Result<void> Add(std::span<const Source> sources) {
    std::vector<MinuteChunk> chunks;
    const auto add_chunks = [&chunks](const CallTable& table) {
      chunks.insert(chunks.end(), table.chunks.begin(), table.chunks.end());
    };
    for (const Source& source : sources) {
      for (CallEncoder& encoder : encoders_)
        encoder.AddExtent(source.table->first_ns, source.table->last_ns);
      if (source.hours.front() == nullptr) {
        add_chunks(*source.table);
        continue;
      }
      for (const auto& table : source.hours) add_chunks(*table);
    }
    return ForHoursEach(chunks, [&](const RollupWindow& hour) { return AddHour(sources, hour); });
  }

  Result<void> Finish(BlockWriter& writer) {
    for (std::uint32_t facet = 0; facet < encoders_.size(); ++facet) {
      FLUORO_TRY(const std::string header, encoders_[facet].Finish());
      FLUORO_CHECK_OK(writer.PutSums(SectionType::kCallHours, CallPart(facet, 0), header));
    }
    return {};
  }

 private:
  Result<void> AddHour(std::span<const Source> sources, const RollupWindow& hour) {
    CallSums minutes(rollup::kHourNs, rollup::kByAllDimensions,
                     {.series_per_period_max = kMinuteSeriesMax});
    for (const Source& source : sources) {
      if (source.hours.front() == nullptr)
        FLUORO_CHECK_OK(source.block->AddCalls(*source.table, hour, minutes));
    }
    for (std::uint8_t facet = 0; facet < encoders_.size(); ++facet) {
      CallSums sum(rollup::kHourNs, rollup::kCallFacets[facet]);
      for (const Source& source : sources) {
        if (source.hours[facet] != nullptr)
          FLUORO_CHECK_OK(source.block->AddCallHours(facet, *source.hours[facet], hour, sum));
      }
      sum.Merge(minutes);
      FLUORO_CHECK_OK(encoders_[facet].Add(sum));
    }
    return {};
  }

  std::vector<CallEncoder> encoders_;
};

// Damaged ones are as none: the sums by minute have it all.
void FindHours(Source& source) {
  for (std::uint8_t facet = 0; facet < source.hours.size(); ++facet) {
    auto table = source.block->CallHours(facet);
    if (!table || *table == nullptr) {
      source.hours = {};
      return;
    }
    source.hours[facet] = *std::move(table);
  }
}

}  // namespace

Result<void> MergeCalls(std::span<const MergeInput> inputs, BlockWriter& writer) {
  std::vector<Source> sources;
  std::vector<MinuteChunk> chunks;
  CallEncoder encoder([&writer](std::uint32_t chunk, std::string_view bytes) {
    return writer.PutSums(SectionType::kCalls, chunk + 1, bytes);
  });
  HourEncoders hours(writer);
  // False: the spans of the merged block are to be asked.
  const auto add = [&]() -> Result<bool> {
    for (const MergeInput& input : inputs) {
      if (!input.block->meta().calls_summed) {
        FLUORO_TRY(const bool may, MayHoldCalls(*input.block));
        if (may) return false;
        continue;
      }
      FLUORO_TRY(auto table, input.block->Calls());
      if (table == nullptr) continue;
      encoder.AddExtent(table->first_ns, table->last_ns);
      chunks.insert(chunks.end(), table->chunks.begin(), table->chunks.end());
      sources.push_back({.block = input.block, .table = std::move(table), .hours = {}});
      FindHours(sources.back());
    }
    const auto add_minutes = [&](const RollupWindow& step) -> Result<void> {
      CallSums sum(rollup::kMinuteNs);
      for (const Source& source : sources)
        FLUORO_CHECK_OK(source.block->AddCalls(*source.table, step, sum));
      return encoder.Add(sum);
    };
    FLUORO_CHECK_OK(ForFewMinutesEach(chunks, {}, add_minutes));
    FLUORO_CHECK_OK(hours.Add(sources));
    return true;
  };
  const auto added = add();
  if (!added && added.error().code != ErrorCode::kCorruption) return std::unexpected(added.error());
  if (!added) {
    log::Warn("store: merged blocks have no sums of calls, since those of one are damaged",
              {{"why", added.error().message}});
  }
  if (!added || !*added) return {};
  writer.SetCallsSummed();
  if (encoder.empty()) return {};
  FLUORO_TRY(const std::string header, encoder.Finish());
  FLUORO_CHECK_OK(writer.PutSums(SectionType::kCalls, 0, header));
  return hours.Finish(writer);
}

}  // namespace fluoro::store
