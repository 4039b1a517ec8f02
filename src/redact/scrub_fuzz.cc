// Any bytes: scrubbing ends, grows by no more than its bound, changes nothing the second time, and
// leaves valid JSON valid.
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "base/json_tree.h"
#include "redact/json_scrub.h"
#include "redact/policy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fluoro;
  static const auto policy = [] {
    std::vector<redact::Rule> rules = {
        {.name = "ticket", .kind = redact::RuleKind::kPattern, .match = "ACME-[0-9]+"},
        {.name = "note",
         .kind = redact::RuleKind::kKey,
         .match = "*.note",
         .action = redact::Action::kMask},
        {.name = "ip", .kind = redact::RuleKind::kDetector, .match = "ipv4"},
    };
    std::array<std::uint8_t, crypto::kKeyBytes> key{};
    return *redact::Policy::Make(redact::ContentMode::kHash, rules, crypto::Secret(key));
  }();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  redact::Tally tally;
  const auto once = policy->Scrub(text, tally, "a");
  FLUORO_ASSERT(tally.steps <= 700 * text.size() + 4096);
  if (!once) return 0;
  FLUORO_ASSERT(once->size() <= 3 * text.size() + 2 * redact::kGrowthBytes);
  FLUORO_ASSERT(!policy->Scrub(*once, tally, "a"));
  if (redact::LooksLikeJson(text) && JsonTree::Parse(text))
    FLUORO_ASSERT(JsonTree::Parse(*once).has_value());
  return 0;
}
