#include "twofour/train/cli/app.h"

#include <fmt/format.h>
#include <google/protobuf/util/message_differencer.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <ostream>

#include "twofour/core/error.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/core/io/text.h"
#include "twofour/core/parallel.h"
#include "twofour/sparse/kernels/forced_kernel.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/classification.h"
#include "twofour/train/cli/command_line.h"
#include "twofour/train/cli/progress.h"
#include "twofour/train/cli/startup_table.h"
#include "twofour/train/config/build.h"
#include "twofour/train/config/overrides.h"
#include "twofour/train/config/text_config.h"
#include "twofour/train/config/validate.h"
#include "twofour/train/export.h"
#include "twofour/train/run_folder.h"
#include "twofour/train/trainer.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

/// The run folder and checkpoint that --resume names. No checkpoint: the run was stopped before its first.
struct ResumePoint {
  fs::path folder;
  std::optional<fs::path> checkpoint;
};

/// "runs/a/" as "runs/a": tab completion adds the slash.
fs::path FolderPath(const std::string& argument) {
  const fs::path path = fs::path(argument).lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

ResumePoint FindResumePoint(const std::string& argument) {
  FileSystem& files = FileSystem::Default();
  const fs::path path = FolderPath(argument);
  if (files.Exists(path / "trainer.json")) {
    // DIR/checkpoints/step-N, through the links "best" and "last" and from within the run's folder as well.
    const fs::path checkpoint = fs::canonical(path);
    return {checkpoint.parent_path().parent_path(), checkpoint};
  }
  if (!files.Exists(path / "config.pbtxt")) {
    throw Error(fmt::format("--resume {}: neither a run's folder (no config.pbtxt) nor a checkpoint (no trainer.json)",
                            argument));
  }
  return {path, CheckpointStore(files, path / "checkpoints", 1).Newest()};
}

proto::Config ApplyCommandLine(proto::Config config, const CommandLine& line) {
  for (const std::string& assignment : line.set) ApplyOverride(config, assignment);
  if (line.sparse) config.mutable_sparsity()->set_enabled(*line.sparse);
  if (line.threads) config.set_threads(*line.threads);
  if (line.seed) config.set_seed(*line.seed);
  return WithDefaults(config);
}

/// A config file given along with --resume must be the one that the run was made with.
void RequireSameConfig(proto::Config given, proto::Config stored, const fs::path& folder) {
  given.clear_threads();
  stored.clear_threads();
  std::string difference;
  google::protobuf::util::MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&difference);
  if (differencer.Compare(stored, given)) return;
  throw Error(fmt::format("--resume {}: the run belongs to another config; first difference: {}", folder.string(),
                          difference.substr(0, difference.find('\n'))));
}

proto::Config ResolveConfig(const CommandLine& line, const std::optional<ResumePoint>& resume) {
  if (!resume) return ApplyCommandLine(LoadTextConfig(line.config), line);
  const proto::Config stored = LoadTextConfig((resume->folder / "config.pbtxt").string());
  if (!line.config.empty()) {
    RequireSameConfig(ApplyCommandLine(LoadTextConfig(line.config), line), ApplyCommandLine(stored, line),
                      resume->folder);
  }
  return ApplyCommandLine(stored, line);
}

void CheckBatchSize(const proto::Config& config, const DataSplit& data) {
  if (config.training().batch_size() <= data.train->size()) return;
  throw Error(fmt::format("config: training.batch_size: {}, expected at most the {} samples to train on",
                          config.training().batch_size(), data.train->size()));
}

nn::SwapReport SwapLayers(const proto::Config& config, nn::Module& model) {
  const nn::SwapReport report = nn::SwapLinearWithSemiSparseLinear(model, BuildSwapOptions(config.sparsity()));
  if (!report.converted.empty()) return report;
  std::string message = "sparsity: no layer is eligible";
  for (const nn::SwapEntry& entry : report.kept_dense) {
    message += fmt::format("\n  {} [{}, {}]: {}", entry.name, entry.out_features, entry.in_features, entry.reason);
  }
  throw Error(message);
}

RunFolder::IfExists IfExists(const CommandLine& line) {
  return line.overwrite ? RunFolder::IfExists::kOverwrite : RunFolder::IfExists::kFail;
}

/// Everything of a run that is decided before its first step.
struct Run {
  proto::Config config;
  fs::path folder;
  DataSplit data;
  std::unique_ptr<nn::Module> model;
  std::unique_ptr<optim::Optimizer> optimizer;
};

Run Prepare(const CommandLine& line, const proto::Config& config, const std::optional<ResumePoint>& resume,
            std::ostream& out) {
  Run run{config, resume ? resume->folder : FolderPath(line.out), {}, nullptr, nullptr};
  if (run.folder.empty()) run.folder = fs::path("runs") / config.name();
  if (!resume) RunFolder::CheckFree(FileSystem::Default(), run.folder, IfExists(line));
  SetNumThreads(config.threads());
  sparse::ForcedKernels();  // A misspelt TWOFOUR_KERNEL or TWOFOUR_MAX_ISA is found out here.
  ApplyInstructionSetLimit();
  run.data = BuildData(config.data());
  CheckBatchSize(config, run.data);
  run.model = BuildModel(config.model(), *run.data.train, config.seed());
  run.optimizer = BuildOptimizer(config, *run.model);
  PrintStartupTable(config, run.folder.string(), *run.model, run.data, out);
  if (config.sparsity().enabled()) {
    const nn::SwapReport report = SwapLayers(config, *run.model);
    PrintSwapReport(report, BuildSwapOptions(config.sparsity()).target, *run.model, config.training().batch_size(),
                    out);
  }
  return run;
}

int Train(Run& run, const CommandLine& line, const std::optional<ResumePoint>& resume, std::ostream& out, bool terminal,
          const StopRequest& stop) {
  FileSystem& files = FileSystem::Default();
  const proto::Config& config = run.config;
  // Read, and found whole or not, before anything in the folder is touched.
  std::optional<CheckpointData> start;
  if (resume && resume->checkpoint) start = CheckpointStore::Load(files, *resume->checkpoint);

  CheckpointStore checkpoints(files, run.folder / "checkpoints", config.checkpoint().keep());
  TeeSink sinks;
  ProgressSink progress(out, terminal, config.training().steps(),
                        config.training().batch_size() * config.training().accumulate_steps());
  ClassificationTask task(*run.model, *run.data.train, *run.data.eval, BuildClassificationOptions(config));
  Trainer trainer(task, *run.optimizer, BuildLrSchedule(config.learning_rate(), config.training().steps()),
                  BuildTrainerOptions(config), {.sink = &sinks, .checkpoints = &checkpoints, .stop = &stop.stop});
  if (start) trainer.Restore(*start, resume->checkpoint->string());

  if (line.dry_run) {
    out << "dry run: everything checked, nothing written\n";
    return 0;
  }
  const RunFolder folder = resume ? RunFolder::Open(files, run.folder)
                                  : RunFolder::Create(files, run.folder, ToText(config), IfExists(line));
  if (resume) {
    out << (start ? fmt::format("resuming after step {} from {}\n", start->state.step, resume->checkpoint->string())
                  : std::string("resuming: no checkpoint yet, starting at the first step\n"));
    TruncateMetrics(folder.metrics(), trainer.state().step);
    checkpoints.PrepareToResume(trainer.state());
    WriteTextAtomically(files, folder.config(), ToText(config));
  }
  WriteTextAtomically(files, folder.data(), DescribeDataAsJson(run.data));
  JsonLinesSink metrics(folder.metrics());
  sinks.Add(&metrics);
  sinks.Add(&progress);

  const double began = Clock::Default().Seconds();
  const bool finished = trainer.Run();
  progress.Finish();
  if (!finished) {
    out << fmt::format("stopped after step {}; go on with: trainer --resume {}\n", trainer.state().step,
                       run.folder.string());
    return 128 + stop.signal;
  }
  SaveSafetensors(files, folder.model(),
                  ExportModel(*run.model, config.checkpoint().save_pruned() ? ExportWeights::kPruned
                                                                            : ExportWeights::kDenseWithMasks),
                  {{"format", "pt"}});
  out << fmt::format("done in {}; model: {}\n", FormatDuration(Clock::Default().Seconds() - began),
                     folder.model().string());
  return 0;
}

int RunChecked(int argc, const char* const* argv, std::ostream& out, bool terminal, const StopRequest& stop) {
  const std::optional<CommandLine> line = ParseCommandLine(argc, argv, out);
  if (!line) return 0;
  std::optional<ResumePoint> resume;
  if (!line->resume.empty()) resume = FindResumePoint(line->resume);
  const proto::Config config = ResolveConfig(*line, resume);
  ValidateConfig(config);
  if (line->print_config) {
    out << ToText(config);
    return 0;
  }
  Run run = Prepare(*line, config, resume, out);
  return Train(run, *line, resume, out, terminal, stop);
}

}  // namespace

int RunTrainer(int argc, const char* const* argv, std::ostream& out, std::ostream& err, bool terminal,
               const StopRequest& stop) {
  try {
    return RunChecked(argc, argv, out, terminal, stop);
  } catch (const Error& error) {
    err << "trainer: " << error.what() << std::endl;
    return error.kind() == ErrorKind::kInvalidInput ? 2 : 1;
  } catch (const std::exception& error) {
    err << "trainer: " << error.what() << std::endl;
    return 1;
  }
}

}  // namespace twofour::train
