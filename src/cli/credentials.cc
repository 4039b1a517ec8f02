#include "cli/credentials.h"

#include <vector>

#include "auth/sigv4.h"

namespace fluoro::cli {

void AddCredentials(net::HttpCall& call,
                    const std::function<std::optional<std::string>(const std::string&)>& getenv,
                    std::int64_t unix_s) {
  if (const auto key = getenv("FLUORO_KEY"); key && !key->empty()) {
    call.headers["authorization"] = "Bearer " + *key;
    return;
  }
  const auth::Credentials credentials{.access_key = getenv("AWS_ACCESS_KEY_ID").value_or(""),
                                      .secret = getenv("AWS_SECRET_ACCESS_KEY").value_or(""),
                                      .session_token = getenv("AWS_SESSION_TOKEN").value_or("")};
  if (credentials.access_key.empty() || credentials.secret.empty()) return;
  // What net::Call will send: the authority as it stands in the URL, then path and query.
  std::string_view rest = call.url;
  if (const std::size_t scheme = rest.find("://"); scheme != std::string_view::npos)
    rest.remove_prefix(scheme + 3);
  const std::string_view host = rest.substr(0, rest.find_first_of("/?#"));
  rest.remove_prefix(host.size());
  rest = rest.substr(0, rest.find('#'));
  const std::size_t question = rest.find('?');
  std::vector<auth::Header> headers{{"host", host}};
  for (const auto& [name, value] : call.headers) headers.push_back({name, value});
  const std::string region =
      getenv("AWS_REGION").value_or(getenv("AWS_DEFAULT_REGION").value_or("us-east-1"));
  const auto added = auth::Sign(
      {.method = call.method,
       .path = rest.substr(0, question),
       .query = question == std::string_view::npos ? std::string_view{} : rest.substr(question + 1),
       .headers = headers,
       .body = call.body},
      credentials, {.region = region, .service = "xray", .unix_s = unix_s});
  for (const auto& [name, value] : added) call.headers[name] = value;
}

}  // namespace fluoro::cli
