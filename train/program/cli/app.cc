#include "twofour/train/program/cli/app.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <exception>
#include <map>
#include <ostream>
#include <streambuf>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/train/parallel/agreement.h"
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
#include "twofour/train/program/cli/quantize.h"
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
#include "twofour/train/program/start/rank_start.h"

namespace twofour::train {
namespace {

/// Takes everything, where a stream without a buffer would be in a state of failure.
class Nowhere : public std::streambuf {
 protected:
  int_type overflow(int_type c) override { return traits_type::not_eof(c); }
  std::streamsize xsputn(const char*, std::streamsize count) override { return count; }
};

/// Whether several processes can share the command's work.
bool RunsOnRanks(Command command) { return command == RunTraining || command == RunEvaluate; }

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
                                                               {"quantize", RunQuantize},
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
               const StopRequest& stop, comm::Communicator& ranks) {
  const bool first = ranks.rank() == 0;
  Nowhere no_buffer;
  std::ostream nowhere(&no_buffer);
  const auto report = [&](const std::exception& error, int code) {
    if (IsShared(error, ranks)) {
      if (first) err << "trainer: " << error.what() << std::endl;
      return code;
    }
    // The others wait for this rank. If they have failed likewise, the first one says so for all.
    if (!first) std::this_thread::sleep_for(kForTheFirstToEnd);
    err << "trainer: " << ranks.NameOf(ranks.rank()) << ": " << error.what() << std::endl;
    ranks.Abort(code);
    return code;
  };
  try {
    // Otherwise ranks that do other things would wait for each other.
    RequireSameParts(ranks, {ArgumentsPart(argc, argv)});
    const std::string_view name = argc > 1 ? argv[1] : "";
    Command command = nullptr;
    Together(ranks, [&] { command = FindCommand(name); });
    if (ranks.size() > 1 && !RunsOnRanks(command)) {
      throw SharedError(fmt::format("{} runs in one process, but the launcher has started {}", name, ranks.size()));
    }
    return command(argc, argv,
                   {.out = first ? out : nowhere,
                    .err = first ? err : nowhere,
                    .terminal = terminal,
                    .stop = stop,
                    .ranks = ranks,
                    .threads = ThreadsOfRank(ranks)});
  } catch (const Error& error) {
    return report(error, error.kind() == ErrorKind::kInvalidInput ? 2 : 1);
  } catch (const std::exception& error) {
    return report(error, 1);
  }
}

}  // namespace twofour::train
