#pragma once

#include <string>
#include <vector>

#include "tests/support/text_file.h"
#include "tests/train/program/cli/config_runner.h"

namespace twofour::test {

/// A ConfigRunner for a language model, with a text of numbers to train it on.
class TextRunner : public ConfigRunner {
 protected:
  /// A model of such a `gpt { ... }` that trains for this many steps.
  TextRunner(const std::string& gpt, int steps)
      : ConfigRunner("model { gpt { " + gpt + " } }\n" + R"(
data { text { path: "PATH" vocabulary: CHARACTERS } }
training { steps: )" + std::to_string(steps) +
                         R"( batch_size: 4 }
learning_rate { lr: 0.01 }
evaluation { every_steps: )" +
                         std::to_string(steps) + R"( }
checkpoint { every_steps: 0 }
logging { tensorboard: false }
)",
                     "gpt.pbtxt") {
    WriteTextFile(dir_ / "text.txt", Text(600));
  }

  static std::string Text(int numbers) {
    std::string text;
    for (int i = 0; i < numbers; ++i) text += std::to_string(i * i) + (i % 7 == 0 ? "\n" : " ");
    return text;
  }

  Outcome TrainOnText(const std::string& name, const std::vector<std::string>& more = {}) {
    return Train(name, Joined({"--set", "data.text.path=" + Path("text.txt")}, more));
  }
};

}  // namespace twofour::test
