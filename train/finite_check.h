#pragma once

#include <string>
#include <vector>

#include "twofour/core/tensor.h"
#include "twofour/train/checkpoint.h"

namespace twofour::train {

/// "parameter 'a.weight' holds nan at element 3", of the first parameter or gradient that is not finite; or nothing.
std::string WhereNotFinite(const std::vector<NamedTensor>& parameters);

/// "<what> is <value>; ...". Goes on with `where`, as WhereNotFinite gives it or, where that is empty, with the
/// parameter that has the largest element.
std::string DescribeNotFinite(const std::string& what, double value, const std::string& where,
                              const std::vector<NamedTensor>& parameters);

/// Throws Error (a runtime failure) with what both say.
[[noreturn]] void ThrowNotFinite(const std::string& what, double value, const std::vector<NamedTensor>& parameters);

/// Throws Error (a runtime failure) naming the first f32 parameter that holds a NaN or infinity.
void RequireFinite(const std::vector<NamedTensor>& parameters);

/// Throws Error (bad input) naming the file and the first of these tensors that is not finite. Only looks at f32
/// tensors.
void RequireFiniteTensors(const std::string& path, const std::vector<NamedTensor>& tensors);

/// Throws Error (bad input) naming the file and the first of a checkpoint's tensors that no run could continue from: a
/// parameter that is not finite, or an optimizer's slot that holds a NaN. A slot may hold infinity: a sum of squares
/// can overflow.
void RequireUsable(const std::string& folder, const CheckpointData& data, const std::vector<NamedTensor>& parameters);

}  // namespace twofour::train
