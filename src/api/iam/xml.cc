#include "api/iam/xml.h"

#include <fmt/format.h>

#include <utility>

namespace fluoro::api::iam {
namespace {

void AppendEscaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\r':
        out += "&#xD;";
        break;
      default:
        // XML 1.0 has no form for other control characters.
        out += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? '?' : c;
    }
  }
}

}  // namespace

XmlWriter& XmlWriter::Begin(std::string_view name, std::string_view xmlns) {
  text_ +=
      xmlns.empty() ? fmt::format("<{}>", name) : fmt::format("<{} xmlns=\"{}\">", name, xmlns);
  open_.emplace_back(name);
  return *this;
}

XmlWriter& XmlWriter::End() {
  text_ += fmt::format("</{}>", open_.back());
  open_.pop_back();
  return *this;
}

XmlWriter& XmlWriter::Text(std::string_view name, std::string_view text) {
  Begin(name);
  AppendEscaped(text_, text);
  return End();
}

XmlWriter& XmlWriter::Empty(std::string_view name) {
  text_ += fmt::format("<{}/>", name);
  return *this;
}

XmlWriter& XmlWriter::Raw(std::string_view xml) {
  text_ += xml;
  return *this;
}

std::string XmlWriter::Take() { return std::exchange(text_, {}); }

}  // namespace fluoro::api::iam
