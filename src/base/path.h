// Paths as the file systems of this project write them: '/'-separated, no "." or ".." inside.
#pragma once

#include <string>
#include <string_view>

namespace fluoro {

/// "a/b" -> "a"; "/a" -> "/"; "a" -> ".".
inline std::string ParentPath(std::string_view path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? "/" : std::string(path.substr(0, slash));
}

/// "a/b" -> "b".
inline std::string BaseName(std::string_view path) {
  const std::size_t slash = path.find_last_of('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

}  // namespace fluoro
