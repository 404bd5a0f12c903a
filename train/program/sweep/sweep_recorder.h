#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "twofour/core/io/file_system.h"
#include "twofour/train/program/sweep/runner.h"
#include "twofour/train/program/sweep/sweep_record.h"

namespace twofour::train {

/// Keeps the record of a sweep up to date in its folder, and passes events on. If the record cannot be written, the
/// runs go on: this is reported once, and the next change tries again.
class SweepRecorder : public SweepObserver {
 public:
  /// Writes the record as it is at the beginning. `next` receives each event after it was recorded.
  SweepRecorder(FileSystem& files, std::filesystem::path folder, SweepRecord record, SweepObserver& next,
                std::function<void(const std::string& note)> warn);

  void OnStart(const PlannedRun& run, bool goes_on) override;
  void OnEnd(const PlannedRun& run, const RunEnd& end, const SweepProgress& progress) override;
  void OnStopping(size_t running) override { next_.OnStopping(running); }
  /// To be called after a signal stopped the sweep and nothing is under way any more. Records the signal as the reason
  /// why the remaining runs were not started.
  void OnStopped(int signal);

  const SweepRecord& record() const { return record_; }

 private:
  RecordedRun& Find(const PlannedRun& run) { return record_.runs[index_.at(run.folder)]; }
  void Write();

  FileSystem& files_;
  std::filesystem::path folder_;
  SweepRecord record_;
  SweepObserver& next_;
  std::function<void(const std::string&)> warn_;
  std::map<std::filesystem::path, size_t> index_;       // Indices of runs by folder.
  std::map<std::filesystem::path, uint64_t> log_from_;  // Where the log of the present start of a run begins.
  bool warned_ = false;
};

}  // namespace twofour::train
