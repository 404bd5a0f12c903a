// States that an optimizer loads, which need not be trustworthy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/optim/adamw.h"
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

void Set(std::vector<NamedTensor>& state, const std::string& name, const Tensor& tensor) {
  std::erase_if(state, [&](const NamedTensor& named) { return named.name == name; });
  if (tensor.defined()) state.push_back({name, tensor});
}

/// AdamW on a [2, 3] and b [4], stepped once.
class OptimizerStateTest : public ::testing::Test {
 protected:
  OptimizerStateTest() {
    for (NamedTensor& parameter : parameters_) {
      parameter.tensor.set_grad(RandomF32(parameter.tensor.shape(), {.seed = 5}));
    }
    adamw_.Step();
    state_ = Copy(adamw_.StateDict());
  }
  template <typename Matcher>
  void ExpectRefused(const Matcher& matcher) {
    const auto before = Copy(adamw_.StateDict());
    EXPECT_THAT([&] { adamw_.LoadStateDict(state_, "optimizer.safetensors"); }, ThrowsMessage<Error>(matcher));
    const auto after = adamw_.StateDict();
    ASSERT_EQ(NamesOf(after), NamesOf(before));
    for (size_t i = 0; i < before.size(); ++i) ExpectBitEqual(after[i].tensor, before[i].tensor);
  }

  std::vector<NamedTensor> parameters_{{"a", RandomF32({2, 3}, {.seed = 1})}, {"b", RandomF32({4}, {.seed = 2})}};
  AdamW adamw_{{{parameters_, 0.0}}, {}};
  std::vector<NamedTensor> state_;
};

TEST_F(OptimizerStateTest, HasTheStepAndThenEachParametersState) {
  EXPECT_THAT(NamesOf(state_),
              ElementsAre("step", "a.step", "a.exp_avg", "a.exp_avg_sq", "b.step", "b.exp_avg", "b.exp_avg_sq"));
  EXPECT_EQ(state_[0].tensor.dtype(), DType::kI32);
  EXPECT_EQ(state_[0].tensor.shape(), Shape{});
  EXPECT_EQ(state_[0].tensor.item(), 1);
  EXPECT_EQ(state_[2].tensor.shape(), (Shape{2, 3}));
}

TEST_F(OptimizerStateTest, EveryFaultIsListed) {
  Set(state_, "step", Tensor::Scalar(-1, DType::kI32));
  Set(state_, "a.exp_avg", Tensor::Zeros({3, 2}));
  Set(state_, "a.step", Tensor::Scalar(0, DType::kI32));
  Set(state_, "b.exp_avg", Tensor());
  Set(state_, "b.exp_avg_sq", Tensor::Zeros({4}, DType::kF64));
  Set(state_, "c.exp_avg", Tensor::Zeros({4}));
  ExpectRefused(AllOf(HasSubstr("optimizer.safetensors: tensor 'step': expected one i32"),
                      HasSubstr("optimizer.safetensors: tensor 'a.exp_avg': f32 [3, 2], the parameter is f32 [2, 3]"),
                      HasSubstr("optimizer.safetensors: tensor 'a.step': expected one i32"),
                      HasSubstr("optimizer.safetensors: tensor 'b.exp_avg': missing, expected f32 [4]"),
                      HasSubstr("optimizer.safetensors: tensor 'b.exp_avg_sq': f64 [4]"),
                      HasSubstr("optimizer.safetensors: tensor 'c.exp_avg': belongs to no parameter")));
}

TEST_F(OptimizerStateTest, TheStepMustBeThere) {
  Set(state_, "step", Tensor());
  ExpectRefused(HasSubstr("tensor 'step'"));
  Set(state_, "step", Tensor::Zeros({2}, DType::kI32));
  ExpectRefused(HasSubstr("tensor 'step'"));
  Set(state_, "step", Tensor::Zeros({}));
  ExpectRefused(HasSubstr("tensor 'step'"));
}

TEST_F(OptimizerStateTest, WhatIsMissingIsSaidToBeMissing) {
  const auto whole = state_;
  Set(state_, "step", Tensor());
  ExpectRefused("optimizer.safetensors: tensor 'step': missing, expected one i32 of at least 0");
  state_ = whole;
  Set(state_, "a.step", Tensor());
  ExpectRefused("optimizer.safetensors: tensor 'a.step': missing, expected one i32 of at least 1");
  state_ = whole;
  Set(state_, "a.exp_avg", Tensor());
  Set(state_, "a.exp_avg_sq", Tensor());
  ExpectRefused(
      "optimizer.safetensors: tensor 'a.exp_avg': missing, expected f32 [2, 3]\n"
      "optimizer.safetensors: tensor 'a.exp_avg_sq': missing, expected f32 [2, 3]");
  state_ = whole;
  state_[2].tensor = state_[3].tensor = Tensor();
  ExpectRefused(
      "optimizer.safetensors: tensor 'a.exp_avg': is undefined\n"
      "optimizer.safetensors: tensor 'a.exp_avg_sq': is undefined");
}

TEST_F(OptimizerStateTest, AStateThatNoTrainingMakesIsRefused) {
  const auto whole = state_;
  const auto refuses = [&](const std::string& name, const Tensor& tensor, const std::string& fault) {
    state_ = whole;
    Set(state_, name, tensor);
    ExpectRefused("optimizer.safetensors: tensor '" + name + "': " + fault);
  };
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const auto with = [](float bad) { return Tensor::FromVector(std::vector<float>{0, 1, 2, bad}, {4}); };
  refuses("b.exp_avg_sq", with(-1), "element 3 is -1, expected at least 0");
  refuses("b.exp_avg_sq", with(kNan), "element 3 is nan, expected at least 0");
  refuses("b.exp_avg", with(kNan), "element 3 is nan, expected a number");
  refuses("b.step", Tensor::Scalar(2, DType::kI32), "2 updates, expected at most 1, the steps of the optimizer");
  refuses("b.step", Tensor::Scalar(0.5), "expected one i32 of at least 1");
  refuses("b.step", Tensor::Scalar(-1, DType::kI32), "expected one i32 of at least 1");
  // A square that overflowed is no fault: its element stays where it is.
  state_ = whole;
  Set(state_, "b.exp_avg_sq", with(std::numeric_limits<float>::infinity()));
  Set(state_, "b.exp_avg", with(-3));
  EXPECT_NO_THROW(adamw_.LoadStateDict(state_, "x"));
}

TEST_F(OptimizerStateTest, ATensorThatComesTwiceIsAFault) {
  state_.push_back({"a.exp_avg", Tensor::Zeros({2, 3})});
  ExpectRefused(HasSubstr("tensor 'a.exp_avg': is there twice"));
}

TEST_F(OptimizerStateTest, AnotherOptimizersStateIsRefused) {
  Sgd sgd({{parameters_, 0.0}}, {.momentum = 0.9});
  EXPECT_THAT([&] { sgd.LoadStateDict(state_, "x"); },
              ThrowsMessage<Error>(HasSubstr("'a.exp_avg': belongs to no parameter")));
}

}  // namespace
}  // namespace twofour::optim
