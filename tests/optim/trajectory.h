#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "twofour/optim/optimizer.h"

#include "tests/support/fixtures.h"
#include "tests/support/tensors.h"

namespace twofour::test {

/// The parameters that an optimizer fixture starts from.
inline std::vector<NamedTensor> InitialParameters(const Fixture& fixture,
                                                  const std::vector<std::string>& names = {"weight", "bias"}) {
  std::vector<NamedTensor> parameters;
  for (const std::string& name : names) {
    parameters.push_back({name, fixture.Get(name)});
    parameters.back().tensor.set_requires_grad();
  }
  return parameters;
}

/// Steps through the fixture's gradients, and compares `parameters` with those of PyTorch after each step.
inline void ExpectTrajectory(optim::Optimizer& optimizer, const std::vector<NamedTensor>& parameters,
                             const Fixture& fixture, const std::string& variant = "") {
  const int steps = static_cast<int>(fixture.Number("steps"));
  for (int step = 0; step < steps; ++step) {
    for (const NamedTensor& parameter : parameters) {
      Tensor tensor = parameter.tensor;
      tensor.set_grad(fixture.Get(parameter.name + ".grad." + std::to_string(step)));
    }
    optimizer.Step();
    for (const NamedTensor& parameter : parameters) {
      SCOPED_TRACE(variant + parameter.name + " after step " + std::to_string(step));
      ExpectClose(parameter.tensor, fixture.Get(variant + parameter.name + ".after." + std::to_string(step)));
    }
  }
}

}  // namespace twofour::test
