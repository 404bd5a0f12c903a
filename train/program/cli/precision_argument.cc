#include "twofour/train/program/cli/precision_argument.h"

#include <fmt/format.h>

#include "twofour/core/error.h"

namespace twofour::train {

PrecisionArgument::PrecisionArgument(Arguments& arguments)
    : option_(
          arguments.Add("--precision", text_, "What to compute in: fp32 or bf16 (default: as in training)").Type("P")) {
}

std::optional<DType> PrecisionArgument::Value() const {
  if (!option_.given()) return std::nullopt;
  if (text_ == "fp32" || text_ == "FP32") return DType::kF32;
  if (text_ == "bf16" || text_ == "BF16") return DType::kBF16;
  throw Error(fmt::format("--precision: '{}', expected fp32 or bf16", text_));
}

}  // namespace twofour::train
