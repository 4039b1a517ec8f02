#include "net/udp_receiver.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/thread_name.h"
#include "net/socket.h"

namespace fluoro::net {
namespace {

constexpr std::size_t kSlotsCount = 64;
constexpr std::size_t kSlotBytes = 64 << 10;  // more than any datagram over IPv4 can carry
constexpr std::size_t kBatchBytesMax = 4 << 20;
constexpr std::size_t kControlBytes = CMSG_SPACE(sizeof(std::uint32_t));
constexpr int kProbeTries = 64;

std::int64_t NowNs() { return SystemClock().MonotonicNs(); }

/// The kernel's running count of drops on this socket, as it stands on a received message.
bool ReadDrops(msghdr& header, std::uint32_t& drops) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SO_RXQ_OVFL) {
      std::memcpy(&drops, CMSG_DATA(part), sizeof drops);
      return true;
    }
  }
  return false;
}

/// Where recvmmsg writes: slots of 64 KiB, of which a datagram touches only its own length.
class Slots {
 public:
  Slots() : bytes_(kSlotsCount * kSlotBytes), control_(kSlotsCount * kControlBytes) {
    for (std::size_t i = 0; i < kSlotsCount; ++i) {
      pieces_.at(i) = {.iov_base = bytes_.data() + i * kSlotBytes, .iov_len = kSlotBytes};
    }
  }

  /// At most `datagrams_max`; 0: nothing there, -1: interrupted or failed.
  int Receive(int fd, std::size_t datagrams_max) {
    const std::size_t wanted = std::min(datagrams_max, kSlotsCount);
    for (std::size_t i = 0; i < wanted; ++i) {
      messages_.at(i) = {};
      msghdr& header = messages_.at(i).msg_hdr;
      header.msg_iov = &pieces_.at(i);
      header.msg_iovlen = 1;
      header.msg_name = &senders_.at(i);
      header.msg_namelen = sizeof(sockaddr_storage);
      header.msg_control = control_.data() + i * kControlBytes;
      header.msg_controllen = kControlBytes;
    }
    const int count =
        ::recvmmsg(fd, messages_.data(), static_cast<unsigned>(wanted), MSG_DONTWAIT, nullptr);
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
    return count;
  }
  [[nodiscard]] std::string_view datagram(std::size_t index) const {
    return {static_cast<const char*>(pieces_.at(index).iov_base), messages_.at(index).msg_len};
  }
  [[nodiscard]] const sockaddr_storage& sender(std::size_t index) const {
    return senders_.at(index);
  }
  msghdr& header(std::size_t index) { return messages_.at(index).msg_hdr; }

 private:
  std::vector<char> bytes_;
  std::vector<char> control_;
  std::array<iovec, kSlotsCount> pieces_{};
  std::array<sockaddr_storage, kSlotsCount> senders_{};
  std::array<mmsghdr, kSlotsCount> messages_{};
};

}  // namespace

struct UdpReceiver::Impl {
  Impl(const UdpReceiverOptions& receiver_options, DatagramHandler datagram_handler,
       Metrics& metrics)
      : options(receiver_options),
        handler(std::move(datagram_handler)),
        datagrams(metrics.GetCounter("fluoro_udp_datagrams_total", "Datagrams received")),
        datagram_bytes(metrics.GetCounter("fluoro_udp_bytes_total", "Bytes of datagrams received")),
        kernel_drops(metrics.GetCounter("fluoro_udp_kernel_drops_total",
                                        "Datagrams the kernel dropped as its buffer was full")),
        buffer_gauge(metrics.GetGauge("fluoro_udp_receive_buffer_bytes",
                                      "Receive buffer the kernel granted")) {}

  Result<void> Start() {
    FLUORO_TRY(BoundSocket bound, Bind(options.address, SOCK_DGRAM));
    socket = std::move(bound.fd);
    address = bound.address;
    family = bound.family;
    wake = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (wake.get() < 0) return Fail(ErrorCode::kIo, "cannot make an eventfd for the UDP receiver");
    const int wanted =
        static_cast<int>(std::min<std::size_t>(options.receive_buffer_bytes, std::size_t{1} << 30));
    // The forced form passes net.core.rmem_max but needs a privilege.
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof wanted) != 0) {
      ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &wanted, sizeof wanted);
    }
    int granted = 0;
    socklen_t granted_bytes = sizeof granted;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &granted, &granted_bytes);
    buffer_gauge.Set(granted);
    const int one = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof one);
    thread = std::jthread([this] {
      NameThread("udp");
      Loop();
    });
    return {};
  }

  void Stop() {
    if (stopping.exchange(true)) return;
    const std::uint64_t one = 1;
    // An eventfd only refuses when it is full, and then the thread wakes anyway.
    [[maybe_unused]] const ssize_t written = ::write(wake.get(), &one, sizeof one);
    if (thread.joinable()) thread.join();
    socket.Close();
  }

  // On the receiver's thread from here on.

  void Loop() {
    while (!stopping.load()) {
      if (batch.empty()) {
        WaitForDatagrams();
      } else if (const std::int64_t left = first_ns + options.batch_wait_ns - NowNs(); left > 0) {
        WaitForMore(left);
      }
      Receive();
      if (!batch.empty() && (Full() || NowNs() - first_ns >= options.batch_wait_ns)) HandOver();
    }
    Drain();
  }

  void WaitForDatagrams() const {
    std::array<pollfd, 2> polled = {pollfd{.fd = socket.get(), .events = POLLIN, .revents = 0},
                                    pollfd{.fd = wake.get(), .events = POLLIN, .revents = 0}};
    ::ppoll(polled.data(), polled.size(), nullptr, nullptr);
  }

  /// With a batch begun, arrivals wait in the kernel: one wake-up for many.
  void WaitForMore(std::int64_t ns) const {
    pollfd polled{.fd = wake.get(), .events = POLLIN, .revents = 0};
    const timespec limit{.tv_sec = ns / kNsPerSecond, .tv_nsec = ns % kNsPerSecond};
    ::ppoll(&polled, 1, &limit, nullptr);
  }

  [[nodiscard]] bool Full() const {
    return batch.size() >= options.batch_datagrams_max ||
           arena.size() + kSlotsCount * kSlotBytes > arena.capacity();
  }

  /// Takes what is there into the batch, until the kernel has no more or the batch is full; false
  /// when nothing was there.
  bool Receive() {
    bool any = false;
    while (!Full()) {
      const int count = slots.Receive(socket.get(), options.batch_datagrams_max - batch.size());
      if (count <= 0) break;
      any = true;
      if (batch.empty()) first_ns = NowNs();
      for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
        CountDrops(slots.header(i));
        const std::string_view datagram = slots.datagram(i);
        if (IsProbe(slots.sender(i))) {
          probe_seen = true;
          continue;
        }
        datagrams.Add();
        datagram_bytes.Add(static_cast<double>(datagram.size()));
        // The capacity never changes, so earlier views stay good.
        const std::size_t offset = arena.size();
        arena += datagram;
        batch.push_back(std::string_view(arena).substr(offset, datagram.size()));
      }
    }
    return any;
  }

  void CountDrops(msghdr& header) {
    std::uint32_t drops = drops_seen;
    if (!ReadDrops(header, drops)) return;
    // The kernel's counter wraps.
    kernel_drops.Add(static_cast<double>(drops - drops_seen));
    drops_seen = drops;
  }

  void HandOver() {
    if (!batch.empty()) handler(batch);
    batch.clear();
    arena.clear();
  }

  /// The kernel's drop counter rides on messages only, so after everything is taken one of our own
  /// brings the last count.
  void Drain() {
    const std::int64_t give_up_ns = NowNs() + kNsPerSecond;
    while (Receive() && NowNs() < give_up_ns) HandOver();
    HandOver();
    SendProbe();
    for (int i = 0; i < kProbeTries && !probe_seen && probe.get() >= 0; ++i) {
      if (!Receive()) break;
      HandOver();
    }
  }

  void SendProbe() {
    sockaddr_storage target{};
    socklen_t bytes = sizeof target;
    if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&target), &bytes) != 0) return;
    if (family == AF_INET) {
      auto& v4 = reinterpret_cast<sockaddr_in&>(target);  // NOLINT: the socket interface's own way
      if (v4.sin_addr.s_addr == INADDR_ANY) v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
      auto& v6 = reinterpret_cast<sockaddr_in6&>(target);  // NOLINT
      if (IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr)) v6.sin6_addr = in6addr_loopback;
    }
    probe = Fd(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (::connect(probe.get(), reinterpret_cast<sockaddr*>(&target), bytes) != 0) return;
    bytes = sizeof probe_address;
    ::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&probe_address), &bytes);
    ::send(probe.get(), "", 0, 0);
  }

  [[nodiscard]] bool IsProbe(const sockaddr_storage& sender) const {
    return probe.get() >= 0 && FormatAddress(sender) == FormatAddress(probe_address);
  }

  const UdpReceiverOptions options;
  const DatagramHandler handler;
  Counter datagrams;
  Counter datagram_bytes;
  Counter kernel_drops;
  Gauge buffer_gauge;
  Fd socket;
  Fd wake;
  std::string address;
  int family = AF_INET;
  std::atomic<bool> stopping = false;

  Slots slots;
  std::string arena = [] {
    std::string text;
    text.reserve(kBatchBytesMax + kSlotsCount * kSlotBytes);
    return text;
  }();
  std::vector<std::string_view> batch;  ///< into arena
  std::int64_t first_ns = 0;            ///< when the batch's first datagram was taken
  std::uint32_t drops_seen = 0;
  Fd probe;
  sockaddr_storage probe_address{};
  bool probe_seen = false;

  std::jthread thread;
};

UdpReceiver::UdpReceiver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

UdpReceiver::~UdpReceiver() {
  if (impl_ != nullptr) impl_->Stop();
}

Result<std::unique_ptr<UdpReceiver>> UdpReceiver::Start(const UdpReceiverOptions& options,
                                                        DatagramHandler handler, Metrics& metrics) {
  auto impl = std::make_unique<Impl>(options, std::move(handler), metrics);
  FLUORO_CHECK_OK(impl->Start());
  return std::unique_ptr<UdpReceiver>(new UdpReceiver(std::move(impl)));
}

const std::string& UdpReceiver::address() const { return impl_->address; }

void UdpReceiver::Stop() { impl_->Stop(); }

}  // namespace fluoro::net
