#include "twofour/optim/optimizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/optim/adamw.h"
#include "twofour/optim/muon.h"
#include "twofour/optim/optimizer_list.h"
#include "twofour/optim/sgd.h"

#include "tests/optim/state_dicts.h"
#include "tests/support/case_tables.h"
#include "tests/support/tensors.h"

namespace twofour::optim {
namespace {

using test::Copy;
using test::ExpectBitEqual;
using test::NamesOf;
using test::RandomF32;
using test::ScopedNumThreads;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::ThrowsMessage;

/// All kinds of optimizers.
using Factory = std::function<std::unique_ptr<Optimizer>(std::vector<ParameterGroup>)>;
struct Kind {
  std::string name;
  Factory make;
  Shape second_shape = {5};  ///< The shape of the parameter "b".
};
void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

/// Muon for the matrices, AdamW for the rest.
std::unique_ptr<Optimizer> MuonAndAdamW(const std::vector<ParameterGroup>& groups) {
  std::vector<ParameterGroup> matrices = groups, rest = groups;
  const auto is_matrix = [](const NamedTensor& parameter) {
    return parameter.tensor.defined() && parameter.tensor.rank() == 2;
  };
  for (ParameterGroup& group : matrices) std::erase_if(group.parameters, std::not_fn(is_matrix));
  for (ParameterGroup& group : rest) std::erase_if(group.parameters, is_matrix);
  std::vector<std::unique_ptr<Optimizer>> parts;
  parts.push_back(std::make_unique<Muon>(std::move(matrices), MuonOptions{.lr = 0.1}));
  parts.push_back(std::make_unique<AdamW>(std::move(rest), AdamWOptions{.lr = 0.1}));
  return std::make_unique<OptimizerList>(std::move(parts));
}

class EveryOptimizerTest : public ::testing::TestWithParam<Kind> {
 protected:
  std::unique_ptr<Optimizer> Make(const std::vector<NamedTensor>& parameters) {
    return GetParam().make({{parameters, 0.01}});
  }
  static std::vector<NamedTensor> Parameters() {
    return {{"a", RandomF32({3, 4}, {.seed = 1})},
            {"b", RandomF32(GetParam().second_shape, {.seed = 2})},
            {"c", Tensor::Zeros({0, 4})}};
  }
  static void SetGrads(std::vector<NamedTensor>& parameters, uint64_t step) {
    uint32_t stream = 0;
    for (NamedTensor& parameter : parameters) {
      parameter.tensor.set_grad(RandomF32(parameter.tensor.shape(), {.seed = 3, .stream = stream++, .step = step}));
    }
  }
};

TEST_P(EveryOptimizerTest, EachStepIsOneWrite) {
  auto parameters = Parameters();
  const auto optimizer = Make(parameters);
  std::vector<uint64_t> versions;
  for (const NamedTensor& parameter : parameters) versions.push_back(parameter.tensor.version());
  for (uint64_t step = 1; step <= 3; ++step) {
    SetGrads(parameters, step);
    optimizer->Step();
    EXPECT_EQ(optimizer->step_count(), static_cast<int64_t>(step));
    for (size_t i = 0; i < parameters.size(); ++i) EXPECT_EQ(parameters[i].tensor.version(), versions[i] + step) << i;
  }
}

TEST_P(EveryOptimizerTest, ThreadsDoNotMatter) {
  const Shape shape = {310, 190};  // Large enough for several threads, and not a multiple of a vector.
  std::vector<Tensor> results;
  for (const int threads : {1, 2, 3}) {
    const ScopedNumThreads scope(threads);
    std::vector<NamedTensor> parameters = {{"a", RandomF32(shape, {.seed = 1})}};
    const auto optimizer = Make(parameters);
    for (uint64_t step = 0; step < 2; ++step) {
      SetGrads(parameters, step);
      optimizer->Step();
    }
    results.push_back(parameters[0].tensor);
  }
  ExpectBitEqual(results[1], results[0]);
  ExpectBitEqual(results[2], results[0]);
}

TEST_P(EveryOptimizerTest, GradientsAreReadOnly) {
  auto parameters = Parameters();
  const auto optimizer = Make(parameters);
  SetGrads(parameters, 1);
  const Tensor before = parameters[0].tensor.grad().Clone();
  optimizer->Step();
  ExpectBitEqual(parameters[0].tensor.grad(), before);
}

TEST_P(EveryOptimizerTest, GradientsOf16BitsCountAsTheSameNumbersInF32) {
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    auto narrow = Parameters(), wide = Parameters();
    const auto of_narrow = Make(narrow), of_wide = Make(wide);
    for (uint64_t step = 0; step < 3; ++step) {
      SetGrads(narrow, step);
      for (size_t i = 0; i < narrow.size(); ++i) {
        const Tensor grad = narrow[i].tensor.grad().To(dtype);
        narrow[i].tensor.set_grad(grad);
        wide[i].tensor.set_grad(grad.To(DType::kF32));
      }
      of_narrow->Step();
      of_wide->Step();
    }
    for (size_t i = 0; i < narrow.size(); ++i) ExpectBitEqual(narrow[i].tensor, wide[i].tensor);
  }
}

TEST_P(EveryOptimizerTest, ParametersWithoutGradientArePassedOver) {
  auto parameters = Parameters();
  const auto optimizer = Make(parameters);
  const Tensor before = parameters[1].tensor.Clone();
  const uint64_t version = parameters[1].tensor.version();
  parameters[0].tensor.set_grad(Tensor::Full({3, 4}, 1));
  optimizer->Step();
  ExpectBitEqual(parameters[1].tensor, before);
  EXPECT_EQ(parameters[1].tensor.version(), version);
  EXPECT_EQ(optimizer->step_count(), 1);
  EXPECT_THAT(NamesOf(optimizer->StateDict()), Each(Not(HasSubstr("b."))));
}

TEST_P(EveryOptimizerTest, ZeroGradDropsGradients) {
  auto parameters = Parameters();
  const auto optimizer = Make(parameters);
  SetGrads(parameters, 1);
  optimizer->ZeroGrad();
  for (const NamedTensor& parameter : parameters) EXPECT_FALSE(parameter.tensor.grad().defined());
}

TEST_P(EveryOptimizerTest, ARestoredOptimizerContinuesBitForBit) {
  auto parameters = Parameters();
  const auto optimizer = Make(parameters);
  for (uint64_t step = 0; step < 3; ++step) {
    SetGrads(parameters, step);
    if (step < 2) parameters[1].tensor.ZeroGrad();  // b is first updated in the third step.
    optimizer->Step();
  }
  auto restored_parameters = Copy(parameters);
  const auto restored = Make(restored_parameters);
  SetGrads(restored_parameters, 50);
  restored->Step();  // Gives it another history, which loading must replace.
  for (size_t i = 0; i < parameters.size(); ++i) restored_parameters[i].tensor.CopyFrom(parameters[i].tensor);
  restored->LoadStateDict(Copy(optimizer->StateDict()), "optimizer.safetensors");
  EXPECT_EQ(restored->step_count(), 3);
  for (uint64_t step = 3; step < 6; ++step) {
    for (auto* run : {&parameters, &restored_parameters}) SetGrads(*run, step);
    optimizer->Step();
    restored->Step();
    for (size_t i = 0; i < parameters.size(); ++i) {
      ExpectBitEqual(restored_parameters[i].tensor, parameters[i].tensor);
    }
  }
  const auto state = optimizer->StateDict(), restored_state = restored->StateDict();
  ASSERT_EQ(NamesOf(restored_state), NamesOf(state));
  for (size_t i = 0; i < state.size(); ++i) ExpectBitEqual(restored_state[i].tensor, state[i].tensor);
}

TEST_P(EveryOptimizerTest, LoadingAFreshStateForgets) {
  auto parameters = Parameters();
  const auto fresh = Copy(Make(parameters)->StateDict());
  EXPECT_THAT(NamesOf(fresh), ElementsAre("step"));
  auto optimizer = Make(parameters);
  SetGrads(parameters, 1);
  optimizer->Step();
  optimizer->LoadStateDict(fresh, "x");
  EXPECT_EQ(optimizer->step_count(), 0);
  EXPECT_THAT(NamesOf(optimizer->StateDict()), ElementsAre("step"));
}

TEST_P(EveryOptimizerTest, ALoadedStateIsACopy) {
  auto parameters = Parameters(), other_parameters = Parameters();
  const auto optimizer = Make(parameters), other = Make(other_parameters);
  SetGrads(parameters, 1);
  optimizer->Step();
  other->LoadStateDict(optimizer->StateDict(), "x");
  const auto before = Copy(other->StateDict());
  SetGrads(parameters, 2);
  optimizer->Step();
  const auto after = other->StateDict();
  for (size_t i = 0; i < before.size(); ++i) ExpectBitEqual(after[i].tensor, before[i].tensor);
}

TEST_P(EveryOptimizerTest, ParametersMustBeF32DistinctAndNamedApart) {
  EXPECT_THAT([&] { Make({{"a", Tensor::Zeros({2, 1}, DType::kF64)}}); }, ThrowsMessage<Error>(HasSubstr("'a'")));
  EXPECT_THAT([&] { Make({{"a", Tensor()}}); }, ThrowsMessage<Error>(HasSubstr("'a'")));
  EXPECT_THAT(
      [&] {
        Make({{"a", Tensor::Zeros({2, 1})}, {"a", Tensor::Zeros({2, 1})}});
      },
      ThrowsMessage<Error>(HasSubstr("'a'")));
  const Tensor tied = Tensor::Zeros({2, 1});
  EXPECT_THAT(
      [&] {
        Make({{"a", tied}, {"b", tied}});
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("'a'"), HasSubstr("'b'"))));
}

TEST_P(EveryOptimizerTest, ParametersMustNotShareElements) {
  const Tensor tied = Tensor::Zeros({2, 1});
  for (const Tensor& alias : {tied.Detach(), tied.View({1, 2})}) {
    EXPECT_THAT(
        [&] {
          Make({{"a", tied}, {"b", alias}});
        },
        ThrowsMessage<Error>(AllOf(HasSubstr("'a'"), HasSubstr("'b'"), HasSubstr("share their elements"))));
  }
}

TEST_P(EveryOptimizerTest, RatesThatNoUpdateCanUseAreRefused) {
  const auto optimizer = Make(Parameters());
  optimizer->set_lr(0.25);
  for (const double bad :
       {-1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), 1e39, 1e300}) {
    EXPECT_THAT([&] { optimizer->set_lr(bad); }, ThrowsMessage<Error>(HasSubstr("optimizer: lr is "))) << bad;
    EXPECT_EQ(optimizer->lr(), 0.25);
  }
}

TEST_P(EveryOptimizerTest, AGroupsNumbersMustFitIntoFloats) {
  EXPECT_THAT([&] { GetParam().make({{Parameters(), 1e39}}); }, ThrowsMessage<Error>(HasSubstr("weight_decay 1e+39")));
  EXPECT_THAT([&] { GetParam().make({{Parameters(), 0, 1e39}}); }, ThrowsMessage<Error>(HasSubstr("lr_scale 1e+39")));
}

TEST_P(EveryOptimizerTest, AGroupsDecayMustNotBeNegative) {
  for (double decay : {-0.1, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THAT([&] { GetParam().make({{Parameters(), decay}}); }, ThrowsMessage<Error>(HasSubstr("weight_decay")));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, EveryOptimizerTest,
    ::testing::Values(Kind{"Sgd",
                           [](std::vector<ParameterGroup> groups) {
                             return std::make_unique<Sgd>(std::move(groups), SgdOptions{.lr = 0.1});
                           }},
                      Kind{"SgdMomentum",
                           [](std::vector<ParameterGroup> groups) {
                             return std::make_unique<Sgd>(std::move(groups), SgdOptions{.lr = 0.1, .momentum = 0.9});
                           }},
                      Kind{"SgdNesterov",
                           [](std::vector<ParameterGroup> groups) {
                             return std::make_unique<Sgd>(std::move(groups),
                                                          SgdOptions{.lr = 0.1, .momentum = 0.9, .nesterov = true});
                           }},
                      Kind{"AdamW",
                           [](std::vector<ParameterGroup> groups) {
                             return std::make_unique<AdamW>(std::move(groups), AdamWOptions{.lr = 0.1});
                           }},
                      Kind{"Muon",
                           [](std::vector<ParameterGroup> groups) {
                             return std::make_unique<Muon>(std::move(groups), MuonOptions{.lr = 0.1});
                           },
                           {5, 1}},
                      Kind{"List", MuonAndAdamW}),
    test::ByName());

}  // namespace
}  // namespace twofour::optim
