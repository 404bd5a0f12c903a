#include "twofour/optim/optimizer.h"

namespace twofour::optim {

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
  const int64_t steps = reader.TakeCount(kStepName, 0);
  return ReadState(reader, steps);
}

}  // namespace twofour::optim
