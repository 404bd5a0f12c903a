#include "twofour/optim/optimizer_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/optim/adamw.h"
#include "twofour/optim/muon.h"
#include "twofour/optim/sgd.h"

#include "tests/optim/state_dicts.h"
#include "tests/support/tensors.h"

namespace twofour::optim {
namespace {

using test::Copy;
using test::ExpectBitEqual;
using test::NamesOf;
using test::RandomF32;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

template <typename... Parts>
std::vector<std::unique_ptr<Optimizer>> PartsOf(std::unique_ptr<Parts>... parts) {
  std::vector<std::unique_ptr<Optimizer>> result;
  (result.push_back(std::move(parts)), ...);
  return result;
}

std::unique_ptr<Muon> MuonOf(const std::vector<NamedTensor>& parameters, double lr = 0.1) {
  return std::make_unique<Muon>(std::vector<ParameterGroup>{{parameters}}, MuonOptions{.lr = lr});
}

std::unique_ptr<AdamW> AdamWOf(const std::vector<NamedTensor>& parameters, double lr = 0.1) {
  return std::make_unique<AdamW>(std::vector<ParameterGroup>{{parameters}}, AdamWOptions{.lr = lr});
}

/// Muon on matrix [3, 4] and AdamW on bias [5].
class OptimizerListTest : public ::testing::Test {
 protected:
  void SetGrads(uint64_t step) {
    for (Tensor* tensor : {&matrix_, &bias_}) tensor->set_grad(RandomF32(tensor->shape(), {.seed = 3, .step = step}));
  }

  Tensor matrix_ = RandomF32({3, 4}, {.seed = 1}), bias_ = RandomF32({5}, {.seed = 2});
  OptimizerList list_{PartsOf(MuonOf({{"matrix", matrix_}}), AdamWOf({{"bias", bias_}}))};
};

TEST_F(OptimizerListTest, DoesWhatItsPartsWouldDo) {
  Tensor matrix = matrix_.Clone(), bias = bias_.Clone();
  const auto muon = MuonOf({{"matrix", matrix}});
  const auto adamw = AdamWOf({{"bias", bias}});
  for (uint64_t step = 0; step < 3; ++step) {
    const double lr = 0.3 / static_cast<double>(1 + step);
    list_.set_lr(lr);
    muon->set_lr(lr);
    adamw->set_lr(lr);
    EXPECT_EQ(list_.lr(), lr);
    SetGrads(step);
    matrix.set_grad(matrix_.grad());
    bias.set_grad(bias_.grad());
    list_.Step();
    muon->Step();
    adamw->Step();
    ExpectBitEqual(matrix_, matrix);
    ExpectBitEqual(bias_, bias);
  }
  EXPECT_EQ(list_.step_count(), 3);
  list_.ZeroGrad();
  EXPECT_FALSE(matrix_.grad().defined());
  EXPECT_FALSE(bias_.grad().defined());
}

TEST_F(OptimizerListTest, TheStateHasOneStep) {
  SetGrads(0);
  list_.Step();
  EXPECT_THAT(NamesOf(list_.Parameters()), ElementsAre("matrix", "bias"));
  EXPECT_THAT(NamesOf(list_.StateDict()), ElementsAre("step", "matrix.step", "matrix.momentum_buffer", "bias.step",
                                                      "bias.exp_avg", "bias.exp_avg_sq"));
}

TEST_F(OptimizerListTest, FaultsOfAllPartsAreListedAndNothingIsLoaded) {
  SetGrads(0);
  list_.Step();
  const auto before = Copy(list_.StateDict());
  // Each part finds its own tensors correct only in part.
  const std::vector<NamedTensor> state{{"step", Tensor::Scalar(9, DType::kI32)},
                                       {"matrix.step", Tensor::Scalar(9, DType::kI32)},
                                       {"matrix.momentum_buffer", Tensor::Zeros({4, 3})},
                                       {"bias.step", Tensor::Scalar(9, DType::kI32)},
                                       {"bias.exp_avg", Tensor::Zeros({5})},
                                       {"other.exp_avg", Tensor::Zeros({5})}};
  EXPECT_THAT([&] { list_.LoadStateDict(state, "file"); },
              ThrowsMessage<Error>("file: tensor 'matrix.momentum_buffer': f32 [4, 3], the parameter is f32 [3, 4]\n"
                                   "file: tensor 'bias.exp_avg_sq': missing, expected f32 [5]\n"
                                   "file: tensor 'other.exp_avg': belongs to no parameter of this optimizer"));
  auto one_fault = Copy(before);
  one_fault[0].tensor = Tensor::Scalar(9, DType::kI32);
  one_fault.pop_back();  // A tensor of the last part. The state of the first part is complete.
  EXPECT_THAT([&] { list_.LoadStateDict(one_fault, "file"); },
              ThrowsMessage<Error>(HasSubstr("'bias.exp_avg_sq': missing")));
  const auto after = list_.StateDict();
  ASSERT_EQ(NamesOf(after), NamesOf(before));
  for (size_t i = 0; i < before.size(); ++i) ExpectBitEqual(after[i].tensor, before[i].tensor);
}

TEST_F(OptimizerListTest, AnotherOptimizersStateIsRefused) {
  auto adamw = AdamWOf({{"matrix", matrix_}, {"bias", bias_}});
  SetGrads(0);
  adamw->Step();
  EXPECT_THAT([&] { list_.LoadStateDict(adamw->StateDict(), "x"); },
              ThrowsMessage<Error>(AllOf(HasSubstr("'matrix.exp_avg': belongs to no parameter"),
                                         HasSubstr("'matrix.momentum_buffer': missing, expected f32 [3, 4]"))));
  list_.Step();
  EXPECT_THAT([&] { adamw->LoadStateDict(list_.StateDict(), "x"); },
              ThrowsMessage<Error>(HasSubstr("'matrix.momentum_buffer': belongs to no parameter")));
}

TEST_F(OptimizerListTest, PartsMustBeDisjoint) {
  const Tensor other = Tensor::Zeros({3, 4});
  EXPECT_THAT(
      [&] {
        OptimizerList(PartsOf(MuonOf({{"a", matrix_}}), AdamWOf({{"b", matrix_}})));
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("'a'"), HasSubstr("'b'"), HasSubstr("share their elements"))));
  EXPECT_THAT(
      [&] {
        OptimizerList(PartsOf(MuonOf({{"a", matrix_}}), AdamWOf({{"a", other}})));
      },
      ThrowsMessage<Error>(HasSubstr("are named 'a'")));
}

TEST_F(OptimizerListTest, PartsMustMatch) {
  const Tensor other = Tensor::Zeros({3});
  EXPECT_THAT([] { OptimizerList({}); }, ThrowsMessage<Error>(HasSubstr("no optimizers")));
  EXPECT_THAT(
      [&] {
        OptimizerList(PartsOf(MuonOf({{"a", matrix_}}), std::unique_ptr<Sgd>()));
      },
      ThrowsMessage<Error>(HasSubstr("optimizer 1 is null")));
  EXPECT_THAT(
      [&] {
        OptimizerList(PartsOf(MuonOf({{"a", matrix_}}, 0.5), AdamWOf({{"b", other}}, 0.25)));
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("0.5"), HasSubstr("0.25"), HasSubstr("lr_scale"))));
  auto stepped = AdamWOf({{"b", other}});
  stepped->Step();
  EXPECT_THAT(
      [&] {
        OptimizerList(PartsOf(MuonOf({{"a", matrix_}}), std::move(stepped)));
      },
      ThrowsMessage<Error>(HasSubstr("0 steps, optimizer 1 1")));
}

}  // namespace
}  // namespace twofour::optim
