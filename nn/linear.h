#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "twofour/core/faults.h"
#include "twofour/core/random.h"
#include "twofour/nn/init.h"
#include "twofour/nn/linear_rounding.h"
#include "twofour/nn/module.h"

namespace twofour::nn {

struct LinearOptions {
  int64_t in_features = 0;
  int64_t out_features = 0;
  bool bias = true;
  LinearInit init = LinearInit::PyTorchDefault();
};

/// Rule: both sizes are positive.
void Check(const LinearOptions& options, const FieldPath& at, Faults& faults);

/// y = x W^T + b: x [..., in_features], y [..., out_features]. Parameters `weight` [out_features, in_features] and
/// `bias` [out_features]. x may have another dtype than the parameters, as in twofour::Linear.
class Linear : public Module {
 public:
  /// Throws Error on options that Check finds fault with.
  Linear(const LinearOptions& options, Generator& generator);
  /// Takes over existing parameters; `bias` may be undefined. Throws Error on shapes or dtypes that do not fit
  /// together.
  Linear(Tensor weight, Tensor bias);

  std::string_view type_name() const override { return "Linear"; }
  Tensor Forward(const Tensor& x) override;
  /// The same with a result of another dtype: see twofour::Linear.
  Tensor Forward(const Tensor& x, std::optional<DType> result);

  const Tensor& weight() const { return weight_; }
  const Tensor& bias() const { return bias_; }
  int64_t in_features() const { return weight_.dim(1); }
  int64_t out_features() const { return weight_.dim(0); }

  /// Computes from rounded operands from now on (see EmulateLowPrecision); null: no longer.
  void SetRounding(std::shared_ptr<LinearRounding> rounding) { rounding_ = std::move(rounding); }
  const LinearRounding* rounding() const { return rounding_.get(); }
  /// See LinearRounding::SetMask: for one that takes a masked linear's place. Nothing where it does not round.
  void SetRoundedMask(std::optional<sparse::Mask> mask, std::optional<sparse::MaskFormat> format = std::nullopt) {
    if (rounding_ != nullptr) rounding_->SetMask(std::move(mask), format);
  }

 protected:
  void OnStep(uint64_t step) override;

 private:
  Tensor weight_, bias_;
  std::shared_ptr<LinearRounding> rounding_;
};

}  // namespace twofour::nn
