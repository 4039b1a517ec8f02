// For tests of sums inside blocks: sums as bytes, and a store beside a model of what it was sent.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "store/embedded/block.h"
#include "store/embedded/minute_section.h"
#include "store/embedded/store_fixture_for_test.h"

namespace fluoro::store::testing {

struct EncodedSums {
  std::string header;
  std::vector<std::string> chunks;
};
template <class Sums>
EncodedSums EncodeSums(const Sums& sums) {
  EncodedSums encoded;
  MinuteEncoder<Sums> encoder([&](std::uint32_t chunk, std::string_view bytes) -> Result<void> {
    EXPECT_EQ(chunk, encoded.chunks.size());
    encoded.chunks.emplace_back(bytes);
    return {};
  });
  EXPECT_TRUE(encoder.Add(sums));
  encoded.header = *encoder.Finish();
  return encoded;
}
/// All rows of the chunks in that window.
template <class Sums>
Sums DecodeSums(const EncodedSums& encoded, const MinuteTable<Sums>& table,
                const rollup::RollupWindow& window = {}) {
  Sums back(rollup::kMinuteNs);
  std::vector<std::uint32_t> numbers;
  for (std::size_t i = 0; i < encoded.chunks.size(); ++i)
    EXPECT_TRUE(AddMinuteChunk(encoded.chunks[i], table, i, window, numbers, back));
  return back;
}

/// Seals, merges and drops only when told.
class SumsStoreTest : public StoreFixture {
 protected:
  static constexpr std::int64_t kNow = 1'700'000'100'000'000'000;

  SumsStoreTest() : StoreFixture(kNow, 17) {
    options_.merge.fan_in = 1'000;
    options_.merge.window_ns[0] = options_.merge.window_ns[1] = 365LL * 86'400 * kNsPerSecond;
    Open();
  }
  void AppendSpans(const std::vector<model::Span>& spans) {
    ASSERT_TRUE(store_->Append(MakeBatch(spans), Durability::kSynced));
    model_.Append(spans);
  }
  std::shared_ptr<Block> OpenBlock(std::uint64_t block) {
    auto opened = Block::Open(fs_, cache_, PathOf(block), block);
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? *opened : nullptr;
  }
  /// Turns a bit of the n-th part of a block's sums.
  void Damage(std::uint64_t block, SectionType type, std::uint32_t part) {
    const auto opened = OpenBlock(block);
    ASSERT_NE(opened, nullptr);
    for (const Section& section : opened->meta().sections) {
      if (section.type != type || section.column != part) continue;
      const auto file = fs_.Open(PathOf(block), Fs::OpenMode::kReadWrite);
      std::string byte = *(*file)->ReadAt(section.offset + section.stored / 2, 1);
      byte[0] = static_cast<char>(byte[0] ^ 4);
      ASSERT_TRUE((*file)->WriteAt(section.offset + section.stored / 2, byte));
      return;
    }
    FAIL() << "no such part";
  }
  /// From now on so many blocks become one.
  void MergeBlocks(std::size_t blocks) {
    options_.merge.fan_in = blocks;
    Open();
    ASSERT_TRUE(store_->RunMaintenance());
  }
  static std::string PathOf(std::uint64_t block) { return "data/blocks/" + BlockFileName(block); }

  BlockCache cache_{metrics_, "test", 1 << 20};
  StoreModel model_;
};

}  // namespace fluoro::store::testing
