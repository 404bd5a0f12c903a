#include "twofour/train/program/cli/packing_trials.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "twofour/sparse/inference_packing.h"
#include "twofour/train/exchange/packed_tensors.h"
#include "twofour/train/pattern_speed.h"

namespace twofour::train {
namespace {

using sparse::MaskFormat;

/// A weight with fewer zeros is dense: some may be zero by chance.
constexpr double kSparse = 0.25;
/// Of so many shapes of dense weights, the largest, 2:4 is measured, if all weights of the shape together have this
/// share of a file's entries. Others decide nothing.
constexpr size_t kDenseTrials = 2;
constexpr double kDenseShare = 0.1;
constexpr MaskFormat kTwoOfFour = MaskFormat::Rows(2, 4);

double EntriesOf(const ShapeKey& key) {
  return static_cast<double>(key.out_features) * static_cast<double>(key.in_features);
}

bool IsDense(const LinearAnalysis& linear) { return linear.forms.empty() && *linear.tensor.sparsity < kSparse; }

/// Whether a file holds the weight in this form, as products read it.
bool IsPackedAs(const LinearAnalysis& linear, const MaskFormat& format) {
  const auto& packed = linear.tensor.packed;
  return packed && (packed->form == WeightForm::kPacked || packed->form == WeightForm::kPackedVnm) &&
         packed->pattern == format.Ratio();
}

}  // namespace

ShapeKey KeyOf(const LinearAnalysis& linear) { return {linear.out_features(), linear.in_features(), linear.values}; }

PackingTrials TrialsOf(const FileAnalysis& analysis) {
  PackingTrials trials;
  const auto add = [](ShapeTrial& trial, const MaskFormat& format) {
    if (std::ranges::find(trial.formats, format) == trial.formats.end()) trial.formats.push_back(format);
  };
  std::vector<ShapeKey> dense;
  double entries = 0;
  for (const LinearAnalysis& linear : analysis.linears) {
    ShapeTrial& trial = trials[KeyOf(linear)];
    entries += EntriesOf(KeyOf(linear));
    for (const PackedChoice& form : linear.forms) add(trial, form.format);
    if (IsDense(linear) && ++trial.dense_linears == 1) dense.push_back(KeyOf(linear));
  }
  std::ranges::stable_sort(dense, std::ranges::greater(), EntriesOf);
  std::erase_if(dense, [&](const ShapeKey& key) {
    return EntriesOf(key) * static_cast<double>(trials[key].dense_linears) < kDenseShare * entries;
  });
  for (size_t i = 0; i < std::min(kDenseTrials, dense.size()); ++i) {
    ShapeTrial& trial = trials[dense[i]];
    trial.tries_dense = true;
    add(trial, kTwoOfFour);
  }
  return trials;
}

bool Measure(int64_t rows, const std::function<bool()>& stopped, PackingTrials& trials) {
  for (auto& [key, trial] : trials) {
    auto times = MeasureInference(key.out_features, key.in_features, trial.formats, {1, rows},
                                  {.values = key.values, .rounds = kPackingRounds, .stopped = stopped});
    if (!times) return false;
    trial.times = std::move(*times);
    if (!trial.tries_dense) continue;
    const auto training =
        MeasureSpeedups({{.out_features = key.out_features, .in_features = key.in_features, .rows = rows}},
                        {{.format = MaskFormat::TwoOfFour()}},
                        {.activations = key.values, .rounds = kPackingRounds, .stopped = stopped});
    if (!training) return false;
    trial.training = training->front().median;
  }
  return true;
}

std::optional<BestForm> BestFormOf(const LinearAnalysis& linear, const ShapeTrial& trial) {
  std::optional<BestForm> best;
  for (const PackedChoice& form : linear.forms) {
    BestForm candidate{.form = form, .one_row = {}, .many_rows = {}};
    if (!trial.times.empty()) {
      const auto at = std::ranges::find(trial.formats, form.format) - trial.formats.begin();
      candidate.one_row = trial.times[0].formats[static_cast<size_t>(at)];
      candidate.many_rows = trial.times[1].formats[static_cast<size_t>(at)];
    }
    if (!best || (candidate.one_row && candidate.one_row->speedup.median > best->one_row->speedup.median))
      best = candidate;
  }
  return best;
}

FileSpeedups SpeedupsOf(int64_t rows, bool in_run, const FileAnalysis& analysis, const PackingTrials& trials) {
  FileSpeedups speedups{.rows = rows, .in_run = in_run, .sparse = {}, .dense = {}};
  for (const LinearAnalysis& linear : analysis.linears) {
    const std::optional<BestForm> best = BestFormOf(linear, trials.at(KeyOf(linear)));
    if (!best) {
      speedups.without_form += !IsDense(linear);
      continue;
    }
    LinearSpeedups one{.out_features = linear.out_features(),
                       .in_features = linear.in_features(),
                       .linears = 1,
                       .pattern = best->form.format.Ratio(),
                       .one_row = best->one_row->speedup.median,
                       .many_rows = best->many_rows->speedup.median,
                       .share_of_bytes = ShareOfBytes(best->form.bytes, linear.dense_bytes()),
                       .is_packed = IsPackedAs(linear, best->form.format)};
    const auto same = std::ranges::find_if(speedups.sparse, [&](const LinearSpeedups& other) {
      const auto key = [](const LinearSpeedups& l) {
        return std::tie(l.out_features, l.in_features, l.pattern, l.share_of_bytes, l.is_packed);
      };
      return key(other) == key(one);
    });
    if (same == speedups.sparse.end()) {
      speedups.sparse.push_back(std::move(one));
    } else {
      ++same->linears;
    }
  }
  for (const auto& [key, trial] : trials) {
    if (!trial.tries_dense) continue;
    const auto at = std::ranges::find(trial.formats, kTwoOfFour) - trial.formats.begin();
    const auto dense = static_cast<size_t>(key.out_features * key.in_features) * SizeOf(key.values);
    speedups.dense.push_back(
        {.out_features = key.out_features,
         .in_features = key.in_features,
         .linears = trial.dense_linears,
         .pattern = kTwoOfFour.Ratio(),
         .one_row = trial.times[0].formats[static_cast<size_t>(at)].speedup.median,
         .many_rows = trial.times[1].formats[static_cast<size_t>(at)].speedup.median,
         .share_of_bytes =
             ShareOfBytes(sparse::InferenceBytes(key.out_features, key.in_features, kTwoOfFour, key.values), dense),
         .training = *trial.training});
  }
  return speedups;
}

}  // namespace twofour::train
