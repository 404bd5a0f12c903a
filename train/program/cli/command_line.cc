#include "twofour/train/program/cli/command_line.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/stubs/common.h>

#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/build_libraries.h"
#include "twofour/core/error.h"
#include "twofour/core/isa.h"
#include "twofour/core/parallel.h"
#include "twofour/train/program/cli/arguments.h"
#include "twofour/train/program/cli/command_names.h"

namespace twofour::train {
namespace {

constexpr const char* kFooter = R"(
Examples:
  trainer --config configs/sparse_mlp.pbtxt
  trainer --config configs/dense_mlp.pbtxt --sparse --set training.steps=2000 --out runs/longer
  trainer --resume runs/longer
  trainer --resume runs/longer/checkpoints/step-500 --out runs/branch --set learning_rate.lr=1e-4
  trainer evaluate --run runs/sparse_mlp --checkpoint best
  trainer predict --run runs/sparse_mlp --input new.csv --output predictions.csv
  trainer inspect runs/sparse_mlp
  trainer analyze runs/sparse_mlp
  trainer export --run runs/sparse_mlp --format packed --dtype BF16 --output sparse_mlp.safetensors
  trainer import --from gpt2 --out runs/gpt2
  trainer patterns --shape 4096x1024
  trainer permute --from runs/dense_mlp --out runs/permuted --pattern 64:2:8
  trainer prune --run runs/dense_mlp --method sparsegpt --pattern 2:4 --out runs/pruned
  trainer shrink --run runs/gpt_tiny --out runs/smaller --neurons 256 --importance activation
  trainer sensitivity --run runs/dense_mlp --out runs/sensitivity
  trainer sample --run runs/gpt_tiny --prompt "To be"
  trainer retrain --from runs/dense_mlp
  trainer finetune --from runs/dense_mlp --config configs/sparse_mlp.pbtxt
  trainer sweep --config configs/experiments/schedules.pbtxt
  trainer report runs/* --baseline dense_mlp
  trainer suggest-decay --config configs/sparse_mlp.pbtxt
  trainer suggest-pattern --config configs/gpt_shakespeare.pbtxt --speedup 2
  trainer tokenize --input text.txt --vocab 4096 --output tokenizer.json

A run is written to runs/<name>: config.pbtxt, metrics.jsonl, checkpoints/ and model.safetensors, and event files that
tensorboard --logdir runs shows.
Exit codes: 0 done; 1 failed at run time; 2 bad argument, config or file; 128+N ended by signal N.
HUP, INT, TERM, USR1, USR2, XCPU, ALRM and PWR end a run after the step or evaluation batch under way, with a checkpoint;
the same again, half a second later or more, at once (but not XCPU, which the kernel repeats).)";

/// A line for each command.
std::string ListCommands() {
  std::string lines;
  for (const CommandName& command : kCommands) lines += fmt::format("  {:<14} {}\n", command.name, command.description);
  return lines;
}

/// The version, and what decides how fast the program is and which bits it computes. Throws Error if TWOFOUR_MAX_ISA is
/// no instruction set.
std::string DescribeVersion() {
  std::vector<std::string_view> isas;
  for (const Isa isa : AllowedIsas()) isas.push_back(NameOf(isa));
  std::vector<std::string> libraries = BuildLibraries();
  libraries.push_back("protobuf " + google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION));
  return fmt::format("twofour {}\ninstruction sets: {}\nlibraries: {}\nthreads: {}", TWOFOUR_VERSION,
                     fmt::join(isas, ", "), fmt::join(libraries, ", "), NumThreads());
}

}  // namespace

std::optional<CommandLine> ParseCommandLine(int argc, const char* const* argv, std::ostream& out) {
  CommandLine line;
  const std::string_view command = argc > 1 ? argv[1] : "";
  const bool retrain = command == "retrain";
  line.finetune = command == "finetune";
  Arguments arguments(retrain || line.finetune ? std::string(command) : "");
  bool sparse = false, dense = false;
  if (line.finetune) {
    arguments.Add("--from", line.from, "The folder of the run whose weights are adapted").Type("DIR").Required();
    arguments
        .Add("--config", line.config, "Config file: data, training, sparsity, finetune; without a model, the run's")
        .Type("FILE")
        .Required();
  } else if (retrain) {
    arguments.Add("--from", line.from, "The dense run's folder").Type("DIR").Required();
  } else {
    arguments.SetFooter("\nCommands (trainer COMMAND --help):\n" + ListCommands() + kFooter);
    arguments.SetVersion(DescribeVersion());
    arguments.Add("--config", line.config, "Config file (protobuf text)").Type("FILE");
    arguments
        .Add("--resume", line.resume,
             "Go on with a run: its folder, or one of its checkpoints; with --out in a new folder, which leaves the "
             "run as "
             "it is")
        .Type("DIR");
    arguments.AddFlag("--accept-changed-data", line.accept_changed_data,
                      "Resume although the data has changed; the run's classes, columns, scaling and vocabulary stay");
    arguments.AddFlag("--accept-idle-fields", line.accept_idle_fields,
                      "Train although the config has fields without an effect, as earlier versions did");
    const Argument sparse_flag =
        arguments.AddFlag("--sparse", sparse, "Swap MLP linears for 2:4 ones (sparsity.enabled=true)");
    arguments.AddFlag("--dense", dense, "Keep every linear dense (sparsity.enabled=false)").Excludes(sparse_flag);
  }
  arguments
      .Add("--set", line.changes.set, "Set a config field, as in training.steps=100; wins over the file; may repeat")
      .Type("PATH=VALUE")
      .Repeatable();
  arguments
      .Add("--out", line.out,
           "Run folder to create (default: runs/<name>; with --resume: none, the run goes on in its own)")
      .Type("DIR");
  arguments.Add("--threads", line.changes.threads, "Threads to compute with; 0: all processors it may use")
      .Type("N")
      .Range(int64_t{0}, kMaxThreads);
  arguments.Add("--seed", line.changes.seed, "Seed of initial weights, data order and dropout").Type("S").NotNegative();
  arguments.AddFlag("--overwrite", line.overwrite,
                    "Replace an existing run in the folder; with --resume CHECKPOINT: discard what came after it");
  arguments.AddFlag("--print-config", line.print_config, "Print the config with all defaults and overrides, then stop");
  arguments.AddFlag("--dry-run", line.dry_run, "Check everything and print what would be trained, then stop");
  if (!arguments.Parse(argc, argv, retrain || line.finetune ? 1 : 0, out)) return std::nullopt;
  if (sparse || dense) line.changes.sparse = sparse;
  if (line.config.empty() && line.resume.empty() && line.from.empty()) {
    throw Error("nothing to train: give --config FILE or --resume DIR (see trainer --help)");
  }
  if (line.accept_changed_data && line.resume.empty()) {
    throw Error("--accept-changed-data is for --resume: a new run takes its data as it is");
  }
  return line;
}

}  // namespace twofour::train
