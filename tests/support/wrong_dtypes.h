#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "twofour/core/tensor.h"

namespace twofour::test {

// For tables of the tensors that functions take: whatever else is passed must be an Error that names the function and
// the argument, and says in one line what it was and what was expected.

/// One argument of a public function.
struct Argument {
  /// What messages begin with, as a regular expression: where a module hands an argument on, its op may name it.
  std::string function;
  std::string name;           ///< What messages call the argument.
  Shape shape;                ///< One that the function takes.
  std::vector<DType> dtypes;  ///< All that it takes.
  std::function<void(const Tensor&)> call;
  bool optional = false;  ///< It may be undefined.

  friend void PrintTo(const Argument& argument, std::ostream* out) {
    *out << argument.function << "(" << argument.name << ")";
  }
};

inline const std::vector<DType> kOnlyF32 = {DType::kF32};
inline const std::vector<DType> kF32AndF64 = {DType::kF32, DType::kF64};
inline const std::vector<DType> kF32AndHalf = {DType::kF32, DType::kF16, DType::kBF16};
inline const std::vector<DType> kAllFloating = {DType::kF32, DType::kF64, DType::kF16, DType::kBF16};
inline const std::vector<DType> kOnlyI32 = {DType::kI32};
inline const std::vector<DType> kOnlyBool = {DType::kBool};

/// Calls the function with a tensor of ones of every dtype, and with an undefined one.
void ExpectNamesWrongDTypes(const Argument& argument);

}  // namespace twofour::test
