#include "twofour/train/program/cli/sensitivity.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <ostream>
#include <string>
#include <system_error>
#include <vector>

#include "twofour/nn/one_shot.h"
#include "twofour/nn/one_shot_names.h"
#include "twofour/train/program/cli/arguments.h"
#include "twofour/train/program/cli/calibration_arguments.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/cli/output_path.h"
#include "twofour/train/program/cli/pruning_method.h"
#include "twofour/train/program/prune/pattern_kind.h"
#include "twofour/train/program/prune/sensitivity_file.h"
#include "twofour/train/program/prune/sensitivity_run.h"
#include "twofour/train/program/prune/sensitivity_table.h"
#include "twofour/train/run_path.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

struct Asked {
  SensitivityRequest request;
  bool json = false;
};

std::optional<Asked> Parse(int argc, const char* const* argv, std::ostream& out) {
  Asked asked;
  SensitivityRequest& request = asked.request;
  std::string checkpoint, pattern = "unstructured", method = "magnitude";
  std::vector<double> levels;
  Arguments arguments("sensitivity");
  arguments.Add("--run", request.run, "The run's folder, or one of its checkpoints").Type("DIR").Required();
  const Argument given_checkpoint =
      arguments
          .Add("--checkpoint", checkpoint,
               "Which of the run's checkpoints: best, last or a step (default: the final weights or, before a run has "
               "any, its newest checkpoint)")
          .Type("NAME");
  arguments
      .Add("--out", request.out,
           "The folder of the results, a new one or that of an earlier start, which is then continued")
      .Type("DIR")
      .Required();
  arguments
      .Add("--pattern", pattern,
           "A pattern without its sparsity: unstructured, unstructured:row, block:16x16, n:4 (or another m), "
           "transposable:2:4 or 64:2:8")
      .Type("PATTERN")
      .ShowDefault();
  arguments
      .Add("--levels", levels,
           "Sparsities, separated by commas (default: 0.25,0.5,0.75; for n:m and others, all that there are)")
      .Type("X,X,...")
      .Commas();
  arguments.Add("--method", method, nn::MethodNames()).Type("NAME").ShowDefault();
  CalibrationArguments calibration(arguments, "to calibrate with");
  calibration.AddLinears(arguments);
  arguments.Add("--threads", request.threads, "Threads to compute with; 0: all processors it may use")
      .Type("N")
      .Range(int64_t{0}, kMaxThreads);
  arguments.AddFlag("--json", asked.json, "Print what sensitivity.json holds, in place of the table");
  if (!arguments.Parse(argc, argv, 1, out)) return std::nullopt;
  if (given_checkpoint.given()) request.checkpoint = checkpoint;
  std::error_code ignored;
  const fs::path folder = fs::absolute(FolderPath(request.out), ignored);
  RequireNoFileOfARun("--out " + request.out, fs::weakly_canonical(folder, ignored));
  request.kind = ParsePatternKind(pattern, "--pattern");
  request.patterns = PatternsAt(request.kind, levels, "--levels");
  SetPruningMethod(method, request.options);
  request.linears = calibration.linears();
  request.samples = calibration.samples();
  request.or_all_samples = calibration.or_all();
  request.seed = calibration.seed();
  const bool takes_data = nn::NeedsCalibration(request.options);
  calibration.RequireUsed(takes_data, takes_data || request.options.score == sparse::MaskScore::kRandom,
                          "a --method that takes data");
  request.accept_changed_data = calibration.accept_changed_data();
  return asked;
}

}  // namespace

int RunSensitivity(int argc, const char* const* argv, const CommandContext& context) {
  const std::optional<Asked> asked = Parse(argc, argv, context.out);
  if (!asked) return 0;
  const SensitivityProgress progress = MeasureSensitivity(asked->request, context.stop.stop);
  PrintNotes(progress.notes, context.err);
  if (!progress.result) {
    (asked->json ? context.err : context.out) << fmt::format(
        "stopped with {} of {} losses measured; the same command goes on\n", progress.measured, progress.losses);
    return 128 + context.stop.signal;
  }
  context.out << (asked->json ? ToJson(*progress.result) : ToLines(*progress.result));
  RequireWritten(context.out);
  return 0;
}

}  // namespace twofour::train
