#include "twofour/train/inference_speed.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <utility>

#include "twofour/core/autograd.h"
#include "twofour/core/half.h"
#include "twofour/core/huge_pages.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/core/random.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/inference_packing.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/mask_of_pattern.h"
#include "twofour/sparse/pruning_pattern.h"
#include "twofour/train/median.h"

namespace twofour::train {
namespace {

constexpr double kMostRepetitions = 100'000;

Tensor Random(Shape shape, uint32_t stream) {
  Tensor tensor = Tensor::Empty(std::move(shape));
  FillNormal(tensor, 0, 1, {.seed = 24, .stream = stream});
  return tensor;
}

Tensor InHugePages(const Tensor& tensor) {
  Tensor copy = Tensor::Empty(tensor.shape(), tensor.dtype());
  const size_t bytes = static_cast<size_t>(copy.numel()) * SizeOf(copy.dtype());
  PreferHugePages(copy.mutable_raw(), bytes);
  std::memcpy(copy.mutable_raw(), tensor.raw(), bytes);
  return copy;
}

template <typename T>
void MultiplyDense(const Tensor& x, const Tensor& weight, Tensor& y) {
  kernels::Gemm(kernels::Transpose::kNo, kernels::Transpose::kYes, x.dim(0), weight.dim(0), weight.dim(1), x.data<T>(),
                weight.data<T>(), y.mutable_data<T>());
}

/// One of the products that are compared.
struct Variant {
  std::function<void()> run;
  int repetitions = 1;
  std::vector<double> seconds = {};  ///< Of one run, in each round.
};

double SecondsOf(const Variant& variant, const Clock& clock) {
  const double begin = clock.Seconds();
  for (int i = 0; i < variant.repetitions; ++i) variant.run();
  return (clock.Seconds() - begin) / variant.repetitions;
}

/// Runs the variants in turn. False if it was stopped.
bool Time(std::vector<Variant>& variants, const InferenceSpeedOptions& options) {
  for (Variant& variant : variants) {
    if (options.stopped()) return false;
    SecondsOf(variant, *options.clock);  // Pays for pages and threads.
    const double once = std::max(SecondsOf(variant, *options.clock), 1e-9);
    variant.repetitions = static_cast<int>(std::clamp(std::ceil(options.min_seconds / once), 1.0, kMostRepetitions));
  }
  for (int round = 0; round < options.rounds; ++round) {
    for (Variant& variant : variants) {
      if (options.stopped()) return false;
      variant.seconds.push_back(SecondsOf(variant, *options.clock));
    }
  }
  return true;
}

InferenceTimes ResultOf(int64_t rows, const std::vector<Variant>& variants) {
  const Variant& dense = variants.front();
  InferenceTimes times{.rows = rows, .dense_seconds = Median(dense.seconds), .formats = {}};
  for (size_t i = 1; i < variants.size(); ++i) {
    std::vector<double> ratios;
    for (size_t round = 0; round < dense.seconds.size(); ++round) {
      ratios.push_back(dense.seconds[round] / variants[i].seconds[round]);
    }
    times.formats.push_back({.seconds = Median(variants[i].seconds), .speedup = SpeedupOf(std::move(ratios))});
  }
  return times;
}

}  // namespace

std::optional<std::vector<InferenceTimes>> MeasureInference(int64_t out_features, int64_t in_features,
                                                            const std::vector<sparse::MaskFormat>& formats,
                                                            const std::vector<int64_t>& rows,
                                                            const InferenceSpeedOptions& options) {
  const NoGradGuard no_grad;
  const Tensor weight = Random({out_features, in_features}, 0), dense = InHugePages(weight.To(options.values));
  std::vector<std::shared_ptr<const sparse::InferenceWeight>> packed;
  for (const sparse::MaskFormat& format : formats) {
    if (options.stopped()) return std::nullopt;
    const sparse::Mask mask = sparse::FindMaskOf(weight, sparse::PruningPattern{.format = format});
    packed.push_back(sparse::PackForInference(sparse::ApplyMask(weight, mask), mask, format, options.values, "weight"));
  }
  std::vector<InferenceTimes> results;
  for (const int64_t count : rows) {
    const Tensor x = Random({count, in_features}, 1).To(options.values);
    Tensor y = Tensor::Empty({count, out_features}, options.values);
    std::vector<Variant> variants = {{.run = [&] {
      options.values == DType::kF32 ? MultiplyDense<float>(x, dense, y) : MultiplyDense<BFloat16>(x, dense, y);
    }}};
    for (const auto& one : packed) variants.push_back({.run = [&] { one->Multiply(x); }});
    if (!Time(variants, options)) return std::nullopt;
    results.push_back(ResultOf(count, variants));
  }
  return results;
}

}  // namespace twofour::train
