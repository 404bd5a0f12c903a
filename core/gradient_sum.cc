#include "twofour/core/gradient_sum.h"

#include <utility>

#include "twofour/core/kernels/elements/elementwise.h"
#include "twofour/core/kernels/elements/rounded_sum.h"

namespace twofour {
namespace {

/// More than in a transformer, where at most three linears read one activation. With more terms that wait, a sum in f32
/// would take less memory.
constexpr size_t kMostTerms = 4;

void ConvertTo(DType dtype, Tensor& tensor) {
  if (tensor.dtype() != dtype) tensor = tensor.To(dtype);
}

template <typename T>
Tensor RoundedSumOf(const std::vector<Tensor>& terms) {
  std::vector<const T*> elements;
  for (const Tensor& term : terms) elements.push_back(term.data<T>());
  Tensor sum = Tensor::Empty(terms.front().shape(), DTypeOf<T>());
  kernels::RoundedSum<T>(sum.numel(), elements, sum.mutable_data<T>());
  return sum;
}

}  // namespace

void AccumulateGradient(DType dtype, Tensor& sum, Tensor addend) {
  if (!sum.defined()) {
    sum = std::move(addend);
    return;
  }
  const DType wide = ComputeDType(dtype);
  ConvertTo(wide, sum);
  ConvertTo(wide, addend);
  if (!sum.IsSoleOwner()) {
    if (addend.IsSoleOwner()) {
      std::swap(sum, addend);
    } else {
      sum = sum.Clone();
    }
  }
  DispatchF32OrF64(sum.dtype(), "Backward", [&](auto zero) {
    using T = decltype(zero);
    kernels::Axpy<T>(sum.numel(), T{1}, addend.data<T>(), sum.mutable_data<T>());
  });
}

void GradientSum::Add(Tensor gradient) {
  const bool may_wait = IsHalf(dtype_) && terms_.size() < kMostTerms;
  if (terms_.empty() || (may_wait && IsHalf(terms_.front().dtype()))) {
    terms_.push_back(std::move(gradient));
    return;
  }
  Tensor sum;
  for (Tensor& term : std::exchange(terms_, {})) AccumulateGradient(dtype_, sum, std::move(term));
  AccumulateGradient(dtype_, sum, std::move(gradient));
  terms_.push_back(std::move(sum));
}

Tensor GradientSum::Take() {
  const std::vector<Tensor> terms = std::exchange(terms_, {});
  if (terms.empty()) return {};
  if (terms.size() > 1) return dtype_ == DType::kBF16 ? RoundedSumOf<BFloat16>(terms) : RoundedSumOf<Float16>(terms);
  Tensor sum = terms.front();
  ConvertTo(dtype_, sum);
  return sum;
}

}  // namespace twofour
