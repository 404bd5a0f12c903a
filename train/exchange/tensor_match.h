#pragma once

#include <map>
#include <string>
#include <vector>

#include "twofour/core/io/safetensors.h"
#include "twofour/core/shape.h"
#include "twofour/core/tensor.h"

namespace twofour::train {

/// How a tensor of a file of others is made of a model's parameters.
struct TensorMatch {
  std::string theirs;             ///< Its name in the file.
  std::vector<std::string> ours;  ///< The parameters; where there are several, their rows follow each other.
  bool transposed = false;        ///< The file has the transposed matrix: [in, out].
};

/// Makes the parameters of the file's tensors, as f32. Elements of f16 and bf16 are exact, those of f64 are rounded.
/// The shapes are those of the model's parameters. Matches whose tensor the file lacks are left out; tensors that no
/// match names stay in the file. Throws Error, beginning with `source` and naming the tensor, on shapes that do not
/// fit, on other dtypes, and on an f64 that is too large for f32.
std::vector<NamedTensor> TakeMatched(SafetensorsFile& file, const std::vector<TensorMatch>& matches,
                                     const std::map<std::string, Shape>& shapes, const std::string& source);

/// The reverse: a file's tensors of the model's. Leaves out a tensor that no match names if it is one of the others
/// under another name, as a tied head is. Throws Error if there is any other such tensor, or if one of a match is
/// missing.
std::vector<NamedTensor> MakeMatched(const std::vector<NamedTensor>& tensors, const std::vector<TensorMatch>& matches);

}  // namespace twofour::train
