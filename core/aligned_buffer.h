#pragma once

#include <cstddef>
#include <cstdint>

#include "twofour/core/storage.h"

namespace twofour {

/// Memory for elements of a plain type, uninitialised and aligned for vector loads. Throws Error if there is not enough
/// memory.
template <typename T>
class AlignedBuffer {
 public:
  explicit AlignedBuffer(int64_t count) : storage_(static_cast<size_t>(count) * sizeof(T)) {}

  T* data() { return reinterpret_cast<T*>(storage_.data()); }
  const T* data() const { return reinterpret_cast<const T*>(storage_.data()); }
  size_t bytes() const { return storage_.bytes(); }

 private:
  Storage storage_;
};

}  // namespace twofour
