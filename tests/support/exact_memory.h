#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>
#include <vector>

#include "twofour/core/tensor.h"

namespace twofour::test {

/// The elements of a tensor in memory of exactly their size, so that AddressSanitizer finds a read beyond them. A
/// tensor itself has room to spare.
inline std::vector<std::byte> ExactCopy(const Tensor& tensor) {
  std::vector<std::byte> bytes(static_cast<size_t>(tensor.numel()) * SizeOf(tensor.dtype()));
  if (!bytes.empty()) std::memcpy(bytes.data(), tensor.raw(), bytes.size());
  return bytes;
}

/// Memory for a result, of exactly its size but for what lies beside it: that must stay as it is. All of it is NaN at
/// first, whether f32 or bf16.
class GuardedOutput {
 public:
  GuardedOutput(Shape shape, DType dtype)
      : result_(Tensor::Empty(std::move(shape), dtype)),
        bytes_(kGuard + static_cast<size_t>(result_.numel()) * SizeOf(dtype) + kGuard, kOld) {}

  void* data() { return bytes_.data() + kGuard; }
  /// What was written. Fails the test if something was written beside it.
  Tensor Take() {
    const auto is_old = [](std::byte byte) { return byte == kOld; };
    EXPECT_TRUE(std::all_of(bytes_.begin(), bytes_.begin() + kGuard, is_old)) << "written before the result";
    EXPECT_TRUE(std::all_of(bytes_.end() - kGuard, bytes_.end(), is_old)) << "written behind the result";
    if (const size_t size = bytes_.size() - 2 * kGuard; size > 0) std::memcpy(result_.mutable_raw(), data(), size);
    return result_;
  }

 private:
  static constexpr size_t kGuard = 256;
  static constexpr std::byte kOld{0xff};

  Tensor result_;
  std::vector<std::byte> bytes_;
};

}  // namespace twofour::test
