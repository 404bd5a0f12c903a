#include "twofour/train/program/cli/shrink.h"

#include <fmt/format.h>

#include <optional>
#include <ostream>
#include <string>

#include "twofour/core/error.h"
#include "twofour/train/program/cli/arguments.h"
#include "twofour/train/program/cli/calibration_arguments.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/prune/shrink_report.h"
#include "twofour/train/program/prune/shrunk_run.h"

namespace twofour::train {
namespace {

nn::PartImportance ImportanceNamed(const std::string& name) {
  using enum nn::PartImportance;
  for (const nn::PartImportance importance : {kMagnitude, kActivation, kGradient, kLoss}) {
    if (name == NameOf(importance)) return importance;
  }
  throw Error(fmt::format("--importance: '{}', expected magnitude, activation, gradient or loss", name));
}

std::optional<ShrinkRequest> Parse(int argc, const char* const* argv, std::ostream& out) {
  ShrinkRequest request;
  std::string importance = "magnitude", checkpoint;
  bool overwrite = false, skip_evaluation = false;
  Arguments arguments("shrink");
  arguments.Add("--run", request.run, "The folder of a dense run, or one of its checkpoints").Type("DIR").Required();
  const Argument given_checkpoint =
      arguments.Add("--checkpoint", checkpoint, "Which of the run's checkpoints: best, last or a step").Type("NAME");
  arguments.Add("--out", request.out, "The new run's folder, to be made").Type("DIR").Required();
  arguments.Add("--heads", request.options.keep_heads, "Query heads that each block keeps; 0: all")
      .Type("N")
      .Range(int64_t{0}, kMaxFeatures);
  arguments.Add("--neurons", request.options.keep_neurons, "Hidden features that each MLP keeps; 0: all")
      .Type("N")
      .Range(int64_t{0}, kMaxFeatures);
  arguments.Add("--blocks", request.options.keep_blocks, "Blocks that stay; 0: all")
      .Type("N")
      .Range(int64_t{0}, kMaxFeatures);
  arguments
      .Add("--importance", importance,
           "By what parts are chosen: magnitude, activation, gradient, or loss (of heads and blocks: what it costs to "
           "leave each out)")
      .Type("NAME")
      .ShowDefault();
  CalibrationArguments calibration(arguments, "that importance is measured on");
  arguments.AddFlag("--skip-evaluation", skip_evaluation, "Do not find the losses before and after");
  arguments.Add("--threads", request.threads, "Threads to compute with; 0: all processors it may use")
      .Type("N")
      .Range(int64_t{0}, kMaxThreads);
  arguments.AddFlag("--overwrite", overwrite, "Replace an existing run in the folder");
  if (!arguments.Parse(argc, argv, 1, out)) return std::nullopt;
  if (given_checkpoint.given()) request.checkpoint = checkpoint;
  request.options.importance = ImportanceNamed(importance);
  request.samples = calibration.samples();
  request.or_all_samples = calibration.or_all();
  request.seed = calibration.seed();
  request.accept_changed_data = calibration.accept_changed_data();
  request.evaluate = !skip_evaluation;
  if (overwrite) request.if_exists = RunFolder::IfExists::kOverwrite;
  return request;
}

}  // namespace

int RunShrink(int argc, const char* const* argv, const CommandContext& context) {
  const std::optional<ShrinkRequest> request = Parse(argc, argv, context.out);
  if (!request) return 0;
  const std::optional<ShrunkRun> shrunk = ShrinkRun(*request, context.stop.stop);
  if (!shrunk) return EndWithoutResult(context);
  PrintNotes(shrunk->notes, context.err);
  context.out << ToLines(*shrunk) << fmt::format("{}: a smaller model of {}\n", request->out, request->run);
  RequireWritten(context.out);
  return 0;
}

}  // namespace twofour::train
