#include "twofour/optim/weight_average.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "twofour/core/error.h"

#include "tests/support/tensors.h"

namespace twofour::optim {
namespace {

using test::ExpectBitEqual;
using test::F32;
using test::F64;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(WeightAverageTest, BeginsWithACopy) {
  Tensor weight = F32({1, 2}, {2});
  const WeightAverage average({{"w", weight}});
  weight.mutable_data<float>()[0] = 7;
  EXPECT_EQ(average.updates(), 0);
  ASSERT_EQ(average.Averages().size(), 1u);
  EXPECT_EQ(average.Averages()[0].name, "w");
  ExpectBitEqual(average.Averages()[0].tensor, F32({1, 2}, {2}));
}

TEST(WeightAverageTest, IsTheWeightedSumOfAllValues) {
  // Written out as a sum, and not as a recursion: value t has the weight (1 - decay) decay^(n - t), the initial one
  // decay^n.
  constexpr double kDecay = 0.75;
  constexpr int kUpdates = 9;
  Tensor weight = F32({10}, {1});
  WeightAverage average({{"w", weight}}, {.decay = kDecay, .warmup = false});
  double expected = 10 * std::pow(kDecay, kUpdates);
  for (int t = 1; t <= kUpdates; ++t) {
    const double value = t * t - 20;
    weight.mutable_data<float>()[0] = static_cast<float>(value);
    average.Update();
    expected += (1 - kDecay) * std::pow(kDecay, kUpdates - t) * value;
  }
  EXPECT_EQ(average.updates(), kUpdates);
  EXPECT_NEAR(average.Averages()[0].tensor.data<float>()[0], expected, 1e-5);
}

TEST(WeightAverageTest, WarmsUp) {
  Tensor weight = F32({0}, {1});
  WeightAverage average({{"w", weight}}, {.decay = 0.5});
  weight.mutable_data<float>()[0] = 1;
  // Decays are 1/10, 2/11, 3/12, ... and never above 0.5, which 8/17 is the last below.
  double rest = 1;
  for (int n = 0; n < 30; ++n) {
    rest *= n < 8 ? (1.0 + n) / (10.0 + n) : 0.5;
    average.Update();
    EXPECT_NEAR(average.Averages()[0].tensor.data<float>()[0], 1 - rest, 1e-6) << n;
  }
}

TEST(WeightAverageTest, GoesOnAfterRestoring) {
  Tensor weight = F32({1, -2, 3}, {3});
  WeightAverage whole({{"w", weight}}, {.decay = 0.9});
  for (int i = 0; i < 3; ++i) {
    weight.mutable_data<float>()[0] += 1;
    whole.Update();
  }
  WeightAverage resumed({{"w", weight}}, {.decay = 0.9});
  std::vector<NamedTensor> saved;
  for (const auto& [name, tensor] : whole.StateDict()) saved.push_back({name, tensor.Clone()});
  resumed.LoadStateDict(saved, "file: ");
  EXPECT_EQ(resumed.updates(), 3);
  weight.mutable_data<float>()[1] = 5;
  whole.Update();
  resumed.Update();
  ExpectBitEqual(resumed.Averages()[0].tensor, whole.Averages()[0].tensor);
}

TEST(WeightAverageTest, Errors) {
  EXPECT_THAT(
      [] {
        WeightAverage({{"w", F32({1}, {1})}}, {.decay = 1});
      },
      ThrowsMessage<Error>(HasSubstr("WeightAverage: decay is 1, expected")));
  EXPECT_THAT(
      [] {
        WeightAverage({{"w", F64({1}, {1})}});
      },
      ThrowsMessage<Error>(HasSubstr("WeightAverage: parameter 'w' has dtype f64, expected f32")));
  EXPECT_THAT(
      [] {
        WeightAverage({{"w", F32({1}, {1})}, {"w", F32({1}, {1})}});
      },
      ThrowsMessage<Error>(HasSubstr("two parameters are named 'w'")));
  WeightAverage average({{"w", F32({1}, {1})}, {"v", F32({1}, {1})}});
  EXPECT_THAT(
      [&] {
        average.LoadStateDict({{"step", F32({1}, {})}, {"w.average", F32({1, 2}, {2})}, {"x", F32({1}, {})}}, "file");
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("step"), HasSubstr("w.average"), HasSubstr("f32 [2], the parameter is"),
                                 HasSubstr("v.average"), HasSubstr("x"), HasSubstr("belongs to no averaged"))));
  EXPECT_EQ(average.updates(), 0);
  ExpectBitEqual(average.Averages()[0].tensor, F32({1}, {1}));
}

}  // namespace
}  // namespace twofour::optim
