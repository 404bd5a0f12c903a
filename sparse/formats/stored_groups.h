#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "twofour/core/tensor.h"
#include "twofour/sparse/group_pattern.h"
#include "twofour/sparse/vnm.h"

// What the packed forms of a weight in files have in common: they go through the groups of neighbours along its rows,
// and store n entries of each.

namespace twofour::sparse {

/// Throws Error, beginning with `name`, unless 1 <= n <= m <= 32.
void RequireStorable(const GroupPattern& pattern, const std::string& name);
/// Throws Error, beginning with `name`, on a pattern that Check finds fault with.
void RequireStorable(const VnmPattern& pattern, const std::string& name);
/// Throws Error, beginning with `name`, unless `weight` is a matrix of a floating dtype.
void RequireStorable(const Tensor& weight, const std::string& name);

/// Calls `visit(row, group, nonzeros)` for each group of m neighbours along the rows of `weight` [rows, cols], a matrix
/// of any floating dtype, in its order. Bit i of `nonzeros` tells that entry i of the group is not zero (-0 is zero, a
/// NaN is not). The last group of a row may have fewer than m entries. Throws Error, beginning with `name`, where
/// RequireStorable does and, naming row and columns, where a group has more than n non-zeros.
void ForEachGroupWithinPattern(const Tensor& weight, const GroupPattern& pattern, const std::string& name,
                               const std::function<void(int64_t row, int64_t group, uint32_t nonzeros)>& visit);

/// `places` with the lowest bits that are 0 set until n are.
uint32_t FilledUp(uint32_t places, int64_t n);

/// What the values of a packed weight are.
enum class StoredValues : uint8_t {
  kFloats,  ///< f64, f32, f16 or bf16.
  kBytes,   ///< i8, which mean something with scales beside them.
};

/// Throws Error, beginning with `name`, unless `values` has this shape and such a dtype.
void RequireValues(const Tensor& values, StoredValues kind, const Shape& shape, const std::string& name);

/// Whether element `at` of a tensor of i8 or a floating dtype is zero.
bool IsZero(const Tensor& values, int64_t at);

}  // namespace twofour::sparse
