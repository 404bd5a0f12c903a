#pragma once

#include <string>
#include <vector>

#include "twofour/core/faults.h"
#include "twofour/core/random.h"
#include "twofour/nn/activation.h"
#include "twofour/nn/model.h"

namespace twofour::nn {

struct MlpStackOptions {
  int64_t in_features = 0;
  std::vector<int64_t> hidden_features;  ///< One entry for each hidden layer; may be empty (a linear model).
  int64_t out_features = 0;
  bool bias = true;
  Activation activation = Activation::kReluSquared;
  double dropout = 0.0;  ///< After each hidden activation.
};

/// Rules: hidden sizes are positive, there are at most 1000 hidden layers, dropout is below 1, and the activation needs
/// no gate. Linear checks the sizes of the input and the output.
void Check(const MlpStackOptions& options, const FieldPath& at, Faults& faults);

/// The rule for a list of hidden layers at `path`: at most 1000, each of a positive size.
void CheckHiddenFeatures(const std::vector<int64_t>& features, const std::string& path, Faults& faults);

/// A plain stack of linears, `layers.0` to `layers.N`, with an activation (and dropout) between each two.
class MlpStack : public Model {
 public:
  /// Throws Error on options that Check finds fault with, and as Linear does.
  MlpStack(const MlpStackOptions& options, Generator& generator);
  std::string_view type_name() const override { return "MlpStack"; }
  /// x [..., in_features]; result [..., out_features].
  Tensor Forward(const Tensor& x) override;

  const MlpStackOptions& options() const { return options_; }

 private:
  MlpStackOptions options_;
  std::vector<ModuleSlot*> layers_;
  std::vector<ModuleSlot*> dropouts_;  // One for each hidden layer, or none.
};

}  // namespace twofour::nn
