#include "twofour/nn/lora_stages.h"

#include "twofour/core/error.h"

namespace twofour::nn {

int LoraStages::StageAt(int64_t step) const { return step < first_masked_step ? 1 : step < first_fixed_step ? 2 : 3; }

bool LoraStages::FindsMasksAt(int64_t step) const {
  if (step == first_fixed_step) return true;
  return StageAt(step) == 2 && (step - first_masked_step) % interval == 0;
}

void Check(const LoraStages& stages, const FieldPath& at, Faults& faults) {
  faults.InRange(at("first_masked_step"), stages.first_masked_step, 0, kMaxCount);
  faults.InRange(at("first_fixed_step"), stages.first_fixed_step, stages.first_masked_step, kMaxCount);
  faults.InRange(at("interval"), stages.interval, 1, kMaxCount);
}

LoraTraining::LoraTraining(Module& model, const LoraStages& stages)
    : layers_(FindLoraLinears(model)), stages_(Checked(stages, "LoraStages: ")) {}

void LoraTraining::AfterStep(const StepContext& step) {
  if (!stages_.FindsMasksAt(step.step + 1)) return;
  for (const auto& [name, layer] : layers_) layer->Merge();
}

}  // namespace twofour::nn
