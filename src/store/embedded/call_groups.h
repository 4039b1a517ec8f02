// By which names calls of models and tools are summed: those of guarded keys become `__other__`
// where they are new. What calls say is counted under keys of their own, "calls/tenant" and so on,
// since a call's tenant may come from any of many attributes or from a span above.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cardinality/block_values.h"
#include "genai/calls.h"
#include "store/embedded/attribute_watch.h"

namespace fluoro::store {

/// Not thread-safe.
class CallGroups {
 public:
  /// @param policy  null: every name stands for itself.
  /// @param values  told of the names of calls; null: nobody is. Outlives this.
  explicit CallGroups(AttributePolicy policy, cardinality::BlockValues* values = nullptr);
  ~CallGroups();
  CallGroups(const CallGroups&) = delete;
  CallGroups& operator=(const CallGroups&) = delete;

  /// Counts the names of a call.
  void Watch(const genai::Call& call);
  /// The call under the names by which it is summed.
  [[nodiscard]] genai::Call Of(const genai::Call& call) const;

 private:
  static constexpr std::size_t kFields = 7;
  static constexpr std::size_t kSlots = 128;
  /// A name met lately, with how often since.
  struct Slot {
    std::uint32_t hash = 0;
    std::uint64_t count = 0;
    std::string text;
  };
  struct Field {
    bool is_open = true;
    cardinality::KeyValues* seen = nullptr;
    std::vector<Slot> slots;
  };
  static void Flush(Field& field, Slot& slot);

  AttributePolicy policy_;
  cardinality::BlockValues* values_ = nullptr;
  std::array<Field, kFields> fields_;
};

}  // namespace fluoro::store
