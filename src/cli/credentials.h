// The key that our own commands send to a server.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "net/http_client.h"

namespace fluoro::cli {

/// Adds what the environment says: FLUORO_KEY as a bearer key, else a signature with
/// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SESSION_TOKEN; AWS_REGION or
/// AWS_DEFAULT_REGION); nothing where neither is set. Servers without keys pass over it.
void AddCredentials(net::HttpCall& call,
                    const std::function<std::optional<std::string>(const std::string&)>& getenv,
                    std::int64_t unix_s);

}  // namespace fluoro::cli
