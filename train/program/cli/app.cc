#include "twofour/train/program/cli/app.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <exception>
#include <map>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/train/program/cli/analyze.h"
#include "twofour/train/program/cli/command.h"
#include "twofour/train/program/cli/command_names.h"
#include "twofour/train/program/cli/evaluate.h"
#include "twofour/train/program/cli/export.h"
#include "twofour/train/program/cli/import.h"
#include "twofour/train/program/cli/inspect.h"
#include "twofour/train/program/cli/patterns.h"
#include "twofour/train/program/cli/permute.h"
#include "twofour/train/program/cli/predict.h"
#include "twofour/train/program/cli/prune.h"
#include "twofour/train/program/cli/report.h"
#include "twofour/train/program/cli/sample.h"
#include "twofour/train/program/cli/sensitivity.h"
#include "twofour/train/program/cli/shrink.h"
#include "twofour/train/program/cli/suggest_decay.h"
#include "twofour/train/program/cli/suggest_pattern.h"
#include "twofour/train/program/cli/sweep.h"
#include "twofour/train/program/cli/tokenize.h"
#include "twofour/train/program/cli/training.h"
#include "twofour/train/program/config/suggest.h"

namespace twofour::train {
namespace {

/// Finds a command of kCommands. Without a name, the program trains. Throws Error on an unknown name.
Command FindCommand(std::string_view name) {
  static const std::map<std::string_view, Command> commands = {{"analyze", RunAnalyze},
                                                               {"evaluate", RunEvaluate},
                                                               {"export", RunExport},
                                                               {"finetune", RunTraining},
                                                               {"import", RunImport},
                                                               {"inspect", RunInspect},
                                                               {"patterns", RunPatterns},
                                                               {"permute", RunPermute},
                                                               {"predict", RunPredict},
                                                               {"prune", RunPrune},
                                                               {"report", RunReport},
                                                               {"retrain", RunTraining},
                                                               {"sample", RunSample},
                                                               {"sensitivity", RunSensitivity},
                                                               {"shrink", RunShrink},
                                                               {"suggest-decay", RunSuggestDecay},
                                                               {"suggest-pattern", RunSuggestPattern},
                                                               {"sweep", RunSweepCommand},
                                                               {"tokenize", RunTokenize}};
  const auto found = commands.find(name);
  if (found != commands.end()) return found->second;
  if (name.empty() || name.starts_with('-')) return RunTraining;
  std::vector<std::string> names;
  for (const CommandName& command : kCommands) names.emplace_back(command.name);
  throw Error(
      fmt::format("'{}' is no command{}, expected {}, or options to train: trainer --config FILE (see trainer --help)",
                  name, name == "train" ? "" : DidYouMean(name, names), fmt::join(names, ", ")));
}

}  // namespace

int RunTrainer(int argc, const char* const* argv, std::ostream& out, std::ostream& err, bool terminal,
               const StopRequest& stop) {
  try {
    return FindCommand(argc > 1 ? argv[1] : "")(argc, argv, {out, err, terminal, stop});
  } catch (const Error& error) {
    err << "trainer: " << error.what() << std::endl;
    return error.kind() == ErrorKind::kInvalidInput ? 2 : 1;
  } catch (const std::exception& error) {
    err << "trainer: " << error.what() << std::endl;
    return 1;
  }
}

}  // namespace twofour::train
