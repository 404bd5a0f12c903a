#pragma once

#include <cstdint>

#include "twofour/core/faults.h"
#include "twofour/nn/lora_swap.h"
#include "twofour/nn/step_hook.h"

namespace twofour::nn {

/// The three stages in which adapters are trained (Zhao et al., "Beyond 2:4", 2024): without masks; with masks that are
/// found anew every `interval` steps, each time for the weights with the adapters merged into them; with fixed masks.
/// Steps are counted from 0.
struct LoraStages {
  int64_t first_masked_step = 0;  ///< The first step of stage 2, whose masks are new.
  int64_t first_fixed_step = 0;   ///< The first step of stage 3, whose masks are the last new ones. Not before stage 2.
  int64_t interval = 10;          ///< Steps from one search to the next in stage 2.

  /// 1, 2 or 3.
  int StageAt(int64_t step) const;
  /// Whether new masks are found before this step.
  bool FindsMasksAt(int64_t step) const;
};

/// Rules: steps are not negative and in order, and the interval is positive.
void Check(const LoraStages& stages, const FieldPath& at, Faults& faults);

/// Merges the adapters of a model before each step for which new masks are found, so that these are found for the
/// merged weights. So from stage 3 on, an adapter is relative to the weights at its beginning. Who searches are the
/// layers: their options must have the same steps (MaskPlanOptions::first_sparse_step, SemiSparseOptions::interval and
/// freeze_step).
class LoraTraining : public StepHook {
 public:
  /// Finds the layers of `model`. The model must outlive this object, and no layer may be swapped meanwhile. Throws
  /// Error on stages that Check finds fault with.
  LoraTraining(Module& model, const LoraStages& stages);

  /// Merges at the end of a step, and not at the beginning of the next one: a checkpoint, or a search before an
  /// evaluation, may come between the two.
  void AfterStep(const StepContext& step) override;

 private:
  std::vector<NamedLoraLinear> layers_;
  LoraStages stages_;
};

}  // namespace twofour::nn
