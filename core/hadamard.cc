#include "twofour/core/hadamard.h"

#include <fmt/format.h>

#include <string_view>

#include "twofour/core/error.h"
#include "twofour/core/kernels/formats/hadamard_loops.h"
#include "twofour/core/parallel.h"

namespace twofour {
namespace {

static_assert(kHadamardBlock == kernels::loops::kHadamardBlock);

using Loop = void(int64_t blocks, const float* x, uint16_t signs, float* out);

Tensor Transformed(std::string_view op, const Tensor& x, uint16_t signs, Loop* loop) {
  if (!x.defined() || x.dtype() != DType::kF32 || x.rank() != 2 || x.dim(1) % kHadamardBlock != 0) {
    throw Error(fmt::format("{}: x is {}, expected f32 [rows, columns] with columns a multiple of {}", op, Describe(x),
                            kHadamardBlock));
  }
  Tensor result = Tensor::Empty(x.shape());
  const float* const from = x.data<float>();
  float* const to = result.mutable_data<float>();
  ParallelFor(x.numel() / kHadamardBlock, kElementwiseGrain / kHadamardBlock, [=](int64_t begin, int64_t end) {
    loop(end - begin, from + begin * kHadamardBlock, signs, to + begin * kHadamardBlock);
  });
  return result;
}

}  // namespace

uint16_t RandomHadamardSigns(const RandomKey& key) { return static_cast<uint16_t>(RandomBlock(key, 0)[0]); }

Tensor HadamardTransform(const Tensor& x, uint16_t signs) {
  return Transformed("HadamardTransform", x, signs, kernels::loops::Hadamard);
}

Tensor InverseHadamardTransform(const Tensor& y, uint16_t signs) {
  return Transformed("InverseHadamardTransform", y, signs, kernels::loops::InverseHadamard);
}

}  // namespace twofour
