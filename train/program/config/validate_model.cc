#include "twofour/train/program/config/options.h"
#include "twofour/train/program/config/validate_parts.h"

namespace twofour::train {

void CheckModel(const proto::Model& model, Faults& faults) {
  switch (model.kind_case()) {
    case proto::Model::kMlp:
      return Check(ToOptions(model.mlp()), "model.mlp", faults);
    case proto::Model::kResidualMlp:
      return Check(ToOptions(model.residual_mlp()), "model.residual_mlp", faults);
    case proto::Model::kGpt:
      return Check(ToOptions(model.gpt()), "model.gpt", faults);
    case proto::Model::KIND_NOT_SET:
      break;  // Noted by ValidateConfig.
  }
}

}  // namespace twofour::train
