#include "twofour/train/cli/command_line.h"

#include <fmt/format.h>

#include <ostream>

#include <CLI/CLI.hpp>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

constexpr const char* kFooter = R"(
Examples:
  trainer --config configs/sparse_mlp.pbtxt
  trainer --config configs/dense_mlp.pbtxt --sparse --set training.steps=2000 --out runs/longer
  trainer --resume runs/longer
  trainer sample --run runs/gpt_tiny --prompt "To be" (see trainer sample --help)
  trainer sweep --config configs/experiments/schedules.pbtxt (many runs and a report; see trainer sweep --help)

A run is written to runs/<name>: config.pbtxt, metrics.jsonl, checkpoints/ and model.safetensors.
Exit codes: 0 done; 1 failed at run time; 2 bad argument, config or file; 128+N ended by signal N.)";

}  // namespace

std::optional<CommandLine> ParseCommandLine(int argc, const char* const* argv, std::ostream& out) {
  CommandLine line;
  CLI::App app("Trains models with 2:4 semi-structured sparsity.", "trainer");
  app.footer(kFooter);
  app.set_version_flag("--version", "twofour " TWOFOUR_VERSION);
  app.add_option("--config", line.config, "Config file (protobuf text)")->type_name("FILE");
  app.add_option("--set", line.set, "Set a config field, as in training.steps=100; wins over the file; may repeat")
      ->type_name("PATH=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  app.add_option("--out", line.out, "Run folder to create (default: runs/<name>)")->type_name("DIR");
  app.add_option("--resume", line.resume, "Go on with a run: its folder, or one of its checkpoints")->type_name("DIR");
  bool sparse = false, dense = false;
  auto* sparse_flag = app.add_flag("--sparse", sparse, "Swap MLP linears for 2:4 ones (sparsity.enabled=true)");
  sparse_flag->disable_flag_override();
  app.add_flag("--dense", dense, "Keep every linear dense (sparsity.enabled=false)")
      ->excludes(sparse_flag)
      ->disable_flag_override();
  app.add_option("--threads", line.threads, "Threads to compute with; 0: all processors")->type_name("N");
  app.add_option("--seed", line.seed, "Seed of initial weights, data order and dropout")
      ->type_name("S")
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--overwrite", line.overwrite, "Remove an existing run in the folder first");
  app.add_flag("--print-config", line.print_config, "Print the config with all defaults and overrides, then stop");
  app.add_flag("--dry-run", line.dry_run, "Check everything and print what would be trained, then stop");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    out << app.help();
    return std::nullopt;
  } catch (const CLI::CallForVersion&) {
    out << app.version() << "\n";
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    throw Error(fmt::format("{} (see trainer --help)", error.what()));
  }
  if (sparse || dense) line.sparse = sparse;
  if (line.config.empty() && line.resume.empty()) {
    throw Error("nothing to train: give --config FILE or --resume DIR (see trainer --help)");
  }
  if (!line.resume.empty() && (!line.out.empty() || line.overwrite)) {
    throw Error("--resume goes on in the folder it names: --out and --overwrite do not go with it");
  }
  return line;
}

}  // namespace twofour::train
