#include "twofour/optim/slot_optimizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "twofour/core/error.h"
#include "twofour/optim/adamw.h"
#include "twofour/optim/sgd.h"

#include "tests/optim/state_dicts.h"
#include "tests/support/tensors.h"

namespace twofour::optim {
namespace {

using test::ExpectBitEqual;
using test::F32;
using test::NamesOf;
using test::RandomF32;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(SlotOptimizerTest, GroupsBringTheirOwnDecay) {
  Tensor decayed = F32({1}, {1}), kept = F32({1}, {1});
  Sgd sgd({{{{"decayed", decayed}}, 0.5}, {{{"kept", kept}}, 0.0}}, {.lr = 1.0});
  decayed.set_grad(F32({0}, {1}));
  kept.set_grad(F32({0}, {1}));
  sgd.Step();
  EXPECT_EQ(decayed.data<float>()[0], 0.5f);
  EXPECT_EQ(kept.data<float>()[0], 1.0f);
}

TEST(SlotOptimizerTest, GroupsScaleTheRate) {
  // A group at a quarter of the rate acts as an optimizer at a quarter of the rate. This includes its decay, and holds
  // for every rate.
  Tensor scaled = RandomF32({7}, {.seed = 1}), whole = scaled.Clone(), alone = scaled.Clone();
  AdamW both({{{{"scaled", scaled}}, 0.5, 0.25}, {{{"whole", whole}}, 0.5}}, {.lr = 0.1});
  AdamW slow({{{{"alone", alone}}, 0.5}}, {.lr = 0.025});
  const Tensor start = whole.Clone();
  for (uint64_t step = 0; step < 3; ++step) {
    for (Tensor* tensor : {&scaled, &whole, &alone}) tensor->set_grad(RandomF32({7}, {.seed = 2, .step = step}));
    both.set_lr(0.1 / static_cast<double>(1 + step));
    slow.set_lr(0.25 * both.lr());
    both.Step();
    slow.Step();
    ExpectBitEqual(scaled, alone);
  }
  EXPECT_NE(whole.ToVector(), scaled.ToVector());
  EXPECT_NE(whole.ToVector(), start.ToVector());
}

TEST(SlotOptimizerTest, AScaleOfZeroFreezes) {
  Tensor parameter = F32({1, -2}, {2});
  Sgd sgd({{{{"a", parameter}}, 0.5, 0.0}}, {.lr = 0.5});
  parameter.set_grad(F32({3, 4}, {2}));
  sgd.Step();
  ExpectBitEqual(parameter, F32({1, -2}, {2}));
}

TEST(SlotOptimizerTest, AScaleMustBeFiniteAndNotNegative) {
  for (double scale : {-0.5, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    EXPECT_THAT(
        [&] {
          Sgd({{{{"a", Tensor::Zeros({1})}}, 0.0, scale}}, {});
        },
        ThrowsMessage<Error>(HasSubstr("lr_scale")));
  }
}

TEST(SlotOptimizerTest, FaultsOfOptionsAndOfGroupsAreListedTogether) {
  const Tensor a = Tensor::Zeros({1});
  EXPECT_THAT(
      [&] {
        AdamW({{{{"a", a}}, -1, 1e39}}, {.lr = -1, .beta1 = 1});
      },
      ThrowsMessage<Error>("AdamW: beta1 1, expected a number in [0, 1)\n"
                           "AdamW: lr -1, expected a finite number of at least 0\n"
                           "AdamW: lr_scale 1e+39, expected at most 3.4e+38, as a 32-bit float can hold\n"
                           "AdamW: weight_decay -1, expected a finite number of at least 0"));
  EXPECT_THAT(
      [&] {
        Sgd({{{{"a", a}}, 0}, {{}, -1}, {{}, 0, -2}}, {.lr = -3});
      },
      ThrowsMessage<Error>("Sgd: lr -3, expected a finite number of at least 0\n"
                           "Sgd: groups[1].weight_decay -1, expected a finite number of at least 0\n"
                           "Sgd: groups[2].lr_scale -2, expected a finite number of at least 0"));
  // The decay of a plain list is that of its one group, and is told once.
  EXPECT_THAT([&] { Sgd(std::vector<Tensor>{a}, {.momentum = 2, .weight_decay = -1}); },
              ThrowsMessage<Error>("Sgd: momentum 2, expected a number in [0, 1)\n"
                                   "Sgd: weight_decay -1, expected a finite number of at least 0"));
}

TEST(SlotOptimizerTest, ParametersAreThoseOfAllGroups) {
  const Tensor a = Tensor::Zeros({1}), b = Tensor::Zeros({2});
  const auto parameters = Sgd({{{{"a", a}}, 0.5}, {{{"b", b}}, 0.0}}, {}).Parameters();
  EXPECT_THAT(NamesOf(parameters), ElementsAre("a", "b"));
  EXPECT_TRUE(parameters[1].tensor.IsSameStorage(b));
}

}  // namespace
}  // namespace twofour::optim
