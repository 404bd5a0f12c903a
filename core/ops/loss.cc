#include "twofour/core/ops/loss.h"

#include <fmt/format.h>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/elementwise.h"
#include "twofour/core/kernels/elements/reduce.h"
#include "twofour/core/kernels/rows/softmax.h"
#include "twofour/core/ops/cast.h"
#include "twofour/core/ops/check.h"

namespace twofour {
inline namespace ops {

using autograd::SavedTensor;

Tensor CrossEntropyLoss(const Tensor& logits, const Tensor& targets, int32_t ignore_index) {
  ops::RequireFloating("CrossEntropyLoss", "logits", logits);
  ops::RequireDType("CrossEntropyLoss", "targets", targets, DType::kI32);
  if (IsHalf(logits.dtype())) return CrossEntropyLoss(Cast(logits, DType::kF32), targets, ignore_index);
  if (logits.rank() != 2 || targets.shape() != Shape{logits.dim(0)}) {
    throw Error(fmt::format("CrossEntropyLoss: logits {} and targets {}, expected [batch, classes] and [batch]",
                            ToString(logits.shape()), ToString(targets.shape())));
  }
  const int64_t rows = logits.dim(0), classes = logits.dim(1);
  const int64_t counted = ops::CountTargets("CrossEntropyLoss", targets, classes, ignore_index);
  const double mean = counted == 0 ? 0.0 : 1.0 / static_cast<double>(counted);
  Tensor log_probs = Tensor::Empty(logits.shape(), logits.dtype());
  double sum = 0;
  DispatchF32OrF64(logits.dtype(), "CrossEntropyLoss", [&](auto zero) {
    using T = decltype(zero);
    T* out = log_probs.mutable_data<T>();
    kernels::LogSoftmax<T>(rows, classes, logits.data<T>(), out);
    const int32_t* target = targets.data<int32_t>();
    for (int64_t r = 0; r < rows; ++r) {
      if (target[r] != ignore_index) sum -= static_cast<double>(out[r * classes + target[r]]);
    }
  });
  Tensor loss = Tensor::Scalar(sum * mean, logits.dtype());
  autograd::Record("CrossEntropyLoss", {logits}, loss,
                   [saved = SavedTensor(log_probs), labels = SavedTensor(targets), rows, classes, ignore_index,
                    mean](const Tensor& dy) {
                     Tensor dx = Tensor::Empty({rows, classes}, dy.dtype());
                     DispatchF32OrF64(dy.dtype(), "CrossEntropyLoss", [&](auto zero) {
                       using T = decltype(zero);
                       kernels::CrossEntropyGrad<T>(rows, classes, saved.Get().data<T>(), labels.Get().data<int32_t>(),
                                                    ignore_index, static_cast<T>(dy.item() * mean),
                                                    dx.mutable_data<T>());
                     });
                     return std::vector<Tensor>{dx};
                   });
  return loss;
}

Tensor MseLoss(const Tensor& prediction, const Tensor& target) {
  ops::RequireFloating("MseLoss", "prediction", prediction);
  if (IsHalf(prediction.dtype())) {
    const bool both = target.defined() && target.dtype() == prediction.dtype();
    return MseLoss(Cast(prediction, DType::kF32), both ? Cast(target, DType::kF32) : target);
  }
  ops::RequireLike("MseLoss", "target", target, prediction, prediction.shape());
  const int64_t n = prediction.numel();
  const double mean = n == 0 ? 0.0 : 1.0 / static_cast<double>(n);
  double sum = 0;
  DispatchF32OrF64(prediction.dtype(), "MseLoss", [&](auto zero) {
    using T = decltype(zero);
    sum = kernels::SumOfSquaredDifferences(n, prediction.data<T>(), target.data<T>());
  });
  Tensor loss = Tensor::Scalar(sum * mean, prediction.dtype());
  autograd::Record("MseLoss", {prediction, target}, loss,
                   [saved_prediction = SavedTensor(prediction), saved_target = SavedTensor(target), mean,
                    need_target = target.requires_grad()](const Tensor& dy) {
                     const Tensor &p = saved_prediction.Get(), &t = saved_target.Get();
                     Tensor dp = Tensor::Empty(p.shape(), p.dtype()), dt;
                     if (need_target) dt = Tensor::Empty(p.shape(), p.dtype());
                     DispatchF32OrF64(p.dtype(), "MseLoss", [&](auto zero) {
                       using T = decltype(zero);
                       const T factor = static_cast<T>(2.0 * mean * dy.item());
                       T* out = dp.mutable_data<T>();
                       kernels::Scale<T>(p.numel(), T{-1}, t.data<T>(), out);
                       kernels::Axpy<T>(p.numel(), T{1}, p.data<T>(), out);
                       kernels::Scale<T>(p.numel(), factor, out, out);
                       if (need_target) kernels::Scale<T>(p.numel(), T{-1}, out, dt.mutable_data<T>());
                     });
                     return std::vector<Tensor>{dp, dt};
                   });
  return loss;
}

}  // namespace ops
}  // namespace twofour
