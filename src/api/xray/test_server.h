// Test support: the API over an embedded store on a disk in memory that can be made to fail, and
// short ways to talk to it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/xray/model_check.h"
#include "api/xray/xray_api.h"
#include "base/faulty_fs.h"
#include "store/embedded/embedded_store.h"

namespace fluoro::api::xray {

/// Text of the JSON value at a pointer ("/Traces/0/Id"), strings without quotes; "<absent>" if
/// there is none.
std::string At(std::string_view json, std::string_view pointer);
/// Number of elements of the list or object at a pointer; -1 if there is none.
int CountAt(std::string_view json, std::string_view pointer);

/// At() of `member` in each element of the list at a pointer.
std::vector<std::string> EachAt(std::string_view json, std::string_view pointer,
                                std::string_view member);

class TestServer {
 public:
  /// 2016-11-04T21:02:42Z: a second after the documents of the X-Ray guide.
  static constexpr std::int64_t kNowNs = 1'478'293'362 * kNsPerSecond;

  explicit TestServer(const Options& options = {});
  ~TestServer();

  net::HttpResponse Send(std::string_view path, std::string body, std::string method = "POST");
  /// Body of an answer that must be 200 and fit the service model.
  std::string Call(std::string_view path, std::string body);
  /// PutTraceSegments of these documents; the answer's body.
  std::string Put(const std::vector<std::string>& documents);
  /// Put, expecting that nothing is unprocessed.
  void PutGood(const std::vector<std::string>& documents);

  ManualClock& clock() { return clock_; }
  FaultyFs& disk() { return fs_; }
  Metrics& metrics() { return metrics_; }
  store::EmbeddedStore& store() { return *store_; }
  control::Repository& control() { return *control_; }

 private:
  ManualClock clock_{kNowNs};
  Metrics metrics_;
  FaultyFs fs_;
  std::unique_ptr<store::EmbeddedStore> store_;
  std::unique_ptr<ingest::Pipeline> pipeline_;
  std::unique_ptr<control::Repository> control_;
  std::shared_ptr<crypto::Keyring> keys_ = std::make_shared<crypto::Keyring>();
  std::unique_ptr<XRayApi> api_;
  ServiceModel model_;
};

/// A small segment; times in seconds.
struct SegmentText {
  std::string name = "shop";
  std::string trace_id = "1-581cf771-a006649127e371903a2de979";
  std::string id = "70de5b6f19ff9a0a";
  double start = 1478293361.0;
  double end = 1478293361.5;
  std::string more{};  ///< further members, each with a leading comma
  [[nodiscard]] std::string Json() const;
};

/// "1-581cf771-" and the number in 24 hex digits.
std::string NumberedTraceId(unsigned number);

}  // namespace fluoro::api::xray
