// Takes the secrets out of a decoded batch, before it is stored.
#pragma once

#include "model/limits.h"
#include "model/span_batch.h"
#include "redact/policy.h"

namespace fluoro::redact {

/// Every text of `batch` that a client sent: keys and values of attributes of spans, resources,
/// scopes, events and links (arrays and lists inside too), names, status messages, raw X-Ray
/// documents. Ids, times, trace states, service names (unless a rule names service.name) and
/// X-Ray's names of segments stay. Span names, status messages, names of events and of scopes go by
/// rules for the keys span.name, status.message, event.name and scope.name.
///
/// Whatever was removed is in no byte of the batch afterwards. Of texts that the decoder cut
/// (`limits`) the last 64 bytes go too: half a secret is not recognised. Dropped attributes count
/// as such on nothing: the tally has them. Pure.
void RedactBatch(const Policy& policy, const model::Limits& limits, model::SpanBatch& batch,
                 Tally& tally);

}  // namespace fluoro::redact
