#include "twofour/core/ops/operators.h"

#include "twofour/core/dtype.h"
#include "twofour/core/ops/arithmetic.h"
#include "twofour/core/ops/in_f32.h"

namespace twofour {
inline namespace ops {
namespace {

/// op(x, number), with the number as a tensor of shape [].
template <typename Op>
Tensor WithNumber(const Op& op, const Tensor& x, double number) {
  const DType dtype = x.defined() ? ComputeDType(x.dtype()) : DType::kF32;
  const auto apply = [&](const Tensor& wide) { return op(wide, Tensor::Scalar(number, dtype)); };
  return x.defined() && IsHalf(x.dtype()) ? ops::InF32(apply, x) : apply(x);
}

}  // namespace

Tensor operator+(const Tensor& a, const Tensor& b) { return Add(a, b); }
Tensor operator-(const Tensor& a, const Tensor& b) { return Sub(a, b); }
Tensor operator*(const Tensor& a, const Tensor& b) { return Mul(a, b); }
Tensor operator/(const Tensor& a, const Tensor& b) { return Div(a, b); }
Tensor operator-(const Tensor& x) { return Scale(x, -1.0); }

Tensor operator+(const Tensor& x, double number) { return WithNumber(Add, x, number); }
Tensor operator+(double number, const Tensor& x) { return WithNumber(Add, x, number); }
Tensor operator-(const Tensor& x, double number) { return WithNumber(Sub, x, number); }
Tensor operator-(double number, const Tensor& x) { return WithNumber(Add, Scale(x, -1.0), number); }
Tensor operator*(const Tensor& x, double number) { return Scale(x, number); }
Tensor operator*(double number, const Tensor& x) { return Scale(x, number); }
Tensor operator/(const Tensor& x, double number) { return WithNumber(Div, x, number); }
Tensor operator/(double number, const Tensor& x) {
  return WithNumber([](const Tensor& below, const Tensor& above) { return Div(above, below); }, x, number);
}

}  // namespace ops
}  // namespace twofour
