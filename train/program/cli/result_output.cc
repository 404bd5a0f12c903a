#include "twofour/train/program/cli/result_output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <system_error>

#include "twofour/core/error.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/run_files.h"

namespace twofour::train {

namespace fs = std::filesystem;

namespace {

/// Where the file will be: links are followed, also one whose file does not exist yet.
fs::path Target(const std::string& path) {
  std::error_code ignored;
  const fs::path target =
      fs::is_symlink(path, ignored) ? fs::path(path).parent_path() / fs::read_symlink(path, ignored) : fs::path(path);
  std::error_code failed;
  const fs::path resolved = fs::weakly_canonical(target, failed);
  return failed ? target : resolved;
}

/// Throws Error if the path is one of a run's own files, such as its weights.
void RequireNoFileOfARun(const std::string& argument, const fs::path& path) {
  std::error_code ignored;
  fs::path below = path.filename();
  for (fs::path folder = path.parent_path(); folder.has_filename(); folder = folder.parent_path()) {
    const RunFiles run{folder};
    if (fs::exists(run.config(), ignored) && (fs::exists(run.data(), ignored) || fs::exists(run.metrics(), ignored)) &&
        RunFiles::IsOwn(below.string())) {
      throw Error(
          fmt::format("--output {}: is a file of the run in {}, which would be lost", argument, folder.string()));
    }
    below = folder.filename();
  }
}

}  // namespace

ResultOutput::ResultOutput(FileSystem& files, const std::string& path, const std::vector<std::string>& needed,
                           std::ostream& out)
    : files_(files), out_(out) {
  if (path == "-") return;
  std::error_code ignored;
  path_ = Target(path);
  // A device or a pipe would be replaced by a file.
  const bool is_other = fs::exists(path, ignored) && !fs::is_regular_file(path, ignored);
  if (!path_.has_filename() || is_other || fs::is_symlink(path_, ignored)) {
    throw Error(
        fmt::format("--output {}: no regular file, expected one, a free name, or - for the standard output", path));
  }
  for (const std::string& file : needed) {
    if (!fs::equivalent(file, path_, ignored)) continue;
    throw Error(fmt::format("--output {}: is {}, which is needed and would be lost", path, file));
  }
  if (fs::exists(path_, ignored) && access(path_.c_str(), W_OK) != 0) {
    throw Error(fmt::format("--output {}: may not be written to", path));
  }
  RequireNoFileOfARun(path, path_);
  const fs::path folder = path_.parent_path();
  if (!folder.empty() && !fs::is_directory(folder, ignored)) {
    throw Error(fmt::format("--output {}: there is no folder {}", path, folder.string()));
  }
  temporary_ = TemporaryPathFor(path_);
  files_.RemoveAll(temporary_);
  file_ = files_.OpenForAppending(temporary_);
  const fs::file_status before = fs::status(path_, ignored);
  if (fs::is_regular_file(before)) fs::permissions(temporary_, before.permissions(), ignored);
}

ResultOutput::~ResultOutput() {
  if (file_ == nullptr) return;
  file_ = nullptr;
  RemoveAfterFailure(files_, temporary_);
}

void ResultOutput::Write(std::string_view rows) {
  if (file_ != nullptr) {
    file_->Append(rows);
    return;
  }
  out_ << rows;
  RequireWritten(out_);
}

void ResultOutput::Finish() {
  if (file_ == nullptr) return;
  file_->Sync();
  files_.Rename(temporary_, path_);
  file_ = nullptr;
}

}  // namespace twofour::train
