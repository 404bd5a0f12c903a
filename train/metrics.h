#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/core/tensor.h"

namespace twofour::train {

/// Results of a task beside its loss, by name: "accuracy"; "perplexity" and "bits_per_byte".
using MetricDetails = std::vector<std::pair<std::string, double>>;

/// What is recorded after a training step. `step` counts finished optimizer steps, from 1.
struct TrainMetrics {
  int64_t step = 0;
  double loss = 0;  ///< Mean over the batches of this step.
  double lr = 0;
  double grad_norm = 0;               ///< The norm of all gradients together, before clipping.
  std::string_view unit = "samples";  ///< What a batch consists of.
  double units_per_s = 0;             ///< Over the training time since the last such record.
  /// Model FLOP utilisation: what training the dense model at this rate takes, as a share of the processor's peak
  /// (Chowdhery et al., "PaLM", 2022). 0: not known.
  double mfu = 0;
  bool mfu_is_rough = false;  ///< The processor's peak is not known well. Recorded as "mfu_rough" in place of "mfu".
  std::optional<double> training_seconds = {};  ///< TrainerState::training_seconds after this step.
  MetricDetails details = {};                   ///< Of the batches of this step.
};

struct EvalMetrics {
  int64_t step = 0;
  double loss = 0;  ///< Mean over the evaluation data.
  MetricDetails details = {};
  std::optional<double> training_seconds = {};  ///< TrainerState::training_seconds after this step.
  int64_t count = 0;  ///< Samples or tokens that it was measured on; 0: not known. Sinks do not record it.
};

/// The state of one SemiSparseLinear after a step.
struct SparsityMetrics {
  int64_t step = 0;
  std::string layer;
  double retained_l1 = 0;            ///< Share of |weight| that the mask keeps.
  double flip_rate = 0;              ///< Share of mask entries that the last refresh changed.
  double activation_density = 0;     ///< Share of non-zeros in the layer's input in this step.
  double sparsity = 0;               ///< Share of the weight's entries that are masked.
  int64_t tiles_keeping_seven = 0;   ///< Tiles where greedy could not keep an eighth entry.
  int64_t dead_rows = 0;             ///< Outputs whose kept weights are all 0.
  int64_t dead_columns = 0;          ///< Inputs whose kept weights are all 0.
  double masked_gradient_share = 0;  ///< Share of the sum of |gradient| that falls on masked weights in this step.
  /// Share of a V:N:M mask's blocks of which the last refresh changed the columns.
  std::optional<double> column_flip_rate = {};
};

/// The hidden activations of one nn::Mlp, dense or sparse, in a step.
struct ActivationMetrics {
  int64_t step = 0;
  std::string layer;
  double density = 0;  ///< Share of the activations that are not zero.
};

/// A parameter or its gradient after a step.
struct TensorMetrics {
  enum class Kind { kWeight, kGradient };
  int64_t step = 0;
  Kind kind = Kind::kWeight;
  std::string name;  ///< Name of the parameter.
  Tensor values;
};

/// What is recorded at the end of a run.
struct FinalMetrics {
  int64_t step = 0;        ///< The last step.
  int64_t model_step = 0;  ///< The step whose weights model.safetensors holds.
  int64_t best_step = 0;   ///< The step of the evaluation with the lowest loss.
  double best_loss = 0;    ///< The loss of that evaluation.
  bool stopped_early = false;
  int64_t compared_from = 0;  ///< The best is one of the evaluations from this step on.
  /// The share of the masked weights, of all layers together, that masks drop. Nothing in a dense run.
  std::optional<double> sparsity = {};
};

/// Something that records what happens during training.
class MetricSink {
 public:
  virtual ~MetricSink() = default;
  virtual void OnTrain(const TrainMetrics& metrics) = 0;
  virtual void OnEval(const EvalMetrics& metrics) = 0;
  virtual void OnSparsity(const SparsityMetrics& metrics) = 0;
  virtual void OnActivation(const ActivationMetrics& metrics) = 0;
  /// Called once, after the last step.
  virtual void OnFinal(const FinalMetrics& /*metrics*/) {}
  /// Called every TrainerOptions::histogram_every_steps steps. Does nothing by default: most sinks cannot use whole
  /// tensors.
  virtual void OnTensor(const TensorMetrics& /*metrics*/) {}
};

/// Passes everything on to several sinks, in order.
class TeeSink : public MetricSink {
 public:
  /// `sink` is not owned. Throws Error if it is null.
  void Add(MetricSink* sink);
  void OnTrain(const TrainMetrics& metrics) override;
  void OnEval(const EvalMetrics& metrics) override;
  void OnSparsity(const SparsityMetrics& metrics) override;
  void OnActivation(const ActivationMetrics& metrics) override;
  void OnFinal(const FinalMetrics& metrics) override;
  void OnTensor(const TensorMetrics& metrics) override;

 private:
  std::vector<MetricSink*> sinks_;
};

/// Appends one JSON object per line to a file. Each line is written at once, and whole or not at all (AppendFile):
///   {"step":..,"split":"train","loss":..,"accuracy":..,"lr":..,"grad_norm":..,"samples_per_s":..,
///    "training_seconds":..}   (or tokens_per_s, mfu or mfu_rough, and no accuracy)
///   {"step":..,"split":"eval","loss":..,"accuracy":..,"training_seconds":..}   (or other details)
///   {"step":..,"split":"sparsity","layer":"..","retained_l1":..,"flip_rate":..,"activation_density":..,
///    "sparsity":..,"tiles_keeping_seven":..,"dead_rows":..,"dead_columns":..,"masked_gradient_share":..}
///   (V:N:M: and column_flip_rate)
///   {"step":..,"split":"activation","layer":"..","density":..}
///   {"step":..,"split":"resumed","changes":["training.precision: FP32 -> BF16"]}   (only if there are any)
///   {"step":..,"split":"final","model_step":..,"best_step":..,"best_loss":..,"stopped_early":..,
///    "compared_from":..,"sparsity":..}
///   (sparsity: only of runs with masks)
/// Where training_seconds are not known, they are left out.
class JsonLinesSink : public MetricSink {
 public:
  /// Opens the file for appending. Throws Error (a runtime failure) when that fails. Failed writes throw the same.
  JsonLinesSink(FileSystem& files, const std::filesystem::path& path);
  void OnTrain(const TrainMetrics& metrics) override;
  void OnEval(const EvalMetrics& metrics) override;
  void OnSparsity(const SparsityMetrics& metrics) override;
  void OnActivation(const ActivationMetrics& metrics) override;
  void OnFinal(const FinalMetrics& metrics) override;
  /// The run goes on after `step` with another config than before.
  void OnResumed(int64_t step, const std::vector<std::string>& changes);

 private:
  std::unique_ptr<AppendFile> file_;
};

/// The lines of a metrics file up to a step.
struct MetricsUpTo {
  std::string text = {};
  int64_t later = 0;  ///< Number of records that count as later.
  bool torn = false;  ///< The last line is incomplete: its writer was killed, or is still writing it.
};

/// Reads the lines up to `step`; none where there is no file. The record of the run's end always counts as later. With
/// `evaluation_pending` so does the record of the evaluation at `step`. Throws Error naming the line when a complete
/// line is damaged.
MetricsUpTo ReadMetricsUpTo(const std::filesystem::path& path, int64_t step, bool evaluation_pending = false);

/// Drops from a metrics file, atomically, what a run that is resumed at `step` writes again: the records that count as
/// later (see ReadMetricsUpTo) and an incomplete last line. A missing file is fine. Returns whether the last line was
/// incomplete. Throws Error as ReadMetricsUpTo does.
bool TruncateMetrics(const std::filesystem::path& path, int64_t step, bool evaluation_pending = false);

}  // namespace twofour::train
