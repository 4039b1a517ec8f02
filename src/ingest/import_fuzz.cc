// Whatever a file holds, an import ends, and what it took is within what was there.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "ingest/import.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using fluoro::ingest::ImportFormat;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)fluoro::ingest::DetectImportFormat(bytes);
  for (const auto value : fluoro::ingest::SplitJsonValues(bytes)) {
    if (value.empty() || value.data() < bytes.data() ||
        value.data() + value.size() > bytes.data() + bytes.size())
      std::abort();
  }
  for (const auto format : {ImportFormat::kOtlpJson, ImportFormat::kXRay, ImportFormat::kJaeger,
                            ImportFormat::kZipkin, ImportFormat::kCsv, ImportFormat::kOtlpProto}) {
    const auto imported = fluoro::ingest::DecodeImport(bytes, format, {});
    if (imported && imported->batch.size() > size) std::abort();
  }
  return 0;
}
