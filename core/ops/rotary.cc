#include "twofour/core/ops/rotary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/kernels/attention/rotary.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/in_f32.h"

namespace twofour {
inline namespace ops {
namespace {

/// How often a pair of this frequency turns within the scaling's original length decides by how much it becomes slower.
double Scaled(double frequency, const RotaryScaling& scaling) {
  const double slow = frequency / scaling.factor;
  if (scaling.original_length == 0) return slow;
  const double turns = static_cast<double>(scaling.original_length) * frequency / (2 * std::numbers::pi);
  const double low = scaling.low_frequency_factor, high = scaling.high_frequency_factor;
  const double kept = std::clamp((turns - low) / (high - low), 0.0, 1.0);
  return std::lerp(slow, frequency, kept);
}

/// By what angle each pair turns from one position to the next.
std::vector<double> FrequenciesOf(int64_t head_size, const RotaryOptions& options) {
  std::vector<double> frequencies;
  for (int64_t i = 0; i < head_size / 2; ++i) {
    const double frequency = std::pow(options.base, -2.0 * static_cast<double>(i) / static_cast<double>(head_size));
    const double scaled = options.scaling.factor == 1 ? frequency : Scaled(frequency, options.scaling);
    frequencies.push_back(options.counterclockwise ? -scaled : scaled);
  }
  return frequencies;
}

Tensor Turn(const Tensor& x, const std::vector<double>& frequencies, int64_t first_position, bool back) {
  Tensor y = Tensor::Empty(x.shape(), x.dtype());
  DispatchF32F64OrBF16(x.dtype(), "Rotary", [&](auto zero) {
    using T = decltype(zero);
    kernels::Rotary<T>({.batch = x.dim(0),
                        .positions = x.dim(1),
                        .heads = x.dim(2),
                        .head_size = x.dim(3),
                        .frequencies = frequencies,
                        .first_position = first_position,
                        .back = back},
                       x.data<T>(), y.mutable_data<T>());
  });
  return y;
}

}  // namespace

void Check(const RotaryOptions& options, const FieldPath& at, Faults& faults) {
  faults.Expect(options.base > 0 && std::isfinite(options.base), at("base"), options.base, "a finite number above 0");
  const FieldPath scaling = at.In("scaling");
  const auto& [factor, low, high, length] = options.scaling;
  faults.Expect(factor >= 1 && std::isfinite(factor), scaling("factor"), factor, "a finite number of at least 1");
  faults.Expect(low > 0 && std::isfinite(low), scaling("low_frequency_factor"), low, "a finite number above 0");
  faults.Expect(high > low && std::isfinite(high), scaling("high_frequency_factor"), high,
                "a finite number above low_frequency_factor");
  faults.Expect(length >= 0, scaling("original_length"), length, "at least 0");
}

Tensor Rotary(const Tensor& x, const RotaryOptions& options, int64_t first_position) {
  ops::RequireFloating("Rotary", "x", x);
  if (x.rank() != 4 || x.dim(3) % 2 != 0) {
    throw Error(fmt::format("Rotary: x has shape {}, expected [batch, T, heads, head_size] with an even head_size",
                            ToString(x.shape())));
  }
  Checked(options, "Rotary: ", " ");
  if (first_position < 0) throw Error(fmt::format("Rotary: first position {}, expected at least 0", first_position));
  if (x.dtype() == DType::kF16) {
    return ops::InF32([=](const Tensor& wide) { return Rotary(wide, options, first_position); }, x);
  }
  const std::vector<double> frequencies = FrequenciesOf(x.dim(3), options);
  Tensor y = Turn(x, frequencies, first_position, false);
  autograd::Record("Rotary", {x}, y, [frequencies, first_position](const Tensor& dy) {
    return std::vector<Tensor>{Turn(dy, frequencies, first_position, true)};
  });
  return y;
}

Tensor Rotary(const Tensor& x, double base, int64_t first_position) {
  return Rotary(x, RotaryOptions{.base = base}, first_position);
}

}  // namespace ops
}  // namespace twofour
