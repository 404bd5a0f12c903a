#include "twofour/optim/optimizer_list.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/optim/parameter_group.h"

namespace twofour::optim {
namespace {

void CheckAlike(const std::vector<std::unique_ptr<Optimizer>>& parts) {
  if (parts.empty()) throw Error("OptimizerList: no optimizers");
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] == nullptr) throw Error(fmt::format("OptimizerList: optimizer {} is null", i));
    if (parts[i]->lr() != parts[0]->lr()) {
      throw Error(
          fmt::format("OptimizerList: optimizer 0 has lr {}, optimizer {} has {}; one lr goes to all, groups "
                      "differ by lr_scale",
                      parts[0]->lr(), i, parts[i]->lr()));
    }
    if (parts[i]->step_count() != parts[0]->step_count()) {
      throw Error(fmt::format("OptimizerList: optimizer 0 has taken {} steps, optimizer {} {}", parts[0]->step_count(),
                              i, parts[i]->step_count()));
    }
  }
}

}  // namespace

OptimizerList::OptimizerList(std::vector<std::unique_ptr<Optimizer>> parts) : parts_(std::move(parts)) {
  CheckAlike(parts_);
  RequireDisjoint("OptimizerList", OptimizerList::Parameters());
}

void OptimizerList::Step() {
  for (const auto& part : parts_) part->Step();
}

void OptimizerList::ZeroGrad() {
  for (const auto& part : parts_) part->ZeroGrad();
}

double OptimizerList::lr() const { return parts_.front()->lr(); }

void OptimizerList::set_lr(double lr) {
  for (const auto& part : parts_) part->set_lr(lr);
}

int64_t OptimizerList::step_count() const { return parts_.front()->step_count(); }

std::vector<NamedTensor> OptimizerList::Parameters() const {
  std::vector<NamedTensor> parameters;
  for (const auto& part : parts_) {
    const auto own = part->Parameters();
    parameters.insert(parameters.end(), own.begin(), own.end());
  }
  return parameters;
}

std::vector<double> OptimizerList::UpdateCosts() const {
  std::vector<double> costs;
  for (const auto& part : parts_) {
    const std::vector<double> own = part->UpdateCosts();
    costs.insert(costs.end(), own.begin(), own.end());
  }
  return costs;
}

void OptimizerList::AppendState(std::vector<NamedTensor>& state) const {
  for (const auto& part : parts_) part->AppendState(state);
}

StateCommit OptimizerList::ReadState(StateReader& reader, int64_t steps) {
  std::vector<StateCommit> commits;
  for (const auto& part : parts_) commits.push_back(part->ReadState(reader, steps));
  return [commits = std::move(commits)] {
    for (const auto& commit : commits) commit();
  };
}

}  // namespace twofour::optim
