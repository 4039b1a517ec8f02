// Configuration of `fluoro serve`: flags over FLUORO_* variables over --config FILE (TOML) over
// defaults.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "control/profile.h"
#include "net/address_list.h"
#include "redact/rule.h"
#include "store/embedded/embedded_store.h"

namespace fluoro::cli {

/// Checked values; nothing past ResolveServeConfig meets a bad one.
struct ServeConfig {
  std::string data = "./fluoro-data";
  std::string http = "127.0.0.1:2000";
  std::string udp = "127.0.0.1:2000";
  std::string otlp_http = "127.0.0.1:4318";
  std::string otlp_grpc = "127.0.0.1:4317";  ///< every address: "off" disables the listener
  std::string ports_file;
  std::int64_t live_window_ns = 0;
  std::int64_t retention_ns = 0;
  std::uint64_t retention_bytes = UINT64_MAX;
  std::int64_t accept_age_ns = 0;  ///< INT64_MAX: any
  control::Profile profile = control::Profile::kNone;
  std::string tail_policy;  ///< file; empty: the profile's
  std::uint64_t memory_bytes = 0;
  store::SyncPolicy sync = store::SyncPolicy::kAlways;
  bool keys = false;  ///< who calls must show a key
  bool insecure = false;
  redact::ContentMode content = redact::ContentMode::kFull;  ///< what is removed at the door
  std::string account;
  std::string region;
  std::string tls_cert;
  std::string tls_key;
  std::string at_rest_key;  ///< path of the key file; empty: new files are not encrypted
  std::uint64_t max_body_bytes = 0;
  std::uint64_t max_document_bytes = 0;
  bool aws_quotas = false;
  std::uint32_t segments_per_second = 0;  ///< 0: no limit
  std::string webhook;                    ///< URL that is told of insights; empty: none
  net::AddressList webhook_allow;
  std::string log_level;
};

/// One setting: its flag (`--name`), variable (FLUORO_NAME) and TOML key (name with '_').
struct Setting {
  std::string_view name;
  std::string_view default_text;
  std::string_view help;
  Result<void> (*set)(ServeConfig& config, std::string_view text);
};
std::span<const Setting> ServeSettings();

struct ResolvedSetting {
  std::string name;
  std::string value;
  std::string origin;  ///< "flag --http", "variable FLUORO_HTTP", "file fluoro.toml", "default"
};

struct ResolvedServeConfig {
  ServeConfig config;
  std::vector<ResolvedSetting> settings;
};

/// `flags`: those given, by name. `getenv`: the environment. `config_path`: empty for none.
/// Errors: kInvalidArgument naming the setting and where its value came from; kIo for the file.
Result<ResolvedServeConfig> ResolveServeConfig(
    const std::map<std::string, std::string, std::less<>>& flags,
    const std::function<std::optional<std::string>(const std::string&)>& getenv,
    const std::string& config_path);

/// True for 127.0.0.0/8, [::1] and localhost.
bool IsLoopback(std::string_view address);

}  // namespace fluoro::cli
