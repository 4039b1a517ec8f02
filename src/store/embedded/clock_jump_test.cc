// The wall clock jumps by an hour while the store works: what was acknowledged is there once, in
// the order in which it came, after a restart too.
#include <gtest/gtest.h>

#include "base/memory_fs.h"
#include "base/rng.h"
#include "store/embedded/embedded_store.h"
#include "store/testing.h"

namespace fluoro::store {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the suite of this module

constexpr std::int64_t kNow = 1'700'010'000 * kNsPerSecond;
constexpr std::int64_t kHourNs = 3'600 * kNsPerSecond;

/// As the machine's: only the wall clock can be set.
class SettableClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t UnixNs() const override { return kNow + passed_ns_ + offset_ns_; }
  [[nodiscard]] std::int64_t MonotonicNs() const override { return kNow + passed_ns_; }
  void Pass(std::int64_t ns) { passed_ns_ += ns; }
  void Set(std::int64_t offset_ns) { offset_ns_ = offset_ns; }

 private:
  std::int64_t passed_ns_ = 0;
  std::int64_t offset_ns_ = 0;
};

TEST(ClockJump, HurtsNothingThatWasAcknowledged) {
  MemoryFs fs;
  SettableClock clock;
  Metrics metrics;
  EmbeddedOptions options;
  options.folder = "data";
  options.background_thread = false;
  Rng rng(28);
  std::map<model::TraceId, std::size_t> sent;
  std::uint64_t number = 0;
  auto store = OpenEmbeddedStore(fs, clock, metrics, options);
  ASSERT_TRUE(store);
  for (const std::int64_t offset_ns : {std::int64_t{0}, kHourNs, -kHourNs, std::int64_t{0}}) {
    clock.Set(offset_ns);
    for (int i = 0; i < 20; ++i) {
      // Every third trace goes on over the jumps.
      const model::TraceId id =
          MakeTraceId(i % 3 == 0 ? static_cast<std::uint64_t>(i) : 100 + number);
      model::Span span = RandomSpan(rng, id, ++number);
      span.start_ns = clock.UnixNs() - kNsPerSecond;
      span.end_ns = clock.UnixNs();
      ASSERT_TRUE((*store)->Append(MakeBatch({span}), Durability::kSynced));
      ++sent[id];
      clock.Pass(7 * kNsPerSecond);
      ASSERT_TRUE((*store)->RunMaintenance());
    }
    store->reset();
    store = OpenEmbeddedStore(fs, clock, metrics, options);
    ASSERT_TRUE(store);
    for (const auto& [id, spans] : sent) {
      const auto trace = (*store)->ReadTrace(id);
      ASSERT_TRUE(trace && *trace) << id.ToHex();
      EXPECT_EQ((*trace)->spans.size(), spans) << id.ToHex();
    }
  }
  ASSERT_TRUE((*store)->Close());
  const auto verified = VerifyFolder(fs, "data");
  ASSERT_TRUE(verified);
  EXPECT_TRUE(verified->ok());
}

}  // namespace
}  // namespace fluoro::store
