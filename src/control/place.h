// Where the server is, as its ARNs say it.
#pragma once

#include <string>
#include <string_view>

namespace fluoro::control {

struct Place {
  std::string account_id = "000000000000";
  std::string region = "us-east-1";
  /// "arn:aws:<service>:<region>:<account>:<resource>"
  [[nodiscard]] std::string Arn(std::string_view resource,
                                std::string_view service = "xray") const {
    return "arn:aws:" + std::string(service) + ":" + region + ":" + account_id + ":" +
           std::string(resource);
  }
};

}  // namespace fluoro::control
