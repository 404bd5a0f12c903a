#include "twofour/core/storage.h"

#include <fmt/format.h>

#include "twofour/core/error.h"

namespace twofour {

Storage::Storage(size_t bytes, BlockCache::Fit fit) : data_(BlockCache::Default().Allocate(bytes, fit)), bytes_(bytes) {
  if (data_ == nullptr && bytes > 0) {
    throw Error(fmt::format("out of memory: {} bytes for a tensor", bytes), ErrorKind::kRuntimeFailure);
  }
}

Storage::~Storage() { BlockCache::Default().Free(data_, bytes_); }

}  // namespace twofour
