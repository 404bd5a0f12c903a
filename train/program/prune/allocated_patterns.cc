#include "twofour/train/program/prune/allocated_patterns.h"

#include <fmt/format.h>

#include <map>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/nn/calibration.h"
#include "twofour/sparse/allocation/outlier_allocation.h"
#include "twofour/sparse/allocation/outlier_share.h"
#include "twofour/sparse/allocation/sensitivity_allocation.h"
#include "twofour/sparse/allocation/uniform_allocation.h"
#include "twofour/sparse/scores/weight_scores.h"
#include "twofour/train/program/prune/name_expression.h"
#include "twofour/train/program/prune/pattern_kind.h"
#include "twofour/train/program/prune/sensitivity_file.h"

namespace twofour::train {
namespace {

using Linears = std::vector<nn::PrunableLinear>;

/// The share of outliers among Wanda's scores of each linear. Nothing if it was stopped.
std::optional<std::vector<double>> OutlierShares(const Linears& linears, nn::Model& model,
                                                 const nn::Calibration& calibration,
                                                 const std::function<bool()>& stopped) {
  std::map<const nn::Module*, std::string> names;
  for (const nn::PrunableLinear& linear : linears) names[linear.module] = linear.name;
  nn::InputCollector collector(std::move(names), sparse::InputStatistics::Extent::kFeatures);
  if (!RunCalibration(model, calibration, collector, stopped)) return std::nullopt;
  std::vector<double> shares;
  for (const nn::PrunableLinear& linear : linears) {
    const Tensor scores =
        sparse::WandaScores(linear.weight, collector.Require(*linear.module), linear.name + ".weight");
    shares.push_back(sparse::OutlierShare(scores));
  }
  return shares;
}

/// Throws Error unless the curves are for the kind of pattern that is asked for.
void RequireKind(const SensitivityCurves& file, const sparse::PruningPattern& pattern) {
  if (KindText(pattern) == KindText(file.kind)) return;
  throw Error(fmt::format("--pattern {}: the losses of {} are for {}, expected that kind of pattern",
                          pattern.ToString(), file.source, KindText(file.kind)));
}

}  // namespace

std::string_view NameOf(AllocationRequest::Method method) {
  switch (method) {
    case AllocationRequest::Method::kEqual:
      return "equal";
    case AllocationRequest::Method::kOutliers:
      return "owl";
    case AllocationRequest::Method::kSensitivity:
      return "sensitivity";
  }
  return "?";
}

bool AllocatePatterns(const AllocationRequest& request, const PrunableRun& run, const nn::Calibration& calibration,
                      const std::function<bool()>& stopped, nn::OneShotOptions& options) {
  if (request.is_default()) return true;
  const Linears linears = nn::FindPrunableLinears(run.model(), ChoiceOf(options));
  std::vector<sparse::LayerShape> shapes;
  for (const nn::PrunableLinear& linear : linears) {
    shapes.push_back({linear.name, linear.weight.dim(0), linear.weight.dim(1)});
  }
  const sparse::AllocationOptions allocation{
      .pattern = options.pattern, .target = request.target, .min = request.min, .max = request.max};
  sparse::Allocation found;
  switch (request.method) {
    case AllocationRequest::Method::kEqual:
      found = sparse::AllocateUniformly(shapes, allocation);
      break;
    case AllocationRequest::Method::kOutliers: {
      const auto shares = OutlierShares(linears, run.model(), calibration, stopped);
      if (!shares) return false;
      found = sparse::AllocateByOutliers(shapes, *shares, {.allocation = allocation, .lambda = request.lambda});
      break;
    }
    case AllocationRequest::Method::kSensitivity: {
      const SensitivityCurves file = LoadSensitivity(FileSystem::Default(), request.sensitivity);
      RequireKind(file, options.pattern);
      found = sparse::AllocateBySensitivity(shapes, CurvesOf(file, shapes), allocation);
      break;
    }
  }
  std::vector<std::string> dense;
  for (size_t i = 0; i < linears.size(); ++i) {
    if (const auto& pattern = found.layers[i].pattern) {
      options.patterns[linears[i].name] = *pattern;
    } else {
      dense.push_back(linears[i].name);
    }
  }
  options.exclude = ExcludeAlso(options.exclude, dense);
  return true;
}

}  // namespace twofour::train
