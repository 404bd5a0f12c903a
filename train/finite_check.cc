#include "twofour/train/finite_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/reduce.h"
#include "twofour/core/ops/check.h"

namespace twofour::train {
namespace {

/// The value; a NaN without its sign, which means nothing.
template <typename T>
T Unsigned(T value) {
  return std::isnan(value) ? std::fabs(value) : value;
}

/// Names the parameter with the largest element. While all are finite, it is the most likely source of an overflow.
std::string LargestParameter(const std::vector<NamedTensor>& parameters) {
  const NamedTensor* largest = nullptr;
  float magnitude = -1;
  for (const NamedTensor& parameter : parameters) {
    const float* data = parameter.tensor.data<float>();
    for (int64_t i = 0; i < parameter.tensor.numel(); ++i) {
      if (std::fabs(data[i]) > magnitude) {
        magnitude = std::fabs(data[i]);
        largest = &parameter;
      }
    }
  }
  if (largest == nullptr) return {};
  return fmt::format("all parameters are finite, the largest is in '{}': {}", largest->name, magnitude);
}

}  // namespace

std::string WhereNotFinite(const std::vector<NamedTensor>& parameters) {
  const auto describe = [](const char* what, const std::string& name, const Tensor& tensor) {
    ops::RequireDType("finite check", fmt::format("{} '{}'", what, name), tensor, DType::kF32);
    const int64_t at = kernels::FindNonFinite(tensor.numel(), tensor.data<float>());
    return at < 0 ? std::string()
                  : fmt::format("{} '{}' holds {} at element {}", what, name, Unsigned(tensor.data<float>()[at]), at);
  };
  for (const NamedTensor& parameter : parameters) {
    std::string found = describe("parameter", parameter.name, parameter.tensor);
    if (!found.empty()) return found;
  }
  for (const NamedTensor& parameter : parameters) {
    if (!parameter.tensor.grad().defined()) continue;
    std::string found = describe("the gradient of", parameter.name, parameter.tensor.grad());
    if (!found.empty()) return found;
  }
  return {};
}

std::string DescribeNotFinite(const std::string& what, double value, const std::string& where,
                              const std::vector<NamedTensor>& parameters) {
  // The sign of a NaN means nothing.
  return fmt::format("{} is {}; {}", what, Unsigned(value), where.empty() ? LargestParameter(parameters) : where);
}

void ThrowNotFinite(const std::string& what, double value, const std::vector<NamedTensor>& parameters) {
  throw Error(DescribeNotFinite(what, value, WhereNotFinite(parameters), parameters), ErrorKind::kRuntimeFailure);
}

void RequireFinite(const std::vector<NamedTensor>& parameters) {
  for (const NamedTensor& parameter : parameters) {
    ops::RequireDType("finite check", fmt::format("parameter '{}'", parameter.name), parameter.tensor, DType::kF32);
    if (kernels::FindNonFinite(parameter.tensor.numel(), parameter.tensor.data<float>()) >= 0) {
      throw Error(WhereNotFinite(parameters), ErrorKind::kRuntimeFailure);
    }
  }
}

void RequireFiniteTensors(const std::string& path, const std::vector<NamedTensor>& tensors) {
  for (const NamedTensor& named : tensors) {
    if (named.tensor.dtype() != DType::kF32) continue;
    const float* const data = named.tensor.data<float>();
    const int64_t at = kernels::FindNonFinite(named.tensor.numel(), data);
    if (at < 0) continue;
    throw Error(
        fmt::format("{}: tensor '{}' holds {} at element {}, expected finite numbers", path, named.name, data[at], at));
  }
}

void RequireUsable(const std::string& folder, const CheckpointData& data, const std::vector<NamedTensor>& parameters) {
  std::vector<NamedTensor> weights;
  for (const NamedTensor& named : data.model) {
    if (std::ranges::find(parameters, named.name, &NamedTensor::name) != parameters.end()) weights.push_back(named);
  }
  RequireFiniteTensors(fmt::format("{}/{}", folder, CheckpointStore::kModelFile), weights);
  for (const NamedTensor& named : data.optimizer) {
    if (named.tensor.dtype() != DType::kF32) continue;
    const float* const first = named.tensor.data<float>();
    const float* const last = first + named.tensor.numel();
    const float* const found = std::find_if(first, last, [](float value) { return std::isnan(value); });
    if (found == last) continue;
    throw Error(fmt::format("{}/{}: tensor '{}' holds nan at element {}, expected numbers", folder,
                            CheckpointStore::kOptimizerFile, named.name, found - first));
  }
}

}  // namespace twofour::train
