#include "twofour/train/program/cli/branch.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <system_error>

#include "twofour/core/error.h"
#include "twofour/core/io/text.h"
#include "twofour/train/metrics.h"

namespace twofour::train {
namespace {

namespace fs = std::filesystem;

/// Whether `path` is `folder` or lies in it. Both must be free of links.
bool LiesIn(const fs::path& path, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

fs::path WithoutLinks(const fs::path& path) {
  std::error_code ignored;
  return fs::weakly_canonical(fs::absolute(path), ignored);
}

}  // namespace

void RequireOutside(const fs::path& folder, const std::vector<std::string>& needed) {
  for (const std::string& path : needed) {
    if (!LiesIn(WithoutLinks(path), WithoutLinks(folder))) continue;
    throw Error(
        fmt::format("{}: lies in {}, which the new run would take the place of; expected another folder, with "
                    "--out",
                    path, folder.string()));
  }
}

void RequireApart(const fs::path& folder, const fs::path& source) {
  const fs::path ours = WithoutLinks(folder), theirs = WithoutLinks(source);
  if (!LiesIn(ours, theirs) && !LiesIn(theirs, ours)) return;
  throw Error(fmt::format("--out {}: {} the folder of the run that --resume names; expected a folder apart from it",
                          folder.string(),
                          ours == theirs         ? "is"
                          : LiesIn(ours, theirs) ? "lies in"
                                                 : "holds"));
}

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
