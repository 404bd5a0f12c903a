// Computes a gradient, with nothing but core.
#include <cstdio>
#include <vector>

#include "twofour/core/ops.h"

int main() {
  using namespace twofour;
  Tensor x = Tensor::FromVector(std::vector<float>{1, 2, 3}, {3});
  x.set_requires_grad();
  Sum(Mul(x, x)).Backward();
  const double third = x.grad().data<float>()[2];
  std::printf("%g\n", third);
  return third == 6 ? 0 : 1;
}
