#include "twofour/train/pattern_speed.h"

#include <memory>
#include <utility>

#include "twofour/core/autograd.h"
#include "twofour/core/half.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/core/random.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/linear_planner.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/mask_of_pattern.h"
#include "twofour/sparse/semi_sparse_weight.h"

namespace twofour::train {
namespace {

Tensor Random(Shape shape, uint32_t stream) {
  Tensor tensor = Tensor::Empty(std::move(shape));
  FillNormal(tensor, 0, 1, {.seed = 24, .stream = stream});
  return tensor;
}

/// A weight, its activations, and its masks of all patterns.
class Products {
 public:
  Products(const ProductShape& shape, const std::vector<sparse::PruningPattern>& patterns,
           const PatternSpeedOptions& options)
      : shape_(shape),
        weight_(Random({shape.out_features, shape.in_features}, 0)),
        x_(Random({shape.rows, shape.in_features}, 1).To(options.activations)),
        dy_(Random({shape.rows, shape.out_features}, 2).To(options.activations)),
        y_(Tensor::Empty(dy_.shape(), options.activations)),
        dx_(Tensor::Empty(x_.shape(), options.activations)),
        planner_(std::make_shared<sparse::LinearPlanner>(shape.out_features, shape.in_features)),
        patterns_(patterns) {
    for (const sparse::PruningPattern& pattern : patterns) masks_.push_back(sparse::FindMaskOf(weight_, pattern));
  }

  int64_t count() const { return shape_.count; }
  void MultiplyDense() { x_.dtype() == DType::kF32 ? MultiplyDenseAs<float>() : MultiplyDenseAs<BFloat16>(); }
  void MultiplySparse(size_t pattern) {
    const sparse::SemiSparseWeight packed(weight_, masks_[pattern], planner_, patterns_[pattern].format);
    packed.Forward(x_);
    packed.InputGrad(dy_);
  }

 private:
  template <typename T>
  void MultiplyDenseAs() {
    using kernels::Transpose;
    const auto [out, in] = std::pair(shape_.out_features, shape_.in_features);
    const int64_t batch = x_.dim(0);
    kernels::Gemm(Transpose::kNo, Transpose::kYes, batch, out, in, x_.data<T>(), weight_.data<float>(),
                  y_.mutable_data<T>());
    kernels::Gemm(Transpose::kNo, Transpose::kNo, batch, in, out, dy_.data<T>(), weight_.data<float>(),
                  dx_.mutable_data<T>());
  }

  ProductShape shape_;
  Tensor weight_, x_, dy_, y_, dx_;
  std::shared_ptr<sparse::LinearPlanner> planner_;
  std::vector<sparse::PruningPattern> patterns_;
  std::vector<sparse::Mask> masks_;
};

}  // namespace

std::optional<std::vector<Speedup>> MeasureSpeedups(const std::vector<ProductShape>& shapes,
                                                    const std::vector<sparse::PruningPattern>& patterns,
                                                    const PatternSpeedOptions& options) {
  const NoGradGuard no_grad;
  std::vector<std::unique_ptr<Products>> all;
  for (const ProductShape& shape : shapes) {
    if (options.stopped()) return std::nullopt;
    all.push_back(std::make_unique<Products>(shape, patterns, options));
  }
  const auto seconds_of = [&](const auto& multiply) {
    double seconds = 0;
    for (const std::unique_ptr<Products>& products : all) {
      const double begin = options.clock->Seconds();
      multiply(*products);
      seconds += static_cast<double>(products->count()) * (options.clock->Seconds() - begin);
    }
    return seconds;
  };
  std::vector<std::vector<double>> ratios(patterns.size());
  // The first round warms up: kernels are chosen and memory is taken.
  for (int round = -1; round < options.rounds; ++round) {
    const double dense = seconds_of([](Products& products) { products.MultiplyDense(); });
    for (size_t i = 0; i < patterns.size(); ++i) {
      if (options.stopped()) return std::nullopt;
      const double sparse = seconds_of([i](Products& products) { products.MultiplySparse(i); });
      if (round >= 0) ratios[i].push_back(dense / sparse);
    }
  }
  std::vector<Speedup> speedups;
  for (std::vector<double>& of_one : ratios) speedups.push_back(SpeedupOf(std::move(of_one)));
  return speedups;
}

}  // namespace twofour::train
