#pragma once

#include <cstdint>
#include <filesystem>

#include "twofour/train/clock.h"
#include "twofour/train/metrics.h"
#include "twofour/train/program/tensorboard/record_writer.h"

namespace twofour::train {

namespace proto {
class Event;
class Summary;
}  // namespace proto

/// Writes an event file for TensorBoard: scalars
///   train/loss, train/accuracy (or other details), train/lr, train/grad_norm, train/samples_per_s (or tokens_per_s);
///   train/mfu (or mfu_rough) and train/training_seconds if they are known
///   eval/loss, eval/accuracy (or other details), eval/training_seconds if they are known
///   sparsity/LAYER/retained_l1 and all other members of SparsityMetrics, activation/LAYER/density
/// and histograms weights/PARAMETER and gradients/PARAMETER. Scalars are in single precision, as the format requires.
/// Each record is handed to the operating system at once.
class TensorBoardSink : public MetricSink {
 public:
  /// Opens `path` (see NextEventFile) and writes that a run begins whose first record can be of `first_step`.
  /// TensorBoard then drops what earlier files of the folder hold for this step and later ones. It does so at every
  /// such beginning except the first one that it reads, so the file of a new run needs one, too. The constructor, and
  /// every later record, throws Error (a runtime failure) if the file cannot be written.
  TensorBoardSink(FileSystem& files, const std::filesystem::path& path, int64_t first_step,
                  const Clock& wall_clock = Clock::Wall());

  void OnTrain(const TrainMetrics& metrics) override;
  void OnEval(const EvalMetrics& metrics) override;
  void OnSparsity(const SparsityMetrics& metrics) override;
  void OnActivation(const ActivationMetrics& metrics) override;
  void OnTensor(const TensorMetrics& metrics) override;

 private:
  void WriteEvent(int64_t step, proto::Event event);
  void WriteSummary(int64_t step, proto::Summary summary);

  RecordWriter records_;
  const Clock& wall_clock_;
};

}  // namespace twofour::train
