#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/core/tensor.h"
#include "twofour/nn/calibration.h"
#include "twofour/nn/model.h"
#include "twofour/nn/swap.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/mask_format.h"
#include "twofour/train/data_record.h"
#include "twofour/train/program/config/workload.h"
#include "twofour/train/program/prune/calibration_samples.h"

#include "config.pb.h"

namespace twofour::train {

/// How a run is loaded to prune it.
struct PrunableRunRequest {
  std::string run;                             ///< A run with weights.
  std::optional<std::string> checkpoint = {};  ///< See LoadTrainedRun.
  std::optional<std::string> needs_data = {};  ///< For what, in a message where there is none: "to calibrate with".
  bool reads_data = true;                      ///< Whether the run's data is read where nothing needs it.
  bool accept_changed_data = false;            ///< See LoadRunData.
  std::optional<DType> activations = {};       ///< See GiveWeights.
  std::optional<int> threads = {};
};

/// A run's weights in its model, all linears of which are dense, and its data. What masks of the run drop is 0.
class PrunableRun {
 public:
  /// Throws Error if the run has no weights, lacks data that is needed, prunes activations, or is quantised.
  explicit PrunableRun(const PrunableRunRequest& request);

  const proto::Config& config() const { return config_; }
  const std::filesystem::path& folder() const { return folder_; }
  /// The file that the weights are from.
  const std::filesystem::path& weights() const { return weights_; }
  const std::optional<DataRecord>& record() const { return record_; }
  /// For the user, one line each.
  const std::vector<std::string>& notes() const { return notes_; }
  nn::Model& model() const { return model_ ? *model_ : *workload_->model; }
  /// Whether its data was read.
  bool has_data() const { return workload_.has_value(); }
  /// How many weights the masks of a run that is sparse already keep, by the names of its linears.
  const std::map<std::string, int64_t>& kept() const { return kept_; }
  /// These masks, and the formats that they are found by. None of a linear that runs dense.
  struct FoundMask {
    sparse::Mask mask;
    sparse::MaskFormat format;
  };
  const std::map<std::string, FoundMask>& masks() const { return masks_; }
  /// In a run that rounds operands, the mask by which the kept entries of a linear's weight are rounded alone, instead
  /// of the run's own; null: the run's own again, if there is one.
  void RoundUnder(const std::string& linear, const sparse::Mask* mask) const;

  /// Throws Error if a linear that the run has pruned is one of those that stay dense.
  void RequireEachStays(const std::vector<nn::SwapEntry>& kept_dense) const;

  // The others need data.

  /// As many batches of the training data as these samples (or sequences) fill. Throws Error, naming --samples, if they
  /// are more than the data. The run must outlive the result.
  nn::Calibration CalibrationOf(const CalibrationSamples& samples) const;
  /// The files that the data was read from.
  const std::vector<DataFile>& data_files() const { return workload_->data_record.files; }
  int64_t samples_per_batch() const { return config_.training().batch_size(); }
  /// The loss on the evaluation data. Nothing if it was stopped.
  std::optional<double> Loss(const std::atomic<bool>& stop) const;
  /// The loss, to the bit, of a run with this config of the same model and these final weights and masks. The model is
  /// that run's from then on.
  std::optional<double> LossOfRun(const proto::Config& config, const std::vector<NamedTensor>& tensors,
                                  const std::atomic<bool>& stop) const;

 private:
  void MakeDense(const std::string& run);
  void RoundAsMasked();

  proto::Config config_;
  std::filesystem::path folder_, weights_;
  std::optional<DataRecord> record_;
  std::unique_ptr<nn::Model> model_;  // Null where the workload has it.
  std::optional<Workload> workload_;
  std::optional<DType> activations_;
  std::map<std::string, int64_t> kept_;
  std::map<std::string, FoundMask> masks_;
  std::vector<std::string> notes_;
};

}  // namespace twofour::train
