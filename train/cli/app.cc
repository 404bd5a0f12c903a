#include "twofour/train/cli/app.h"

#include <exception>
#include <map>
#include <ostream>
#include <string_view>

#include "twofour/core/error.h"
#include "twofour/train/cli/command.h"
#include "twofour/train/cli/report.h"
#include "twofour/train/cli/sample.h"
#include "twofour/train/cli/suggest_decay.h"
#include "twofour/train/cli/sweep.h"
#include "twofour/train/cli/training.h"

namespace twofour::train {
namespace {

/// The commands that have a name; without one, the program trains.
Command FindCommand(std::string_view name) {
  static const std::map<std::string_view, Command> commands = {{"report", RunReport},
                                                               {"retrain", RunTraining},
                                                               {"sample", RunSample},
                                                               {"suggest-decay", RunSuggestDecay},
                                                               {"sweep", RunSweepCommand}};
  const auto found = commands.find(name);
  return found == commands.end() ? RunTraining : found->second;
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
