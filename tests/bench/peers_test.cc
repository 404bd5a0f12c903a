#include <gmock/gmock.h>

#include <cmath>

#include "bench/peers/mlp_passes.h"
#include "bench/peers/peer.h"
#include "bench/support/gaussian.h"

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

TEST(Peers, MultiplyAsTheOpsMean) {
  for (const int threads : {1, 2}) {
    SetPeerThreads(threads);
    for (const Op op : {Op::kForward, Op::kInputGrad, Op::kWeightGrad}) {
      const LinearProduct product = {op, /*out=*/36, /*in=*/20, /*tokens=*/7};
      const GemmShape shape(product);
      const Tensor a = Gaussian(shape.m, shape.k, {.seed = 1}), b = Gaussian(shape.k, shape.n, {.seed = 2});
      const std::vector<double> expected = Product(product, a.data<float>(), b.data<float>());
      for (const Peer& peer : Peers()) {
        Tensor c = Tensor::Full({shape.m, shape.n}, NAN);
        const std::unique_ptr<PeerProduct> made = peer.make(product);
        if (op != Op::kWeightGrad) made->PrepareWeight(b.data<float>());
        made->Multiply(a.data<float>(), b.data<float>(), c.mutable_data<float>());
        for (size_t i = 0; i < expected.size(); ++i) {
          ASSERT_NEAR(c.data<float>()[i], expected[i], 1e-4) << peer.name << " " << NameOf(op) << " at " << i;
        }
      }
    }
  }
}

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

}  // namespace
}  // namespace twofour::bench
