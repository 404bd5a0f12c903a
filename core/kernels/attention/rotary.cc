#include "twofour/core/kernels/attention/rotary.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/core/kernels/attention/rotary_loops.h"
#include "twofour/core/parallel.h"

namespace twofour::kernels {
namespace loops {

// The overload for double, as a plain loop. It is static and not in an unnamed namespace, because it overloads the f32
// loop.
static void Rotate(int64_t half, const double* cosines, const double* sines, const double* x, double* y) {
  for (int64_t i = 0; i < half; ++i) {
    y[i] = x[i] * cosines[i] + x[half + i] * sines[i];
    y[half + i] = x[half + i] * cosines[i] - x[i] * sines[i];
  }
}

}  // namespace loops

template <typename T>
void Rotary(const RotaryProblem& p, const T* x, T* y) {
  const int64_t half = p.head_size / 2, row = p.heads * p.head_size;
  std::vector<double> frequencies(static_cast<size_t>(half));
  for (int64_t i = 0; i < half; ++i) {
    frequencies[static_cast<size_t>(i)] =
        std::pow(p.base, -2.0 * static_cast<double>(i) / static_cast<double>(p.head_size));
  }
  // Threads divide the positions, so that the sines and cosines of a position are computed once for all sequences.
  ParallelFor(p.positions, RowGrain(p.batch * row), [&](int64_t begin, int64_t end) {
    using C = ComputeType<T>;
    std::vector<C> cosines(static_cast<size_t>(half)), sines = cosines;
    for (int64_t t = begin; t < end; ++t) {
      for (size_t i = 0; i < frequencies.size(); ++i) {
        const double angle = static_cast<double>(p.first_position + t) * frequencies[i];
        cosines[i] = static_cast<C>(std::cos(angle));
        sines[i] = static_cast<C>(p.back ? -std::sin(angle) : std::sin(angle));
      }
      for (int64_t item = 0; item < p.batch; ++item) {
        const int64_t at = (item * p.positions + t) * row;
        for (int64_t head = 0; head < p.heads; ++head) {
          const int64_t first = at + head * p.head_size;
          loops::Rotate(half, cosines.data(), sines.data(), x + first, y + first);
        }
      }
    }
  });
}

template void Rotary<float>(const RotaryProblem&, const float*, float*);
template void Rotary<double>(const RotaryProblem&, const double*, double*);
template void Rotary<BFloat16>(const RotaryProblem&, const BFloat16*, BFloat16*);

}  // namespace twofour::kernels
