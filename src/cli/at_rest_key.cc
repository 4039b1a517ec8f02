#include "cli/at_rest_key.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/base64.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/path.h"
#include "crypto/aead.h"

namespace fluoro::cli {
namespace {

constexpr std::uint64_t kFileBytesMax = std::uint64_t{1} << 20;

Result<std::shared_ptr<crypto::Keyring>> ReadKeys(const std::string& path) {
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

std::string MadeKeysPath(const std::string& folder) {
  return folder + "/" + std::string(kMadeKeysFile);
}

}  // namespace

Result<void> WriteSecretFile(const std::string& path, std::string_view text) {
  const std::string next = path + ".new";
  const int file = ::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return Fail(ErrorCode::kIo, "cannot write " + next);
  const bool written =
      ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(file) == 0;
  const bool closed = ::close(file) == 0;
  if (!written || !closed || ::rename(next.c_str(), path.c_str()) != 0)
    return Fail(ErrorCode::kIo, "cannot write " + path);
  const auto fs = MakePosixFs();
  return fs->SyncDir(ParentPath(path));
}

Result<std::shared_ptr<crypto::Keyring>> LoadAtRestKeys(const std::string& path,
                                                        const std::string& folder) {
  std::shared_ptr<crypto::Keyring> keys;
  if (!path.empty()) {
    FLUORO_TRY(keys, ReadKeys(path));
  }
  const std::string made_path = MadeKeysPath(folder);
  if (::access(made_path.c_str(), F_OK) != 0) return keys;
  FLUORO_TRY(const auto made, ReadKeys(made_path));
  if (!keys) keys = std::make_shared<crypto::Keyring>();
  for (const std::string& name : made->names()) {
    if (auto added = keys->Add(name, *made->Find(name)); !added)
      return std::unexpected(std::move(added).error().With(made_path));
  }
  return keys;
}

Result<void> MakeAtRestKey(crypto::Keyring& keys, const std::string& folder,
                           std::string_view name) {
  const std::string path = MadeKeysPath(folder);
  std::string text = "# made by fluoro: what these keys encrypt is lost without them\n";
  if (::access(path.c_str(), F_OK) == 0) {
    const auto fs = MakePosixFs();
    FLUORO_TRY(text, ReadFile(*fs, path));
  }
  if (static_cast<std::size_t>(std::ranges::count(text, '\n')) > kMadeKeysMax) {
    return Fail(ErrorCode::kTooLarge, "there are " + std::to_string(kMadeKeysMax) +
                                          " keys made here: name one of them, or one of "
                                          "--at-rest-key");
  }
  const crypto::Secret key = crypto::Secret::Random();
  FLUORO_CHECK_OK(keys.Add(name, key));
  const auto bytes = key.bytes();
  text += std::string(name) + " " +
          ToBase64({reinterpret_cast<const char*>(bytes.data()), bytes.size()}) + "\n";
  auto written = WriteSecretFile(path, text);
  crypto::Wipe(text);
  if (written) {
    log::Warn("made a key of encryption at rest: what it encrypts is lost without this file",
              {{"key", std::string(name)}, {"file", path}});
  }
  return written;
}

}  // namespace fluoro::cli
