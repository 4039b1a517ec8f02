#include "net/tls.h"

#include <fmt/format.h>

namespace fluoro::net {

namespace ssl = boost::asio::ssl;

Result<std::unique_ptr<ssl::context>> MakeServerTls(const TlsFiles& files) {
  auto context = std::make_unique<ssl::context>(ssl::context::tls_server);
  boost::system::error_code error;
  context->set_options(ssl::context::default_workarounds | ssl::context::no_tlsv1 |
                           ssl::context::no_tlsv1_1 | ssl::context::single_dh_use,
                       error);
  if (!error) context->use_certificate_chain_file(files.certificate_path, error);
  if (error) {
    return Fail(ErrorCode::kIo, fmt::format("cannot use certificate {}: {}", files.certificate_path,
                                            error.message()));
  }
  context->use_private_key_file(files.key_path, ssl::context::pem, error);
  if (error) {
    return Fail(ErrorCode::kIo,
                fmt::format("cannot use key {}: {}", files.key_path, error.message()));
  }
  return context;
}

}  // namespace fluoro::net
