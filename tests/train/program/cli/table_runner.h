#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "tests/support/text_file.h"
#include "tests/train/program/cli/config_runner.h"

namespace twofour::test {

/// Trains on a table of three classes that a small model can tell apart, but not perfectly.
class TableRunner : public ConfigRunner {
 protected:
  static constexpr const char* kConfig = R"(
    model { mlp { hidden_features: [32, 16] } }
    training { steps: 30 batch_size: 32 }
    learning_rate { lr: 0.01 }
    evaluation { every_steps: 10 }
    checkpoint { every_steps: 10 keep: 10 }
    logging { every_steps: 10 tensorboard: false }
  )";

  TableRunner() : ConfigRunner(kConfig, "table.pbtxt") { WriteTextFile(dir_ / "t.csv", Table()); }

  static constexpr const char* kClasses[] = {"low", "mid", "hi,gh"};

  /// Sixteen features, of which the first two decide the class; the label is in the middle.
  static std::string Table(int first = 0, int rows = 200) {
    std::string text;
    for (int column = 0; column < 16; ++column) text += fmt::format("f{},{}", column, column == 7 ? "class," : "");
    text.back() = '\n';
    for (int i = first; i < first + rows; ++i) {
      std::string row;
      for (int column = 0; column < 16; ++column) {
        row += fmt::format("{},{}", Value(i, column), column == 7 ? '"' + Class(i) + "\"," : "");
      }
      row.back() = '\n';
      text += row;
    }
    return text;
  }
  static double Value(int row, int column) { return (row * 7 + column * 13 + row * row % 11 * column) % 23 / 4.0; }
  static std::string Class(int row) {
    const double sum = Value(row, 0) + Value(row, 1);
    return kClasses[sum < 4.5 ? 0 : sum < 7 ? 1 : 2];
  }

  Outcome Train(const std::string& name, const std::vector<std::string>& settings = {},
                const std::vector<std::string>& more = {}) {
    std::vector<std::string> all = {"data.csv={ path: '" + Path("t.csv") + "' label: 'class' eval_fraction: 0.3 }"};
    all.insert(all.end(), settings.begin(), settings.end());
    return ConfigRunner::Train(name, Joined(Set(all), more));
  }
};

}  // namespace twofour::test
