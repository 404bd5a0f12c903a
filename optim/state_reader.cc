#include "twofour/optim/state_reader.h"

#include <fmt/format.h>

#include "twofour/core/error.h"

namespace twofour::optim {

Tensor CountTensor(int64_t count) { return Tensor::Scalar(static_cast<double>(count), DType::kI32); }

StateReader::StateReader(const std::vector<NamedTensor>& state, std::string source) : source_(std::move(source)) {
  for (const NamedTensor& named : state) {
    if (!tensors_.emplace(named.name, named.tensor).second) Fault(named.name, "is there twice");
  }
  step_ = TakeCount(kStepName, 0);
}

Tensor StateReader::Take(const std::string& name) {
  const auto node = tensors_.extract(name);
  return node.empty() ? Tensor() : node.mapped();
}

int64_t StateReader::TakeCount(const std::string& name, int64_t at_least) {
  const Tensor count = Take(name);
  if (count.defined() && count.dtype() == DType::kI32 && count.numel() == 1 &&
      count.item() >= static_cast<double>(at_least)) {
    return static_cast<int64_t>(count.item());
  }
  Fault(name, fmt::format("expected one i32 of at least {}", at_least));
  return 0;
}

void StateReader::Fault(const std::string& name, const std::string& what) {
  faults_ += fmt::format("{}{}: tensor '{}': {}", faults_.empty() ? "" : "\n", source_, name, what);
}

void StateReader::Finish() {
  for (const auto& [name, tensor] : tensors_) Fault(name, "belongs to no parameter of this optimizer");
  if (!faults_.empty()) throw Error(faults_);
}

}  // namespace twofour::optim
