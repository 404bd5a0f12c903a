#include "twofour/nn/packed_linears.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/nn/init.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/mlp.h"
#include "twofour/nn/sparse_linear.h"
#include "twofour/nn/state_dict.h"
#include "twofour/sparse/vnm_mask.h"
#include "twofour/sparse/vnm_packed_weight.h"

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectClose;
using test::RandomF32;

constexpr sparse::VnmPattern kVnm{.v = 8, .m = 8};

std::unique_ptr<Mlp> NewMlp(uint64_t seed) {
  Generator generator(seed);
  auto mlp = std::make_unique<Mlp>(MlpOptions{.in_features = 16, .hidden_features = 24, .out_features = 8}, generator);
  mlp->SetTraining(false);
  return mlp;
}

/// An Mlp whose c_fc is 8:2:8.
std::unique_ptr<Mlp> TrainedMlp() {
  std::unique_ptr<Mlp> mlp = NewMlp(1);
  Tensor weight = mlp->NamedParameters()[0].tensor;
  weight.CopyFrom(ApplyMask(weight, sparse::FindVnmMask(weight, kVnm)));
  return mlp;
}

std::shared_ptr<const sparse::InferenceWeight> Pack(const Tensor& weight) {
  return std::make_shared<const sparse::VnmPackedWeight>(sparse::PackVnm(weight, kVnm, "w"), DType::kF32, "w");
}

/// c_fc of an Mlp as a file holds it.
PackedLinear FirstOf(Mlp& mlp) {
  const std::vector<NamedTensor> parameters = mlp.NamedParameters();
  return {.name = "c_fc", .weight = Pack(parameters[0].tensor), .bias = parameters[1].tensor.Clone()};
}

TEST(PackedLinearsTest, TakeThePlaceOfLinearsThatWereNeverFilled) {
  const NoGradGuard no_grad;
  const std::unique_ptr<Mlp> trained = TrainedMlp();
  const Tensor x = RandomF32({3, 16}, {.seed = 4});
  std::unique_ptr<Mlp> loaded;
  {
    const UnsetWeightsScope unset;
    loaded = NewMlp(2);
  }
  PutPackedLinears(*loaded, {FirstOf(*trained)}, "f");
  std::vector<NamedTensor> others = trained->NamedParameters();
  others.erase(others.begin(), others.begin() + 2);
  LoadStateDict(*loaded, others, "f");
  ExpectClose(loaded->Forward(x), trained->Forward(x), 1e-5);
  int packed = 0;
  loaded->VisitModules([&](const std::string&, Module& module) {
    packed += dynamic_cast<const SparseLinear*>(&module) != nullptr;
    EXPECT_FALSE(module.training());
  });
  EXPECT_EQ(packed, 1);
}

TEST(PackedLinearsTest, WhatDoesNotFitIsRefusedBeforeAnythingChanges) {
  const std::unique_ptr<Mlp> mlp = TrainedMlp();
  const PackedLinear good = FirstOf(*mlp);
  const auto expect = [&](PackedLinear bad, const std::string& message) {
    EXPECT_ERROR(PutPackedLinears(*mlp, {good, std::move(bad)}, "f"), ErrorKind::kInvalidInput, message);
    EXPECT_EQ(mlp->NamedParameters().size(), 4u);
  };
  expect({.name = "c\n", .weight = good.weight}, "f: tensor 'c\\x0a.weight': the model has no such linear");
  expect({.name = "c_proj", .weight = good.weight, .bias = Tensor::Zeros({8})},
         "f: tensor 'c_proj.weight': shape [24, 16], expected [8, 24]");
  const auto proj = Pack(Tensor::Zeros({8, 24}));
  expect({.name = "c_proj", .weight = proj}, "f: tensor 'c_proj.weight': has no bias, the model's has one");
  expect({.name = "c_proj", .weight = proj, .bias = Tensor::Zeros({9})},
         "f: tensor 'c_proj.weight': its bias is f32 [9], expected f32 [8]");
  PutPackedLinears(*mlp, {good}, "f");
  EXPECT_ERROR(PutPackedLinears(*mlp, {good}, "f"), ErrorKind::kInvalidInput,
               "f: tensor 'c_fc.weight': is packed, but the model has a SparseLinear there");
}

}  // namespace
}  // namespace twofour::nn
