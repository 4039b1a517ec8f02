#include "codec/xray/attribute_use.h"

#include <algorithm>

#include "model/attribute_reader.h"

namespace fluoro::codec::xray {
namespace {

bool Named(const model::Attribute& attribute, AttributeUse::Names names) {
  return attribute.role == model::AttributeRole::kPlain &&
         std::find(names.begin(), names.end(), attribute.key) != names.end();
}

}  // namespace

void AttributeUse::Tell(Names names, std::string_view text) {
  for (std::size_t i = 0; i < attributes_.size(); ++i) {
    if (Named(attributes_[i], names) && model::ScalarText(attributes_[i].value) == text)
      told_[i] = true;
  }
}

void AttributeUse::TellWithin(Names names, std::string_view text) {
  for (std::size_t i = 0; i < attributes_.size(); ++i) {
    if (!Named(attributes_[i], names)) continue;
    const std::string part = model::ScalarText(attributes_[i].value);
    if (!part.empty() && text.find(part) != std::string_view::npos) told_[i] = true;
  }
}

void AttributeUse::TellAll(std::string_view name) {
  for (std::size_t i = 0; i < attributes_.size(); ++i) {
    if (Named(attributes_[i], {name})) told_[i] = true;
  }
}

}  // namespace fluoro::codec::xray
