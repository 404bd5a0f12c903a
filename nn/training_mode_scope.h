#pragma once

#include <utility>
#include <vector>

#include "twofour/nn/module.h"

namespace twofour::nn {

/// While it lives, a tree of modules is in training mode or in evaluation mode. Afterwards each module of the tree has
/// the mode that it had before, also if an exception ends the scope. No module of the tree may be replaced meanwhile.
/// Like SetTraining, its beginning and its end must run alone.
class TrainingModeScope {
 public:
  TrainingModeScope(Module& root, bool training);
  ~TrainingModeScope();
  TrainingModeScope(const TrainingModeScope&) = delete;
  TrainingModeScope& operator=(const TrainingModeScope&) = delete;

 private:
  std::vector<std::pair<Module*, bool>> before_;
};

}  // namespace twofour::nn
