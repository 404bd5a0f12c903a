// What only the kernels over a Bf16PairBucketStream have. The tests of the table of linear kernels have the rest.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "twofour/core/aligned_buffer.h"
#include "twofour/core/half.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/mask.h"

#include "tests/sparse/kernels/linear/linear_products.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ExpectBitEqual;
using test::RandomF32;

/// The kernels that can run here, the emulated one last.
std::vector<LinearKernel> Bf16PairBucketKernelsHere() {
  std::vector<LinearKernel> kernels;
  for (const LinearKernel& kernel : LinearKernels()) {
    if (kernel.layout == PackedLayout::kBf16PairBucket && IsAllowed(kernel.isa)) kernels.push_back(kernel);
  }
  return kernels;
}

TEST(Bf16PairBucketTest, TheEmulationGivesTheSameBits) {
  const std::vector<LinearKernel> kernels = Bf16PairBucketKernelsHere();
  if (kernels.size() < 2) GTEST_SKIP() << "the processor does not multiply pairs of bf16";
  for (const Shape& shape : {Shape{4, 4}, Shape{36, 20}, Shape{64, 260}, Shape{260, 36}}) {
    const Tensor weight = RandomF32(shape, {.seed = 1}), bias = RandomF32({shape[0]}, {.seed = 2});
    for (const MaskMethod method : {MaskMethod::kExact, MaskMethod::kGreedy}) {
      const Mask mask = FindMask(weight, method);
      for (const int64_t batch : {1, 31, 32, 33, 64, 65, 130}) {
        const Tensor x = RandomF32({batch, shape[1]}, {.seed = 3}), dy = RandomF32({batch, shape[0]}, {.seed = 4});
        for (const Epilogue& epilogue : {Epilogue{}, Epilogue{bias.data<float>(), true}}) {
          ExpectBitEqual(Multiply(kernels[1], weight, mask, Direction::kForward, x, epilogue),
                         Multiply(kernels[0], weight, mask, Direction::kForward, x, epilogue));
        }
        ExpectBitEqual(Multiply(kernels[1], weight, mask, Direction::kInputGrad, dy),
                       Multiply(kernels[0], weight, mask, Direction::kInputGrad, dy));
      }
    }
  }
}

TEST(Bf16PairBucketTest, AnOutputThatPassesByTheCachesIsTheSame) {
  // Outputs of more than 4 MiB are written past the caches, if they and their rows begin at cache lines.
  constexpr int64_t kBatch = 2100, kOut = 1024, kIn = 4;
  const Tensor weight = RandomF32({kOut, kIn}, {.seed = 5});
  const Mask mask = FindMask(weight, MaskMethod::kExact);
  const Tensor x = RandomF32({kBatch, kIn}, {.seed = 6}).To(DType::kBF16);
  for (const LinearKernel& kernel : Bf16PairBucketKernelsHere()) {
    SCOPED_TRACE(kernel.name);
    const auto packed = kernel.pack(weight.data<float>(), mask.view(), Direction::kForward);
    AlignedBuffer<BFloat16> out(kBatch * kOut), beside(kBatch * kOut + 1);
    kernel.multiply(*packed, Direction::kForward, kBatch, x.raw(), {}, out.data());
    kernel.multiply(*packed, Direction::kForward, kBatch, x.raw(), {}, beside.data() + 1);
    ASSERT_EQ(std::memcmp(out.data(), beside.data() + 1, out.bytes()), 0);
  }
}

}  // namespace
}  // namespace twofour::sparse
