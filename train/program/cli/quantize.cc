#include "twofour/train/program/cli/quantize.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/nn/name_choice.h"
#include "twofour/train/data/text.h"
#include "twofour/train/program/cli/arguments.h"
#include "twofour/train/program/cli/calibration_arguments.h"
#include "twofour/train/program/cli/model_arguments.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/config/quantized_run.h"
#include "twofour/train/program/config/suggest.h"
#include "twofour/train/program/quantize/quantization_report.h"
#include "twofour/train/program/quantize/quantize_run.h"

namespace twofour::train {
namespace {

/// Throws Error unless `given` is one of the names.
void RequireNamed(const std::string& option, const std::string& given, const std::vector<std::string>& names) {
  if (std::ranges::find(names, given) != names.end()) return;
  throw Error(
      fmt::format("{}: {}{}, expected {}", option, Quoted(given), DidYouMean(given, names), fmt::join(names, " or ")));
}

sparse::LowBitKind KindNamed(const std::string& given) {
  std::vector<std::string> names;
  for (const sparse::LowBitKindName& one : sparse::kLowBitKinds) names.emplace_back(one.name);
  RequireNamed("--weights", given, names);
  return *sparse::FindLowBitKind(given);
}

std::optional<QuantizeRequest> Parse(int argc, const char* const* argv, std::ostream& out) {
  QuantizeRequest request;
  std::string weights, activations, include;
  bool overwrite = false, skip_evaluation = false, skip_output_errors = false;
  Arguments arguments("quantize");
  ModelArguments model(arguments);
  model.AddCheckpoint(arguments);
  arguments.Add("--out", request.out, "The new run's folder, to be made").Type("DIR").Required();
  arguments
      .Add("--weights", weights,
           "What weights are rounded to: int8 or fp8 (E4M3), with a scale for each row; nvfp4, 4 bits with a scale for "
           "each 16 values")
      .Type("NAME")
      .Required();
  const Argument given_activations =
      arguments
          .Add("--activations", activations,
               "int8: the inputs of these linears are rounded, too, and products are those of bytes; none: they stay "
               "floats; by default int8 for weights of int8, and none for others, which take nothing else")
          .Type("NAME");
  arguments.AddFlag("--calibration", request.calibrate,
                    "Find one range for all inputs of a linear from --samples; without it, each token has the range of "
                    "its own numbers");
  arguments
      .Add("--smooth", request.smooth,
           "SmoothQuant: norms hand a part of their outputs' ranges over to the weights that read them, with 1 all of "
           "it, and with 0 the weights hand theirs over to the inputs; usual is 0.5")
      .Type("ALPHA")
      .Range(0.0, 1.0);
  CalibrationArguments calibration(arguments, "to calibrate, smooth and find output errors with");
  const Argument given_include =
      arguments
          .Add("--include", include,
               "Linears whose whole name matches; by default those inside the blocks of a language model, and those of "
               "MLPs of other models")
          .Type("REGEX");
  arguments.Add("--exclude", request.exclude, "But not those that match this").Type("REGEX");
  arguments.AddFlag("--skip-evaluation", skip_evaluation, "Do not find the losses before and after");
  arguments.AddFlag("--skip-output-errors", skip_output_errors, "Do not find how much outputs of linears change");
  arguments.AddFlag("--overwrite", overwrite, "Replace an existing run in the folder");
  if (!arguments.Parse(argc, argv, 1, out)) return std::nullopt;
  request.weights = KindNamed(weights);
  const bool may_round = TakesRoundedInputs(request.weights);
  if (!given_activations.given()) activations = may_round ? "int8" : "none";
  RequireNamed("--activations", activations, {"int8", "none"});
  request.run = model.run();
  request.checkpoint = model.checkpoint();
  request.threads = model.threads();
  request.activations = model.activations();
  request.round_inputs = activations == "int8";
  if (request.calibrate && !may_round) throw GoesWith("--calibration", "--weights int8");
  if (request.round_inputs && !may_round) throw GoesWith("--activations int8", "--weights int8");
  if (request.calibrate && !request.round_inputs) throw GoesWith("--calibration", "--activations int8");
  if (given_include.given()) request.include = include;
  request.output_errors = !skip_output_errors;
  request.evaluate = !skip_evaluation;
  request.samples = calibration.samples();
  request.or_all_samples = calibration.or_all();
  request.seed = calibration.seed();
  request.accept_changed_data = calibration.accept_changed_data();
  const bool samples = TakesSamples(request), reads_data = samples || request.evaluate;
  calibration.RequireUsed(samples, samples, "--calibration, --smooth or output errors");
  const std::string_view with = "losses, output errors, --calibration or --smooth, which read data";
  if (request.activations && !reads_data) throw GoesWith("--precision", with);
  if (request.accept_changed_data && !reads_data) throw GoesWith("--accept-changed-data", with);
  if (overwrite) request.if_exists = RunFolder::IfExists::kOverwrite;
  return request;
}

}  // namespace

int RunQuantize(int argc, const char* const* argv, const CommandContext& context) {
  const std::optional<QuantizeRequest> request = Parse(argc, argv, context.out);
  if (!request) return 0;
  const std::optional<QuantizedRun> quantized = QuantizeRun(*request, context.stop.stop);
  if (!quantized) return EndWithoutResult(context);
  PrintNotes(quantized->notes, context.err);
  context.out << ToLines(*quantized)
              << fmt::format("{}: the weights of {} in {}{}\n", request->out, request->run, NameOf(request->weights),
                             request->round_inputs ? ", for inputs in int8" : "");
  RequireWritten(context.out);
  return 0;
}

}  // namespace twofour::train
