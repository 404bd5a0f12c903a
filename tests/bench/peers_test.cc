#include <gmock/gmock.h>

#include <cmath>

#include "bench/peers/mlp_passes.h"
#include "bench/peers/peer.h"
#include "bench/support/gaussian.h"
#include "bench/support/precision.h"
#include "tests/support/tensors.h"

namespace twofour::bench {
namespace {

/// The product by the definition of its op, element by element in double.
std::vector<double> Product(const LinearProduct& p, const float* a, const float* b) {
  std::vector<double> c;
  const auto sum = [&](int64_t terms, auto term) {
    double total = 0;
    for (int64_t i = 0; i < terms; ++i) total += double{a[term(i).first]} * double{b[term(i).second]};
    c.push_back(total);
  };
  using Indices = std::pair<int64_t, int64_t>;
  if (p.op == Op::kForward) {
    for (int64_t t = 0; t < p.tokens; ++t) {
      for (int64_t o = 0; o < p.out; ++o) sum(p.in, [&](int64_t i) { return Indices(t * p.in + i, o * p.in + i); });
    }
  } else if (p.op == Op::kInputGrad) {
    for (int64_t t = 0; t < p.tokens; ++t) {
      for (int64_t i = 0; i < p.in; ++i) sum(p.out, [&](int64_t o) { return Indices(t * p.out + o, o * p.in + i); });
    }
  } else {
    for (int64_t o = 0; o < p.out; ++o) {
      for (int64_t i = 0; i < p.in; ++i) sum(p.tokens, [&](int64_t t) { return Indices(t * p.out + o, t * p.in + i); });
    }
  }
  return c;
}

/// What the epilogue makes of a sum.
double Finished(PeerEpilogue epilogue, double sum, double bias) {
  if (epilogue == PeerEpilogue::kNone) return sum;
  const double shifted = sum + bias;
  if (epilogue == PeerEpilogue::kBias) return shifted;
  return shifted > 0 ? shifted * shifted : 0;
}

void ExpectThatPeersMultiply(const LinearProduct& product) {
  const GemmShape shape(product);
  const DType dtype = ActivationDType(product.precision);
  const Tensor a = Gaussian(shape.m, shape.k, {.seed = 1}).To(dtype),
               b = Gaussian(shape.k, shape.n, {.seed = 2}).To(dtype);
  const Tensor bias = Gaussian(1, shape.n, {.seed = 3});
  const std::vector<double> sums = Product(product, a.ToVector().data(), b.ToVector().data());
  const bool rounded = product.precision == Precision::kBf16 && product.op != Op::kWeightGrad;
  for (const Peer& peer : Peers(product.precision)) {
    Tensor c = Tensor::Full({shape.m, shape.n}, NAN).To(rounded ? dtype : DType::kF32);
    const std::unique_ptr<PeerProduct> made = peer.make(product);
    if (product.op != Op::kWeightGrad) made->PrepareWeight(b.raw());
    made->SetBias(bias.data<float>());
    made->Multiply(a.raw(), b.raw(), c.mutable_raw());
    const std::vector<float> actual = c.ToVector();
    for (size_t i = 0; i < sums.size(); ++i) {
      const double expected =
          Finished(product.epilogue, sums[i], bias.data<float>()[static_cast<int64_t>(i) % shape.n]);
      ASSERT_NEAR(actual[i], expected, 1e-4 + (rounded ? 0x1.01p-8 * std::fabs(expected) : 0))
          << peer.name << " " << NameOf(product.op) << " " << NameOf(product.precision) << " at " << i;
    }
  }
}

TEST(Peers, MultiplyAsTheOpsMean) {
  for (const int threads : {1, 2}) {
    SetPeerThreads(threads);
    for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
      for (const Op op : {Op::kForward, Op::kInputGrad, Op::kWeightGrad}) {
        ExpectThatPeersMultiply({.op = op, .out = 36, .in = 20, .tokens = 7, .precision = precision});
      }
    }
    for (const PeerEpilogue epilogue : {PeerEpilogue::kBias, PeerEpilogue::kBiasReluSquared}) {
      ExpectThatPeersMultiply(
          {.op = Op::kForward, .out = 36, .in = 20, .tokens = 7, .precision = Precision::kBf16, .epilogue = epilogue});
    }
  }
}

TEST(Peers, ForFp32AreAlwaysThere) { EXPECT_EQ(Peers(Precision::kFp32).size(), 4); }

TEST(MlpPasses, ComputeWhatTheyAreNamedFor) {
  constexpr int64_t kRows = 5, kCols = 37;  // Not multiples of any vector's length.
  const Tensor in = Gaussian(kRows, kCols, {.seed = 1}), bias = Gaussian(1, kCols, {.seed = 2});
  const Tensor dy = Gaussian(kRows, kCols, {.seed = 3});
  SetPeerThreads(2);
  Tensor out = Tensor::Empty({kRows, kCols}), grad = dy.Clone(), shifted = in.Clone();
  Tensor bias_grad = Tensor::Empty({kCols}), sums = Tensor::Empty({kCols});
  AddBiasReluSquared(kRows, kCols, in.data<float>(), bias.data<float>(), out.mutable_data<float>());
  ReluSquaredBackward(kRows, kCols, in.data<float>(), bias.data<float>(), grad.mutable_data<float>(),
                      bias_grad.mutable_data<float>());
  AddBias(kRows, kCols, bias.data<float>(), shifted.mutable_data<float>());
  SumColumns(kRows, kCols, dy.data<float>(), sums.mutable_data<float>());
  for (int64_t col = 0; col < kCols; ++col) {
    double grad_sum = 0, dy_sum = 0;
    for (int64_t i = col; i < kRows * kCols; i += kCols) {
      const double value = double{in.data<float>()[i]} + double{bias.data<float>()[col]};
      const double upstream = dy.data<float>()[i];
      EXPECT_NEAR(shifted.data<float>()[i], value, 1e-5);
      EXPECT_NEAR(out.data<float>()[i], value > 0 ? value * value : 0, 1e-5);
      EXPECT_NEAR(grad.data<float>()[i], value > 0 ? 2 * value * upstream : 0, 1e-5);
      grad_sum += value > 0 ? 2 * value * upstream : 0;
      dy_sum += upstream;
    }
    EXPECT_NEAR(bias_grad.data<float>()[col], grad_sum, 1e-4);
    EXPECT_NEAR(sums.data<float>()[col], dy_sum, 1e-4);
  }
}

TEST(MlpPasses, ComputeInBf16WhatTheyAreNamedFor) {
  constexpr int64_t kRows = 5, kCols = 37;
  const Tensor activation = test::RandomF32({kRows, kCols}, {.seed = 1}, 0, 2).To(DType::kBF16);
  const Tensor dy = Gaussian(kRows, kCols, {.seed = 3}).To(DType::kBF16);
  SetPeerThreads(2);
  Tensor grad = dy.Clone(), bias_grad = Tensor::Empty({kCols}), sums = Tensor::Empty({kCols});
  ReluSquaredBackward(kRows, kCols, activation.data<BFloat16>(), grad.mutable_data<BFloat16>(),
                      bias_grad.mutable_data<float>());
  SumColumns(kRows, kCols, dy.data<BFloat16>(), sums.mutable_data<float>());
  const std::vector<float> a = activation.ToVector(), upstream = dy.ToVector(), result = grad.ToVector();
  for (int64_t col = 0; col < kCols; ++col) {
    double grad_sum = 0, dy_sum = 0;
    for (int64_t i = col; i < kRows * kCols; i += kCols) {
      const auto at = static_cast<size_t>(i);
      const double expected = 2 * std::sqrt(double{a[at]}) * upstream[at];
      EXPECT_NEAR(result[at], expected, 0x1.01p-8 * std::fabs(expected));
      grad_sum += expected;
      dy_sum += upstream[at];
    }
    EXPECT_NEAR(bias_grad.data<float>()[col], grad_sum, 1e-4);
    EXPECT_NEAR(sums.data<float>()[col], dy_sum, 1e-4);
  }
}

TEST(MlpPasses, RoundToNearestEven) {
  SetPeerThreads(2);
  for (const int64_t count : {1, 16, 37, 9000}) {
    Tensor from = Gaussian(1, count, {.seed = 1});
    // Halfway between two bf16, with an even and an odd one below.
    from.mutable_data<float>()[0] = 1 + 0x1p-8f;
    from.mutable_data<float>()[count / 2] = 1 + 0x3p-8f;
    Tensor to = Tensor::Empty({1, count}, DType::kBF16);
    RoundToBf16(count, from.data<float>(), to.mutable_data<BFloat16>());
    test::ExpectBitEqual(to, from.To(DType::kBF16));
  }
}

}  // namespace
}  // namespace twofour::bench
