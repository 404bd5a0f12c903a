#include "twofour/sparse/fused_mlp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/ops.h"
#include "twofour/sparse/kernels/linear/forced_kernel.h"
#include "twofour/sparse/vnm_mask.h"

#include "tests/sparse/kernels/fused_mlp/mlp_kernel_example.h"
#include "tests/support/half_activations.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using test::ExpectNearInNorm;
using test::RandomF32;
using test::ScopedNumThreads;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::ThrowsMessage;

struct Sizes {
  Shape lead;
  int64_t in, hidden, out;
  double fc_bias = 0;  // The mean of c_fc's bias, which decides how many activations are zero.
  MaskMethod algorithm = MaskMethod::kExact;
  bool bias = true;
  std::optional<VnmPattern> vnm = {};  // In the place of the algorithm.
};

MaskedLinearOperand MakeLayer(int64_t out, int64_t in, uint64_t seed, double mean_bias, const Sizes& sizes) {
  MaskedLinearOperand layer;
  layer.weight = RandomF32({out, in}, {.seed = seed}).set_requires_grad();
  if (sizes.bias)
    layer.bias = RandomF32({out}, {.seed = seed + 100}, mean_bias - 0.1, mean_bias + 0.1).set_requires_grad();
  Mask mask = sizes.vnm ? FindVnmMask(layer.weight, *sizes.vnm) : FindMask(layer.weight, sizes.algorithm);
  const MaskFormat format = sizes.vnm ? MaskFormat::Vnm(*sizes.vnm) : mask.format();
  layer.packed = std::make_shared<const SemiSparseWeight>(layer.weight, std::move(mask), nullptr, format);
  return layer;
}

/// Random numbers for an MLP, and the results that they give. Activations are of `dtype`.
struct Example {
  explicit Example(const Sizes& sizes, DType dtype = DType::kF32)
      : fc(MakeLayer(sizes.hidden, sizes.in, 1, sizes.fc_bias, sizes)),
        proj(MakeLayer(sizes.out, sizes.hidden, 2, 0, sizes)) {
    Shape x_shape = sizes.lead, dy_shape = sizes.lead;
    x_shape.push_back(sizes.in);
    dy_shape.push_back(sizes.out);
    x = RandomF32(x_shape, {.seed = 3}).To(dtype).set_requires_grad();
    dy = RandomF32(dy_shape, {.seed = 4}).To(dtype);
  }

  /// Output, then gradients of x, c_fc's weight and bias, c_proj's weight and bias.
  std::vector<Tensor> Run(const FusedMlpKernel& kernel) {
    for (Tensor leaf : {x, fc.weight, fc.bias, proj.weight, proj.bias}) {
      if (leaf.defined()) leaf.ZeroGrad();
    }
    const Tensor y = FusedMlp(kernel, x, fc, proj, &report);
    y.Backward(dy);
    std::vector<Tensor> results{y.Detach(), x.grad(), fc.weight.grad(), proj.weight.grad()};
    if (fc.bias.defined()) {
      results.push_back(fc.bias.grad());
      results.push_back(proj.bias.grad());
    }
    return results;
  }

  /// The masked weight, rounded to bf16 if products with activations like x round it.
  Tensor Rounded(const MaskedLinearOperand& layer) const {
    const Tensor masked = ApplyMask(layer.weight, layer.packed->mask());
    return x.dtype() == DType::kBF16 ? masked.To(DType::kBF16).To(DType::kF32) : masked;
  }

  /// The same in double, by dense ops on masked weights. The straight-through gradient of a weight is the gradient of
  /// its masked form.
  std::vector<Tensor> Expected() const {
    const auto leaf = [](const Tensor& t) { return t.To(DType::kF64).Clone().set_requires_grad(); };
    const Tensor x64 = leaf(x), w1 = leaf(Rounded(fc)), w2 = leaf(Rounded(proj));
    Tensor b1, b2;
    if (fc.bias.defined()) {
      b1 = leaf(fc.bias);
      b2 = leaf(proj.bias);
    }
    const Tensor y = Linear(ReluSquared(Linear(x64, w1, b1)), w2, b2);
    y.Backward(dy.To(DType::kF64));
    std::vector<Tensor> results{y.Detach(), x64.grad(), w1.grad(), w2.grad()};
    if (b1.defined()) {
      results.push_back(b1.grad());
      results.push_back(b2.grad());
    }
    for (Tensor& result : results) result = result.To(DType::kF32);
    return results;
  }

  MaskedLinearOperand fc, proj;
  Tensor x, dy;
  FusedMlpReport report;
};

/// Runs each kernel twice: always with lists of non-zeros, and never.
class FusedMlpTest : public ::testing::TestWithParam<std::tuple<FusedMlpKernel, bool>> {
 protected:
  void SetUp() override {
    kernel_ = std::get<0>(GetParam());
    kernel_.list_density = std::get<1>(GetParam()) ? 100.0 : -1.0;  // Sparser weights have a part of it.
    if (const std::string why_not = WhyNotHere(kernel_.linear->isa); !why_not.empty()) GTEST_SKIP() << why_not;
  }

  void ExpectAgrees(const Sizes& sizes) {
    SCOPED_TRACE(::testing::Message() << "batch " << ToString(sizes.lead) << ", " << sizes.in << " -> " << sizes.hidden
                                      << " -> " << sizes.out << ", mean bias " << sizes.fc_bias);
    Example example(sizes, activation());
    const std::vector<Tensor> actual = example.Run(kernel_), expected = example.Expected();
    ASSERT_EQ(actual.size(), expected.size());
    for (size_t i = 0; i < actual.size(); ++i) {
      SCOPED_TRACE(::testing::Message() << "result " << i);
      if (activation() == DType::kF32) {
        ExpectClose(actual[i], expected[i], 2e-5, 2e-5 * static_cast<double>(sizes.in));
      } else {
        ExpectNearInNorm(actual[i], expected[i], 0x1p-7);
      }
    }
    EXPECT_EQ(example.report.uses_lists, std::get<1>(GetParam()));
  }

  DType activation() const { return kernel_.linear->activation; }

  FusedMlpKernel kernel_;
};

TEST_P(FusedMlpTest, IsTheComposedMlpAtEveryKindOfEdge) {
  for (int64_t batch : {1, 3, 4, 23, 24, 25, 63, 64, 65, 130}) ExpectAgrees({{batch}, 20, 36, 12});
  for (int64_t width : {4, 12, 16, 60, 64, 100}) ExpectAgrees({{37}, width, width + 4, width});
  ExpectAgrees({{29}, 4, 4, 4});
  ExpectAgrees({{70}, 300, 8, 520});  // More than one block of columns.
  ExpectAgrees({{70}, 8, 540, 300});
  ExpectAgrees({{2, 5}, 16, 32, 8});
  ExpectAgrees({{}, 16, 32, 8});
}

TEST_P(FusedMlpTest, IsTheComposedMlpAtEveryDensity) {
  for (double bias : {-3.0, -1.5, -0.5, 0.0, 0.5, 6.0}) ExpectAgrees({{150}, 32, 64, 24, bias});
}

TEST_P(FusedMlpTest, TakesGreedyTilesAndNoBias) {
  ExpectAgrees({{50}, 64, 64, 64, 0, MaskMethod::kGreedy});
  ExpectAgrees({{50}, 32, 48, 16, 0, MaskMethod::kExact, /*bias=*/false});
}

TEST_P(FusedMlpTest, TakesVnm) {
  for (const VnmPattern& pattern :
       {VnmPattern{.v = 4, .m = 5}, {.v = 16, .m = 8}, {.v = 64, .m = 16}, {.v = 256, .m = 12}}) {
    SCOPED_TRACE(pattern.ToString());
    const auto sizes = [&pattern](int64_t batch, int64_t in, int64_t hidden, int64_t out) {
      return Sizes{.lead = {batch}, .in = in, .hidden = hidden, .out = out, .vnm = pattern};
    };
    for (const int64_t batch : {1, 25, 65, 130}) ExpectAgrees(sizes(batch, 20, 36, 12));
    ExpectAgrees(sizes(37, 100, 104, 100));
    ExpectAgrees(sizes(70, 300, 8, 520));  // More than one block of columns.
    ExpectAgrees(sizes(70, 8, 540, 300));
  }
}

TEST_P(FusedMlpTest, AnEmptyBatchHasGradientsOfZero) { ExpectAgrees({{0}, 16, 32, 8}); }

TEST_P(FusedMlpTest, ThreadsDoNotMatter) {
  const bool emulated = kernel_.linear->isa == Isa::kAny;  // These are slow.
  const Sizes wide{{emulated ? 130 : 600}, 64, emulated ? 144 : 256, 64};
  Sizes vnm = wide;
  vnm.vnm = {.v = 32, .m = 6};
  for (const Sizes& sizes : {wide, vnm, Sizes{{40}, emulated ? 8 : 300, 576, 132, -0.5}}) {
    for (const double sample_density : {0.0, 1.0}) {
      FusedMlpKernel kernel = kernel_;
      kernel.sample_density = sample_density;
      Example example(sizes, activation());
      const ScopedNumThreads one(1);
      const std::vector<Tensor> expected = example.Run(kernel);
      for (int threads : {2, 3}) {
        const ScopedNumThreads more(threads);
        const std::vector<Tensor> actual = example.Run(kernel);
        for (size_t i = 0; i < actual.size(); ++i) ExpectBitEqual(actual[i], expected[i]);
      }
    }
  }
}

TEST_P(FusedMlpTest, ReportsTheDensity) {
  Example example({{90}, 32, 64, 24, -0.3}, activation());
  example.Run(kernel_);
  const Tensor hidden =
      ReluSquared(Linear(example.x.Detach().To(DType::kF32), example.Rounded(example.fc), example.fc.bias));
  int64_t nonzero = 0;
  for (int64_t i = 0; i < hidden.numel(); ++i) nonzero += hidden.data<float>()[i] != 0;
  EXPECT_NEAR(example.report.density, static_cast<double>(nonzero) / static_cast<double>(hidden.numel()), 1e-3);
}

TEST_P(FusedMlpTest, ComputesTheGradientsThatAreAskedFor) {
  Example example({{30}, 16, 32, 8}, activation());
  const std::vector<Tensor> all = example.Run(kernel_);
  const std::vector<Tensor*> leaves{&example.x, &example.fc.weight, &example.proj.weight, &example.fc.bias,
                                    &example.proj.bias};
  for (size_t wanted = 0; wanted < leaves.size(); ++wanted) {
    for (size_t i = 0; i < leaves.size(); ++i) {
      leaves[i]->set_grad(Tensor());
      leaves[i]->set_requires_grad(i == wanted);
    }
    FusedMlp(kernel_, example.x, example.fc, example.proj).Backward(example.dy);
    for (size_t i = 0; i < leaves.size(); ++i) EXPECT_EQ(leaves[i]->grad().defined(), i == wanted);
    ExpectBitEqual(leaves[wanted]->grad(), all[wanted + 1]);
  }
}

TEST_P(FusedMlpTest, ANaNInTheInputReachesTheOutput) {
  Example example({{30}, 16, 32, 8});
  example.x.mutable_data<float>()[5 * 16 + 3] = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = example.x.To(activation());
  const Tensor y = FusedMlp(kernel_, x, example.fc, example.proj).To(DType::kF32);
  for (int64_t i = 0; i < y.numel(); ++i) EXPECT_EQ(std::isnan(y.data<float>()[i]), i / 8 == 5) << i;
}

TEST_P(FusedMlpTest, AWriteBeforeTheBackwardPassIsAnError) {
  for (int which = 0; which < 3; ++which) {
    Example example({{30}, 16, 32, 8}, activation());
    const Tensor y = FusedMlp(kernel_, example.x, example.fc, example.proj);
    (which == 0 ? example.x : which == 1 ? example.fc.weight : example.proj.weight).Fill(1);
    EXPECT_THAT([&] { y.Backward(example.dy); }, ThrowsMessage<Error>(HasSubstr("written to in place"))) << which;
  }
}

INSTANTIATE_TEST_SUITE_P(Table, FusedMlpTest,
                         ::testing::Combine(::testing::ValuesIn(FusedMlpKernels().begin(), FusedMlpKernels().end()),
                                            ::testing::Bool()),
                         [](const auto& param_info) {
                           return std::string(std::get<0>(param_info.param).linear->name) +
                                  (std::get<1>(param_info.param) ? "_lists" : "_whole");
                         });

TEST(FusedMlpBf16Test, TheEmulationGivesTheSameBits) {
  std::vector<FusedMlpKernel> kernels;
  for (const FusedMlpKernel& kernel : FusedMlpKernels()) {
    if (kernel.linear->layout == PackedLayout::kBf16PairBucket && IsAllowed(kernel.linear->isa)) {
      kernels.push_back(kernel);
    }
  }
  if (kernels.size() < 2) GTEST_SKIP() << "the processor does not multiply pairs of bf16";
  for (const double list_density : {-1.0, 1.0}) {
    for (FusedMlpKernel& kernel : kernels) kernel.list_density = list_density;
    for (const Sizes& sizes : {Sizes{{67}, 36, 132, 20, -0.5}, Sizes{{5}, 260, 8, 132}, Sizes{{130}, 4, 40, 8, 0.5}}) {
      Example example(sizes, DType::kBF16);
      const std::vector<Tensor> expected = example.Run(kernels[0]), actual = example.Run(kernels[1]);
      for (size_t i = 0; i < actual.size(); ++i) ExpectBitEqual(actual[i], expected[i]);
    }
  }
}

/// A kernel that can run here and takes f32.
const FusedMlpKernel& AnyF32Kernel() {
  const auto kernels = FusedMlpKernels();
  return *std::find_if(kernels.begin(), kernels.end(), [](const FusedMlpKernel& kernel) {
    return kernel.linear->activation == DType::kF32 && IsAllowed(kernel.linear->isa);
  });
}

TEST(FusedMlpErrorsTest, AKernelForBf16TakesNothingElse) {
  Example example({{30}, 16, 32, 8});
  for (const FusedMlpKernel& kernel : FusedMlpKernels()) {
    if (kernel.linear->activation != DType::kBF16) continue;
    for (const DType dtype : {DType::kF32, DType::kF16}) {
      EXPECT_THAT([&] { FusedMlp(kernel, example.x.To(dtype), example.fc, example.proj); },
                  ThrowsMessage<Error>(HasSubstr("x " + std::string(NameOf(dtype)) +
                                                 " [30, 16], expected bf16, which " + kernel.name + " takes")));
    }
  }
}

TEST(FusedMlpErrorsTest, OtherShapesAreErrors) {
  const FusedMlpKernel& kernel = AnyF32Kernel();
  Example example({{30}, 16, 32, 8});
  EXPECT_THROW(FusedMlp(kernel, RandomF32({3, 12}, {}), example.fc, example.proj), Error);
  EXPECT_THROW(FusedMlp(kernel, example.x, example.fc, example.fc), Error);
  for (const DType dtype : {DType::kF64, DType::kI32}) {
    EXPECT_THAT([&] { FusedMlp(kernel, example.x.To(dtype), example.fc, example.proj); },
                ThrowsMessage<Error>(
                    AllOf(HasSubstr("x " + std::string(NameOf(dtype)) + " [30, 16], expected f32, f16 or bf16 ["),
                          Not(HasSubstr("expected f32 or f64")))));
  }
  EXPECT_THAT([&] { FusedMlp(kernel, {}, example.fc, example.proj); },
              ThrowsMessage<Error>(HasSubstr("x is undefined, expected f32")));
}

TEST(FusedMlpErrorsTest, ALayerThatIsDenseForNowIsAnError) {
  const FusedMlpKernel& kernel = AnyF32Kernel();
  Example example({{30}, 16, 32, 8});
  example.proj.packed = nullptr;
  EXPECT_THAT([&] { FusedMlp(kernel, example.x, example.fc, example.proj); },
              ThrowsMessage<Error>(HasSubstr("c_proj has no packed 2:4 or V:N:M weight")));
}

}  // namespace
}  // namespace twofour::sparse
