#pragma once

#include <vector>

#include "twofour/core/state_reader.h"
#include "twofour/nn/module.h"

namespace twofour::test {

/// Lets a module read buffers, under local names. Throws Error, and changes nothing, if they do not fit.
inline void LoadBuffers(nn::Module& module, const std::vector<NamedTensor>& buffers) {
  StateReader reader(buffers, "buffers");
  const StateCommit commit = module.ReadBuffers(reader, "");
  reader.Finish("no such buffer");
  commit();
}

}  // namespace twofour::test
