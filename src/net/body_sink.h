// Where Beast's parsers put body bytes. Internal to net; includes Beast.
#pragma once

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/optional.hpp>
#include <boost/system/errc.hpp>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "net/byte_budget.h"

namespace fluoro::net {

/// Collects a body, charging memory before it is taken, or hands each piece to `piece`.
struct BodySink {
  std::string data;
  ByteCharge charge;
  std::size_t bytes_max = 0;
  bool budget_full = false;
  /// If set, pieces go here; false stops the parser with operation_canceled.
  std::function<bool(std::string_view)> piece;

  [[nodiscard]] bool Append(std::string_view bytes, std::size_t expected_bytes) {
    const std::size_t wanted = data.size() + bytes.size();
    if (wanted > data.capacity()) {
      const std::size_t bound = expected_bytes > 0 ? expected_bytes : bytes_max;
      const std::size_t capacity =
          std::max(wanted, std::min(std::max(data.capacity() * 2, kFirstBytes), bound));
      if (!charge.Grow(capacity - data.capacity())) {
        budget_full = true;
        return false;
      }
      data.reserve(capacity);
    }
    data += bytes;
    return true;
  }

  /// Room for more of a body whose length is known, to be filled from its beginning on; empty:
  /// there is no budget for it. What the client has sent already bounds what is taken for the rest.
  [[nodiscard]] std::span<char> Room(std::size_t expected_bytes) {
    if (filled == data.size()) {
      const std::size_t wanted =
          std::min(expected_bytes, std::max(filled * kGrowth, kKnownFirstBytes));
      if (!charge.Grow(wanted - std::min(wanted, data.size()))) {
        budget_full = true;
        return {};
      }
      // Not the size that it is called with: libstdc++ 12 passes what it has taken.
      data.resize_and_overwrite(wanted, [wanted](char*, std::size_t) { return wanted; });
    }
    return std::span(data).subspan(filled);
  }
  std::size_t filled = 0;  ///< of `data`, by Room

  static constexpr std::size_t kFirstBytes = 16 << 10;
  static constexpr std::size_t kKnownFirstBytes = 64 << 10;
  static constexpr std::size_t kGrowth = 8;
};

/// Beast's Body concept over a BodySink; read only.
struct SinkBody {
  using value_type = BodySink;

  class reader {  // NOLINT(readability-identifier-naming): Beast's concept names it
   public:
    template <bool is_request, class Fields>
    reader(boost::beast::http::header<is_request, Fields>&, value_type& sink) : sink_(sink) {}

    void init(const boost::optional<std::uint64_t>& content_length,
              boost::beast::error_code& error) {
      expected_bytes_ = static_cast<std::size_t>(content_length.value_or(0));
      error = {};
    }

    template <class Buffers>
    std::size_t put(const Buffers& buffers, boost::beast::error_code& error) {
      namespace errc = boost::system::errc;
      std::size_t taken = 0;
      error = {};
      for (auto at = boost::asio::buffer_sequence_begin(buffers);
           at != boost::asio::buffer_sequence_end(buffers); ++at) {
        const boost::asio::const_buffer buffer(*at);
        const std::string_view bytes(static_cast<const char*>(buffer.data()), buffer.size());
        if (sink_.piece) {
          if (!sink_.piece(bytes)) {
            error = errc::make_error_code(errc::operation_canceled);
            return taken;
          }
        } else if (!sink_.Append(bytes, expected_bytes_)) {
          error = errc::make_error_code(errc::not_enough_memory);
          return taken;
        }
        taken += bytes.size();
      }
      return taken;
    }

    void finish(boost::beast::error_code& error) { error = {}; }

   private:
    value_type& sink_;
    std::size_t expected_bytes_ = 0;
  };
};

}  // namespace fluoro::net
