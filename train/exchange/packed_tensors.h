#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/io/safetensors.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/group_pattern.h"

// Weights in files in other forms than a dense matrix. In place of X.weight, a file then holds the parts of a form:
//
// | form | parts |
// | --- | --- |
// | packed (sparse/formats/packed_groups.h) | X.weight_values, X.weight_positions, X.weight_pattern |
// | sparse24-bitmask (sparse/formats/bitmask24.h) | X.compressed, X.bitmask, X.shape |
// | semi-structured (sparse/formats/semi_structured.h) | X.weight_packed, X.weight_meta |

namespace twofour::train {

enum class WeightForm { kDense, kPacked, kBitmask24, kSemiStructured };

/// "dense", "packed", "sparse24-bitmask", "semi-structured".
std::string_view NameOf(WeightForm form);

/// Appends the parts of a weight named X.weight, or the weight itself for kDense. `pattern` is that of kPacked; the
/// other two forms are 2:4. Throws Error, beginning with the tensor's name, where the form cannot hold the weight.
void AppendWeight(const NamedTensor& weight, WeightForm form, const sparse::GroupPattern& pattern,
                  std::vector<NamedTensor>& out);

/// Puts dense weights X.weight in the place of the parts in a file, which need not be trustworthy. Throws Error,
/// beginning with `source` and naming the tensor, where a part is missing or the parts do not fit together, and where
/// X.weight is there, too; nothing is changed then. Returns the forms of those weights, by their names.
std::map<std::string, WeightForm> UnpackTensors(SafetensorsFile& file, const std::string& source);

}  // namespace twofour::train
