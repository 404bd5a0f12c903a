#include "twofour/train/program/prune/allocated_patterns.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/faults.h"
#include "twofour/core/io/file_checksum.h"
#include "twofour/core/io/file_system.h"
#include "twofour/nn/calibration.h"
#include "twofour/sparse/allocation/layer_steps.h"
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

/// Whether the losses were measured with other weights. That may be meant, but must not go unsaid.
std::optional<std::string> NoteOnWeights(const SensitivityCurves& file, const PrunableRun& run) {
  const uint32_t own = ChecksumOf(FileSystem::Default(), run.weights()).crc32c;
  if (file.weights_crc32c.empty() || file.weights_crc32c == Crc32cText(own)) return std::nullopt;
  return fmt::format("{}: its losses are those of other weights than {}, of the run {}", file.source,
                     run.weights().string(), file.run);
}

sparse::AllocationOptions OptionsOf(const AllocationRequest& request, const sparse::PruningPattern& pattern) {
  const bool by_file = request.method == AllocationRequest::Method::kSensitivity;
  const std::string_view name = by_file ? std::string_view(request.sensitivity) : NameOf(request.method);
  return {.pattern = pattern,
          .target = request.target,
          .min = request.min,
          .max = request.max,
          .names = {.owner = fmt::format("--allocation {}", name),
                    .target = request.target ? "--target" : "the sparsity of --pattern,",
                    .min = "--min-sparsity",
                    .max = "--max-sparsity"}};
}

/// What was asked for: "--target 0.6", or else "--pattern 2:4".
std::string Asked(const AllocationRequest& request, const sparse::PruningPattern& pattern) {
  return request.target ? fmt::format("--target {}", *request.target) : "--pattern " + pattern.ToString();
}

/// "a, b, c and 9 more".
std::string Listed(const std::vector<std::string>& names) {
  constexpr size_t kMost = 4;
  if (names.size() <= kMost) return fmt::format("{}", fmt::join(names, ", "));
  return fmt::format("{} and {} more", fmt::join(names.begin(), names.begin() + (kMost - 1), ", "),
                     names.size() - (kMost - 1));
}

/// Which linears got which pattern n:m, as few sparsities can be had. Nothing where that goes without saying.
std::optional<std::string> NoteOnMix(const AllocationRequest& request, const Linears& linears,
                                     const sparse::Allocation& found, const sparse::PruningPattern& pattern) {
  std::map<int, std::vector<std::string>> groups;  // By n; m means dense. The sparsest is first.
  for (size_t i = 0; i < linears.size(); ++i) {
    const auto& own = found.layers[i].pattern;
    groups[own ? own->format.n : pattern.format.m].push_back(linears[i].name);
  }
  const bool equal = request.method == AllocationRequest::Method::kEqual;
  if (equal && groups.size() == 1) return std::nullopt;
  std::vector<std::string> parts;
  for (const auto& [n, names] : groups) {
    parts.push_back(n == pattern.format.m
                        ? fmt::format("{} stay dense ({})", names.size(), Listed(names))
                        : fmt::format("{} get {}:{} ({})", names.size(), n, pattern.format.m, Listed(names)));
  }
  return fmt::format("{}: of {} linears, {}{}", Asked(request, pattern), linears.size(), fmt::join(parts, ", "),
                     equal ? ", spread over the model" : "");
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

void RequireSoundAllocation(const AllocationRequest& request, const sparse::PruningPattern& pattern) {
  if (request.is_default()) return;
  const FieldPath at(
      "", {{"pattern", "--pattern"}, {"target", "--target"}, {"min", "--min-sparsity"}, {"max", "--max-sparsity"}});
  Faults faults("", ": ");
  Check(OptionsOf(request, pattern), at, faults);
  faults.Expect(request.method == AllocationRequest::Method::kEqual || !sparse::HasOneSparsity(pattern), "--allocation",
                NameOf(request.method),
                fmt::format("equal for {}, of which all linears get the same", pattern.ToString()));
  faults.Throw();
}

std::optional<AllocatedPatterns> AllocatePatterns(const AllocationRequest& request, const PrunableRun& run,
                                                  const nn::Calibration& calibration,
                                                  const std::function<bool()>& stopped, nn::OneShotOptions& options) {
  AllocatedPatterns result;
  if (request.is_default()) return result;
  const Linears linears = nn::FindPrunableLinears(run.model(), ChoiceOf(options));
  std::vector<sparse::LayerShape> shapes;
  for (const nn::PrunableLinear& linear : linears) {
    shapes.push_back({linear.name, linear.weight.dim(0), linear.weight.dim(1)});
  }
  const sparse::AllocationOptions allocation = OptionsOf(request, options.pattern);
  sparse::Allocation found;
  switch (request.method) {
    case AllocationRequest::Method::kEqual:
      found = sparse::AllocateUniformly(shapes, allocation);
      break;
    case AllocationRequest::Method::kOutliers: {
      const auto shares = OutlierShares(linears, run.model(), calibration, stopped);
      if (!shares) return std::nullopt;
      found = sparse::AllocateByOutliers(shapes, *shares, {.allocation = allocation, .lambda = request.lambda});
      break;
    }
    case AllocationRequest::Method::kSensitivity: {
      const SensitivityCurves file = LoadSensitivity(FileSystem::Default(), request.sensitivity);
      RequireKind(file, options.pattern);
      if (auto note = NoteOnWeights(file, run)) result.notes.push_back(std::move(*note));
      found = sparse::AllocateBySensitivity(shapes, CurvesOf(file, shapes), allocation);
      break;
    }
  }
  for (size_t i = 0; i < linears.size(); ++i) {
    if (const auto& pattern = found.layers[i].pattern) {
      options.patterns[linears[i].name] = *pattern;
    } else {
      result.dense.push_back(linears[i].name);
    }
  }
  if (result.dense.size() == linears.size()) {
    throw Error(fmt::format("{}: none of {} linears would lose a weight, expected a sparsity that prunes some",
                            Asked(request, options.pattern), linears.size()));
  }
  options.exclude = ExcludeAlso(options.exclude, result.dense);
  if (options.pattern.format.kind == sparse::MaskFormat::Kind::kRows) {
    if (auto note = NoteOnMix(request, linears, found, options.pattern)) result.notes.push_back(std::move(*note));
  }
  return result;
}

}  // namespace twofour::train
