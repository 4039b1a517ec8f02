#include "cli/serve_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

// The library throws on bad TOML otherwise; without exceptions it returns a result.
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "cli/units.h"

namespace fluoro::cli {
namespace {

constexpr std::int64_t kRetentionMaxNs = 30LL * 24 * 3600 * kNsPerSecond;

Result<void> Wrong(std::string_view text, std::string_view wanted) {
  return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is not {}", text, wanted));
}

Result<void> SetText(std::string& target, std::string_view text) {
  target = text;
  return {};
}

Result<void> SetAddress(std::string& target, std::string_view text) {
  if (text == "off") return SetText(target, text);
  const auto colon = text.rfind(':');
  unsigned port = 0;
  if (colon == std::string_view::npos || colon == 0)
    return Wrong(text, "an address such as 127.0.0.1:2000, or off");
  const auto [end, failure] =
      std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
  if (failure != std::errc{} || end != text.data() + text.size() || port > 65535)
    return Wrong(text, "an address with a port of 0 to 65535");
  return SetText(target, text);
}

Result<void> SetFlag(bool& target, std::string_view text) {
  if (text == "true" || text == "1" || text == "on" || text.empty()) {
    target = true;
  } else if (text == "false" || text == "0" || text == "off") {
    target = false;
  } else {
    return Wrong(text, "true or false");
  }
  return {};
}

Result<void> SetDuration(std::int64_t& target, std::string_view text) {
  FLUORO_TRY(target, ParseDuration(text));
  return {};
}

Result<void> SetSize(std::uint64_t& target, std::string_view text) {
  FLUORO_TRY(target, ParseSize(text));
  return {};
}

Result<void> OnlyValue(std::string_view text, std::string_view value, std::string_view why) {
  if (text == value) return {};
  return Fail(ErrorCode::kUnsupported, fmt::format("'{}': {}", text, why));
}

constexpr std::array kSettings{
    Setting{"data", "./fluoro-data",
            "folder of the embedded store; created if absent; one process a folder",
            [](ServeConfig& c, std::string_view t) {
              return t.empty() ? Wrong(t, "a folder") : SetText(c.data, t);
            }},
    Setting{"http", "127.0.0.1:2000", "X-Ray API, OTLP/HTTP, Zipkin and Jaeger on one TCP port",
            [](ServeConfig& c, std::string_view t) { return SetAddress(c.http, t); }},
    Setting{"udp", "127.0.0.1:2000", "X-Ray daemon datagrams",
            [](ServeConfig& c, std::string_view t) { return SetAddress(c.udp, t); }},
    Setting{"otlp-http", "127.0.0.1:4318", "OTLP/HTTP",
            [](ServeConfig& c, std::string_view t) { return SetAddress(c.otlp_http, t); }},
    Setting{"otlp-grpc", "127.0.0.1:4317", "OTLP/gRPC",
            [](ServeConfig& c, std::string_view t) { return SetAddress(c.otlp_grpc, t); }},
    Setting{"ports-file", "", "JSON file with the bound addresses, written once all are bound",
            [](ServeConfig& c, std::string_view t) { return SetText(c.ports_file, t); }},
    Setting{"live-window", "1h",
            "everything is kept this long; then tail policies judge it, if there are any",
            [](ServeConfig& c, std::string_view t) { return SetDuration(c.live_window_ns, t); }},
    Setting{"retention", "7d", "age at which traces go, at most 30d",
            [](ServeConfig& c, std::string_view t) -> Result<void> {
              FLUORO_CHECK_OK(SetDuration(c.retention_ns, t));
              if (c.retention_ns > kRetentionMaxNs || c.retention_ns == 0)
                return Wrong(t, "a duration of at most 30d");
              return {};
            }},
    Setting{"retention-bytes", "none", "size of the store at which the oldest traces go, or none",
            [](ServeConfig& c, std::string_view t) -> Result<void> {
              if (t == "none") return (c.retention_bytes = UINT64_MAX, Result<void>{});
              return SetSize(c.retention_bytes, t);
            }},
    Setting{"accept-age", "30d",
            "spans older than this, or more than 2h ahead, are refused; any accepts all",
            [](ServeConfig& c, std::string_view t) -> Result<void> {
              if (t == "any") return (c.accept_age_ns = INT64_MAX, Result<void>{});
              return SetDuration(c.accept_age_ns, t);
            }},
    Setting{
        "profile", "none",
        "dev: Default sampling rule 100 %; prod: Default rule 1/s + 5 %, and tail policies that "
        "keep what is bad, slow or rare and 5 % of the rest; none: that rule, everything is kept",
        [](ServeConfig& c, std::string_view t) -> Result<void> {
          if (t == "dev") {
            c.profile = control::Profile::kDev;
          } else if (t == "prod") {
            c.profile = control::Profile::kProd;
          } else if (t != "none") {
            return Wrong(t, "dev, prod or none");
          }
          return {};
        }},
    Setting{"tail-policy", "", "file of tail policies (JSON or TOML), instead of the profile's",
            [](ServeConfig& c, std::string_view t) { return SetText(c.tail_policy, t); }},
    Setting{"memory", "512MiB", "resident memory to stay inside",
            [](ServeConfig& c, std::string_view t) -> Result<void> {
              FLUORO_CHECK_OK(SetSize(c.memory_bytes, t));
              if (c.memory_bytes < (std::uint64_t{64} << 20)) return Wrong(t, "at least 64MiB");
              return {};
            }},
    Setting{"sync", "always",
            "when an acknowledgement is given: always after fdatasync, interval (100 ms), off "
            "(benchmarks)",
            [](ServeConfig& c, std::string_view t) -> Result<void> {
              if (t == "always") {
                c.sync = store::SyncPolicy::kAlways;
              } else if (t == "interval") {
                c.sync = store::SyncPolicy::kInterval;
              } else if (t == "off") {
                c.sync = store::SyncPolicy::kOff;
              } else {
                return Wrong(t, "always, interval or off");
              }
              return {};
            }},
    Setting{"store", "embedded", "the embedded store",
            [](ServeConfig&, std::string_view t) {
              return OnlyValue(t, "embedded",
                               "this version keeps traces in the embedded store only");
            }},
    Setting{
        "keys", "off",
        "on: who calls signs with an access key or sends a bearer key (fluoro keys), and may do "
        "what its policies say; datagrams carry no keys",
        [](ServeConfig& c, std::string_view t) {
          return t == "on" || t == "off" ? SetFlag(c.keys, t) : Wrong(t, "on or off");
        }},
    Setting{
        "content", "",
        "what is stored of prompts and answers: none, hash, redacted (secrets are removed, from "
        "everything else too) or full (as sent); full on loopback without keys, else redacted",
        [](ServeConfig& c, std::string_view t) -> Result<void> {
          if (t.empty()) return {};  // SettleContent
          const auto mode = redact::ParseContentMode(t);
          if (!mode) return Wrong(t, "none, hash, redacted or full");
          c.content = *mode;
          return {};
        }},
    Setting{"insecure", "false", "allow addresses other than loopback, without keys",
            [](ServeConfig& c, std::string_view t) { return SetFlag(c.insecure, t); }},
    Setting{"account", "000000000000", "account id in every ARN",
            [](ServeConfig& c, std::string_view t) {
              const bool digits = t.size() == 12 && std::ranges::all_of(t, [](char d) {
                                    return d >= '0' && d <= '9';
                                  });
              return digits ? SetText(c.account, t) : Wrong(t, "an account id of 12 digits");
            }},
    Setting{"region", "us-east-1", "Region in every ARN",
            [](ServeConfig& c, std::string_view t) {
              return t.empty() ? Wrong(t, "a Region") : SetText(c.region, t);
            }},
    Setting{"tls-cert", "", "PEM certificate chain: TLS on the TCP listeners",
            [](ServeConfig& c, std::string_view t) { return SetText(c.tls_cert, t); }},
    Setting{"tls-key", "", "PEM private key",
            [](ServeConfig& c, std::string_view t) { return SetText(c.tls_key, t); }},
    Setting{"at-rest-key", "",
            "file of lines 'name base64-of-32-bytes': encrypts the store; the first key wraps data "
            "keys, the others open what they wrapped",
            [](ServeConfig& c, std::string_view t) { return SetText(c.at_rest_key, t); }},
    Setting{"max-body", "64MiB",
            "largest request, before and after inflation; at most an eighth of memory",
            [](ServeConfig& c, std::string_view t) { return SetSize(c.max_body_bytes, t); }},
    Setting{"max-document", "64KiB", "largest X-Ray document",
            [](ServeConfig& c, std::string_view t) { return SetSize(c.max_document_bytes, t); }},
    Setting{"aws-quotas", "false", "refuse the time windows that AWS refuses",
            [](ServeConfig& c, std::string_view t) { return SetFlag(c.aws_quotas, t); }},
    Setting{"segments-per-second", "none",
            "segment documents of PutTraceSegments beyond which it throttles, or none",
            [](ServeConfig& c, std::string_view t) -> Result<void> {
              c.segments_per_second = 0;
              if (t == "none") return {};
              const auto [end, failure] =
                  std::from_chars(t.data(), t.data() + t.size(), c.segments_per_second);
              if (failure != std::errc{} || end != t.data() + t.size() ||
                  c.segments_per_second == 0)
                return Wrong(t, "a number of at least 1, or none");
              return {};
            }},
    Setting{"webhook", "",
            "URL that is told of insights (groups with notifications on); see webhook-allow",
            [](ServeConfig& c, std::string_view t) { return SetText(c.webhook, t); }},
    Setting{"webhook-allow", "",
            "hosts and address ranges the webhook may be at, separated by commas: HOST[:PORT], "
            "10.0.0.0/8; loopback and link-local addresses only as such a range, or localhost",
            [](ServeConfig& c, std::string_view t) -> Result<void> {
              FLUORO_TRY(c.webhook_allow, net::AddressList::Parse(t));
              return {};
            }},
    Setting{"log-level", "info", "debug, info, warn, error or off",
            [](ServeConfig& c, std::string_view t) {
              static constexpr std::array kLevels{"debug", "info", "warn", "error", "off"};
              return std::ranges::find(kLevels, t) != kLevels.end()
                         ? SetText(c.log_level, t)
                         : Wrong(t, "debug, info, warn, error or off");
            }},
};

// A body, its decoded spans and what the decoder needs must fit the memory promised.
Result<void> BoundBody(ResolvedServeConfig& resolved) {
  ServeConfig& config = resolved.config;
  const std::uint64_t bound = config.memory_bytes / 8;
  if (config.max_body_bytes <= bound) return {};
  const auto setting = std::ranges::find(resolved.settings, "max-body", &ResolvedSetting::name);
  if (setting->origin != "default") {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("max-body ({}): a body of {} needs a --memory of at least {} bytes",
                            setting->origin, setting->value, config.max_body_bytes * 8));
  }
  config.max_body_bytes = bound;
  setting->value = fmt::format("{}", bound);
  setting->origin = "an eighth of memory";
  return {};
}

bool IsReachable(const ServeConfig& config) {
  for (const auto* address : {&config.http, &config.udp, &config.otlp_http, &config.otlp_grpc}) {
    if (!IsLoopback(*address)) return true;
  }
  return false;
}

// What others than the developer at this machine send is not kept as sent unless somebody says so.
void SettleContent(ResolvedServeConfig& resolved) {
  const auto setting = std::ranges::find(resolved.settings, "content", &ResolvedSetting::name);
  if (!setting->value.empty()) return;
  const bool open = resolved.config.keys || IsReachable(resolved.config);
  resolved.config.content = open ? redact::ContentMode::kRedacted : redact::ContentMode::kFull;
  setting->value = redact::ContentModeName(resolved.config.content);
  setting->origin = resolved.config.keys ? "default with keys"
                    : open               ? "default off loopback"
                                         : "default on loopback without keys";
}

std::string VariableName(std::string_view setting) {
  std::string name = "FLUORO_";
  for (const char c : setting)
    name += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

std::string TomlKey(std::string_view setting) {
  std::string key(setting);
  std::ranges::replace(key, '-', '_');
  return key;
}

std::string TomlText(const toml::node& node) {
  if (const auto text = node.value_exact<std::string>()) return *text;
  if (const auto flag = node.value_exact<bool>()) return *flag ? "true" : "false";
  if (const auto number = node.value_exact<std::int64_t>()) return std::to_string(*number);
  if (const auto number = node.value_exact<double>()) return fmt::format("{}", *number);
  return {};
}

Result<std::map<std::string, std::string, std::less<>>> ReadConfigFile(const std::string& path) {
  std::map<std::string, std::string, std::less<>> values;
  if (path.empty()) return values;
  const toml::parse_result parsed = toml::parse_file(path);
  if (!parsed) {
    const auto& error = parsed.error();
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}:{}:{}: {}", path, error.source().begin.line,
                            error.source().begin.column, error.description()));
  }
  for (const auto& [key, node] : parsed.table()) {
    const std::string name(key.str());
    const auto known = std::ranges::find_if(
        kSettings, [&](const Setting& setting) { return TomlKey(setting.name) == name; });
    if (known == kSettings.end())
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: no setting is called '{}'", path, name));
    values[std::string(known->name)] = TomlText(node);
  }
  return values;
}

}  // namespace

std::span<const Setting> ServeSettings() { return kSettings; }

bool IsLoopback(std::string_view address) {
  return address == "off" || address.starts_with("127.") || address.starts_with("[::1]:") ||
         address.starts_with("localhost:");
}

Result<ResolvedServeConfig> ResolveServeConfig(
    const std::map<std::string, std::string, std::less<>>& flags,
    const std::function<std::optional<std::string>(const std::string&)>& getenv,
    const std::string& config_path) {
  FLUORO_TRY(const auto file, ReadConfigFile(config_path));
  ResolvedServeConfig resolved;
  for (const Setting& setting : kSettings) {
    ResolvedSetting value{std::string(setting.name), std::string(setting.default_text), "default"};
    const std::string variable = VariableName(setting.name);
    if (const auto flag = flags.find(setting.name); flag != flags.end()) {
      value.value = flag->second;
      value.origin = "flag --" + value.name;
    } else if (auto from_environment = getenv(variable)) {
      value.value = *std::move(from_environment);
      value.origin = "variable " + variable;
    } else if (const auto from_file = file.find(setting.name); from_file != file.end()) {
      value.value = from_file->second;
      value.origin = "file " + config_path;
    }
    if (auto set = setting.set(resolved.config, value.value); !set) {
      return std::unexpected(
          std::move(set).error().With(fmt::format("{} ({})", value.name, value.origin)));
    }
    resolved.settings.push_back(std::move(value));
  }
  FLUORO_CHECK_OK(BoundBody(resolved));
  SettleContent(resolved);
  const ServeConfig& config = resolved.config;
  for (const auto* address : {&config.http, &config.udp, &config.otlp_http, &config.otlp_grpc}) {
    if (!config.insecure && !config.keys && !IsLoopback(*address)) {
      return Fail(
          ErrorCode::kInvalidArgument,
          fmt::format("{} is not a loopback address: without keys anyone who reaches it "
                      "can read and write; --keys on asks for keys, --insecure allows it without",
                      *address));
    }
  }
  if (config.tls_cert.empty() != config.tls_key.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "tls-cert and tls-key go together");
  }
  return resolved;
}

}  // namespace fluoro::cli
