#include "twofour/nn/one_shot_names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

namespace twofour::nn {
namespace {

constexpr PruningMethod kOwnMethods[] = {PruningMethod::kSparseGpt, PruningMethod::kAlps, PruningMethod::kDsnot};

}  // namespace

bool SetMethod(std::string_view name, OneShotOptions& options) {
  if (const auto score = ScoreNamed(name)) {
    options.method = PruningMethod::kMask;
    options.score = *score;
    return true;
  }
  for (const PruningMethod method : kOwnMethods) {
    if (name != NameOf(method)) continue;
    options.method = method;
    options.score = sparse::MaskScore::kWanda;
    return true;
  }
  return false;
}

std::string MethodNames() { return fmt::format("sparsegpt, alps, dsnot, or a score alone: {}", ScoreNames()); }

std::optional<sparse::MaskScore> ScoreNamed(std::string_view name) {
  for (const sparse::MaskScore score : sparse::MaskScores()) {
    if (name == NameOf(score)) return score;
  }
  return std::nullopt;
}

std::string ScoreNames() {
  std::vector<std::string_view> names;
  for (const sparse::MaskScore score : sparse::MaskScores()) names.push_back(NameOf(score));
  return fmt::format("{}", fmt::join(names, ", "));
}

std::optional<PruningOrder> OrderNamed(std::string_view name) {
  for (const PruningOrder order : {PruningOrder::kOnePass, PruningOrder::kLayerByLayer}) {
    if (name == NameOf(order)) return order;
  }
  return std::nullopt;
}

PruningOrder UsualOrder(PruningMethod method) {
  const bool compensates = method == PruningMethod::kSparseGpt || method == PruningMethod::kAlps;
  return compensates ? PruningOrder::kLayerByLayer : PruningOrder::kOnePass;
}

}  // namespace twofour::nn
