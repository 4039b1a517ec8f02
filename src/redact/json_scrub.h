// Secrets inside JSON: strings are looked at unescaped, members are judged by their names, JSON
// inside strings is read in its turn. The text may be cut off anywhere.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "redact/policy.h"

namespace fluoro::redact {

/// An object, an array or a string, or the beginning of one, by what stands between its strings.
bool LooksLikeJson(std::string_view text);

/// A value that a rule about names removed.
struct Removed {
  std::string text;
  std::size_t rule = 0;
};

/// `text` holds, or is the beginning of, what was removed.
bool HoldsRemoved(std::string_view text, const Removed& removed);

/// One use. Work and memory are linear in the text; deeper than kDepthMax levels it is plain text.
class JsonScrubber {
 public:
  static constexpr std::size_t kDepthMax = 256;
  /// JSON in a string in JSON in a string ...: deeper is plain text.
  static constexpr int kLevelsMax = 4;

  JsonScrubber(const Policy& policy, Policy::Growth& growth, Tally& tally, int level = 0)
      : policy_(policy), growth_(growth), tally_(tally), level_(level) {}

  /// The text is the raw document of an X-Ray segment or subsegment: its ids and the name of a
  /// segment stay, whatever they look like; annotations and metadata are judged by their own names.
  struct Document {
    bool segment = false;
    const std::vector<Removed>* removed = nullptr;  ///< goes here too, wherever it stands
    std::vector<Removed>* found = nullptr;          ///< gets what rules about names removed here
  };
  void set_document(const Document& document) { document_ = &document; }

  /// Appends to `out`; valid JSON stays valid. False: there was nothing, `out` is as it was.
  /// @param name  of the attribute that holds the text.
  bool Run(std::string_view text, std::string_view name, std::string& out);

 private:
  struct Frame {
    bool object = false;
    std::size_t path_bytes = 0;  ///< of path_ outside of it
  };
  void Flush(std::size_t until);
  void Glue(std::string_view piece);
  void Number(std::string_view token);
  void StringValue(std::string_view raw, std::size_t begin, std::size_t end);
  std::size_t Member(std::string_view raw, std::size_t begin, std::size_t end);
  [[nodiscard]] bool IsFixed(std::string_view path, std::string_view leaf, std::size_t value_begin,
                             std::size_t value_end) const;
  [[nodiscard]] KeyDecision Decide(std::string_view path, std::string_view leaf) const;
  void Write(std::string_view plain, std::size_t begin, std::size_t end);

  const Policy& policy_;
  Policy::Growth& growth_;
  Tally& tally_;
  const int level_;
  const Document* document_ = nullptr;
  std::string_view text_;
  std::string made_;
  std::size_t done_ = 0;  ///< of text_, what stands in made_ in one form or the other
  bool changed_ = false;
  std::vector<Frame> frames_;
  std::string path_;
};

}  // namespace fluoro::redact
