#include "twofour/optim/optimizer.h"

namespace twofour::optim {

std::vector<NamedTensor> Optimizer::StateDict() const {
  std::vector<NamedTensor> state{{kStepName, CountTensor(step_count())}};
  AppendState(state);
  return state;
}

void Optimizer::LoadStateDict(const std::vector<NamedTensor>& state, const std::string& source) {
  StateReader reader(state, source);
  const std::function<void()> commit = ReadState(reader);
  reader.Finish();
  commit();
}

}  // namespace twofour::optim
