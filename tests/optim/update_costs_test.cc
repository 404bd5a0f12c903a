#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "twofour/optim/adamw.h"
#include "twofour/optim/muon.h"
#include "twofour/optim/optimizer_list.h"

namespace twofour::optim {
namespace {

using ::testing::ElementsAre;

TEST(UpdateCostsTest, ThoseOfAdamWAreElements) {
  const AdamW adamw({Tensor::Zeros({3, 5}), Tensor::Zeros({7})}, AdamWOptions{});
  EXPECT_THAT(adamw.UpdateCosts(), ElementsAre(15, 7));
}

TEST(UpdateCostsTest, MuonPaysForProductsOfTheShorterSide) {
  const Muon muon({Tensor::Zeros({2, 10}), Tensor::Zeros({10, 2}), Tensor::Zeros({100, 100})},
                  MuonOptions{.ns_steps = 5});
  // 20 elements, and five times 4 * 2 * 20 + 2 * 2^3 operations at 50 for each element's time.
  const std::vector<double> costs = muon.UpdateCosts();
  EXPECT_THAT(costs, ElementsAre(20 + 5 * 176 / 50.0, costs[0], 10000 + 5 * 6e6 / 50));
}

TEST(UpdateCostsTest, AListHasThoseOfItsParts) {
  std::vector<std::unique_ptr<Optimizer>> parts;
  parts.push_back(
      std::make_unique<AdamW>(std::vector<ParameterGroup>{{{{"a", Tensor::Zeros({3})}}, 0}}, AdamWOptions{}));
  parts.push_back(
      std::make_unique<AdamW>(std::vector<ParameterGroup>{{{{"b", Tensor::Zeros({4})}}, 0}}, AdamWOptions{}));
  EXPECT_THAT(OptimizerList(std::move(parts)).UpdateCosts(), ElementsAre(3, 4));
}

}  // namespace
}  // namespace twofour::optim
