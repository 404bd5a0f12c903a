#pragma once

#include <map>
#include <string>
#include <vector>

#include "twofour/core/tensor.h"

#include "config.pb.h"

namespace twofour::train {

/// The ONNX model (operator set 13, f32) of a valid config's model with these parameters, under their own names. Inputs
/// and outputs:
///
/// | model | input | output |
/// | --- | --- | --- |
/// | mlp, residual_mlp | `input` f32 [batch, features] | `output` f32 [batch, outputs]: logits, or scaled targets |
/// | gpt | `tokens` i64 [batch, length] | `logits` f32 [batch, length, vocab_size] |
///
/// Linears of matrices are Gemm with the weight [out, in], so that runtimes find its 2:4 pattern along rows. Throws
/// Error for a conv_net, for other parameters than the model's, and if the file would have more than 2 GiB.
std::string ToOnnx(const proto::Config& config, const std::vector<NamedTensor>& parameters,
                   const std::map<std::string, std::string>& metadata);

}  // namespace twofour::train
