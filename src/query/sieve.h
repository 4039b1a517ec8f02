// Necessary conditions of a filter, on single values: by them a store passes over traces without
// reading them whole. Where the sieve says no, the filter says no; where it says yes, the filter is
// asked.
//
// Every condition ("probe") is about some span of a trace; a filter on services, edges and root
// causes becomes probes that any match must satisfy somewhere in the trace.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "genai/reading.h"
#include "model/span_batch.h"
#include "query/expression.h"
#include "query/filter.h"

namespace fluoro::query {

/// What one attribute value must look like. Immutable, thread-safe.
class ValueTest {
 public:
  enum class Reading : std::uint8_t {
    kAnnotation,  ///< as `annotation.key` reads it
    kField,       ///< a GenAI field: as sent, or in the field's form
    kText,        ///< the text of a scalar
    kWhole,       ///< a whole number, or text that is one
    kName,        ///< may give a service its name
  };
  ValueTest(Reading reading, Operator op, Literal literal, bool fold_case,
            genai::Form form = genai::Form::kText);
  /// May a value of this kind satisfy the condition? Text is the common case and allocates nothing.
  [[nodiscard]] bool Text(std::string_view text) const;
  [[nodiscard]] bool Value(const model::AttributeValue& value) const;
  /// What `Text` looks for, if that is the same bytes and nothing else.
  struct Bytes {
    std::string_view text;  ///< the test's own
    bool is_whole = true;   ///< texts that equal it; otherwise those that contain it
    bool or_empty = false;  ///< and empty ones
    [[nodiscard]] bool Matches(std::string_view of) const {
      if (of.empty() && or_empty) return true;
      return is_whole ? of == text : of.contains(text);
    }
  };
  [[nodiscard]] std::optional<Bytes> AsBytes() const;
  /// May some text satisfy it, some number from `least` to `greatest`? False is certain.
  /// @param is_whole  all of the numbers are integers.
  [[nodiscard]] bool MayHoldOfTexts() const;
  [[nodiscard]] bool MayHoldBetween(double least, double greatest, bool is_whole) const;
  [[nodiscard]] std::string Print() const;

 private:
  [[nodiscard]] bool Name(std::string_view text) const;

  Reading reading_;
  Operator op_;
  Literal literal_;
  bool fold_case_;
  genai::Form form_;
};

/// Some attribute under one of these keys satisfies the test.
struct AttributeProbe {
  std::vector<std::string> span_keys;
  std::vector<std::string> resource_keys;
  /// Not empty: also the attributes that X-Ray prints as the annotation of this key.
  std::string annotation_key;
  ValueTest test;
  [[nodiscard]] bool ReadsSpanKey(std::string_view key) const;
  [[nodiscard]] bool ReadsResourceKey(std::string_view key) const;
};
/// A span has an attribute under one of `any_of`, one under one of `and_any_of` (if there are such
/// keys), and no plain scalar under any of `none_of`.
struct PresenceProbe {
  std::vector<std::string> any_of;
  std::vector<std::string> and_any_of = {};
  std::vector<std::string> none_of = {};
  /// What counts for `none_of`.
  [[nodiscard]] static bool IsPlainScalar(model::AttributeType type, model::AttributeRole role);
};
/// A span's name satisfies the test.
struct NameProbe {
  ValueTest test;
};
/// A span has one of these bits (SpanFlag).
struct FlagProbe {
  std::uint32_t mask = 0;
};
/// A span's status is ERROR.
struct StatusProbe {};
/// A span's X-Ray document contains these texts, one behind the other.
struct DocumentProbe {
  std::vector<std::string> texts;
  [[nodiscard]] bool Holds(std::string_view document) const;
};
/// The trace extends over at least so many microseconds.
struct ExtentProbe {
  double us_min = 0;
};
using Probe = std::variant<AttributeProbe, PresenceProbe, NameProbe, FlagProbe, StatusProbe,
                           DocumentProbe, ExtentProbe>;

class Sieve {
 public:
  /// What an expression asks beyond these passes everything.
  static constexpr std::size_t kProbesMax = 64;
  static Sieve Of(const Filter& filter);
  /// It holds nothing back.
  [[nodiscard]] bool passes_all() const { return root_.kind == Node::Kind::kAll; }
  [[nodiscard]] const std::vector<Probe>& probes() const { return probes_; }
  /// @param holds  for each probe, whether it holds in the trace.
  [[nodiscard]] bool Passes(const std::vector<bool>& holds) const { return Passes(root_, holds); }
  /// For people: `annotation tenant = "acme" and (flag fault or status error)`.
  [[nodiscard]] std::string Print() const;

  struct Node {
    enum class Kind : std::uint8_t { kAll, kAnd, kOr, kProbe };
    Kind kind = Kind::kAll;
    std::size_t probe = 0;  ///< kProbe
    std::vector<Node> operands;
  };

 private:
  friend class SieveBuilder;
  [[nodiscard]] static bool Passes(const Node& node, const std::vector<bool>& holds);
  [[nodiscard]] std::string Print(const Node& node) const;
  Node root_;
  std::vector<Probe> probes_;
};

/// Sets in `holds` the probes that hold in a trace whose spans lie between these times.
void HoldByExtent(const Sieve& sieve, std::int64_t start_ns, std::int64_t end_ns,
                  std::vector<bool>& holds);

/// Probes on the spans of one batch. The sieve and the batch must outlive it. Not thread-safe.
class BatchSieve {
 public:
  BatchSieve(const Sieve& sieve, const model::SpanBatch& batch);
  /// Sets in `holds` (one a probe) those that hold on this span.
  void Hold(std::uint32_t span, std::vector<bool>& holds);

 private:
  struct KeyUse {
    bool span = false;
    bool resource = false;
    bool and_any_of = false;
    bool none_of = false;
  };
  [[nodiscard]] bool Holds(std::size_t probe, std::uint32_t span);
  [[nodiscard]] bool AnyAttribute(std::size_t probe, model::Range range, bool KeyUse::* use,
                                  const ValueTest& test) const;

  const Sieve& sieve_;
  const model::SpanBatch& batch_;
  std::vector<std::vector<KeyUse>> uses_;  ///< by probe, by key of the batch
};

}  // namespace fluoro::query
