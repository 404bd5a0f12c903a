#pragma once

#include <iosfwd>
#include <optional>
#include <string>

#include "twofour/nn/generate.h"
#include "twofour/train/cli/app.h"

namespace twofour::train {

/// `trainer sample`: what the user asked for.
struct SampleCommandLine {
  std::string run;                    ///< --run: a run's folder or one of its checkpoints
  std::optional<std::string> prompt;  ///< --prompt, or the contents of --prompt-file
  std::optional<int> threads;
  nn::GenerateOptions generate = {.tokens = 200, .sampling = {.temperature = 0.8}};
};

/// Parses the arguments, of which the first is "sample". Nothing when help was printed to `out`. Throws Error on an
/// unknown or malformed argument and on a prompt file that cannot be read.
std::optional<SampleCommandLine> ParseSampleCommandLine(int argc, const char* const* argv, std::ostream& out);

/// Prints the prompt and what the run's model makes of it, as it comes, until `stop` says otherwise. Where the run has
/// no vocabulary (its data were token ids), both are ids separated by spaces. Returns the exit code. Throws Error on a
/// folder without a language model or weights, on a prompt that the vocabulary lacks, and when `out` fails.
int Sample(const SampleCommandLine& line, std::ostream& out, std::ostream& err, const StopRequest& stop);

}  // namespace twofour::train
