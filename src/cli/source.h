// Where the reading commands get their answers: a server over HTTP, or a folder that no server
// holds. Both answer the same calls (/ui/api), so that every command has one path.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/http.h"

namespace fluoro::cli {

struct SourceOptions {
  std::string server = "http://127.0.0.1:2000";
  std::string folder;       ///< set: read this folder instead of asking a server
  bool writable = false;    ///< folder only: open it for imports
  std::string at_rest_key;  ///< folder only: key file of an encrypted one
};

class Source {
 public:
  virtual ~Source() = default;
  /// Sends one request; the body streams into `piece` (false: enough). The answer's status is 200.
  /// Errors: kUnreachable; kNotFound, kInvalidArgument, kUnavailable, ... as the server's answer
  /// says.
  virtual Result<void> Stream(net::HttpRequest request,
                              const std::function<bool(std::string_view)>& piece) = 0;
  /// The whole body at once.
  Result<std::string> Get(std::string path);
  Result<std::string> Post(std::string path, std::string body);
};

Result<std::unique_ptr<Source>> OpenSource(const SourceOptions& options);

/// Error of an answer whose status is not 200.
Error ErrorOfAnswer(int status, std::string_view body);

}  // namespace fluoro::cli
