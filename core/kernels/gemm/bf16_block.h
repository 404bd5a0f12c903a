#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "twofour/core/half.h"

namespace twofour::kernels {

/// Products of blocks of bf16 by the dense library, on the calling thread alone. The library cuts the depth as it
/// thinks best for the size and for the processor's caches, so bits may depend on both.
class Bf16Block {
 public:
  struct Size {
    int64_t rows = 0;   ///< Of A and C.
    int64_t cols = 0;   ///< Of B and C: a multiple of kPanel.
    int64_t depth = 0;  ///< A multiple of kDepthStep.
    auto operator<=>(const Size&) const = default;
  };
  /// Columns of a panel of B.
  static constexpr int64_t kPanel = 64;
  static constexpr int64_t kDepthStep = 32;

  /// The product of a size. The library compiles code for it when it is first asked for. The last kMostKept sizes that
  /// were asked for are kept. Any number of threads may call this at once. Throws Error if the library cannot.
  static std::shared_ptr<const Bf16Block> Find(const Size& size);
  static constexpr size_t kMostKept = 256;

  virtual ~Bf16Block() = default;
  Bf16Block() = default;
  Bf16Block(const Bf16Block&) = delete;
  Bf16Block& operator=(const Bf16Block&) = delete;

  /// What one thread needs to compute products of a size. It must not outlive the Bf16Block.
  class Worker {
   public:
    virtual ~Worker() = default;
    Worker() = default;
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// c [rows, cols] = a [rows, depth] times b, where b consists of panels, [depth / 2][kPanel][2] each. There is
    /// nothing between rows and panels.
    virtual void Multiply(const BFloat16* a, const uint32_t* b, float* c) = 0;
  };
  /// Takes about as long as three products of a small size. Any number of threads may call this at once.
  virtual std::unique_ptr<Worker> NewWorker() const = 0;
};

/// Whether the build has a library for Bf16Block.
bool BuiltWithBf16Blocks();
/// Whether the library would use AMX for a Bf16Block. The first call settles what instructions it uses.
bool Bf16BlocksUseAmx();

}  // namespace twofour::kernels
