#pragma once

#include <cstdint>
#include <vector>

namespace twofour::kernels {

struct RotaryProblem {
  int64_t batch = 0, positions = 0, heads = 0, head_size = 0;
  std::vector<double> frequencies = {};  ///< [head_size / 2]: by what angle each pair turns from position to position.
  int64_t first_position = 0;
  bool back = false;  ///< Turns by the negative angles, which is the inverse and gives the gradient.
};

/// The rotation of ops/rotary.h from x to y, both [batch, positions, heads, head_size]. T is float, double or
/// BFloat16, which is computed with as float and rounded once. Angles, sines and cosines are computed in double.
template <typename T>
void Rotary(const RotaryProblem& problem, const T* x, T* y);

}  // namespace twofour::kernels
