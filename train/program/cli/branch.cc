#include "twofour/train/program/cli/branch.h"

#include <memory>

#include "twofour/core/io/text.h"
#include "twofour/train/metrics.h"

namespace twofour::train {

namespace fs = std::filesystem;

void CopyBeginning(FileSystem& files, const fs::path& source, const CheckpointData& start, const RunFiles& paths) {
  const RunFiles run{source};
  const TrainerState& state = start.state;
  if (files.Exists(run.metrics())) {
    WriteText(files, paths.metrics(), ReadMetricsUpTo(run.metrics(), state.step).text);
  }
  // Checkpoints are read and written anew, so that a damaged one is found now, and the runs share no file.
  constexpr int64_t kKeepBoth = 2;
  CheckpointStore copies(files, paths.checkpoints(), kKeepBoth);
  const fs::path best = CheckpointStore(files, run.checkpoints(), 1).PathOf(state.best_step);
  std::shared_ptr<FileLock> hold;
  if (state.best_step > 0 && state.best_step < state.step && CheckpointStore::Hold(files, best, hold) &&
      files.Exists(best / CheckpointStore::kStateFile)) {
    copies.Save(CheckpointStore::Load(files, best));
  }
  copies.Save(start);
}

}  // namespace twofour::train
