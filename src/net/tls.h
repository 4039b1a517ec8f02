// Server-side TLS settings. Internal to net.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>

#include "base/error.h"
#include "net/http_server.h"

namespace fluoro::net {

/// TLS 1.2 and 1.3. Errors: kIo naming the file.
Result<std::unique_ptr<boost::asio::ssl::context>> MakeServerTls(const TlsFiles& files);

}  // namespace fluoro::net
