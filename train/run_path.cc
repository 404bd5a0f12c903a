#include "twofour/train/run_path.h"

#include <fmt/format.h>

#include <cstdlib>
#include <system_error>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/run_files.h"

namespace twofour::train {

namespace fs = std::filesystem;

namespace {

/// The absolute path; its links are kept. The shell's $PWD also keeps the links through which its user went to the
/// working folder.
fs::path FromRoot(const fs::path& path) {
  std::error_code ignored;
  const char* const shells = std::getenv("PWD");
  const bool known = shells != nullptr && fs::path(shells).is_absolute() && fs::equivalent(shells, ".", ignored);
  return ((known ? fs::path(shells) : fs::current_path(ignored)) / path / "").lexically_normal().parent_path();
}

/// FindRun without the hold.
RunPath FindUnheldRun(FileSystem& files, const std::string& option, const std::string& argument) {
  fs::path path = FolderPath(argument);
  path = CheckpointStore::FollowNamingFile(files, path).value_or(path);
  if (files.Exists(path / CheckpointStore::kStateFile)) {
    // DIR/checkpoints/step-N; the links "best" and "last" and paths from within the run's folder work, too.
    const std::optional<fs::path> folder = RunOfCheckpoint(files, path);
    if (!folder) {
      throw Error(
          fmt::format("{} {}: a checkpoint that lies in no run's folder, expected DIR/checkpoints/step-N beside "
                      "DIR/config.pbtxt",
                      option, argument));
    }
    std::error_code gone, ignored;
    const fs::path checkpoint = fs::canonical(path, gone);
    if (gone) return {*folder, path, true};
    const fs::path in_folder = RunFiles{*folder}.checkpoints() / checkpoint.filename();
    return {*folder, fs::equivalent(in_folder, checkpoint, ignored) ? in_folder : checkpoint, true};
  }
  if (!files.Exists(RunFiles{path}.config())) {
    throw Error(fmt::format("{} {}: neither a run's folder (no config.pbtxt) nor a checkpoint (no trainer.json)",
                            option, argument));
  }
  return {path, CheckpointStore(files, RunFiles{path}.checkpoints(), 1).Newest()};
}

}  // namespace

fs::path FolderPath(const std::string& argument) {
  const fs::path path = fs::path(argument).lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

std::optional<fs::path> RunOfCheckpoint(FileSystem& files, const fs::path& checkpoint) {
  std::error_code ignored;
  fs::path given = FromRoot(checkpoint);
  if (!fs::equivalent(given, checkpoint, ignored)) given = fs::absolute(checkpoint, ignored);  // E.g. "link/..".
  const fs::path resolved = fs::weakly_canonical(given, ignored);
  // checkpoints/ may be a link to another disk, so the run's folder is taken from the path as given. The exception is a
  // checkpoint that is itself a link to one of another run.
  const fs::path folder = given.parent_path();
  if (folder.filename() == RunFiles{}.checkpoints().filename() &&
      fs::weakly_canonical(folder, ignored) == resolved.parent_path() &&
      files.Exists(RunFiles{folder.parent_path()}.config())) {
    return fs::canonical(folder.parent_path(), ignored);
  }
  const fs::path other = resolved.parent_path().parent_path();
  return files.Exists(RunFiles{other}.config()) ? std::optional(other) : std::nullopt;
}

void RequireInNoRun(FileSystem& files, const fs::path& folder) {
  std::error_code ignored;
  const fs::path given = FromRoot(folder), resolved = fs::weakly_canonical(fs::absolute(folder, ignored), ignored);
  std::vector<fs::path> ways = {resolved};
  // checkpoints/ may be a link to another disk. "link/.." is another place than the path without both.
  if (fs::weakly_canonical(given, ignored) == resolved) ways.push_back(given);
  for (const fs::path& way : ways) {
    for (fs::path around = way.parent_path(); around.has_filename(); around = around.parent_path()) {
      if (!RunFiles{around}.IsRun(files)) continue;
      throw Error(fmt::format("{}: lies in {}, the folder of a run, expected a folder outside of runs, with --out",
                              folder.string(), around.string()));
    }
  }
}

RunPath FindRun(const std::string& option, const std::string& argument) {
  FileSystem& files = FileSystem::Default();
  constexpr int kMaxTries = 100;
  for (int tries = 0; tries < kMaxTries; ++tries) {
    RunPath run = FindUnheldRun(files, option, argument);
    // If the run's trainer has removed the checkpoint since it was found, there is a newer one.
    if (!run.checkpoint || CheckpointStore::Hold(files, *run.checkpoint, run.hold)) return run;
  }
  throw Error(fmt::format("{} {}: its checkpoints are removed before they can be read", option, argument),
              ErrorKind::kRuntimeFailure);
}

}  // namespace twofour::train
