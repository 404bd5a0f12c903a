// Masks that are chosen by RIA scores.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "twofour/nn/forward_observer.h"
#include "twofour/nn/semi_sparse_linear.h"
#include "twofour/nn/sparse_training.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/scores/ria_scores.h"

#include "tests/nn/load_buffers.h"
#include "tests/nn/recipe_layer.h"
#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using sparse::FindMask;
using sparse::Mask;
using sparse::MaskMethod;
using sparse::MaskPlan;
using sparse::MaskScore;
using sparse::RiaScores;
using test::kIn;
using test::MakeLayer;
using test::RandomF32;
using test::Update;
using ::testing::HasSubstr;

const SemiSparseOptions kByRia{.score = MaskScore::kRia};

Tensor NormsOf(uint64_t seed) { return RandomF32({kIn}, {.seed = seed}, 0, 10); }

TEST(RiaMasksTest, TheFirstMaskTakesAllInputsAsEquallyLarge) {
  SemiSparseLinear layer = MakeLayer(kByRia);
  EXPECT_EQ(layer.mask(), FindMask(RiaScores(layer.weight(), Tensor::Full({kIn}, 1)), MaskMethod::kExact));
}

TEST(RiaMasksTest, LaterMasksKnowTheNorms) {
  SemiSparseLinear layer = MakeLayer(kByRia);
  const Mask first = layer.mask();
  layer.AddInputNorms(NormsOf(7));
  EXPECT_EQ(layer.mask(), first) << "no search is due";
  Update(layer, 0);
  const Mask with_norms = layer.mask();
  EXPECT_EQ(with_norms, FindMask(RiaScores(layer.weight(), NormsOf(7)), MaskMethod::kExact));
  EXPECT_NE(with_norms, FindMask(layer.weight(), MaskMethod::kExact)) << "the example does not tell scores apart";
}

TEST(RiaMasksTest, SquaresOfNormsAreAveraged) {
  SemiSparseLinear layer = MakeLayer(kByRia);
  for (const float norm : {10.0f, 20.0f, std::numeric_limits<float>::infinity()}) {
    layer.AddInputNorms(Tensor::Full({kIn}, norm));
  }
  for (const NamedTensor& buffer : layer.Buffers()) {
    if (buffer.name != "weight_mask_input_squares") continue;
    for (int64_t i = 0; i < kIn; ++i) EXPECT_FLOAT_EQ(buffer.tensor.data<double>()[i], 0.9f * 100 + 0.1f * 400);
    return;
  }
  FAIL() << "no such buffer";
}

TEST(RiaMasksTest, ARestoredLayerFindsTheSameMasks) {
  SemiSparseLinear layer = MakeLayer(kByRia), other = MakeLayer(kByRia);
  layer.AddInputNorms(NormsOf(7));
  test::LoadBuffers(other, layer.Buffers());
  for (SemiSparseLinear* one : {&layer, &other}) Update(*one, 0);
  EXPECT_EQ(layer.mask(), other.mask());
}

TEST(RiaMasksTest, AStateThatCannotBeIsRefused) {
  SemiSparseLinear layer = MakeLayer(kByRia);
  layer.AddInputNorms(NormsOf(7));
  const auto load = [&](const Tensor& squares) {
    std::vector<NamedTensor> state = layer.Buffers();
    for (NamedTensor& buffer : state) {
      if (buffer.name == "weight_mask_input_squares") buffer.tensor = squares;
    }
    SemiSparseLinear other = MakeLayer(kByRia);
    test::LoadBuffers(other, state);
  };
  for (const Tensor& bad : {Tensor::Full({kIn}, -1, DType::kF64), Tensor::Full({kIn}, std::nan(""), DType::kF64),
                            Tensor::Full({kIn - 1}, 1, DType::kF64), Tensor::Full({kIn}, 1)}) {
    EXPECT_ERROR(load(bad), ErrorKind::kInvalidInput, HasSubstr("expected 16 f64 that are finite and not negative"));
  }
  load(Tensor::Full({kIn}, 1, DType::kF64));
}

TEST(RiaMasksTest, InputsOfEverySizeCount) {
  // The squares of these norms are beyond what a float holds.
  for (const float scale : {1e-30f, 1e25f}) {
    SemiSparseLinear layer = MakeLayer(kByRia), usual = MakeLayer(kByRia);
    const Tensor norms = NormsOf(7);
    Tensor scaled = norms.Clone();
    for (int64_t i = 0; i < kIn; ++i) scaled.mutable_data<float>()[i] *= scale;
    layer.AddInputNorms(scaled);
    usual.AddInputNorms(norms);
    for (SemiSparseLinear* one : {&layer, &usual}) Update(*one, 0);
    EXPECT_EQ(layer.mask(), usual.mask()) << scale;
    SemiSparseLinear other = MakeLayer(kByRia);
    test::LoadBuffers(other, layer.Buffers());
    Update(other, 0);
    EXPECT_EQ(other.mask(), layer.mask()) << scale;
  }
}

TEST(RiaMasksTest, TrainingCollectsTheNormsOfAStep) {
  SemiSparseLinear layer = MakeLayer(kByRia);
  SparseTraining training(layer);
  const Tensor x = RandomF32({6, kIn}, {.seed = 4});
  training.BeforeStep({});
  ForwardObserver* const observer = training.Observer({});
  ASSERT_NE(observer, nullptr);
  {
    const ForwardObserverScope scope(*observer);
    layer.Forward(x);
  }
  layer.Forward(RandomF32({6, kIn}, {.seed = 5}));  // As in an evaluation: nobody looks.
  training.AfterBackward({});
  Update(layer, 0);
  Tensor norms = Tensor::Zeros({kIn});
  for (int64_t i = 0; i < x.numel(); ++i)
    norms.mutable_data<float>()[i % kIn] += x.data<float>()[i] * x.data<float>()[i];
  for (int64_t i = 0; i < kIn; ++i) norms.mutable_data<float>()[i] = std::sqrt(norms.data<float>()[i]);
  EXPECT_EQ(layer.mask(), FindMask(RiaScores(layer.weight(), norms), MaskMethod::kExact));
}

TEST(RiaMasksTest, NobodyLooksWhereNormsAreNotNeeded) {
  SemiSparseLinear layer = MakeLayer({});
  EXPECT_EQ(SparseTraining(layer).Observer({}), nullptr);
}

TEST(RiaMasksTest, NotForMethodsThatIgnoreScores) {
  for (const MaskMethod method : {MaskMethod::kRandom, MaskMethod::kSignedGreedy}) {
    EXPECT_ERROR(MakeLayer({.plan = MaskPlan({.method = method}), .score = MaskScore::kRia}), ErrorKind::kInvalidInput,
                 HasSubstr("score is ria, expected magnitude beside"));
  }
  SemiSparseOptions soft = test::SoftOptions();
  soft.score = MaskScore::kRia;
  EXPECT_ERROR(MakeLayer(soft), ErrorKind::kInvalidInput, HasSubstr("beside soft_threshold"));
}

TEST(RiaMasksTest, NormsOfAnotherShapeAreRefused) {
  SemiSparseLinear layer = MakeLayer(kByRia);
  EXPECT_ERROR(layer.AddInputNorms(Tensor::Full({kIn + 1}, 1)), ErrorKind::kInvalidInput, HasSubstr("norms"));
}

}  // namespace
}  // namespace twofour::nn
