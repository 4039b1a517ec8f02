// Keys over HTTP, for `fluoro keys`. Every call is a JSON object in and out.
#pragma once

#include "control/repository.h"
#include "net/http.h"

namespace fluoro::api::ui {

/// {"keys":[{"id","kind":"access|bearer","name","role","policies":[names],"created_ns"}]}
net::HttpResponse ListKeys(control::Repository& repository);
/// {"name","role","policies":[names or ARNs],"bearer"}, all optional: the key as above with
/// "secret", which is never told again, and "made_role". 400, 404 (a policy), 409 (the name).
net::HttpResponse CreateKey(control::Repository& repository, const net::HttpRequest& request);
/// {"id"}: {"id"}. 404.
net::HttpResponse RevokeKey(control::Repository& repository, const net::HttpRequest& request);
/// {"id","policy"}: {"id"}. 404.
net::HttpResponse AttachKeyPolicy(control::Repository& repository, const net::HttpRequest& request);

}  // namespace fluoro::api::ui
