#include "app/memory_return.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace fluoro::app {
namespace {

TEST(MemoryReturn, WhatWasFreedGoesBackThoughSomethingBehindItIsInUse) {
  if (!ResidentBytes()) GTEST_SKIP() << "no /proc here";
  constexpr std::size_t kPieces = 100'000;
  constexpr std::size_t kPieceBytes = 1'000;
  const MemoryReturn memory(1);
  std::vector<std::unique_ptr<std::string>> pieces;
  for (std::size_t i = 0; i < kPieces; ++i) {
    pieces.push_back(std::make_unique<std::string>(kPieceBytes, 'x'));
  }
  const std::uint64_t full = *ResidentBytes();
  EXPECT_GT(full, kPieces * kPieceBytes);
  pieces.erase(pieces.begin(), pieces.end() - 1);  // the last piece holds the heap's end
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (*ResidentBytes() > full - kPieces * kPieceBytes / 2 &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LE(*ResidentBytes(), full - kPieces * kPieceBytes / 2);
#endif
}

// jemalloc sets a thread up when it first allocates, which must not be while it gives an extent
// back: threads of gRPC's begin with that.
TEST(MemoryReturn, AThreadMayBeginByFreeingWhatAnotherAllocated) {
  constexpr std::size_t kPieceBytes = std::size_t{128} << 10;
  const MemoryReturn memory(std::uint64_t{1} << 30);
  std::vector<void*> pieces(256);
  for (void*& piece : pieces) piece = std::malloc(kPieceBytes);
  for (void* piece : pieces) {
    ASSERT_NE(piece, nullptr);
    std::jthread([piece] { std::free(piece); });
  }
}

}  // namespace
}  // namespace fluoro::app
