#include "twofour/train/program/cli/model_arguments.h"

#include <fmt/format.h>

#include "twofour/core/error.h"

namespace twofour::train {

ModelArguments::ModelArguments(Arguments& arguments) {
  arguments.Add("--run", run_, "The run's folder, or one of its checkpoints").Type("DIR").Required();
  arguments.Add("--threads", threads_, "Threads to compute with; 0: all processors it may use")
      .Type("N")
      .Range(int64_t{0}, kMaxThreads);
  precision_option_ =
      arguments.Add("--precision", precision_, "What to compute in: fp32 or bf16 (default: as in training)").Type("P");
}

void ModelArguments::AddCheckpoint(Arguments& arguments) {
  checkpoint_option_ =
      arguments
          .Add("--checkpoint", checkpoint_,
               "Which of the run's checkpoints: best, last or a step (default: the final weights or, before a run has "
               "any, its newest checkpoint)")
          .Type("NAME");
}

std::optional<std::string> ModelArguments::checkpoint() const {
  if (!checkpoint_option_ || !checkpoint_option_->given()) return std::nullopt;
  return checkpoint_;
}

std::optional<DType> ModelArguments::activations() const {
  if (!precision_option_->given()) return std::nullopt;
  if (precision_ == "fp32" || precision_ == "FP32") return DType::kF32;
  if (precision_ == "bf16" || precision_ == "BF16") return DType::kBF16;
  throw Error(fmt::format("--precision: '{}', expected fp32 or bf16", precision_));
}

}  // namespace twofour::train
