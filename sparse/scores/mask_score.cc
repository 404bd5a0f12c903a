#include "twofour/sparse/scores/mask_score.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace twofour::sparse {
namespace {

struct Row {
  MaskScore score;
  std::string_view name;
  ScoreNeeds needs;
};

constexpr Row kRows[] = {
    {MaskScore::kMagnitude, "magnitude", {}},
    {MaskScore::kRia, "ria", {.inputs = true}},
    {MaskScore::kActivation, "activation", {.inputs = true, .magnitudes = true}},
    {MaskScore::kWanda, "wanda", {.inputs = true}},
    {MaskScore::kHessian, "hessian", {.inputs = true}},
    {MaskScore::kObs, "obs", {.inputs = true, .gram = true}},
    {MaskScore::kGradient, "gradient", {.gradients = true, .magnitudes = true}},
    {MaskScore::kGblm, "gblm", {.inputs = true, .gradients = true}},
    {MaskScore::kRandom, "random", {}},
};

const Row& RowOf(MaskScore score) { return *std::ranges::find(kRows, score, &Row::score); }

}  // namespace

std::string_view NameOf(MaskScore score) { return RowOf(score).name; }

std::span<const MaskScore> MaskScores() {
  static constexpr auto kScores = [] {
    std::array<MaskScore, std::size(kRows)> scores{};
    for (size_t i = 0; i < scores.size(); ++i) scores[i] = kRows[i].score;
    return scores;
  }();
  return kScores;
}

ScoreNeeds NeedsOf(MaskScore score) { return RowOf(score).needs; }

}  // namespace twofour::sparse
