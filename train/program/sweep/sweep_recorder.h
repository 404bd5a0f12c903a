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

/// Keeps the record of a sweep up to date in its folder, and passes on what happens. That the record cannot be written
/// is no reason to end the runs: it is told of once, and tried again with the next change.
class SweepRecorder : public SweepObserver {
 public:
  /// Writes the record as it is at the beginning. `next` is told of everything after it was recorded.
  SweepRecorder(FileSystem& files, std::filesystem::path folder, SweepRecord record, SweepObserver& next,
                std::function<void(const std::string& note)> warn);

  void OnStart(const PlannedRun& run, bool goes_on) override;
  void OnEnd(const PlannedRun& run, const RunEnd& end, const SweepProgress& progress) override;
  void OnStopping(size_t running) override { next_.OnStopping(running); }
  /// Nothing is under way any more: what was not started yet will not be, by a signal.
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
  std::map<std::filesystem::path, size_t> index_;       // By the run's folder.
  std::map<std::filesystem::path, uint64_t> log_from_;  // Where in its log a run that is under way began.
  bool warned_ = false;
};

}  // namespace twofour::train
