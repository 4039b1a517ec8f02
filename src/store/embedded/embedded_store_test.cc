#include "store/embedded/embedded_store.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/memory_fs.h"
#include "store/testing.h"
#include "store/trace_store_contract.h"

namespace fluoro::store {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the suite of this module

constexpr std::int64_t kNow = 1'700'010'000'000'000'000;

class EmbeddedHarness final : public StoreHarness {
 public:
  EmbeddedHarness() : fs_(std::make_unique<MemoryFs>()) { Open(); }
  /// On the operating system's files.
  explicit EmbeddedHarness(std::string folder) : fs_(MakePosixFs()), folder_(std::move(folder)) {
    Open();
  }
  ~EmbeddedHarness() override {
    store_.reset();
    if (folder_ != "data") std::filesystem::remove_all(folder_);
  }
  TraceStore& store() override { return *store_; }
  void Advance(std::int64_t ns) override { clock_.Advance(ns); }
  void Settle() override { ASSERT_TRUE(store_->SealAll()); }
  void Reopen() override {
    store_.reset();
    Open();
  }
  [[nodiscard]] std::int64_t NowNs() const override { return clock_.UnixNs(); }

 private:
  void Open() {
    EmbeddedOptions options;
    options.folder = folder_;
    options.background_thread = false;
    options.wal_allocate_bytes = 4096;
    auto opened = OpenEmbeddedStore(*fs_, clock_, metrics_, options);
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = *std::move(opened);
  }
  std::unique_ptr<Fs> fs_;
  std::string folder_ = "data";
  ManualClock clock_{kNow};
  Metrics metrics_;
  std::unique_ptr<EmbeddedStore> store_;
};

}  // namespace

namespace testing {
INSTANTIATE_TEST_SUITE_P(EmbeddedInMemory, TraceStoreContract,
                         ::testing::Values([] { return std::make_unique<EmbeddedHarness>(); }));
INSTANTIATE_TEST_SUITE_P(EmbeddedOnDisk, TraceStoreContract, ::testing::Values([] {
                           std::string folder = ::testing::TempDir() + "fluoro-store-XXXXXX";
                           return std::make_unique<EmbeddedHarness>(::mkdtemp(folder.data()));
                         }));
}  // namespace testing

}  // namespace fluoro::store
