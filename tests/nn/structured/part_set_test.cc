#include "twofour/nn/structured/part_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/nn/mlp.h"

#include "tests/nn/structured/small_models.h"
#include "tests/support/expect_error.h"

namespace twofour::nn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<std::string> NamesOf(const std::vector<PartSet>& sets) {
  std::vector<std::string> names;
  for (const PartSet& set : sets) names.push_back(set.name);
  return names;
}

TEST(PartSetTest, HeadsThatShareAKeyHeadAreOnePart) {
  const auto gpt = RandomGpt(GroupedGpt());
  const std::vector<PartSet> sets = FindParts(*gpt);
  EXPECT_THAT(NamesOf(sets),
              ElementsAre("transformer.h.0.attn", "transformer.h.0.mlp", "transformer.h.1.attn", "transformer.h.1.mlp",
                          "transformer.h.2.attn", "transformer.h.2.mlp", "transformer.h"));
  const PartSet& heads = sets[2];
  EXPECT_EQ(heads.kind, PartKind::kHeads);
  EXPECT_EQ(heads.count, 3);
  EXPECT_EQ(heads.unit, 2);
  EXPECT_EQ(heads.block, 1);
  EXPECT_EQ(heads.reader, "transformer.h.1.attn.c_proj");
  ASSERT_THAT(heads.axes, SizeIs(4));
  EXPECT_EQ(heads.axes[0].parameter, "transformer.h.1.attn.c_q.weight");
  EXPECT_EQ(heads.axes[0].span, 8);
  EXPECT_EQ(heads.axes[1].span, 4);
  EXPECT_EQ(heads.axes[3].axis, 1);
  EXPECT_EQ(sets[3].count, 20);
  EXPECT_EQ(sets[6].count, 3);
  EXPECT_EQ(NameOf(sets[6].kind), "blocks");
}

TEST(PartSetTest, BiasesAndGatesGoWithTheirRows) {
  const auto gpt = RandomGpt(GatedGpt());
  std::vector<std::string> parameters;
  const std::vector<PartSet> sets = FindParts(*gpt);
  for (const PartAxis& axis : sets[1].axes) parameters.push_back(axis.parameter.substr(20));
  EXPECT_THAT(parameters, ElementsAre("c_gate.weight", "c_gate.bias", "c_fc.weight", "c_fc.bias", "c_proj.weight"));
}

TEST(PartSetTest, ModelsWithoutHiddenLayersHaveNoParts) {
  Generator generator(1);
  MlpStack linear({.in_features = 4, .hidden_features = {}, .out_features = 3}, generator);
  EXPECT_THAT(FindParts(linear), IsEmpty());
}

TEST(PartSetTest, RefusesAModuleThatTookAnothersPlace) {
  const auto mlp = RandomResidualMlp();
  Generator generator(1);
  mlp->VisitSlots([&](const std::string& name, ModuleSlot& slot) {
    if (name != "blocks.1.mlp") return;
    slot.Replace(
        std::make_unique<Mlp>(MlpOptions{.in_features = 12, .hidden_features = 8, .out_features = 12}, generator));
  });
  EXPECT_ERROR(FindParts(*mlp), ErrorKind::kInvalidInput,
               "blocks.1.mlp.c_fc.weight is [8, 12], expected 20 entries of axis 0, as the model began with");
}

}  // namespace
}  // namespace twofour::nn
