#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/nn/one_shot.h"
#include "twofour/train/program/prune/prunable_run.h"

namespace twofour::train {

/// How the sparsity is spread over the linears of a model.
struct AllocationRequest {
  enum class Method {
    kEqual,        ///< Each linear gets the pattern as it is, or as sparse as the target.
    kOutliers,     ///< sparse::AllocateByOutliers, OWL.
    kSensitivity,  ///< sparse::AllocateBySensitivity.
  };
  Method method = Method::kEqual;
  std::optional<double> target = {};  ///< Of all weights together; by default the pattern's.
  double min = 0, max = 1;            ///< Bounds on the sparsity of each linear.
  double lambda = 0.08;               ///< Only for kOutliers.
  std::string sensitivity = {};       ///< Only for kSensitivity: the file, see sensitivity_file.h.

  bool is_default() const { return method == Method::kEqual && !target && min == 0 && max == 1; }
};

/// "equal", "owl", "sensitivity".
std::string_view NameOf(AllocationRequest::Method method);

/// Throws Error that names the arguments which are wrong, as in "--target: 0.6, ...".
void RequireSoundAllocation(const AllocationRequest& request, const sparse::PruningPattern& pattern);

/// What an allocation did beside setting patterns.
struct AllocatedPatterns {
  std::vector<std::string> dense = {};  ///< Linears that stay dense.
  std::vector<std::string> notes = {};  ///< For the user.
};

/// Gives the linears that `options` prune patterns of their own, and excludes those that stay dense. Outliers need
/// `calibration`. Returns nothing if it was stopped. Throws Error, with the range that is possible, where a target
/// cannot be met, and if all linears would stay dense.
std::optional<AllocatedPatterns> AllocatePatterns(const AllocationRequest& request, const PrunableRun& run,
                                                  const nn::Calibration& calibration,
                                                  const std::function<bool()>& stopped, nn::OneShotOptions& options);

}  // namespace twofour::train
