// What GetTraceSummaries says about one trace, and what trace-level filter keywords read.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/assembly.h"
#include "model/root_cause.h"

namespace fluoro::model {

/// One distinct value of an annotation key with the services (indexes into
/// AssembledTrace::services) it was seen on.
struct AnnotatedValue {
  AttributeValue value;  ///< string, bool, int or double
  std::vector<std::int32_t> services;
};

struct UserSeen {
  std::string name;
  std::vector<std::int32_t> services;
};

/// X-Ray indexes at most this many annotation keys a trace, in order of arrival.
inline constexpr std::size_t kIndexedAnnotationsMax = 50;

struct TraceSummary {
  TraceId id;
  std::int64_t start_ns = 0;
  std::int64_t duration_ns = 0;
  std::optional<std::int64_t> response_ns;  ///< absent while the root is in progress
  bool has_fault = false;                   ///< of the root segment
  bool has_error = false;                   ///< of the root segment
  bool has_throttle = false;                ///< of any segment
  bool is_partial = false;                  ///< anything in progress
  HttpFields http;                          ///< of the root segment
  std::map<std::string, std::vector<AnnotatedValue>> annotations;
  std::vector<UserSeen> users;
  std::vector<std::int32_t> services;  ///< every service but clients
  std::vector<std::string> resource_arns;
  std::vector<std::string> instance_ids;
  std::vector<std::string> availability_zones;
  std::int32_t entry_point = -1;  ///< service
  std::int64_t revision = 1;
};

/// Pure. Root causes are computed apart (root_cause.h), since only some readers need them.
TraceSummary Summarise(const AssembledTrace& trace);

}  // namespace fluoro::model
