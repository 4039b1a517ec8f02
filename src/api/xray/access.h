// What an operation needs to be allowed: an action, and for seven of them a resource.
// Source: AWS Service Authorization Reference, "Actions, resources, and condition keys for AWS
// X-Ray".
#pragma once

#include "api/xray/errors.h"
#include "api/xray/request.h"
#include "api/xray/shape.h"
#include "auth/caller.h"
#include "control/place.h"
#include "control/repository.h"

namespace fluoro::api::xray {

/// xray:<Operation> on the group or sampling rule that the request names, else on "*". Tags of the
/// request and of the resource are condition keys. Error: AccessDeniedException 403.
ApiResult<void> CheckAccess(const auth::Caller& caller, const Operation& operation,
                            const MembersView& members, const control::Snapshot& records,
                            const control::Place& place);

}  // namespace fluoro::api::xray
