#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/state_reader.h"
#include "twofour/core/tensor.h"

namespace twofour::nn {

class Module;

/// A named place for a module inside its parent. A swap pass replaces the module in the place. The parent keeps the
/// place, so it does not notice.
class ModuleSlot {
 public:
  ModuleSlot(std::string name, std::unique_ptr<Module> module);
  ~ModuleSlot();

  const std::string& name() const { return name_; }
  Module& operator*() const { return *module_; }
  Module* operator->() const { return module_.get(); }
  Module* get() const { return module_.get(); }
  /// Throws Error on null.
  void Replace(std::unique_ptr<Module> module);

 private:
  std::string name_;
  std::unique_ptr<Module> module_;
};

/// A layer or a model: owns parameters and child modules, under the names that PyTorch would give them
/// ("blocks.0.mlp.c_fc.weight"), and computes a forward pass.
///
/// Threads: several threads may call Forward of one module at once, with or without a graph, and read its parameters
/// and buffers; each gets the bits that it would get alone. Backward may run beside them, but not beside another
/// Backward that reaches the same parameters, because both would add to the same gradient. Calls that change the module
/// must run alone: an optimizer's Step, writes to parameters, LoadStateDict, a swap, SetTraining, SetStep. For this to
/// hold, a module of your own that keeps something in Forward must guard it.
class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// "Linear", "SemiSparseLinear", ...
  virtual std::string_view type_name() const = 0;
  virtual Tensor Forward(const Tensor& x) = 0;

  /// Own parameters first, then those of the children, in the order they were registered. The handles share the
  /// parameters' elements and gradients. A tensor that is registered in several places comes under each of its names.
  std::vector<NamedTensor> NamedParameters() const;
  /// The same tensors, each once, as an optimizer takes them.
  std::vector<Tensor> Parameters() const;
  /// Elements of Parameters().
  int64_t NumParameters() const;

  /// Calls `visit` for this module (under the name "") and everything below it, parents first.
  void VisitModules(const std::function<void(const std::string& name, Module& module)>& visit);
  /// Calls `visit` for every place of the tree below this module, parents first, with the place's full name. `visit`
  /// may replace the module in the place; the children of the replacement are then visited.
  void VisitSlots(const std::function<void(const std::string& name, ModuleSlot& slot)>& visit);

  /// Training mode (the default) turns dropout on. Applies to the whole tree. TrainingModeScope sets it for a scope.
  void SetTraining(bool training);
  bool training() const { return training_; }
  /// Tells the whole tree to which step the next forward pass belongs. Random layers draw for that step.
  void SetStep(uint64_t step);

  /// State of this module (without its children) that is not a parameter but belongs in a checkpoint, such as masks.
  /// Names are local.
  virtual std::vector<NamedTensor> Buffers() { return {}; }
  /// Takes what Buffers() wrote from `reader`, under names that begin with `prefix` ("blocks.0.c_fc." or ""), and
  /// changes nothing yet. The commit runs after the parameters were restored; a missing buffer is then computed again.
  /// May return null, as a module without buffers does.
  virtual StateCommit ReadBuffers(StateReader& reader, const std::string& prefix);

 protected:
  /// Makes `tensor` a parameter (it will require a gradient) and returns the handle. An undefined tensor is not
  /// registered. Throws Error on a name that is empty or taken or, up to a dot, the beginning of another one or the
  /// other way round, and on a tensor that is not floating or not a leaf.
  Tensor RegisterParameter(std::string name, Tensor tensor);
  /// Adds a child. The reference stays valid for this module's life. Throws Error on a name as above, and on null.
  ModuleSlot& RegisterModule(std::string name, std::unique_ptr<Module> module);
  virtual void OnStep(uint64_t step);

 private:
  void RequireNewName(const std::string& name) const;
  void CollectParameters(const std::string& prefix, std::vector<NamedTensor>& out) const;
  void VisitModules(const std::string& name, const std::function<void(const std::string&, Module&)>& visit);
  void VisitSlots(const std::string& prefix, const std::function<void(const std::string&, ModuleSlot&)>& visit);

  friend class TrainingModeScope;  // Restores the mode of each module by itself.

  std::vector<NamedTensor> parameters_;
  std::vector<std::unique_ptr<ModuleSlot>> children_;
  bool training_ = true;
};

}  // namespace twofour::nn
