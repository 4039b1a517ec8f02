#include "api/xray/test_server.h"

#include <gmock/gmock.h>

#include <array>
#include <cstdio>
#include <utility>

#include "api/xray/shape.h"
#include "base/assert.h"
#include "base/json.h"
#include "control/profile.h"

namespace fluoro::api::xray {
namespace {

using simdjson::dom::element;

std::string Number(double number) {
  std::array<char, 40> text;
  std::snprintf(text.data(), text.size(), "%.6f", number);
  return text.data();
}

}  // namespace

std::string At(std::string_view json, std::string_view pointer) {
  simdjson::dom::parser parser;
  element value;
  if (parser.parse(simdjson::padded_string(json)).at_pointer(pointer).get(value) !=
      simdjson::SUCCESS)
    return "<absent>";
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) return std::string(text);
  return simdjson::minify(value);
}

int CountAt(std::string_view json, std::string_view pointer) {
  simdjson::dom::parser parser;
  element value;
  if (parser.parse(simdjson::padded_string(json)).at_pointer(pointer).get(value) !=
      simdjson::SUCCESS)
    return -1;
  simdjson::dom::array list;
  if (value.get(list) == simdjson::SUCCESS) return static_cast<int>(list.size());
  simdjson::dom::object object;
  return value.get(object) == simdjson::SUCCESS ? static_cast<int>(object.size()) : -1;
}

std::vector<std::string> EachAt(std::string_view json, std::string_view pointer,
                                std::string_view member) {
  simdjson::dom::parser parser;
  simdjson::dom::array list;
  std::vector<std::string> texts;
  if (parser.parse(simdjson::padded_string(json)).at_pointer(pointer).get(list) !=
      simdjson::SUCCESS)
    return texts;
  for (const element item : list) {
    element value;
    std::string_view text;
    if (item[member].get(value) != simdjson::SUCCESS) {
      texts.emplace_back("<absent>");
    } else {
      texts.push_back(value.get(text) == simdjson::SUCCESS ? std::string(text)
                                                           : simdjson::minify(value));
    }
  }
  return texts;
}

TestServer::TestServer(const Options& options) {
  store::EmbeddedOptions store_options;
  store_options.folder = "data";
  store_options.keys = keys_;
  store_options.background_thread = false;
  auto store = store::OpenEmbeddedStore(fs_, clock_, metrics_, store_options);
  FLUORO_ASSERT(store.has_value());
  store_ = *std::move(store);
  pipeline_ = std::make_unique<ingest::Pipeline>(*store_, clock_, metrics_, ingest::Options{});
  auto control = control::Repository::Open(":memory:", clock_);
  FLUORO_ASSERT(control.has_value());
  control_ = *std::move(control);
  EXPECT_TRUE(control::ApplyProfile(*control_, control::Profile::kNone));
  Options with_keys = options;
  with_keys.at_rest = {.used = [this] { return store_->wrapping_key(); },
                       .use = [this](std::string_view name) -> Result<void> {
                         if (!name.empty() && !keys_->Find(name))
                           FLUORO_CHECK_OK(keys_->Add(name, crypto::Secret::Random()));
                         return store_->SetWrappingKey(name);
                       }};
  api_ = std::make_unique<XRayApi>(*store_, *pipeline_, *control_, clock_, metrics_, with_keys);
}

TestServer::~TestServer() {
  api_.reset();
  pipeline_.reset();
  EXPECT_TRUE(store_->Close());
}

net::HttpResponse TestServer::Send(std::string_view path, std::string body, std::string method) {
  net::HttpRequest request;
  request.method = std::move(method);
  request.path = path;
  request.body = std::move(body);
  return api_->Handle(request, auth::Caller::Root("000000000000"));
}

std::string TestServer::Call(std::string_view path, std::string body) {
  const net::HttpResponse response = Send(path, std::move(body));
  EXPECT_EQ(response.status, 200) << response.body;
  const Operation* operation = FindOperation(path);
  FLUORO_ASSERT(operation != nullptr);
  EXPECT_THAT(model_.ProblemsOf(operation->name, response.body), testing::IsEmpty())
      << response.body;
  return response.body;
}

std::string TestServer::Put(const std::vector<std::string>& documents) {
  JsonWriter body;
  body.BeginObject().Key("TraceSegmentDocuments").BeginArray();
  for (const std::string& document : documents) body.String(document);
  body.EndArray().EndObject();
  return Call("/TraceSegments", body.Take());
}

void TestServer::PutGood(const std::vector<std::string>& documents) {
  EXPECT_EQ(Put(documents), R"({"UnprocessedTraceSegments":[]})");
}

std::string SegmentText::Json() const {
  return R"({"name":")" + name + R"(","id":")" + id + R"(","trace_id":")" + trace_id +
         R"(","start_time":)" + Number(start) + R"(,"end_time":)" + Number(end) + more + "}";
}

std::string NumberedTraceId(unsigned number) {
  std::array<char, 40> text;
  std::snprintf(text.data(), text.size(), "1-581cf771-%024x", number);
  return text.data();
}

}  // namespace fluoro::api::xray
