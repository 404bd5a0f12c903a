// An op of one's own: softplus(x) = log(1 + exp(x)), with its gradient. It is compared with differences and then used
// in a small network.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <vector>

#include "twofour/twofour.h"

using namespace twofour;

Tensor Softplus(const Tensor& x) {
  Tensor y = Tensor::Empty(x.shape(), x.dtype());
  DispatchF32OrF64(x.dtype(), "Softplus", [&](auto zero) {
    using T = decltype(zero);
    const T* const from = x.data<T>();
    T* const to = y.mutable_data<T>();
    ParallelFor(x.numel(), kElementwiseGrain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        to[i] = std::max(from[i], zero) + std::log1p(std::exp(-std::abs(from[i])));  // Never overflows.
      }
    });
  });
  // The backward function gets dy and returns one gradient for each input. SavedTensor makes it an error to change x in
  // place in between.
  autograd::Record("Softplus", {x}, y, [saved = autograd::SavedTensor(x)](const Tensor& dy) {
    return std::vector<Tensor>{dy * Sigmoid(saved.Get())};
  });
  return y;
}

int Run() {
  Generator gen(42);
  Tensor points = Tensor::Empty({5, 7}, DType::kF64);
  FillNormal(points, 0.0, 2.0, gen.NextKey());
  points.set_requires_grad();
  autograd::CheckGradients([](const auto& in) { return Softplus(in[0]); }, {points});  // Throws where they differ.
  std::printf("the gradient of Softplus agrees with differences\n");

  Tensor x = Tensor::Empty({256, 8});
  FillNormal(x, 0.0, 1.0, gen.NextKey());
  const Tensor y = Softplus(Sum(x, -1, /*keep_dim=*/true));  // What the network has to learn.
  nn::Linear hidden({.in_features = 8, .out_features = 32}, gen), out({.in_features = 32, .out_features = 1}, gen);
  std::vector<Tensor> parameters = hidden.Parameters();
  for (const Tensor& parameter : out.Parameters()) parameters.push_back(parameter);
  optim::AdamW adamw(parameters, {.lr = 1e-2f});
  double first = 0, last = 0;
  for (int step = 0; step < 200; ++step) {
    Tensor loss = MseLoss(out.Forward(Softplus(hidden.Forward(x))), y);
    adamw.ZeroGrad();
    loss.Backward();
    adamw.Step();
    last = loss.item();
    if (step == 0) first = last;
  }
  std::printf("loss %.5f -> %.5f\n", first, last);
  return last < first / 10 ? 0 : 1;
}

int main() {
  try {
    return Run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "own_op: %s\n", error.what());
    return 1;
  }
}
