#include "cli/at_rest_key.h"

#include <sys/stat.h>

#include "base/fs.h"
#include "base/log.h"
#include "crypto/aead.h"

namespace fluoro::cli {
namespace {

constexpr std::uint64_t kFileBytesMax = std::uint64_t{1} << 20;

}  // namespace

Result<std::shared_ptr<crypto::Keyring>> LoadAtRestKeys(const std::string& path) {
  if (path.empty()) return nullptr;
  const auto refuse = [&path](const Error& error) {
    return Fail(ErrorCode::kInvalidArgument, "at-rest-key: " + path + ": " + error.message);
  };
  struct stat about{};
  if (::stat(path.c_str(), &about) != 0)
    return refuse({ErrorCode::kNotFound, "there is no such file"});
  if (!S_ISREG(about.st_mode) || static_cast<std::uint64_t>(about.st_size) > kFileBytesMax)
    return refuse({ErrorCode::kTooLarge, "it is no file of keys"});
  if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    log::Warn("the key file can be read by others than its owner: chmod 600 it", {{"file", path}});
  }
  const auto fs = MakePosixFs();
  auto text = ReadFile(*fs, path);
  if (!text) return refuse(text.error());
  auto keys = crypto::Keyring::Parse(*text);
  crypto::Wipe(*text);
  if (!keys) return refuse(keys.error());
  return keys;
}

}  // namespace fluoro::cli
