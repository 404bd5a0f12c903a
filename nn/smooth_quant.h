#pragma once

#include <span>
#include <string>
#include <vector>

#include "twofour/core/tensor.h"
#include "twofour/nn/module.h"

// Inputs with a few channels of large numbers lose much when all of them are rounded in the same steps. Dividing each
// channel by a factor, and multiplying the weights that read it, moves a part of these ranges into the weights and
// leaves the products as they are (SmoothQuant: Xiao et al., "SmoothQuant: Accurate and Efficient Post-Training
// Quantization for Large Language Models", 2022).

namespace twofour::nn {

/// A linear that reads channels.
struct ChannelReader {
  std::string name;
  const Module* module;
  Tensor weight;  ///< f32 [out, channels]
};

/// A norm with a weight, and the linears that alone read what it gives.
struct SmoothableNorm {
  std::string name;
  Tensor weight, bias;                 ///< f32 [channels]; the bias may be undefined.
  std::vector<ChannelReader> readers;  ///< At least one.
};

/// In a Gpt the norms ln_1, whose outputs attention projects, ln_2, which the first linears of an MLP read, and ln_f
/// before the head; in a ResidualMlp the norms before MLPs and the head. Norms without a weight are left out, and so
/// are those of which a reader is no Linear or shares its weight.
std::vector<SmoothableNorm> FindSmoothableNorms(Module& root);

/// For each channel max|x|^alpha / max|W|^(1 - alpha), over all readers; 1 where one of the two is 0. `magnitudes`
/// [channels] are the largest ones of the norm's outputs. Factors stay within 2^-16 and 2^16.
std::vector<float> SmoothingFactors(const SmoothableNorm& norm, std::span<const float> magnitudes, double alpha);

/// Divides the norm's weight and bias by these factors, and multiplies the columns of its readers by them, in place.
void Smooth(const SmoothableNorm& norm, std::span<const float> factors);

}  // namespace twofour::nn
