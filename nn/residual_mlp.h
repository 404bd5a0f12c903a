#pragma once

#include <vector>

#include "twofour/core/faults.h"
#include "twofour/core/random.h"
#include "twofour/nn/activation.h"
#include "twofour/nn/model.h"

namespace twofour::nn {

struct ResidualMlpOptions {
  int64_t in_features = 0;
  int64_t width = 0;            ///< Features between blocks.
  int64_t hidden_features = 0;  ///< Features inside each block's MLP; 0 means 4 * width.
  int64_t num_blocks = 0;
  int64_t out_features = 0;
  bool bias = true;
  Activation activation = Activation::kReluSquared;
  double dropout = 0.0;              ///< On each block's output, before it is added.
  bool zero_init_projection = true;  ///< c_proj starts at zero, so each block starts as the identity.
};

/// Rules: width is positive, no size is negative, there are at most 1000 blocks, and dropout is below 1. Linear checks
/// the sizes of the input and the output.
void Check(const ResidualMlpOptions& options, const FieldPath& at, Faults& faults);

/// A transformer without attention: `input` linear, `blocks.N` of x + mlp(norm(x)), `norm`, `head` linear.
class ResidualMlp : public Model {
 public:
  /// Throws Error on options that Check finds fault with, and as Linear does.
  ResidualMlp(const ResidualMlpOptions& options, Generator& generator);
  std::string_view type_name() const override { return "ResidualMlp"; }
  /// x [..., in_features]; result [..., out_features].
  Tensor Forward(const Tensor& x) override;

  /// With every default filled in.
  const ResidualMlpOptions& options() const { return options_; }

 private:
  ResidualMlpOptions options_;
  ModuleSlot* input_;
  std::vector<ModuleSlot*> blocks_;
  ModuleSlot *norm_, *head_;
};

}  // namespace twofour::nn
