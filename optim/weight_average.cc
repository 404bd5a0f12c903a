#include "twofour/optim/weight_average.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/kernels/elements/elementwise.h"
#include "twofour/core/ops/check.h"
#include "twofour/optim/optimizer.h"

namespace twofour::optim {
namespace {

std::string StateName(const NamedTensor& parameter) { return parameter.name + ".average"; }

}  // namespace

void Check(const WeightAverageOptions& options, const FieldPath& at, Faults& faults) {
  faults.Probability(at("decay"), options.decay);
}

WeightAverage::WeightAverage(std::vector<NamedTensor> parameters, const WeightAverageOptions& options)
    : parameters_(std::move(parameters)), options_(Checked(options, "WeightAverage: ")) {
  std::set<std::string> names;
  for (const auto& [name, tensor] : parameters_) {
    ops::RequireDType("WeightAverage", fmt::format("parameter '{}'", name), tensor, DType::kF32);
    if (!names.insert(name).second) throw Error(fmt::format("WeightAverage: two parameters are named '{}'", name));
    averages_.push_back({name, tensor.Clone()});
  }
}

void WeightAverage::Update() {
  const auto n = static_cast<double>(updates_);
  const double decay = options_.warmup ? std::min(options_.decay, (1 + n) / (10 + n)) : options_.decay;
  for (size_t i = 0; i < averages_.size(); ++i) {
    float* const average = averages_[i].tensor.mutable_data<float>();
    const int64_t size = averages_[i].tensor.numel();
    kernels::Scale(size, static_cast<float>(decay), average, average);
    kernels::Axpy(size, static_cast<float>(1 - decay), parameters_[i].tensor.data<float>(), average);
  }
  ++updates_;
}

std::vector<NamedTensor> WeightAverage::StateDict() const {
  std::vector<NamedTensor> state{{kStepName, CountTensor(updates_)}};
  for (const NamedTensor& average : averages_) state.push_back({StateName(average), average.tensor});
  return state;
}

void WeightAverage::LoadStateDict(const std::vector<NamedTensor>& state, const std::string& source) {
  StateReader reader(state, source);
  const StateCommit commit = ReadStateDict(reader);
  reader.Finish("belongs to no averaged parameter");
  commit();
}

StateCommit WeightAverage::ReadStateDict(StateReader& reader) {
  const int64_t updates = reader.TakeCount(kStepName, 0).value_or(0);
  std::vector<Tensor> averages;
  for (const NamedTensor& average : averages_) {
    const std::string name = StateName(average), expected = Describe(average.tensor);
    if (!reader.Has(name)) reader.Fault(name, "missing, expected " + expected);
    const Tensor taken = reader.Take(name);
    if (taken.defined() && Describe(taken) != expected) {
      reader.Fault(name, fmt::format("{}, the parameter is {}", Describe(taken), expected));
    }
    averages.push_back(taken.defined() ? taken.Clone() : taken);
  }
  return [this, updates, averages = std::move(averages)] {
    updates_ = updates;
    for (size_t i = 0; i < averages_.size(); ++i) averages_[i].tensor.CopyFrom(averages[i]);
  };
}

}  // namespace twofour::optim
