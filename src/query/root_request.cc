#include "query/root_request.h"

#include <initializer_list>

#include "genai/step.h"
#include "model/attribute_reader.h"
#include "model/entity.h"

namespace fluoro::query {
namespace {

std::string Cut(std::string text) {
  if (text.size() > kRootTextBytesMax) text.resize(kRootTextBytesMax);
  return text;
}

struct HostAndPath {
  std::string host;
  std::string path;
};

// Of "https://user@host:port/path?query#fragment".
HostAndPath PartsOf(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos)
    return {.host = {}, .path = std::string(url.substr(0, url.find_first_of("?#")))};
  url.remove_prefix(scheme + 3);
  std::string_view host = url.substr(0, url.find_first_of("/?#"));
  std::string_view path = url.substr(host.size());
  path = path.substr(0, path.find_first_of("?#"));
  if (const std::size_t at = host.rfind('@'); at != std::string_view::npos)
    host.remove_prefix(at + 1);
  return {.host = std::string(host), .path = path.empty() ? "/" : std::string(path)};
}

}  // namespace

RootRequestView ViewOf(const RootRequest& request) {
  RootRequestView view;
  for (std::size_t i = 0; i < RootRequest::kFields.size(); ++i)
    view.*RootRequestView::kFields.at(i) = request.*RootRequest::kFields.at(i);
  return view;
}

RootRequest RootRequestOf(const model::Span& entry) {
  const model::AttributeReader attributes(entry.attributes);
  const model::SpanDescription described = model::DescribeSpan(entry);
  const model::Entity& segment =
      described.service_segment ? *described.service_segment : described.entity;
  RootRequest out;
  out.service = Cut(std::string(entry.service()));
  if (out.service.empty()) out.service = Cut(segment.name);
  out.type = Cut(segment.origin);
  out.resource = Cut(segment.resource_arn);
  out.method =
      Cut(attributes.Text({"http.request.method_original", "http.request.method", "http.method"}));
  const HostAndPath url = PartsOf(attributes.Text({"url.full", "http.url"}));
  // The Host header before the names that servers give themselves.
  out.host = attributes.Text({"http.host", "server.address", "net.host.name"});
  if (out.host.empty()) out.host = url.host;
  out.host = Cut(std::move(out.host));
  out.path = attributes.Text({"url.path"});
  if (out.path.empty()) out.path = PartsOf(attributes.Text({"http.target"})).path;
  if (out.path.empty()) out.path = url.path;
  out.path = Cut(std::move(out.path));
  if (const auto tenant = genai::CanonicalField(entry, "tenant"))
    out.tenant = Cut(model::ScalarText(*tenant));
  out.rule = Cut(attributes.Text({"aws.xray.sampling_rule", "aws.xray.sampling_rule_name"}));
  return out;
}

sampling::Request SamplingRequestOf(const RootRequestView& request) {
  return {.service_name = std::string(request.service),
          .service_type = std::string(request.type),
          .host = std::string(request.host),
          .http_method = std::string(request.method),
          .url_path = std::string(request.path),
          .resource_arn = std::string(request.resource)};
}

std::map<std::string, std::string> SamplingAttributesOf(const model::Span& entry,
                                                        const std::set<std::string>& keys) {
  std::map<std::string, std::string> out;
  for (const std::string& key : keys) {
    const model::AttributeValue* value = entry.Find(key);
    if (value == nullptr) value = entry.resource->Find(key);
    if (value != nullptr) out.emplace(key, model::ScalarText(*value));
  }
  return out;
}

}  // namespace fluoro::query
