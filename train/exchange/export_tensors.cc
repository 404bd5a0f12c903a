#include "twofour/train/exchange/export_tensors.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <set>
#include <string>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/ops/cast.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/swap.h"
#include "twofour/sparse/group_pattern.h"
#include "twofour/sparse/vnm_pattern.h"
#include "twofour/train/export.h"

namespace twofour::train {
namespace {

/// The names of the weights that a mask applies to.
std::set<std::string> MaskedWeights(nn::Module& model) {
  std::set<std::string> names;
  for (const auto& [name, layer] : nn::FindSemiSparseLinears(model)) {
    layer->mask();  // Decides whether the layer is dense.
    if (!layer->runs_dense()) names.insert(name + ".weight");
  }
  return names;
}

bool Has(const Tensor& weight, const sparse::MaskFormat& pattern) {
  if (weight.dim(1) < pattern.m) return false;
  if (pattern.is_vnm()) return !sparse::FindVnmViolation(weight, pattern.vnm());
  return sparse::MostNonZerosOfAGroup(weight, sparse::PatternAxis::kRows, pattern.m) <= pattern.n;
}

/// The names of the weights of linears that have this pattern without a mask.
std::set<std::string> SparseWeights(nn::Module& model, const sparse::MaskFormat& pattern) {
  std::set<std::string> names;
  model.VisitModules([&](const std::string& name, nn::Module& module) {
    const auto* const linear = dynamic_cast<const nn::Linear*>(&module);
    if (linear != nullptr && Has(linear->weight(), pattern)) names.insert(name + ".weight");
  });
  return names;
}

/// Makes -0 to +0: "zeros are zeros" then holds bit for bit.
Tensor WithPositiveZeros(const Tensor& weight) {
  Tensor copy = weight.Clone();
  float* const values = copy.mutable_data<float>();
  for (int64_t i = 0; i < copy.numel(); ++i) {
    if (values[i] == 0) values[i] = 0;
  }
  return copy;
}

/// Adds to `vanished` how many elements other than 0 become 0.
Tensor Rounded(const NamedTensor& named, DType dtype, int64_t& vanished) {
  if (named.tensor.dtype() != DType::kF32) return named.tensor;  // Masks, and the scale of a soft threshold.
  Tensor rounded = Cast(named.tensor, dtype);
  if (!IsHalf(dtype)) return rounded;
  const Tensor again = Cast(rounded, DType::kF32);
  for (int64_t i = 0; i < again.numel(); ++i) {
    const float before = named.tensor.data<float>()[i];
    vanished += before != 0 && again.data<float>()[i] == 0 ? 1 : 0;
    if (std::isfinite(again.data<float>()[i]) || !std::isfinite(before)) continue;
    throw Error(fmt::format("tensor '{}': element {} is {}, which is too large for {}", named.name, i, before,
                            InfoOf(dtype).safetensors_name));
  }
  return rounded;
}

}  // namespace

ExportedTensors ExportTensors(nn::Module& model, const ExportOptions& options) {
  const NoGradGuard no_grad;
  std::set<std::string> masked = MaskedWeights(model);
  if (options.form != WeightForm::kDense && masked.empty()) {
    const bool has_pattern = options.form == WeightForm::kPacked || options.form == WeightForm::kPackedVnm;
    const sparse::MaskFormat pattern = has_pattern ? options.pattern : sparse::MaskFormat::Rows(2, 4);
    masked = SparseWeights(model, pattern);
    if (masked.empty()) {
      throw Error(
          fmt::format("no weight is masked or has zeros in the pattern {}, so that none can be {}; "
                      "dense weights can be exported as dense",
                      pattern.Ratio(), has_pattern ? "packed" : NameOf(options.form)));
    }
  }
  if (options.form != WeightForm::kDense && !options.names.empty()) {
    throw Error(fmt::format("weights that are {} go by the model's own names", NameOf(options.form)));
  }
  ExportedTensors exported{.tensors = {}, .masked_weights = std::ssize(masked)};
  std::vector<NamedTensor> tensors =
      ExportModel(model, options.masked ? ExportWeights::kPruned : ExportWeights::kDenseWithMasks);
  for (NamedTensor& named : tensors) {
    if (!options.masked || !masked.contains(named.name)) continue;
    named.tensor = WithPositiveZeros(named.tensor);
  }
  if (!options.names.empty()) tensors = MakeMatched(tensors, options.names);
  for (NamedTensor& named : tensors) {
    named.tensor = Rounded(named, options.dtype, exported.vanished);
    const bool in_form = options.masked && masked.contains(named.name);
    AppendWeight(named, in_form ? options.form : WeightForm::kDense, options.pattern, exported.tensors);
    named.tensor = {};  // Large models should not be in memory twice.
  }
  return exported;
}

}  // namespace twofour::train
