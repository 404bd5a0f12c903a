#pragma once

#include "tests/train/program/cli/config_runner.h"

namespace twofour::test {

inline constexpr const char* kResumeConfig = R"(
model { residual_mlp { width: 16 hidden_features: 32 num_blocks: 1 } }
data { glyphs { train_size: 64 eval_size: 32 } }
training { steps: 6 batch_size: 16 }
sparsity { enabled: true }
evaluation { every_steps: 2 }
checkpoint { every_steps: 2 keep: 10 }
logging { every_steps: 2 }
)";

/// A ConfigRunner with a small sparse run that keeps all of its checkpoints.
class ResumeRunner : public ConfigRunner {
 protected:
  ResumeRunner() : ConfigRunner(kResumeConfig) {}
};

}  // namespace twofour::test
