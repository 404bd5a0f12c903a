#include "twofour/train/program/quantize/output_errors.h"

#include <cmath>
#include <utility>

#include "twofour/core/ops/matmul.h"
#include "twofour/train/program/config/quantized_run.h"

namespace twofour::train {

OutputErrors::OutputErrors(const std::vector<nn::PrunableLinear>& linears, const std::vector<QuantizedLinear>& rounded,
                           bool round_inputs) {
  for (size_t i = 0; i < linears.size(); ++i) {
    const QuantizedWeight& weight = rounded[i].weight;
    Sums sums{.name = linears[i].name, .weight = linears[i].weight.Detach(), .bytes = nullptr, .floats = {}};
    if (round_inputs) {
      sums.bytes = BytesWeight(weight);
    } else {
      sums.floats = Dequantize(weight);
    }
    sums_.emplace(linears[i].module, std::move(sums));
  }
}

void OutputErrors::OnLinear(const nn::Module& linear, const nn::LinearInput& input) {
  const auto found = sums_.find(&linear);
  if (found == sums_.end()) return;
  Sums& sums = found->second;
  const Tensor x = input.Values(), y = ops::Linear(x, sums.weight);
  const Tensor rounded = sums.bytes != nullptr ? sums.bytes->Multiply(x) : ops::Linear(x, sums.floats);
  const float *const exact = y.data<float>(), *const other = rounded.data<float>();
  for (int64_t i = 0; i < y.numel(); ++i) {
    const double difference = double{other[i]} - double{exact[i]};
    sums.error += difference * difference;
    sums.output += double{exact[i]} * double{exact[i]};
  }
}

std::optional<double> OutputErrors::Of(const std::string& name) const {
  for (const auto& [module, sums] : sums_) {
    if (sums.name == name && sums.output > 0) return std::sqrt(sums.error / sums.output);
  }
  return std::nullopt;
}

}  // namespace twofour::train
