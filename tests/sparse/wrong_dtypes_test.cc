// Calls every function that takes tensors with every dtype in each of its arguments.
#include "tests/support/wrong_dtypes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "twofour/sparse/finite_weight.h"
#include "twofour/sparse/fused_mlp.h"
#include "twofour/sparse/mask_of_tiles.h"
#include "twofour/sparse/mask_plan.h"
#include "twofour/sparse/mask_statistics.h"
#include "twofour/sparse/mask_tracker.h"
#include "twofour/sparse/ops.h"
#include "twofour/sparse/pattern.h"
#include "twofour/sparse/row_mask.h"
#include "twofour/sparse/soft_threshold.h"

namespace twofour::sparse {
namespace {

using test::Argument;
using test::kF32AndHalf;
using test::kOnlyBool;
using test::kOnlyF32;

Tensor Ones() { return Tensor::Full({4, 8}, 1); }
Mask FourByEight() { return FindMask(Ones(), MaskMethod::kExact); }
std::shared_ptr<const SemiSparseWeight> Packed() {
  return std::make_shared<const SemiSparseWeight>(Ones(), FourByEight());
}

/// An MLP of 8, 4 and 8 features with this c_fc.
void Mlp(const Tensor& x, const MaskedLinearOperand& fc) {
  const Tensor weight = Tensor::Full({8, 4}, 1);
  const MaskedLinearOperand proj = {
      weight, Tensor(), std::make_shared<const SemiSparseWeight>(weight, FindMask(weight, MaskMethod::kExact))};
  const auto kernels = FusedMlpKernels();
  const auto of_f32 = std::find_if(kernels.begin(), kernels.end(), [](const FusedMlpKernel& kernel) {
    return kernel.linear->activation == DType::kF32 && IsAllowed(kernel.linear->isa);
  });
  FusedMlp(*of_f32, x, fc, proj);
}

const Argument kArguments[] = {
    {"FindMask", "weight", {4, 8}, kOnlyF32, [](const Tensor& t) { FindMask(t, MaskMethod::kExact); }},
    {"FindMask", "weight", {4, 8}, kOnlyF32, [](const Tensor& t) { FindMask(t, MaskMethod::kGreedy); }},
    {"FindRowMask", "weight", {4, 8}, kOnlyF32, [](const Tensor& t) { FindRowMask(t, {}); }},
    {"MaskPlan::Find", "scores", {4, 8}, kOnlyF32, [](const Tensor& t) { MaskPlan().Find(t, 0, {}, "scores"); }},
    {"MaskPlan::Find",
     "scores",
     {4, 8},
     kOnlyF32,
     [](const Tensor& t) { MaskPlan({.method = MaskMethod::kRandom}).Find(t, 0, {}, "scores"); }},
    {"MaskPlan::Find",
     "a weight",
     {4, 8},
     kOnlyF32,
     [](const Tensor& t) { MaskTracker({}, "a weight").Refresh(t, 0); }},
    {"MaskOfTiles",
     "name",
     {4, 8},
     kOnlyF32,
     [](const Tensor& t) { MaskOfTiles(t, "name", [](int64_t, const TileMagnitudes&) { return TileMask{1}; }); }},
    {"RequireFinite", "name", {4, 8}, kOnlyF32, [](const Tensor& t) { RequireFinite(t, "name"); }},
    {"mask", "", {4, 8}, kOnlyBool, [](const Tensor& t) { Mask::FromTensor(t); }},
    {"ApplyMask", "weight", {4, 8}, kOnlyF32, [](const Tensor& t) { ApplyMask(t, FourByEight()); }},
    {"ApplyMaskInPlace",
     "values",
     {4, 8},
     kOnlyF32,
     [](const Tensor& t) {
       Tensor values = t;
       ApplyMaskInPlace(FourByEight(), values);
     }},
    {"AddDropped",
     "weight",
     {4, 8},
     kOnlyF32,
     [](const Tensor& t) {
       Tensor sum = Ones();
       AddDropped(1, t, FourByEight(), sum);
     }},
    {"AddDropped",
     "sum",
     {4, 8},
     kOnlyF32,
     [](const Tensor& t) {
       Tensor sum = t;
       AddDropped(1, Ones(), FourByEight(), sum);
     }},
    {"RetainedL1", "weight", {4, 8}, kOnlyF32, [](const Tensor& t) { RetainedL1(t, FourByEight()); }},
    {"SoftThreshold", "weight", {4, 8}, kOnlyF32, [](const Tensor& t) { SoftThreshold(t, {}, FourByEight()); }},
    {"ScaleToFit", "weight", {4, 8}, kOnlyF32, [](const Tensor& t) { ScaleToFit(t, Ones()); }},
    {"ScaleToFit", "pruned", {4, 8}, kOnlyF32, [](const Tensor& t) { ScaleToFit(Ones(), t); }},
    {"FindPatternViolation",
     "matrix",
     {4, 8},
     kOnlyF32,
     [](const Tensor& t) { FindPatternViolation(t, PatternAxis::kBoth); }},
    {"StatisticsOf", "weight", {4, 8}, kOnlyF32, [](const Tensor& t) { StatisticsOf(t, FourByEight()); }},
    {"KeepOtherTilesWhole",
     "weight",
     {4, 8},
     kOnlyF32,
     [](const Tensor& t) {
       Mask mask = FourByEight();
       KeepOtherTilesWhole(t, 0.5, TileOrder::kRandom, {}, mask);
     }},
    {"2:4 weight", "weight", {4, 8}, kOnlyF32, [](const Tensor& t) { SemiSparseWeight(t, FourByEight()); }},
    {"SemiSparseWeight::Forward", "x", {3, 8}, kF32AndHalf, [](const Tensor& t) { Packed()->Forward(t); }},
    {"SemiSparseWeight::InputGrad", "dy", {3, 4}, kF32AndHalf, [](const Tensor& t) { Packed()->InputGrad(t); }},
    {"MaskedLinear", "x", {3, 8}, kF32AndHalf, [](const Tensor& t) { MaskedLinear(t, Ones(), Tensor(), Packed()); }},
    {"MaskedLinear", "weight", {4, 8}, kOnlyF32, [](const Tensor& t) { MaskedLinear(Ones(), t, Tensor(), Packed()); }},
    {"MaskedLinear", "bias", {4}, kOnlyF32, [](const Tensor& t) { MaskedLinear(Ones(), Ones(), t, Packed()); }, true},
    {"PruneTiles", "x", {3, 8}, kF32AndHalf, [](const Tensor& t) { PruneTiles(t, MaskMethod::kExact); }},
    {"FusedMlp",
     "x",
     {3, 8},
     kF32AndHalf,
     [](const Tensor& t) {
       Mlp(t, {Ones(), Tensor(), Packed()});
     }},
    {"FusedMlp",
     "c_fc",
     {4, 8},
     kOnlyF32,
     [](const Tensor& t) {
       Mlp(Ones(), {t, Tensor(), Packed()});
     }},
    {"FusedMlp",
     "c_fc bias",
     {4},
     kOnlyF32,
     [](const Tensor& t) {
       Mlp(Ones(), {Ones(), t, Packed()});
     },
     true},
};

TEST(WrongDTypesTest, EveryFunctionNamesItselfAndTheArgument) {
  for (const Argument& argument : kArguments) test::ExpectNamesWrongDTypes(argument);
}

}  // namespace
}  // namespace twofour::sparse
