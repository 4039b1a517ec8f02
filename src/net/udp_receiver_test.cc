#include "net/udp_receiver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <map>
#include <thread>

#include "base/mutex.h"
#include "net/raw_client_for_test.h"

namespace fluoro::net {
namespace {

class UdpReceiverTest : public ::testing::Test {
 protected:
  UdpReceiverOptions options_{.address = "127.0.0.1:0"};
  Metrics metrics_;
  Mutex mutex_;
  std::multimap<std::size_t, std::string> received_ FLUORO_GUARDED_BY(mutex_);  // by size
  std::vector<std::size_t> batches_ FLUORO_GUARDED_BY(mutex_);
  DatagramHandler handler_ = [this](std::span<const std::string_view> datagrams) {
    MutexLock lock(mutex_);
    batches_.push_back(datagrams.size());
    for (const std::string_view one : datagrams) received_.emplace(one.size(), one);
  };
  std::unique_ptr<UdpReceiver> receiver_;
  Fd sender_{::socket(AF_INET, SOCK_DGRAM, 0)};

  void Start() {
    auto receiver = UdpReceiver::Start(options_, handler_, metrics_);
    ASSERT_TRUE(receiver) << receiver.error().message;
    receiver_ = *std::move(receiver);
    const sockaddr_in target = LoopbackOf(receiver_->address());
    ASSERT_EQ(::connect(sender_.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target),
              0);
  }
  void Send(std::string_view datagram) {
    EXPECT_EQ(::send(sender_.get(), datagram.data(), datagram.size(), 0),
              static_cast<ssize_t>(datagram.size()));
  }
  double Count(const std::string& name, const std::string& help) {
    return metrics_.GetCounter(name, help).value();
  }
};

TEST_F(UdpReceiverTest, DeliversEverySizeWhole) {
  Start();
  EXPECT_THAT(receiver_->address(), ::testing::StartsWith("127.0.0.1:"));
  const std::vector<std::size_t> sizes = {0, 1, 100, 63 << 10, (64 << 10) - 29, 65'507};
  for (const std::size_t bytes : sizes)
    Send(std::string(bytes, static_cast<char>('a' + bytes % 7)));
  receiver_->Stop();
  MutexLock lock(mutex_);
  ASSERT_EQ(received_.size(), sizes.size());
  for (const std::size_t bytes : sizes) {
    EXPECT_EQ(received_.find(bytes)->second,
              std::string(bytes, static_cast<char>('a' + bytes % 7)));
  }
  EXPECT_EQ(Count("fluoro_udp_datagrams_total", "Datagrams received"), sizes.size());
}

TEST_F(UdpReceiverTest, NeverAnswers) {
  Start();
  Send("anything");
  receiver_->Stop();
  char answer[16];
  EXPECT_EQ(::recv(sender_.get(), answer, sizeof answer, MSG_DONTWAIT), -1);
}

TEST_F(UdpReceiverTest, HandsOverInBatches) {
  options_.batch_datagrams_max = 10;
  options_.batch_wait_ns = 1'000'000'000;
  Start();
  for (int i = 0; i < 95; ++i) Send("datagram");
  receiver_->Stop();
  MutexLock lock(mutex_);
  EXPECT_EQ(received_.size(), 95U);
  for (const std::size_t count : batches_) EXPECT_LE(count, 10U);
}

TEST_F(UdpReceiverTest, HandsOverALoneDatagramWithoutAStop) {
  std::latch got(1);
  handler_ = [&](std::span<const std::string_view> datagrams) {
    EXPECT_EQ(datagrams.size(), 1U);
    EXPECT_EQ(datagrams[0], "alone");
    got.count_down();
  };
  Start();
  Send("alone");
  got.wait();
}

TEST_F(UdpReceiverTest, ReceivedAndKernelDropsAddUpToWhatWasSent) {
  options_.receive_buffer_bytes = 64 << 10;
  std::latch go_on(1);
  std::atomic<std::size_t> received = 0;
  handler_ = [&](std::span<const std::string_view> datagrams) {
    go_on.wait();
    received += datagrams.size();
  };
  Start();
  constexpr std::size_t kSent = 20'000;
  for (std::size_t i = 0; i < kSent; ++i) Send(std::string(200, 'x'));
  go_on.count_down();
  receiver_->Stop();
  const double drops =
      Count("fluoro_udp_kernel_drops_total", "Datagrams the kernel dropped as its buffer was full");
  EXPECT_GT(drops, 0);
  EXPECT_EQ(static_cast<double>(received) + drops, kSent);
}

TEST_F(UdpReceiverTest, SaysClearlyThatAPortIsTaken) {
  Start();
  options_.address = receiver_->address();
  const auto second = UdpReceiver::Start(options_, handler_, metrics_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(second.error().message,
            "cannot listen on " + receiver_->address() + ": Address already in use");
}

}  // namespace
}  // namespace fluoro::net
