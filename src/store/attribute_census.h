// What a store may know of the values of attributes: docs/cardinality.md.
#pragma once

#include <string_view>

#include "base/error.h"
#include "cardinality/guard.h"

namespace fluoro::store {

class TraceStore;

/// Beside TraceStore, of stores that count values. Thread-safe.
class AttributeCensus {
 public:
  virtual ~AttributeCensus() = default;
  /// Of a store that is one, too; else null.
  static AttributeCensus* Of(TraceStore& store);

  /// All keys, with what is not sealed yet.
  virtual Result<cardinality::Census> Attributes() = 0;
  /// More of one. Errors: kNotFound.
  virtual Result<cardinality::KeyDetail> Attribute(std::string_view key) = 0;
  /// Budgets of values and what was decided of keys by hand, from now on.
  virtual void SetAttributeSettings(cardinality::Settings settings) = 0;
};

}  // namespace fluoro::store
