#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/nn/swap.h"
#include "twofour/sparse/low_bit_parts.h"
#include "twofour/train/run_folder.h"

#include "config.pb.h"

namespace twofour::train {

/// What `trainer quantize` is asked for: weights of few bits.
struct QuantizeRequest {
  std::string run;                             ///< A run with weights.
  std::optional<std::string> checkpoint = {};  ///< See LoadTrainedRun.
  std::string out;                             ///< The new run's folder.
  sparse::LowBitKind weights = sparse::LowBitKind::kInt8;
  bool round_inputs = true;           ///< Whether inputs are rounded to 8 bits, too: only with int8.
  bool calibrate = false;             ///< One range for all inputs of a linear. False: one for each token.
  std::optional<double> smooth = {};  ///< SmoothQuant's alpha, 0 to 1.
  /// Linears whose whole name matches, by default those that LinearsByDefault gives, but for those that match
  /// `exclude`.
  std::optional<std::string> include = {};
  std::string exclude = {};
  /// Samples or sequences of the training data to calibrate with, and to find output errors with; rounded up to whole
  /// batches of training.
  int64_t samples = 128;
  bool or_all_samples = false;       ///< See CalibrationSamples::or_all.
  uint32_t seed = 0;                 ///< Of their choice.
  bool output_errors = true;         ///< Whether they are found, if the run has data.
  bool evaluate = true;              ///< Whether losses before and after are found, if the run has data.
  bool accept_changed_data = false;  ///< See LoadRunData.
  std::optional<int> threads = {};
  std::optional<DType> activations = {};  ///< What calibration and losses are computed in; by default as in training.
  RunFolder::IfExists if_exists = RunFolder::IfExists::kFail;
};

/// Whether samples of the run's data are needed.
bool NeedsSamples(const QuantizeRequest& request);
/// Whether samples of the run's data are wanted.
bool TakesSamples(const QuantizeRequest& request);

/// The linears inside blocks of a language model, and those of MLPs and stacks of other models.
std::string LinearsByDefault(const proto::Config& config);

/// A linear whose weight became one of few bits.
struct QuantizedLinearReport {
  std::string name;
  int64_t out_features = 0, in_features = 0;
  std::string pattern;        ///< "dense", "2:4 both ways"
  std::string form;           ///< How the file holds it: "dense", "packed", "packed-vnm".
  uint64_t bytes_before = 0;  ///< Of the f32 weight.
  uint64_t bytes_after = 0;   ///< In the file.
  /// Whether a norm took over a part of its inputs' ranges.
  bool smoothed = false;
  /// ||y_q - y|| / ||y|| over the samples, where y = x W^T for inputs x that the model has before anything is rounded.
  std::optional<double> output_error = {};
};

/// A run that was made.
struct QuantizedRun {
  std::vector<std::string> notes = {};  ///< For the user.
  std::vector<QuantizedLinearReport> linears = {};
  std::vector<nn::SwapEntry> kept = {};  ///< Linears that stay as they were.
  std::string weights = {};              ///< The file that was quantised.
  proto::Quantization record = {};
  std::optional<double> loss_before = {};  ///< On the evaluation data, ...
  std::optional<double> loss_after = {};   ///< ... the same that the new run is evaluated with.
};

/// Makes a run with the weights of another one after rounding them to few bits, a config that says so, what is known of
/// its data, and quantization.json. Throws Error on options that do not go together, if data is needed and there is
/// none, if no linear is chosen, one has too many columns for int8 or a pattern that others have no form for, if the
/// run is quantised already, and if a file that is needed lies in `out`, or `out` in the run. Nothing appears at `out`
/// then, and neither if `stop` becomes true; then it returns nothing.
std::optional<QuantizedRun> QuantizeRun(const QuantizeRequest& request, const std::atomic<bool>& stop);

}  // namespace twofour::train
