#include "twofour/train/program/cli/result_output.h"

#include <fmt/format.h>

#include <system_error>

#include "twofour/core/error.h"
#include "twofour/train/program/cli/output.h"

namespace twofour::train {

namespace fs = std::filesystem;

ResultOutput::ResultOutput(FileSystem& files, const std::string& path, std::ostream& out) : files_(files), out_(out) {
  if (path == "-") return;
  std::error_code ignored;
  // A device or a pipe would be replaced by a file.
  if (!fs::path(path).has_filename() || (fs::exists(path, ignored) && !fs::is_regular_file(path, ignored))) {
    throw Error(
        fmt::format("--output {}: no regular file, expected one, a free name, or - for the standard output", path));
  }
  // A link stays one, also where its file does not exist yet.
  const fs::path target =
      fs::is_symlink(path, ignored) ? fs::path(path).parent_path() / fs::read_symlink(path, ignored) : fs::path(path);
  const fs::path resolved = fs::weakly_canonical(target, ignored);
  path_ = ignored ? fs::path(path) : resolved;
  temporary_ = TemporaryPathFor(path_);
  files_.RemoveAll(temporary_);
  file_ = files_.OpenForAppending(temporary_);
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
