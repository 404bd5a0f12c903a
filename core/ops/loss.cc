#include "twofour/core/ops/loss.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>
#include <vector>

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

namespace {

void RequireRows(const Tensor& logits, const Tensor& targets) {
  if (logits.rank() == 2 && targets.shape() == Shape{logits.dim(0)}) return;
  throw Error(fmt::format("CrossEntropyLoss: logits {} and targets {}, expected [batch, classes] and [batch]",
                          ToString(logits.shape()), ToString(targets.shape())));
}

/// The weights of the classes; 1 for each where none are given.
std::vector<double> WeightsOf(const Tensor& given, int64_t classes) {
  std::vector<double> weights(static_cast<size_t>(classes), 1.0);
  if (!given.defined()) return weights;
  ops::RequireF32OrF64("CrossEntropyLoss", "class_weights", given);
  if (given.shape() != Shape{classes}) {
    throw Error(fmt::format("CrossEntropyLoss: class_weights {}, expected [{}]", ToString(given.shape()), classes));
  }
  DispatchF32OrF64(given.dtype(), "CrossEntropyLoss", [&](auto zero) {
    const auto* values = given.data<decltype(zero)>();
    weights.assign(values, values + classes);
  });
  for (const double weight : weights) {
    if (std::isfinite(weight) && weight >= 0) continue;
    throw Error(fmt::format("CrossEntropyLoss: a class weight of {}, expected a number of at least 0", weight));
  }
  return weights;
}

}  // namespace

Tensor CrossEntropyLoss(const Tensor& logits, const Tensor& targets, int32_t ignore_index) {
  ops::RequireFloating("CrossEntropyLoss", "logits", logits);
  ops::RequireDType("CrossEntropyLoss", "targets", targets, DType::kI32);
  if (IsHalf(logits.dtype())) return CrossEntropyLoss(Cast(logits, DType::kF32), targets, ignore_index);
  RequireRows(logits, targets);
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

Tensor CrossEntropyLoss(const Tensor& logits, const Tensor& targets, const CrossEntropyOptions& options) {
  if (!(options.label_smoothing >= 0 && options.label_smoothing < 1)) {
    throw Error(
        fmt::format("CrossEntropyLoss: label_smoothing {}, expected 0 to 1, 1 excluded", options.label_smoothing));
  }
  if (options.label_smoothing == 0 && !options.class_weights.defined()) {
    return CrossEntropyLoss(logits, targets, options.ignore_index);
  }
  ops::RequireFloating("CrossEntropyLoss", "logits", logits);
  ops::RequireDType("CrossEntropyLoss", "targets", targets, DType::kI32);
  if (IsHalf(logits.dtype())) return CrossEntropyLoss(Cast(logits, DType::kF32), targets, options);
  RequireRows(logits, targets);
  const int64_t rows = logits.dim(0), classes = logits.dim(1);
  ops::CountTargets("CrossEntropyLoss", targets, classes, options.ignore_index);
  const std::vector<double> weights = WeightsOf(options.class_weights, classes);
  const double all_weights = std::accumulate(weights.begin(), weights.end(), 0.0);
  const double spread = options.label_smoothing / static_cast<double>(classes), kept = 1 - options.label_smoothing;
  Tensor log_probs = Tensor::Empty(logits.shape(), logits.dtype());
  double sum = 0, weight = 0;
  DispatchF32OrF64(logits.dtype(), "CrossEntropyLoss", [&](auto zero) {
    using T = decltype(zero);
    T* out = log_probs.mutable_data<T>();
    kernels::LogSoftmax<T>(rows, classes, logits.data<T>(), out);
    const int32_t* target = targets.data<int32_t>();
    for (int64_t r = 0; r < rows; ++r, out += classes) {
      if (target[r] == options.ignore_index) continue;
      weight += weights[target[r]];
      sum -= kept * weights[target[r]] * static_cast<double>(out[target[r]]);
      if (spread == 0) continue;
      for (int64_t c = 0; c < classes; ++c) sum -= spread * weights[c] * static_cast<double>(out[c]);
    }
  });
  const double mean = weight == 0 ? 0.0 : 1.0 / weight;
  Tensor loss = Tensor::Scalar(sum * mean, logits.dtype());
  autograd::Record("CrossEntropyLoss", {logits}, loss,
                   [saved = SavedTensor(log_probs), labels = SavedTensor(targets), weights, all_weights, spread, kept,
                    ignore_index = options.ignore_index, mean](const Tensor& dy) {
                     const Tensor& log_p = saved.Get();
                     Tensor dx = Tensor::Zeros(log_p.shape(), dy.dtype());
                     const int64_t columns = log_p.cols();
                     const double factor = dy.item() * mean;
                     DispatchF32OrF64(dy.dtype(), "CrossEntropyLoss", [&](auto zero) {
                       using T = decltype(zero);
                       const T* from = log_p.data<T>();
                       T* to = dx.mutable_data<T>();
                       const int32_t* target = labels.Get().data<int32_t>();
                       // With a_c the factor of -log p_c in the loss, the gradient of logit j is (sum a) p_j - a_j.
                       for (int64_t r = 0; r < log_p.rows(); ++r, from += columns, to += columns) {
                         if (target[r] == ignore_index) continue;
                         const double own = kept * weights[target[r]], total = own + spread * all_weights;
                         for (int64_t c = 0; c < columns; ++c) {
                           const double a = spread * weights[c] + (c == target[r] ? own : 0.0);
                           to[c] = static_cast<T>(factor * (total * std::exp(static_cast<double>(from[c])) - a));
                         }
                       }
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

Tensor HuberLoss(const Tensor& prediction, const Tensor& target, double delta) {
  if (!(delta > 0 && std::isfinite(delta))) {
    throw Error(fmt::format("HuberLoss: delta {}, expected a finite number above 0", delta));
  }
  ops::RequireFloating("HuberLoss", "prediction", prediction);
  if (IsHalf(prediction.dtype())) {
    const bool both = target.defined() && target.dtype() == prediction.dtype();
    return HuberLoss(Cast(prediction, DType::kF32), both ? Cast(target, DType::kF32) : target, delta);
  }
  ops::RequireLike("HuberLoss", "target", target, prediction, prediction.shape());
  const int64_t n = prediction.numel();
  const double mean = n == 0 ? 0.0 : 1.0 / static_cast<double>(n);
  double sum = 0;
  DispatchF32OrF64(prediction.dtype(), "HuberLoss", [&](auto zero) {
    using T = decltype(zero);
    const T *p = prediction.data<T>(), *t = target.data<T>();
    for (int64_t i = 0; i < n; ++i) {
      const double error = std::abs(static_cast<double>(p[i]) - static_cast<double>(t[i]));
      sum += error <= delta ? error * error / 2 : delta * (error - delta / 2);
    }
  });
  Tensor loss = Tensor::Scalar(sum * mean, prediction.dtype());
  autograd::Record("HuberLoss", {prediction, target}, loss,
                   [saved_prediction = SavedTensor(prediction), saved_target = SavedTensor(target), mean, delta,
                    need_target = target.requires_grad()](const Tensor& dy) {
                     const Tensor &p = saved_prediction.Get(), &t = saved_target.Get();
                     Tensor dp = Tensor::Empty(p.shape(), p.dtype()), dt;
                     if (need_target) dt = Tensor::Empty(p.shape(), p.dtype());
                     DispatchF32OrF64(p.dtype(), "HuberLoss", [&](auto zero) {
                       using T = decltype(zero);
                       const double factor = mean * dy.item();
                       const T *from = p.data<T>(), *to = t.data<T>();
                       T* out = dp.mutable_data<T>();
                       for (int64_t i = 0; i < p.numel(); ++i) {
                         const double error = static_cast<double>(from[i]) - static_cast<double>(to[i]);
                         out[i] =
                             static_cast<T>(factor * (std::abs(error) > delta ? std::copysign(delta, error) : error));
                       }
                       if (need_target) kernels::Scale<T>(p.numel(), T{-1}, out, dt.mutable_data<T>());
                     });
                     return std::vector<Tensor>{dp, dt};
                   });
  return loss;
}

}  // namespace ops
}  // namespace twofour
