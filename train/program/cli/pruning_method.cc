#include "twofour/train/program/cli/pruning_method.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

constexpr nn::PruningMethod kOwnMethods[] = {nn::PruningMethod::kSparseGpt, nn::PruningMethod::kAlps,
                                             nn::PruningMethod::kDsnot};

}  // namespace

std::string ScoreNames() {
  std::vector<std::string_view> names;
  for (const sparse::MaskScore score : sparse::MaskScores()) names.push_back(NameOf(score));
  return fmt::format("{}", fmt::join(names, ", "));
}

void SetPruningMethod(std::string_view name, nn::OneShotOptions& options) {
  for (const sparse::MaskScore score : sparse::MaskScores()) {
    if (name != NameOf(score)) continue;
    options.method = nn::PruningMethod::kMask;
    options.score = score;
    return;
  }
  for (const nn::PruningMethod method : kOwnMethods) {
    if (name != NameOf(method)) continue;
    options.method = method;
    options.score = sparse::MaskScore::kWanda;
    return;
  }
  throw Error(fmt::format("--method: '{}', expected sparsegpt, alps, dsnot, or a score alone: {}", name, ScoreNames()));
}

}  // namespace twofour::train
