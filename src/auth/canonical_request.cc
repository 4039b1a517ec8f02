#include "auth/canonical_request.h"

#include <algorithm>
#include <utility>

#include "base/percent.h"

namespace fluoro::auth {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

void AppendHeaderValue(std::string& out, std::string_view value) {
  bool blank = false;
  for (const char c : Trim(value)) {
    if (IsBlank(c)) {
      blank = true;
      continue;
    }
    if (std::exchange(blank, false)) out += ' ';
    out += c;
  }
}

}  // namespace

std::string_view HttpRequestView::Find(std::string_view lower_case_name) const {
  const auto found = std::ranges::find(headers, lower_case_name, &Header::name);
  return found == headers.end() ? std::string_view{} : found->value;
}

bool HttpRequestView::Has(std::string_view lower_case_name) const {
  return std::ranges::find(headers, lower_case_name, &Header::name) != headers.end();
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  while (true) {
    const std::size_t end = text.find(separator);
    pieces.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return pieces;
    text.remove_prefix(end + 1);
  }
}

std::string Join(std::span<const std::string_view> pieces, char separator) {
  std::string text;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (i > 0) text += separator;
    text += pieces[i];
  }
  return text;
}

std::string CanonicalUri(std::string_view path) {
  std::vector<std::string_view> kept;
  for (const std::string_view segment : Split(path, '/')) {
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (!segment.empty() && segment != ".") {
      kept.push_back(segment);
    }
  }
  std::string uri;
  for (const std::string_view segment : kept) uri += "/" + PercentEncode(segment);
  if (uri.empty() || path.ends_with('/')) uri += '/';
  return uri;
}

std::string CanonicalQuery(std::string_view query, std::string_view left_out) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string_view one : Split(query, '&')) {
    if (one.empty()) continue;
    const std::size_t equals = one.find('=');
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view{} : one.substr(equals + 1);
    std::string name = PercentDecode(one.substr(0, equals), false);
    if (!left_out.empty() && name == left_out) continue;
    pairs.emplace_back(PercentEncode(name), PercentEncode(PercentDecode(value, false)));
  }
  std::ranges::sort(pairs);
  std::string text;
  for (const auto& [name, value] : pairs) {
    if (!text.empty()) text += '&';
    text += name;
    text += '=';
    text += value;
  }
  return text;
}

std::string CanonicalHeaders(std::span<const Header> headers,
                             std::span<const std::string_view> signed_names) {
  std::string text;
  for (const std::string_view name : signed_names) {
    text += name;
    text += ':';
    bool first = true;
    for (const Header& header : headers) {
      if (header.name != name) continue;
      if (!std::exchange(first, false)) text += ',';
      AppendHeaderValue(text, header.value);
    }
    text += '\n';
  }
  return text;
}

std::string CanonicalRequest(const HttpRequestView& request,
                             std::span<const std::string_view> signed_names,
                             std::string_view payload_hash, std::string_view query_left_out) {
  std::string text(request.method);
  text += '\n';
  text += CanonicalUri(request.path) + "\n";
  text += CanonicalQuery(request.query, query_left_out) + "\n";
  text += CanonicalHeaders(request.headers, signed_names) + "\n";
  text += Join(signed_names, ';') + "\n";
  text += payload_hash;
  return text;
}

}  // namespace fluoro::auth
