// Test support: a request that owns its parts, so that tests can change them one at a time.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/sigv4_verifier.h"
#include "base/clock.h"

namespace fluoro::auth {

struct TestRequest {
  std::string method = "POST";
  std::string path = "/";
  std::string query{};
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};

  /// Calls use(view); the view ends with the call.
  template <class Use>
  auto With(Use&& use) const {
    std::vector<Header> views;
    views.reserve(headers.size());
    for (const auto& [name, value] : headers) views.push_back({name, value});
    return use(HttpRequestView{
        .method = method, .path = path, .query = query, .headers = views, .body = body});
  }
  std::string* Find(std::string_view name) {
    for (auto& [key, value] : headers) {
      if (key == name) return &value;
    }
    return nullptr;
  }
};

/// "POST /p?q HTTP/1.1\nName:value\n\nbody". Blanks in the target are taken.
inline TestRequest ParseRequestText(std::string_view text) {
  TestRequest request;
  const auto line = [&text] {
    const std::size_t end = text.find('\n');
    const std::string_view one = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    return one.ends_with('\r') ? one.substr(0, one.size() - 1) : one;
  };
  std::string_view first = line();
  request.method = first.substr(0, first.find(' '));
  first.remove_prefix(std::min(first.size(), request.method.size() + 1));
  const std::string_view target = first.substr(0, first.rfind(' '));
  request.path = target.substr(0, target.find('?'));
  if (const std::size_t question = target.find('?'); question != std::string_view::npos)
    request.query = target.substr(question + 1);
  while (!text.empty()) {
    const std::string_view header = line();
    if (header.empty()) break;
    const std::size_t colon = header.find(':');
    std::string name(header.substr(0, colon));
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    request.headers.emplace_back(std::move(name), header.substr(colon + 1));
  }
  request.body = text;
  return request;
}

/// What verifies one request: the only key there is, and the moment.
struct TestContext {
  Credentials credentials{.access_key = "AKIDEXAMPLE",
                          .secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                          .session_token = {}};
  std::string region = "us-east-1";
  std::string service = "xray";
  std::int64_t unix_s = 1'767'323'045;  ///< 2026-01-02T03:04:05Z
  bool unsigned_payload = true;

  [[nodiscard]] std::expected<std::string, SignatureError> Verify(SigV4Verifier& verifier,
                                                                  const TestRequest& request,
                                                                  std::int64_t shift_ns = 0) const {
    const std::array<std::string_view, 1> services{service};
    return request.With([&](const HttpRequestView& view) {
      return verifier.Verify(view,
                             {.now_ns = unix_s * kNsPerSecond + shift_ns,
                              .services = services,
                              .unsigned_payload = unsigned_payload},
                             [this](std::string_view key) -> std::optional<KeySecret> {
                               if (key != credentials.access_key) return std::nullopt;
                               return KeySecret{.secret = credentials.secret,
                                                .session_token = credentials.session_token};
                             });
    });
  }
};

/// The request with the headers of a signature, or with the query of one.
inline TestRequest SignedBy(const TestContext& context, TestRequest request, bool in_query) {
  const SignOptions options{.region = context.region,
                            .service = context.service,
                            .unix_s = context.unix_s,
                            .expires_s = 3600};
  if (in_query) {
    request.query = request.With(
        [&](const HttpRequestView& view) { return Presign(view, context.credentials, options); });
    return request;
  }
  auto added = request.With(
      [&](const HttpRequestView& view) { return Sign(view, context.credentials, options); });
  request.headers.insert(request.headers.end(), added.begin(), added.end());
  return request;
}

}  // namespace fluoro::auth
