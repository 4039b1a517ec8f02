// A record's frames as bytes.
#pragma once

#include <string>

#include "store/embedded/wal_format.h"

namespace fluoro::store {

/// Appends them to `out`, which begins at its file's beginning.
inline void AppendFrames(const EncodedRecord& record, std::uint64_t lsn, std::uint64_t synced_lsn,
                         std::uint16_t flags, std::uint64_t seed, std::string& out,
                         const FileCipher* cipher = nullptr) {
  Frames frames;
  frames.Add(record, lsn, synced_lsn, flags, seed, cipher, out.size());
  for (const std::string_view piece : frames.pieces()) out += piece;
}

}  // namespace fluoro::store
