#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/core/tensor.h"
#include "twofour/sparse/low_bit_parts.h"
#include "twofour/train/exchange/packed_tensors.h"

// How files hold weights of few bits: quantized_weights.h lists the tensors. This file finds them.

namespace twofour::train {

/// One form of one kind of weight. A part's name is X and its ending.
struct QuantizedForm {
  sparse::LowBitKind kind;
  WeightForm form;
  DType values;                            ///< Of the first part, which tells the kind.
  std::vector<std::string_view> parts;     ///< Endings: values first, and what says where they stand.
  std::vector<std::string_view> scales;    ///< Endings of the weight's scales, which there must be.
  std::vector<std::string_view> optional;  ///< Endings of what there may be.
  std::vector<std::string_view> foreign;   ///< Endings of what other programs put beside it, and imports leave out.

  /// Whether it has a tensor of this ending; foreign ones do not count.
  bool Has(std::string_view ending) const;
};

/// All of them.
const std::vector<QuantizedForm>& QuantizedForms();
const QuantizedForm& QuantizedFormOf(sparse::LowBitKind kind, WeightForm form);

/// What an element of such a weight is called where tensors are listed: the values' dtype, "I8" or "F8_E4M3", and
/// "NVFP4", for which files have no dtype.
std::string_view ElementNameOf(sparse::LowBitKind kind);

/// The bytes that a dense weight [rows, cols] takes in a file, with its scales.
uint64_t DenseBytes(sparse::LowBitKind kind, uint64_t rows, uint64_t cols);

/// The tensors of a weight in a file.
struct StoredWeight {
  const QuantizedForm* form = nullptr;
  std::map<std::string_view, Tensor> tensors = {};  ///< By the endings of their names.

  /// The part of that ending, undefined where there is none.
  Tensor Part(std::string_view ending) const;
  /// The first one.
  Tensor Values() const { return Part(form->parts.front()); }
  uint64_t bytes() const;
};

/// X, if the name is X followed by `ending`; else nothing.
std::string StemOf(const std::string& name, std::string_view ending);

/// How messages about a tensor begin: "FILE: tensor 'NAME'".
std::string NameIn(const std::string& source, const std::string& name);

/// Throws Error unless a part has this dtype and shape.
void RequirePart(const std::string& source, const std::string& name, const Tensor& part, DType dtype,
                 const Shape& shape);
/// Throws Error, beginning with `name`, unless a matrix of these sizes has at least one row, and 1 to `most_cols`
/// columns.
void RequireSizes(int64_t rows, int64_t cols, int64_t most_cols, const std::string& name);

/// The scales of a weight's rows, f32 [rows]. A file may hold [rows, 1], and F16 or BF16, as compressed-tensors does.
/// Throws Error on other shapes, and unless they are above 0 and all numbers are finite with them.
Tensor RowScales(const StoredWeight& weight, int64_t rows, const std::string& source, const std::string& name);

/// The weights of few bits of a file, by their X. A tensor counts as the values of one by its name, its dtype, and the
/// scales beside it; what other programs mean by tensors without them is not known. `strict`: nothing else may have
/// such a name. So every weight must have its scales, and every scale and every part a weight of its form. Throws Error
/// on parts that are missing, where a weight is there in more than one form, and on zero points of a weight other than
/// 0: such numbers have an offset that none of these forms knows.
std::map<std::string, StoredWeight> FindStoredWeights(const SafetensorsFile& file, const std::string& source,
                                                      bool strict);

/// The X of the weight among these that a tensor is of, or nothing.
std::string OwnerOf(const std::string& name, const std::map<std::string, StoredWeight>& weights);

}  // namespace twofour::train
