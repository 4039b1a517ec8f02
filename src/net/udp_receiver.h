// UDP datagrams in batches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/metrics.h"

namespace fluoro::net {

struct UdpReceiverOptions {
  std::string address = {};
  std::size_t receive_buffer_bytes = std::size_t{32}
                                     << 20;  ///< SO_RCVBUF, as far as the system allows
  std::size_t batch_datagrams_max = 1'024;   ///< handed over together at most
  std::int64_t batch_wait_ns = 5'000'000;    ///< or after this time
};

/// Called on the receiver's thread with what arrived together; may block (the kernel's buffer then
/// fills; its drops are counted in fluoro_udp_kernel_drops_total). The views end with the call.
using DatagramHandler = std::function<void(std::span<const std::string_view> datagrams)>;

class UdpReceiver {
 public:
  static Result<std::unique_ptr<UdpReceiver>> Start(const UdpReceiverOptions& options,
                                                    DatagramHandler handler, Metrics& metrics);
  ~UdpReceiver();
  [[nodiscard]] const std::string& address() const;
  /// Drains what the kernel holds, then closes.
  void Stop();

 private:
  struct Impl;
  explicit UdpReceiver(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fluoro::net
