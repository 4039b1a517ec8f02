// EncodeTraces: spans grouped by resource and scope, in order of appearance.
#include <unordered_map>
#include <vector>

#include "base/assert.h"
#include "base/json.h"
#include "codec/otlp/encode_json.h"
#include "codec/otlp/encode_protobuf.h"
#include "codec/otlp/otlp.h"
#include "codec/otlp/wire.h"

namespace fluoro::codec::otlp {
namespace {

struct ScopeGroup {
  const model::Scope* scope = nullptr;
  std::vector<const model::Span*> spans;
};
struct ResourceGroup {
  const model::Resource* resource = nullptr;
  std::vector<ScopeGroup> scopes;
};

// Numbers objects by content, in order of appearance. Equal content has equal bytes; an address
// that was seen before needs no second look.
template <class T>
class ContentIndex {
 public:
  template <class Append>
  std::size_t Find(const T& object, std::size_t parent, Append&& append) {
    const auto [by_address, is_new] = addresses_.try_emplace({&object, parent}, 0);
    if (!is_new) return by_address->second;
    std::string content = std::to_string(parent) + ' ' + object.schema_url + '\0';
    append(object, content);
    by_address->second = contents_.try_emplace(std::move(content), contents_.size()).first->second;
    return by_address->second;
  }

 private:
  struct AddressHash {
    std::size_t operator()(const std::pair<const T*, std::size_t>& key) const {
      return std::hash<const T*>{}(key.first) ^ (key.second * 0x9e3779b97f4a7c15ULL);
    }
  };
  std::unordered_map<std::pair<const T*, std::size_t>, std::size_t, AddressHash> addresses_;
  std::unordered_map<std::string, std::size_t> contents_;
};

std::vector<ResourceGroup> GroupSpans(std::span<const model::Span> spans) {
  std::vector<ResourceGroup> groups;
  std::vector<std::size_t> place_in_resource;  // by number of the scope
  ContentIndex<model::Resource> resources;
  ContentIndex<model::Scope> scopes;
  for (const model::Span& span : spans) {
    FLUORO_ASSERT(span.resource != nullptr && span.scope != nullptr);
    const std::size_t r = resources.Find(*span.resource, 0, internal::AppendResource);
    if (r == groups.size()) groups.push_back({.resource = span.resource.get(), .scopes = {}});
    const std::size_t s = scopes.Find(*span.scope, r, internal::AppendScope);
    std::vector<ScopeGroup>& group = groups[r].scopes;
    if (s == place_in_resource.size()) {
      place_in_resource.push_back(group.size());
      group.push_back({.scope = span.scope.get(), .spans = {}});
    }
    group[place_in_resource[s]].spans.push_back(&span);
  }
  return groups;
}

std::string EncodeProtobuf(const std::vector<ResourceGroup>& groups) {
  std::string out;
  std::string resource_spans;
  std::string scope_spans;
  std::string message;
  const auto add_message = [&](std::uint32_t field, const auto& object, auto append,
                               std::string& to) {
    message.clear();
    append(object, message);
    internal::AppendField(field, message, to);
  };
  for (const ResourceGroup& group : groups) {
    resource_spans.clear();
    add_message(1, *group.resource, internal::AppendResource, resource_spans);
    for (const ScopeGroup& scope : group.scopes) {
      scope_spans.clear();
      add_message(1, *scope.scope, internal::AppendScope, scope_spans);
      for (const model::Span* span : scope.spans) {
        add_message(2, *span, internal::AppendSpan, scope_spans);
      }
      if (!scope.scope->schema_url.empty()) {
        internal::AppendField(3, scope.scope->schema_url, scope_spans);
      }
      internal::AppendField(2, scope_spans, resource_spans);
    }
    if (!group.resource->schema_url.empty()) {
      internal::AppendField(3, group.resource->schema_url, resource_spans);
    }
    internal::AppendField(1, resource_spans, out);
  }
  return out;
}

std::string EncodeJson(const std::vector<ResourceGroup>& groups) {
  JsonWriter json;
  json.BeginObject().Key("resourceSpans").BeginArray();
  for (const ResourceGroup& group : groups) {
    json.BeginObject().Key("resource");
    internal::WriteResource(*group.resource, json);
    json.Key("scopeSpans").BeginArray();
    for (const ScopeGroup& scope : group.scopes) {
      json.BeginObject().Key("scope");
      internal::WriteScope(*scope.scope, json);
      json.Key("spans").BeginArray();
      for (const model::Span* span : scope.spans) internal::WriteSpan(*span, json);
      json.EndArray();
      if (!scope.scope->schema_url.empty()) {
        json.Key("schemaUrl").String(scope.scope->schema_url);
      }
      json.EndObject();
    }
    json.EndArray();
    if (!group.resource->schema_url.empty()) {
      json.Key("schemaUrl").String(group.resource->schema_url);
    }
    json.EndObject();
  }
  json.EndArray().EndObject();
  return json.Take();
}

}  // namespace

std::string EncodeTraces(std::span<const model::Span> spans, Encoding encoding) {
  const std::vector<ResourceGroup> groups = GroupSpans(spans);
  return encoding == Encoding::kProtobuf ? EncodeProtobuf(groups) : EncodeJson(groups);
}

}  // namespace fluoro::codec::otlp
