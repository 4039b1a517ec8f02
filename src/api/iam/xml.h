// XML text out: elements without attributes but xmlns. Values are escaped.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fluoro::api::iam {

/// Not thread-safe. Names must be XML names.
class XmlWriter {
 public:
  XmlWriter& Begin(std::string_view name, std::string_view xmlns = {});
  XmlWriter& End();
  /// <name>text</name>
  XmlWriter& Text(std::string_view name, std::string_view text);
  XmlWriter& Empty(std::string_view name);
  /// XML as it stands.
  XmlWriter& Raw(std::string_view xml);
  std::string Take();

 private:
  std::string text_;
  std::vector<std::string> open_;
};

}  // namespace fluoro::api::iam
