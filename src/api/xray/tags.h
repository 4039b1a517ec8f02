// Tags in requests.
#pragma once

#include "api/xray/request.h"
#include "control/tags.h"

namespace fluoro::api::xray {

/// The member Tags; of keys that are repeated the last.
control::Tags TagsOf(const MembersView& members);

}  // namespace fluoro::api::xray
