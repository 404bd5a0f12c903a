#include "twofour/nn/training_mode_scope.h"

#include <string>

namespace twofour::nn {

TrainingModeScope::TrainingModeScope(Module& root, bool training) {
  root.VisitModules([this](const std::string&, Module& module) { before_.emplace_back(&module, module.training()); });
  root.SetTraining(training);
}

TrainingModeScope::~TrainingModeScope() {
  for (const auto& [module, training] : before_) module->training_ = training;
}

}  // namespace twofour::nn
