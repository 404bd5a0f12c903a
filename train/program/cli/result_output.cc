#include "twofour/train/program/cli/result_output.h"

#include <system_error>

#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/cli/output_path.h"

namespace twofour::train {

namespace fs = std::filesystem;

ResultOutput::ResultOutput(FileSystem& files, const std::string& path, const std::vector<std::string>& needed,
                           std::ostream& out)
    : files_(files), out_(out) {
  if (path == "-") return;
  std::error_code ignored;
  path_ = OutputFile(path, needed);
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
