#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/sparse/mask_format.h"
#include "twofour/sparse/pattern_detection.h"
#include "twofour/train/weight_inspection.h"

namespace twofour::train {

/// A form in which a weight can be packed for inference.
struct PackedChoice {
  sparse::MaskFormat format;
  size_t bytes = 0;  ///< In memory.
};

/// The weight of a linear in a file.
struct LinearAnalysis {
  TensorInspection tensor;
  bool transposable = false;  ///< 2:4 both ways.
  std::optional<sparse::VnmPattern> vnm = {};
  std::optional<sparse::ZeroBlocks> blocks = {};
  DType values = DType::kF32;  ///< In which its products run: bf16 if the file has it so, f32 otherwise.
  /// The forms that its zeros allow and that take fewer bytes than the dense weight, fewest bytes first.
  std::vector<PackedChoice> forms = {};

  int64_t out_features() const { return static_cast<int64_t>(tensor.shape[0]); }
  int64_t in_features() const { return static_cast<int64_t>(tensor.shape[1]); }
  size_t dense_bytes() const { return tensor.shape[0] * tensor.shape[1] * SizeOf(values); }
};

struct FileAnalysis {
  std::vector<LinearAnalysis> linears;
  int64_t left_out = 0;      ///< Tensors that are no linears' weights.
  std::string not_unpacked;  ///< See FileInspection.
};

/// Whether a name is that of an embedding: a part of it is wte or wpe, or holds "embed".
bool NamesEmbedding(const std::string& name);

/// Looks at the linears of a file, in its order. A matrix of floating numbers counts as a linear's weight where it is
/// named *.weight, or where no matrix of the file is, and where its name is not that of an embedding. Throws Error,
/// beginning with `source`, if there is none, and naming the tensor if one holds something that is not finite.
FileAnalysis AnalyzeLinears(SafetensorsFile file, const std::string& source);

}  // namespace twofour::train
