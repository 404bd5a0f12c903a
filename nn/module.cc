#include "twofour/nn/module.h"

#include <fmt/format.h>

#include <algorithm>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"

namespace twofour::nn {
namespace {

std::string Join(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

std::unique_ptr<Module> RequireModule(const std::string& name, std::unique_ptr<Module> module) {
  if (module == nullptr) throw Error(fmt::format("Module: null for '{}', expected a module", name));
  return module;
}

}  // namespace

ModuleSlot::ModuleSlot(std::string name, std::unique_ptr<Module> module)
    : name_(std::move(name)), module_(RequireModule(name_, std::move(module))) {}

ModuleSlot::~ModuleSlot() = default;

void ModuleSlot::Replace(std::unique_ptr<Module> module) { module_ = RequireModule(name_, std::move(module)); }

std::vector<NamedTensor> Module::NamedParameters() const {
  std::vector<NamedTensor> parameters;
  CollectParameters("", parameters);
  return parameters;
}

std::vector<Tensor> Module::Parameters() const {
  std::vector<Tensor> parameters;
  for (NamedTensor& named : NamedParameters()) parameters.push_back(std::move(named.tensor));
  return WithoutRepeats(parameters);
}

int64_t Module::NumParameters() const {
  int64_t count = 0;
  for (const Tensor& parameter : Parameters()) count += parameter.numel();
  return count;
}

void Module::CollectParameters(const std::string& prefix, std::vector<NamedTensor>& out) const {
  for (const NamedTensor& named : parameters_) out.push_back({Join(prefix, named.name), named.tensor});
  for (const auto& child : children_) (*child)->CollectParameters(Join(prefix, child->name()), out);
}

void Module::VisitModules(const std::function<void(const std::string&, Module&)>& visit) { VisitModules("", visit); }

void Module::VisitModules(const std::string& name, const std::function<void(const std::string&, Module&)>& visit) {
  visit(name, *this);
  for (const auto& child : children_) (*child)->VisitModules(Join(name, child->name()), visit);
}

void Module::VisitSlots(const std::function<void(const std::string&, ModuleSlot&)>& visit) { VisitSlots("", visit); }

void Module::VisitSlots(const std::string& prefix, const std::function<void(const std::string&, ModuleSlot&)>& visit) {
  for (const auto& child : children_) {
    const std::string name = Join(prefix, child->name());
    visit(name, *child);
    (*child)->VisitSlots(name, visit);
  }
}

void Module::SetTraining(bool training) {
  VisitModules([training](const std::string&, Module& module) { module.training_ = training; });
}

void Module::SetStep(uint64_t step) {
  VisitModules([step](const std::string&, Module& module) { module.OnStep(step); });
}

StateCommit Module::ReadBuffers(StateReader&, const std::string&) { return nullptr; }

void Module::OnStep(uint64_t) {}

void Module::RequireNewName(const std::string& name) const {
  if (name.empty()) throw Error("Module: a parameter or child without a name");
  if (name == "__metadata__") {
    throw Error("Module: the name '__metadata__', which safetensors files keep for themselves");
  }
  const auto require_apart = [&name](const std::string& other) {
    if (other == name) throw Error(fmt::format("Module: two parameters or children are named '{}'", name));
    // "a" and "a.b" could both hold an "a.b.c".
    if (name.starts_with(other + ".") || other.starts_with(name + ".")) {
      throw Error(fmt::format("Module: the names '{}' and '{}': one is the beginning of the other", other, name));
    }
  };
  for (const NamedTensor& parameter : parameters_) require_apart(parameter.name);
  for (const auto& child : children_) require_apart(child->name());
}

Tensor Module::RegisterParameter(std::string name, Tensor tensor) {
  if (!tensor.defined()) return tensor;
  RequireNewName(name);
  ops::RequireFloating("Module", fmt::format("parameter '{}'", name), tensor);
  tensor.set_requires_grad();
  parameters_.push_back({std::move(name), tensor});
  return tensor;
}

ModuleSlot& Module::RegisterModule(std::string name, std::unique_ptr<Module> module) {
  RequireNewName(name);
  children_.push_back(std::make_unique<ModuleSlot>(std::move(name), std::move(module)));
  return *children_.back();
}

}  // namespace twofour::nn
