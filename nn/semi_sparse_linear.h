#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "twofour/core/faults.h"
#include "twofour/core/random.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/linear_rounding.h"
#include "twofour/nn/module.h"
#include "twofour/nn/training_statistics.h"
#include "twofour/sparse/fused_mlp.h"
#include "twofour/sparse/linear_planner.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/mask_plan.h"
#include "twofour/sparse/mask_tracker.h"
#include "twofour/sparse/scores/mask_score.h"
#include "twofour/sparse/semi_sparse_weight.h"

namespace twofour::nn {

/// Draws masked weights towards zero by lambda * (1 - mask) * weight. SparseTraining does it around each optimizer
/// step.
struct MaskedDecay {
  enum class Place {
    /// Part of the gradient, before it is clipped: SR-STE (Zhou et al., "Learning N:M Fine-grained Structured Sparse
    /// Neural Networks From Scratch", 2021).
    kGradient,
    /// Added to the clipped gradient, before the optimizer's moments (Hu et al., "Accelerating Transformer Pre-training
    /// with 2:4 Sparsity", 2024, who found that Adam needs it there or in kGradient).
    kMoments,
    /// Subtracted from the weight after the update, times the learning rate.
    kWeight,
  };
  double lambda = 0;
  Place place = Place::kGradient;
};

/// Rule: lambda is not negative, and a float can hold it.
void Check(const MaskedDecay& decay, const FieldPath& at, Faults& faults);

struct SemiSparseOptions {
  /// Which mask the weight has at which optimizer step.
  sparse::MaskPlan plan = {};
  /// By what masks are chosen. What a score needs to know about inputs and gradients, SparseTraining collects
  /// (TrainingStatistics). Before anything is known, as in the first forward pass, all inputs count as equally large,
  /// and scores by gradients choose by magnitude.
  sparse::MaskScore score = sparse::MaskScore::kMagnitude;
  /// The mask is searched for again at the first use after this many updates of the weight, ...
  int64_t interval = 1;
  /// ... or, if that is more, after this share of all optimizer steps so far, so that searches become rarer. From 0 to
  /// 1.
  double interval_growth = 0;
  /// After this optimizer step the mask stays as it is, except for the plan's dense finish. 0: the first mask stays.
  std::optional<int64_t> freeze_step = {};
  /// From freeze_step on, which must be given, the gradient of masked weights is dropped, too (SparseTraining).
  bool freeze_gradient = false;
  /// Off: masks are not searched for, but given by SemiSparseLinear::SetMask. Before the first, everything is kept.
  bool searches = true;
  MaskedDecay masked_decay = {};
  /// Products run on sparse::SoftThreshold of the weight by the plan's row pattern, times a factor that is found with
  /// the first mask (sparse::ScaleToFit): S-STE. Only for plans of sparse::MaskMethod::kRows.
  bool soft_threshold = false;
  /// Off: masks are found, but products run on the dense weight.
  bool apply = true;
  /// For the plan's random choices. Every layer needs a stream of its own; the swap gives it.
  RandomKey key = {};
  /// Lets an Mlp of two such linears with ReLU^2 between them run as one op (sparse::FusedMlp) if its kernels take the
  /// shapes. Both linears must allow it.
  bool fused_mlp = true;
};

/// Rules: those of MaskTrackerOptions and MaskedDecay. A score other than the magnitude is not for methods that ignore
/// it or its sign, and not for a soft threshold. freeze_gradient needs a freeze_step. A soft threshold needs a
/// plan of kRows whose schedule prunes all tiles from the start.
void Check(const SemiSparseOptions& options, const FieldPath& at, Faults& faults);

/// Both sizes of a weight are multiples of this: 4, or 1 where masks go along rows or have a budget.
int64_t SizeUnitOf(const sparse::MaskPlan& plan);

/// A linear whose weight is pruned to a transposable 2:4 mask, which is searched again as the weight is trained. It
/// owns the dense master weight. Products run on the kept entries. The gradient of the weight is dense
/// (straight-through estimator; see sparse::MaskedLinear). The gradient of the input goes through the kept entries.
///
/// The mask depends only on the weight, the optimizer step and the statistics at its last refresh, and on the options.
/// A refresh happens at the first use (forward pass, mask(), Buffers()) after every `interval`-th optimizer step, and
/// at once when a stage or a dense phase of the plan begins or ends. If the interval in force is 1, or if
/// SetOptimizerStep has not been called yet, writes to the weight count instead of steps, and a new share in the plan
/// also causes a refresh. So gradient accumulation searches once for each optimizer step, evaluation sees the mask of
/// the current weight, and neither evaluation nor a second forward pass changes a run.
///
/// If the weight holds a NaN or infinity, a search for a mask throws Error (a runtime failure) with the weight's name
/// and the place. So Forward, Layer(), mask(), RetainedL1() and Buffers() throw it if a search is due, and
/// EffectiveWeight() always does. Between two searches nobody looks, because that would read the weight once more after
/// each update: what the mask keeps of such a weight goes into products, as in nn::Linear.
///
/// Threads: as for every Module, forward passes may run at once; so may Layer(), mask(), EffectiveWeight(),
/// RetainedL1() and Buffers(). If a refresh is due, the first of these calls makes it and the others wait for it.
/// mask_in_force(), runs_dense() and flip_rate() do not wait, so a thread that reads them beside others must call
/// mask() first.
class SemiSparseLinear : public Module {
 public:
  /// Takes over the parameters of a linear: weight f32 [out_features, in_features], in multiples of
  /// SizeUnitOf(options.plan); bias [out_features] or undefined. `name` is used in messages. Throws Error on other
  /// shapes, and on options that Check finds fault with.
  SemiSparseLinear(Tensor weight, Tensor bias, const SemiSparseOptions& options = {}, std::string name = "weight");

  std::string_view type_name() const override { return "SemiSparseLinear"; }
  /// x [..., in_features], f32, f16 or bf16; result [..., out_features] of the same dtype.
  Tensor Forward(const Tensor& x) override;

  const Tensor& weight() const { return weight_; }
  const Tensor& bias() const { return bias_; }
  int64_t in_features() const { return weight_.dim(1); }
  int64_t out_features() const { return weight_.dim(0); }
  const SemiSparseOptions& options() const { return options_; }

  /// What an op on this linear needs: its parameters, and the packed weight under the mask in force. Makes a refresh
  /// first if one is due. There is no packed weight while the linear is dense.
  sparse::MaskedLinearOperand Layer();
  /// The mask in force. Makes a refresh first if one is due.
  const sparse::Mask& mask();
  /// The mask of the last refresh, even if the weight was written to since; empty before the first.
  const sparse::Mask& mask_in_force() const { return tracker_.mask(); }
  /// The V:N:M pattern of that mask, if the plan asks for one (MaskTracker::vnm).
  const std::optional<sparse::VnmPattern>& vnm_in_force() const { return tracker_.vnm(); }
  /// Whether products run on the dense weight under mask_in_force(): it keeps everything, or SemiSparseOptions::apply
  /// is off.
  bool runs_dense() const { return tracker_.keeps_all() || !options_.apply; }
  /// Whether the freeze step is reached: only the mask of that step may still be searched for.
  bool frozen() const { return tracker_.frozen(); }
  /// What the score knows about inputs and gradients. Masks take it into account at the next search. Must not be added
  /// to beside a forward pass.
  TrainingStatistics& statistics() { return statistics_; }
  const TrainingStatistics& statistics() const { return statistics_; }
  /// Puts a mask in force that was found elsewhere. It stays until another is set, or until a search is due where
  /// masks are searched for. Must not run beside a forward pass. Throws Error on a mask of another shape.
  void SetMask(sparse::Mask mask);
  /// Whether a search for a mask is due at the next use.
  bool IsSearchDue() const { return tracker_.IsDue(weight_.version()); }
  /// Takes the mask that another process has found for the same weight at the same step, in place of a search. Must not
  /// run beside a forward pass. Throws Error on a mask of another shape.
  void AdoptMask(sparse::Mask found);
  /// Tells the layer how many optimizer steps its weight has had. Plans and options that depend on steps need this.
  void SetOptimizerStep(int64_t step);
  /// See sparse::MaskTracker.
  void SearchAnew();

  /// A copy of the weight that products run on: masked, under a soft threshold, or dense while the layer is. Throws
  /// Error if the weight holds a NaN or infinity.
  Tensor EffectiveWeight();

  /// Share of mask entries that the last refresh changed. 0 before the second refresh, and in steps without a refresh
  /// while the layer is frozen or dense.
  double flip_rate() const { return tracker_.flip_rate(); }
  /// The same of the blocks of a V:N:M mask and their columns (MaskTracker::column_flip_rate).
  std::optional<double> column_flip_rate() const { return tracker_.column_flip_rate(); }
  /// Share of |weight| that the mask keeps.
  double RetainedL1();

  /// `weight_mask` and its age, step and flip rates (see sparse::MaskTracker::AppendState), with a soft threshold
  /// `weight_mask_scale` (f64 []), and what the score knows (TrainingStatistics::AppendState).
  std::vector<NamedTensor> Buffers() override;
  StateCommit ReadBuffers(StateReader& reader, const std::string& prefix) override;

  /// As Linear has it. What is rounded is what products run on: under a mask, its kept entries.
  void SetRounding(std::shared_ptr<LinearRounding> rounding) { rounding_ = std::move(rounding); }
  const LinearRounding* rounding() const { return rounding_.get(); }

 protected:
  void OnStep(uint64_t step) override;

  // A derived class may put another dense weight in the place of weight(). These calls are made one at a time.

  /// The weight for which masks are found and whose kept entries products use. Every change to it gives a new tensor or
  /// is a write to the old one.
  virtual Tensor DenseWeight() { return weight_; }
  /// DenseWeight() as one forward pass sees it: where the gradient goes that products under `mask` have for it. A null
  /// mask means dense products.
  virtual Tensor WeightInGraph(const sparse::Mask* /*mask*/) { return weight_; }

 private:
  /// To be called with refreshing_ held, like SoftWeight.
  void RefreshIfDue();
  Tensor SoftWeight();

  Tensor weight_, bias_;
  SemiSparseOptions options_;
  std::mutex refreshing_;  // Held by functions that may find a new mask, packed weight or scale.
  sparse::MaskTracker tracker_;
  std::shared_ptr<sparse::LinearPlanner> planner_;
  std::shared_ptr<const sparse::SemiSparseWeight> packed_;
  Tensor packed_from_;           // The dense weight that was packed, ...
  uint64_t packed_version_ = 0;  // ... and its version then.
  std::optional<double> scale_;  // With a soft threshold only, after the first mask.
  std::shared_ptr<LinearRounding> rounding_;
  TrainingStatistics statistics_;
};

/// The rule for the method of a SemiSparseActivationLinear: kExact or kGreedy. The others have no search for it.
void CheckActivationMethod(sparse::MaskMethod method, const std::string& path, Faults& faults);

/// A linear that prunes its input to transposable 2:4 tiles and keeps its weight dense. It is for activations that are
/// sparse by nature, such as those after ReLU^2 (Haziza et al., "Accelerating Transformer Inference and Training with
/// 2:4 Activation Sparsity", 2025). The gradient passes straight through the pruning.
class SemiSparseActivationLinear : public Module {
 public:
  /// As SemiSparseLinear; in_features must be a multiple of 4. Throws Error on a method that CheckActivationMethod
  /// finds fault with, too.
  SemiSparseActivationLinear(Tensor weight, Tensor bias, sparse::MaskMethod method = sparse::MaskMethod::kExact,
                             std::string name = "SemiSparseActivationLinear");

  std::string_view type_name() const override { return "SemiSparseActivationLinear"; }
  Tensor Forward(const Tensor& x) override;

  const Tensor& weight() const { return weight_; }
  const Tensor& bias() const { return bias_; }

 private:
  Tensor weight_, bias_;
  sparse::MaskMethod method_;
  std::string name_;
};

}  // namespace twofour::nn
