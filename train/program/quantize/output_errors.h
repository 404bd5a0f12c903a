#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "twofour/nn/forward_observer.h"
#include "twofour/nn/prunable_linears.h"
#include "twofour/sparse/inference_weight.h"
#include "twofour/train/exchange/quantized_weights.h"

namespace twofour::train {

/// Sees what linears would give if their weights were of few bits, while the model computes with those of floats.
class OutputErrors : public nn::ForwardObserver {
 public:
  /// `rounded` are the weights of `linears`, in their order. `round_inputs`: whether products are those of bytes.
  OutputErrors(const std::vector<nn::PrunableLinear>& linears, const std::vector<QuantizedLinear>& rounded,
               bool round_inputs);

  void OnLinear(const nn::Module& linear, const nn::LinearInput& input) override;

  /// ||y_q - y|| / ||y|| over all inputs so far; nothing for a linear without inputs, and where y is 0.
  std::optional<double> Of(const std::string& name) const;

 private:
  struct Sums {
    std::string name;
    Tensor weight;                                         ///< f32, with zeros where the mask drops.
    std::shared_ptr<const sparse::InferenceWeight> bytes;  ///< Null where inputs are not rounded.
    Tensor floats;                                         ///< The rounded weight then.
    double error = 0, output = 0;                          ///< Sums of squares.
  };
  std::map<const nn::Module*, Sums> sums_;
};

}  // namespace twofour::train
