#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/faults.h"
#include "twofour/core/random.h"
#include "twofour/nn/calibration.h"
#include "twofour/nn/module.h"
#include "twofour/nn/prunable_linears.h"
#include "twofour/nn/swap.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/pruning_pattern.h"
#include "twofour/sparse/scores/mask_score.h"
#include "twofour/sparse/vnm_column_choice.h"

namespace twofour::nn {

/// How weights are pruned once, after training.
enum class PruningMethod {
  kMask,       ///< Drops those with the smallest scores. The others stay as they are.
  kSparseGpt,  ///< sparse::SparseGpt.
  kAlps,       ///< sparse::Alps.
  kDsnot,      ///< sparse::Dsnot, from a mask by the scores.
};

/// "mask", "sparsegpt", "alps", "dsnot".
std::string_view NameOf(PruningMethod method);

/// In which order linears are pruned.
enum class PruningOrder {
  kOnePass,       ///< All by the inputs that they have in the dense model.
  kLayerByLayer,  ///< In the order of the forward pass, each by the inputs that the pruned ones before it give. Takes
                  ///< about half a pass over the calibration data for each linear.
};

/// "one-pass", "layer-by-layer".
std::string_view NameOf(PruningOrder order);

struct OneShotOptions {
  std::string include = ".*", exclude = {};  ///< As in SwapOptions.
  int64_t multiple_of = 1;                   ///< Linears stay dense unless both sizes are multiples of this.
  PruningMethod method = PruningMethod::kMask;
  sparse::MaskScore score = sparse::MaskScore::kMagnitude;  ///< Only for kMask and kDsnot.
  sparse::PruningPattern pattern = {};
  std::map<std::string, sparse::PruningPattern> patterns = {};  ///< For linears of these names, instead.
  PruningOrder order = PruningOrder::kOnePass;
  /// Whether PrunedLinear::output_error is wanted, which needs a Gram matrix of each linear's inputs.
  bool output_errors = true;
  double dampening = 0.01;       ///< kSparseGpt, kAlps and sparse::MaskScore::kObs: see FactorDampened.
  int64_t block = 128;           ///< kSparseGpt.
  int64_t iterations = 300;      ///< kAlps.
  double gradient_factor = 100;  ///< sparse::MaskScore::kGblm: see GblmScores.
  sparse::VnmColumnChoice columns = sparse::VnmColumnChoice::kSums;
  std::string more_inputs = "more batches";  ///< What a note advises where inputs are too few.
  RandomKey key = {};  ///< sparse::MaskScore::kRandom. Each linear draws from a stream of its own from key.stream on.
};

/// "sparsegpt", "alps" or "dsnot"; for masks alone, the name of the score.
std::string_view NameOf(const OneShotOptions& options);

/// Which linears they prune.
PrunableChoice ChoiceOf(const OneShotOptions& options);

/// Rules: those of the method's own options for each pattern. A scope of kModel is only for kMask in one pass, and then
/// there is one pattern for all.
void Check(const OneShotOptions& options, const FieldPath& at, Faults& faults);

/// Whether the options ask for calibration data.
bool NeedsCalibration(const OneShotOptions& options);

/// A linear that was pruned.
struct PrunedLinear {
  std::string name;
  int64_t out_features = 0, in_features = 0;
  sparse::PruningPattern pattern = {};
  sparse::Mask mask = {};
  double sparsity = 0;                      ///< Share of entries that the mask drops.
  int64_t zeros = 0;                        ///< Weights that are 0 now: also some that the mask keeps.
  double retained = 0;                      ///< Share of |w| that it keeps of the dense weight.
  int64_t samples = 0;                      ///< Rows of inputs that it was calibrated with.
  std::optional<double> output_error = {};  ///< sparse::OutputError, for the inputs that it was pruned by.
};

struct OneShotReport {
  std::vector<PrunedLinear> pruned;
  std::vector<SwapEntry> kept_dense;
  std::vector<std::string> notes;  ///< What the user should know, one line each.
};

/// Prunes the matching nn::Linear modules below `root` in place: a dropped weight becomes 0. Classes derived from
/// Linear are kept, as by a swap. SemiSparseLinears whose masks are given (SemiSparseOptions::searches) are pruned,
/// too: what their masks drop counts as 0, and they get the new masks. `calibration` is needed where NeedsCalibration
/// says so; without it there are no output errors. Calls `done`, if given, for each pruned linear. Returns nothing if
/// `stopped` said so. Throws Error on options that Check finds fault with, if no linear matches, if one does not fit,
/// if data is needed and there is none, if gradients are and a weight gets none, and (a runtime failure) that names the
/// linear if inputs, gradients or weights are not finite. If it does not return a report, weights and masks are what
/// they were. Nothing else may use the tree meanwhile.
///
/// A linear that shares its weight with another module is kept. Layer by layer, `calibration.loss` is left by an
/// exception that it must let through (RunCalibrationUpTo). Gradients that parameters had are gone if a score takes
/// gradients.
///
/// A Gram matrix takes 8 in_features^2 bytes. In one pass, those of all linears are in memory together; layer by layer,
/// one at a time.
std::optional<OneShotReport> PruneOnce(Module& root, const OneShotOptions& options, const Calibration& calibration,
                                       const std::function<bool()>& stopped = {},
                                       const std::function<void(const PrunedLinear&)>& done = {});

}  // namespace twofour::nn
