// Why a trace failed or was slow: chains of services and entities from the root to the culprit.
// Source: X-Ray API, FaultRootCause, ErrorRootCause, ResponseTimeRootCause.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/assembly.h"

namespace fluoro::model {

struct RootCauseException {
  std::string name;
  std::string message;
};

struct RootCauseEntity {
  std::string name;
  std::vector<RootCauseException> exceptions;  ///< fault and error only
  std::optional<double> coverage;              ///< response time only, 0..1
  bool remote = false;
};

struct RootCauseService {
  std::string name;
  std::vector<std::string> names;
  std::string type;
  std::string account_id;
  bool inferred = false;
  std::vector<RootCauseEntity> entity_path;  ///< never empty
};

struct RootCause {
  std::vector<RootCauseService> services;  ///< never empty; entry service first
  bool client_impacting = false;
};

struct RootCauses {
  std::vector<RootCause> fault;
  std::vector<RootCause> error;
  std::vector<RootCause> response_time;
};

/// Pure; at most 25 causes of each kind.
RootCauses FindRootCauses(const AssembledTrace& trace);

}  // namespace fluoro::model
