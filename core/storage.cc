#include "twofour/core/storage.h"

#include <fmt/format.h>

#include <cstdlib>

#include "twofour/core/error.h"

namespace twofour {

Storage::Storage(size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  const size_t padded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  data_ = static_cast<std::byte*>(std::aligned_alloc(kAlignment, padded));
  if (data_ == nullptr) {
    throw Error(fmt::format("out of memory: {} bytes for a tensor", bytes), ErrorKind::kRuntimeFailure);
  }
}

Storage::~Storage() { std::free(data_); }

}  // namespace twofour
