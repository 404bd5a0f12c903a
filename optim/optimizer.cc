#include "twofour/optim/optimizer.h"

#include <limits>

namespace twofour::optim {

std::vector<double> Optimizer::UpdateCosts() const {
  std::vector<double> costs;
  for (const NamedTensor& parameter : Parameters()) costs.push_back(static_cast<double>(parameter.tensor.numel()));
  return costs;
}

std::vector<NamedTensor> Optimizer::StateDict() const {
  std::vector<NamedTensor> state{{kStepName, CountTensor(step_count())}};
  AppendState(state);
  return state;
}

void Optimizer::LoadStateDict(const std::vector<NamedTensor>& state, const std::string& source) {
  StateReader reader(state, source);
  const StateCommit commit = ReadStateDict(reader);
  reader.Finish(kUnknownTensor);
  commit();
}

StateCommit Optimizer::ReadStateDict(StateReader& reader) {
  // If the optimizer's own count has a fault, the parameters' counts are not compared with it.
  return ReadState(reader, reader.TakeCount(kStepName, 0).value_or(std::numeric_limits<int32_t>::max()));
}

}  // namespace twofour::optim
