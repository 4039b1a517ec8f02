#include "analysis/propagation/records.h"

namespace fluoro::analysis::propagation {

TextId Texts::Id(std::string_view text) {
  text = text.substr(0, kBytesMax);
  if (text.empty()) return 0;
  if (const auto found = ids_.find(text); found != ids_.end()) return found->second;
  if (texts_.size() >= kMax) {
    ++left_out_;
    return 0;
  }
  const auto id = static_cast<TextId>(texts_.size());
  texts_.push_back(&ids_.emplace(std::string(text), id).first->first);
  return id;
}

TextId Texts::Find(std::string_view text) const {
  const auto found = ids_.find(text.substr(0, kBytesMax));
  return found == ids_.end() ? 0 : found->second;
}

}  // namespace fluoro::analysis::propagation
