#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "twofour/train/metrics.h"
#include "twofour/train/program/cli/command.h"
#include "twofour/train/program/cli/progress.h"
#include "twofour/train/program/cli/run_preparation.h"
#include "twofour/train/program/tensorboard/tensorboard_sink.h"
#include "twofour/train/run_folder.h"
#include "twofour/train/trainer.h"

namespace twofour::train {

/// The folder of a run that goes on in place; nothing for other runs, and where nothing will be written.
using MaybeResumed = std::optional<ResumedFolder>;

/// Takes the folder of a resumed run, or makes the folder of a new one. If the new run replaces another, its folder
/// waits for RunFolder::TakePlace.
RunFolder MakeRunFolder(const Run& run, MaybeResumed& resumed, std::ostream& err);

/// What a resumed run does from here on in another way than before; nothing for a new run.
std::vector<std::string> ChangesOf(const Run& run);
void PrintChanges(const Run& run, std::ostream& out);

/// Everything that a run writes: its folder, checkpoints, records and lines. Of several ranks, only the first one has
/// it.
class RunOutput {
 public:
  /// Everything must outlive this object. Writes nothing yet.
  RunOutput(const Run& run, MaybeResumed& resumed, const CommandContext& context);

  /// Makes a trainer write here.
  void Serve(TrainerServices& services);
  /// Makes the folder, and prints where the run begins. `restored`: the state of the checkpoint that the run goes on
  /// from.
  void Begin(const TrainerState& restored);
  /// Whether the run has replaced the folder's earlier run, or changed its own folder.
  bool HasWritten() const;
  /// Ends the line of progress that is being rewritten.
  void FinishProgress() { progress_.Finish(); }

  const RunFolder& folder() const { return *folder_; }
  CheckpointStore& checkpoints() { return checkpoints_; }
  MetricSink& sink() { return sinks_; }

 private:
  bool WritesLate() const { return run_.in_place() || run_.line.overwrite; }
  void BeforeWriting();
  void OpenSinks();

  const Run& run_;
  MaybeResumed& resumed_;
  const CommandContext& context_;
  CheckpointStore checkpoints_;
  TeeSink sinks_;
  ProgressSink progress_;
  std::optional<JsonLinesSink> metrics_;
  std::optional<TensorBoardSink> tensorboard_;
  std::optional<RunFolder> folder_;
  TrainerState restored_;
  bool writes_ = false;
};

}  // namespace twofour::train
