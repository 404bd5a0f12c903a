#include "twofour/train/cli/training.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <ostream>

#include "twofour/core/error.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/core/io/text.h"
#include "twofour/core/parallel.h"
#include "twofour/core/peak_flops.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/cli/command_line.h"
#include "twofour/train/cli/kernel_environment.h"
#include "twofour/train/cli/progress.h"
#include "twofour/train/cli/retrain.h"
#include "twofour/train/cli/startup_table.h"
#include "twofour/train/config/build.h"
#include "twofour/train/config/build_optimizer.h"
#include "twofour/train/config/build_sparsity.h"
#include "twofour/train/config/difference.h"
#include "twofour/train/config/initial_weights.h"
#include "twofour/train/config/overrides.h"
#include "twofour/train/config/text_config.h"
#include "twofour/train/config/validate.h"
#include "twofour/train/config/workload.h"
#include "twofour/train/export.h"
#include "twofour/train/run_files.h"
#include "twofour/train/run_folder.h"
#include "twofour/train/run_path.h"
#include "twofour/train/tensorboard/event_file.h"
#include "twofour/train/tensorboard/tensorboard_sink.h"
#include "twofour/train/trainer.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

proto::Config ApplyCommandLine(proto::Config config, const CommandLine& line) {
  for (const std::string& assignment : line.set) ApplyOverride(config, assignment);
  if (line.sparse) config.mutable_sparsity()->set_enabled(*line.sparse);
  if (line.threads) config.set_threads(*line.threads);
  if (line.seed) config.set_seed(*line.seed);
  return WithDefaults(config);
}

/// A config file given along with --resume must be the one that the run was made with.
void RequireSameConfig(const proto::Config& given, const proto::Config& stored, const fs::path& folder) {
  const std::optional<std::string> difference = FirstDifference(stored, given);
  if (!difference) return;
  throw Error(fmt::format("--resume {}: the run belongs to another config; first difference: {}", folder.string(),
                          *difference));
}

proto::Config ResolveConfig(const CommandLine& line, const std::optional<RunPath>& resume) {
  if (!resume) {
    return ApplyCommandLine(line.from.empty() ? LoadTextConfig(line.config) : RetrainConfig(line.from), line);
  }
  const proto::Config stored = LoadTextConfig(RunFiles{resume->folder}.config().string());
  if (!line.config.empty()) {
    RequireSameConfig(ApplyCommandLine(LoadTextConfig(line.config), line), ApplyCommandLine(stored, line),
                      resume->folder);
  }
  return ApplyCommandLine(stored, line);
}

/// A run whose data is another by now would go on with other windows, or with ids that mean something else.
void RequireSameData(const RunFiles& run, const Workload& workload) {
  const auto stored = [](const fs::path& path) {
    constexpr uint64_t kMaxBytes = 4 << 20;
    FileSystem& files = FileSystem::Default();
    return files.Exists(path) ? ReadText(files, path, kMaxBytes) : std::string();
  };
  const std::string vocabulary = stored(run.vocabulary());
  if (workload.vocabulary_json && !vocabulary.empty() && vocabulary != *workload.vocabulary_json) {
    throw Error(fmt::format("{}: the data's vocabulary is another by now, expected the one the run began with",
                            run.vocabulary().string()));
  }
  const std::string data = stored(run.data());
  if (data.empty() || DescribesSameTokens(data, workload.data_json)) return;
  throw Error(fmt::format("{}: the data has other numbers of tokens by now, expected those the run began with",
                          run.data().string()));
}

RunFolder::IfExists IfExists(const CommandLine& line) {
  return line.overwrite ? RunFolder::IfExists::kOverwrite : RunFolder::IfExists::kFail;
}

/// Everything of a run that is decided before its first step.
struct Run {
  proto::Config config;
  fs::path folder;
  Workload workload;
  std::unique_ptr<optim::Optimizer> optimizer;
  PeakFlops peak;  // Not measured where nothing is made of it.
};

Run Prepare(const CommandLine& line, const proto::Config& config, const std::optional<RunPath>& resume,
            std::ostream& out) {
  Run run{config, resume ? resume->folder : FolderPath(line.out), {}, nullptr, {}};
  if (run.folder.empty()) run.folder = fs::path("runs") / config.name();
  if (!resume) RunFolder::CheckFree(FileSystem::Default(), run.folder, IfExists(line));
  SetNumThreads(config.threads());
  CheckKernelEnvironment();
  run.workload = BuildWorkload(config);
  nn::Module& model = *run.workload.model;
  if (!config.initial_weights().empty() && !(resume && resume->checkpoint)) {
    LoadInitialWeights(config.initial_weights(), model);
  }
  run.optimizer = BuildOptimizer(config, model);
  if (run.workload.task->flops_per_unit() > 0) run.peak = MeasurePeakFlops();
  PrintStartupTable(config, run.folder.string(), run.workload, run.peak, out);
  if (config.sparsity().enabled()) {
    const nn::SwapReport report = SwapLayers(config, model);
    // A sample or a token is a row of every product.
    PrintSwapReport(report, BuildSwapOptions(config), model, run.workload.task->units_per_batch(), out);
  }
  return run;
}

int Train(Run& run, const CommandLine& line, const std::optional<RunPath>& resume, const CommandContext& context) {
  std::ostream& out = context.out;
  FileSystem& files = FileSystem::Default();
  const proto::Config& config = run.config;
  // Read, and found whole or not, before anything in the folder is touched.
  std::optional<CheckpointData> start;
  if (resume && resume->checkpoint) start = CheckpointStore::Load(files, *resume->checkpoint);

  CheckpointStore checkpoints(files, RunFiles{run.folder}.checkpoints(), config.checkpoint().keep());
  TeeSink sinks;
  Task& task = *run.workload.task;
  ProgressSink progress(out, context.terminal, config.training().steps(),
                        task.units_per_batch() * AccumulateSteps(config));
  TrainerOptions options = BuildTrainerOptions(config);
  options.peak_flops = run.peak.flops;
  options.peak_is_rough = !run.peak.sure;
  Trainer trainer(task, *run.optimizer, BuildLrSchedule(config.learning_rate(), config.training().steps()), options,
                  {.sink = &sinks, .checkpoints = &checkpoints, .stop = &context.stop.stop});
  if (resume && config.model().has_gpt()) RequireSameData({run.folder}, run.workload);
  if (start) trainer.Restore(*start, resume->checkpoint->string());

  if (line.dry_run) {
    if (resume) CheckMetrics(RunFiles{run.folder}.metrics());
    out << "dry run: everything checked, nothing written\n";
    return 0;
  }
  const RunFolder folder = resume ? RunFolder::Open(files, run.folder)
                                  : RunFolder::Create(files, run.folder, ToText(config), IfExists(line));
  const RunFiles& paths = folder.paths();
  if (resume) {
    out << (start ? fmt::format("resuming after step {} from {}\n", start->state.step, resume->checkpoint->string())
                  : std::string("resuming: no checkpoint yet, starting at the first step\n"));
    if (TruncateMetrics(paths.metrics(), trainer.state().step)) {
      out << fmt::format("{}: skipped the last line, which a kill has torn\n", paths.metrics().string());
    }
    checkpoints.PrepareToResume(trainer.state());
    // The final weights of a run that was shorter: they would be taken for those of the longer one.
    if (trainer.state().step < config.training().steps()) files.RemoveAll(paths.model());
    WriteTextAtomically(files, paths.config(), ToText(config));
  }
  WriteTextAtomically(files, paths.data(), run.workload.data_json);
  if (run.workload.vocabulary_json) WriteTextAtomically(files, paths.vocabulary(), *run.workload.vocabulary_json);
  JsonLinesSink metrics(paths.metrics());
  sinks.Add(&metrics);
  std::optional<TensorBoardSink> tensorboard;
  if (config.logging().tensorboard()) {
    tensorboard.emplace(NextEventFile(files, paths.event_files()), trainer.state().step + 1);
    sinks.Add(&*tensorboard);
  }
  sinks.Add(&progress);

  const double began = Clock::Default().Seconds();
  const bool finished = trainer.Run();
  progress.Finish();
  if (!finished) {
    out << fmt::format("stopped after step {}; go on with: trainer --resume {}\n", trainer.state().step,
                       run.folder.string());
    return 128 + context.stop.signal;
  }
  SaveSafetensors(files, paths.model(),
                  ExportModel(*run.workload.model, config.checkpoint().save_pruned() ? ExportWeights::kPruned
                                                                                     : ExportWeights::kDenseWithMasks),
                  {{"format", "pt"}});
  out << fmt::format("done in {}; model: {}\n", FormatDuration(Clock::Default().Seconds() - began),
                     paths.model().string());
  return 0;
}

}  // namespace

int RunTraining(int argc, const char* const* argv, const CommandContext& context) {
  const std::optional<CommandLine> line = ParseCommandLine(argc, argv, context.out);
  if (!line) return 0;
  std::optional<RunPath> resume;
  if (!line->resume.empty()) resume = FindRun("--resume", line->resume);
  const proto::Config config = ResolveConfig(*line, resume);
  ValidateConfig(config);
  if (line->print_config) {
    context.out << ToText(config);
    return 0;
  }
  Run run = Prepare(*line, config, resume, context.out);
  return Train(run, *line, resume, context);
}

}  // namespace twofour::train
