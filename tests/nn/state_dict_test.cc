#include "twofour/nn/state_dict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/nn/linear.h"
#include "twofour/nn/mlp.h"
#include "twofour/nn/swap.h"

#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using test::ExpectBitEqual;
using test::RandomF32;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::ThrowsMessage;

std::vector<NamedTensor> Copy(const std::vector<NamedTensor>& state) {
  std::vector<NamedTensor> copy;
  for (const NamedTensor& named : state) copy.push_back({named.name, named.tensor.Clone()});
  return copy;
}

std::vector<std::string> NamesOf(const std::vector<NamedTensor>& state) {
  std::vector<std::string> names;
  for (const NamedTensor& named : state) names.push_back(named.name);
  return names;
}

void Erase(std::vector<NamedTensor>& state, const std::string& name) {
  std::erase_if(state, [&](const NamedTensor& named) { return named.name == name; });
}

void Set(std::vector<NamedTensor>& state, const std::string& name, const Tensor& tensor) {
  Erase(state, name);
  state.push_back({name, tensor});
}

/// Writes new numbers to every parameter, with one write each.
void Update(Module& module, uint64_t step) {
  uint32_t stream = 0;
  for (Tensor& parameter : module.Parameters()) {
    FillUniform(parameter, -1, 1, {.seed = 77, .stream = stream++, .step = step});
  }
}

class StateDictTest : public ::testing::Test {
 protected:
  static Mlp Make(uint64_t seed) {
    Generator generator(seed);
    return Mlp({.in_features = 8, .hidden_features = 16, .out_features = 8}, generator);
  }
  static void Sparsify(Module& module, int64_t interval) {
    SwapLinearWithSemiSparseLinear(module, {.multiple_of = 4, .sparsity = {.interval = interval}});
  }
  /// Loading `state` must fail with a message that `matcher` accepts, and leave the model as it was.
  template <typename Matcher>
  static void ExpectRefused(Module& module, const std::vector<NamedTensor>& state, const Matcher& matcher) {
    const auto before = Copy(StateDict(module));
    EXPECT_THAT([&] { LoadStateDict(module, state, "model.safetensors"); }, ThrowsMessage<Error>(matcher));
    const auto after = StateDict(module);
    ASSERT_EQ(NamesOf(after), NamesOf(before));
    for (size_t i = 0; i < before.size(); ++i) ExpectBitEqual(after[i].tensor, before[i].tensor);
  }
};

TEST_F(StateDictTest, HoldsParametersThenMasks) {
  Mlp mlp = Make(1);
  EXPECT_THAT(NamesOf(StateDict(mlp)), ElementsAre("c_fc.weight", "c_fc.bias", "c_proj.weight", "c_proj.bias"));
  EXPECT_TRUE(StateDict(mlp)[0].tensor.IsSameStorage(mlp.Parameters()[0]));
  Sparsify(mlp, 1);
  EXPECT_THAT(
      NamesOf(StateDict(mlp)),
      ElementsAre("c_fc.weight", "c_fc.bias", "c_proj.weight", "c_proj.bias", "c_fc.weight_mask",
                  "c_fc.weight_mask_age", "c_fc.weight_mask_step", "c_fc.weight_mask_flip_rate", "c_proj.weight_mask",
                  "c_proj.weight_mask_age", "c_proj.weight_mask_step", "c_proj.weight_mask_flip_rate"));
}

TEST_F(StateDictTest, RoundTrip) {
  Mlp from = Make(1), to = Make(2);
  const Tensor x = RandomF32({3, 8}, {.seed = 3});
  const Tensor weight = to.Parameters()[0];
  auto state = Copy(StateDict(from));
  std::reverse(state.begin(), state.end());  // Order does not matter.
  LoadStateDict(to, state, "model.safetensors");
  ExpectBitEqual(to.Forward(x).Detach(), from.Forward(x).Detach());
  EXPECT_EQ(to.Parameters()[0].impl(), weight.impl());
  EXPECT_FALSE(weight.IsSameStorage(state.back().tensor));
}

TEST_F(StateDictTest, MasksComeBackWithTheirAge) {
  Mlp from = Make(1), to = Make(2);
  Sparsify(from, 4);
  Sparsify(to, 4);
  const Tensor x = RandomF32({3, 8}, {.seed = 3});
  from.Forward(x);
  to.Forward(x);
  for (uint64_t step = 1; step <= 6; ++step) {
    Update(from, step);
    from.Forward(x);
  }
  auto state = Copy(StateDict(from));
  std::reverse(state.begin(), state.end());
  LoadStateDict(to, state, "model.safetensors");
  for (uint64_t step = 7; step <= 14; ++step) {
    ExpectBitEqual(to.Forward(x).Detach(), from.Forward(x).Detach());
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(FindSemiSparseLinears(to)[i].layer->mask(), FindSemiSparseLinears(from)[i].layer->mask()) << step;
    }
    Update(from, step);
    Update(to, step);
  }
}

TEST_F(StateDictTest, MasksThatAreMissingAreFoundAnew) {
  Mlp dense = Make(1), to = Make(2);
  Sparsify(to, 10);
  to.Forward(RandomF32({3, 8}, {.seed = 3}));  // A mask of the old weight is in force, and would stay for ten updates.
  LoadStateDict(to, StateDict(dense), "model.safetensors");
  for (const NamedSemiSparseLinear& found : FindSemiSparseLinears(to)) {
    EXPECT_EQ(found.layer->mask(), sparse::FindMask(found.layer->weight(), sparse::MaskMethod::kExact)) << found.name;
  }
}

TEST_F(StateDictTest, AMaskWithoutItsAgeIsNew) {
  Mlp from = Make(1), to = Make(2);
  Sparsify(from, 4);
  Sparsify(to, 4);
  auto state = Copy(StateDict(from));
  Erase(state, "c_fc.weight_mask_age");
  LoadStateDict(to, state, "model.safetensors");
  for (const NamedTensor& named : StateDict(to)) {
    if (named.name == "c_fc.weight_mask_age") {
      EXPECT_EQ(named.tensor.item(), 0);
    }
  }
}

TEST_F(StateDictTest, EveryFaultIsListed) {
  Mlp mlp = Make(1);
  auto state = Copy(StateDict(mlp));
  Erase(state, "c_fc.bias");
  Set(state, "c_proj.weight", Tensor::Zeros({8, 8}));
  Set(state, "c_proj.bias", Tensor::Zeros({8}, DType::kF64));
  Set(state, "head.weight", Tensor::Zeros({4}));
  Set(state, "c_fc.weight_mask", Tensor::Zeros({16, 8}, DType::kBool));  // A dense linear has none.
  ExpectRefused(mlp, state,
                AllOf(HasSubstr("model.safetensors: tensor 'c_fc.bias': missing, the model expects f32 [16]"),
                      HasSubstr("model.safetensors: tensor 'c_proj.weight': f32 [8, 8], the model expects f32 [8, 16]"),
                      HasSubstr("model.safetensors: tensor 'c_proj.bias': f64 [8], the model expects f32 [8]"),
                      HasSubstr("model.safetensors: tensor 'head.weight': the model has no such tensor"),
                      HasSubstr("model.safetensors: tensor 'c_fc.weight_mask': the model has no such tensor"),
                      Not(HasSubstr("'c_fc.weight'"))));
}

TEST_F(StateDictTest, ATensorThatComesTwiceIsAFault) {
  Mlp mlp = Make(1);
  Sparsify(mlp, 1);
  auto state = Copy(StateDict(mlp));
  state.push_back({"c_fc.bias", Tensor::Zeros({16})});
  state.push_back({"c_fc.weight_mask", Tensor::Zeros({16, 8}, DType::kBool)});
  ExpectRefused(
      mlp, state,
      AllOf(HasSubstr("tensor 'c_fc.bias': is there twice"), HasSubstr("tensor 'c_fc.weight_mask': is there twice")));
}

/// Two linears that share a weight.
class Tied : public Module {
 public:
  explicit Tied(const Tensor& weight, const Tensor& same) {
    RegisterModule("embed", std::make_unique<Linear>(weight, Tensor()));
    RegisterModule("head", std::make_unique<Linear>(same, Tensor()));
  }
  std::string_view type_name() const override { return "Tied"; }
  Tensor Forward(const Tensor& x) override { return x; }
};

TEST_F(StateDictTest, ParametersThatShareElementsMustGetTheSameOnes) {
  const Tensor weight = RandomF32({4, 4}, {.seed = 1});
  for (const Tensor& same : {weight, weight.Detach()}) {
    Tied tied(weight, same);
    EXPECT_THAT(NamesOf(StateDict(tied)), ElementsAre("embed.weight", "head.weight"));
    const Tensor two = Tensor::Full({4, 4}, 2), three = Tensor::Full({4, 4}, 3);
    ExpectRefused(tied, {{"embed.weight", two}, {"head.weight", three}},
                  "model.safetensors: tensor 'head.weight': differs from 'embed.weight', with which it shares its "
                  "elements in the model");
    ExpectRefused(tied, {{"embed.weight", two}}, HasSubstr("tensor 'head.weight': missing"));
    LoadStateDict(tied, {{"embed.weight", two}, {"head.weight", two.Clone()}}, "model.safetensors");
    ExpectBitEqual(weight, two);
    LoadStateDict(tied, StateDict(tied), "model.safetensors");
    ExpectBitEqual(weight, two);
  }
}

TEST_F(StateDictTest, AModelsOwnTensorsMayComeUnderOtherNames) {
  Tied pair(RandomF32({4, 4}, {.seed = 1}), RandomF32({4, 4}, {.seed = 2}));
  const auto before = Copy(StateDict(pair));
  auto state = StateDict(pair);
  std::swap(state[0].tensor, state[1].tensor);
  state[1].tensor = state[1].tensor.Detach();
  LoadStateDict(pair, state, "x");
  ExpectBitEqual(StateDict(pair)[0].tensor, before[1].tensor);
  ExpectBitEqual(StateDict(pair)[1].tensor, before[0].tensor);
}

TEST_F(StateDictTest, AFaultOfATensorIsToldOnce) {
  Mlp mlp = Make(1);
  auto state = Copy(StateDict(mlp));
  state[0].tensor = Tensor();
  state.push_back({"odd", Tensor::Zeros({1})});
  state.push_back({"odd", Tensor::Zeros({1})});
  ExpectRefused(mlp, state,
                "model.safetensors: tensor 'c_fc.weight': is undefined\n"
                "model.safetensors: tensor 'odd': is there twice");
}

TEST_F(StateDictTest, BadMasksAreFaultsLikeAllOthers) {
  Mlp mlp = Make(1);
  Sparsify(mlp, 4);
  mlp.Forward(RandomF32({3, 8}, {.seed = 3}));
  Mlp other = Make(2);
  Sparsify(other, 4);
  auto state = Copy(StateDict(other));
  Set(state, "c_fc.weight_mask", Tensor::Full({16, 8}, 1, DType::kBool));
  Set(state, "c_fc.weight_mask_age", Tensor::Scalar(-3, DType::kI32));
  Set(state, "c_proj.weight_mask", Tensor::Zeros({8, 8}, DType::kBool));
  ExpectRefused(mlp, state,
                AllOf(HasSubstr("model.safetensors: tensor 'c_fc.weight_mask': tile [0, 0] keeps more than two"),
                      HasSubstr("model.safetensors: tensor 'c_fc.weight_mask_age': "),
                      HasSubstr("model.safetensors: tensor 'c_proj.weight_mask': shape [8, 8], expected [8, 16]")));
}

TEST_F(StateDictTest, ARootsOwnTensorsHaveLocalNames) {
  SemiSparseLinear from(RandomF32({4, 8}, {.seed = 1}), Tensor()), to(RandomF32({4, 8}, {.seed = 2}), Tensor());
  EXPECT_THAT(NamesOf(StateDict(from)),
              ElementsAre("weight", "weight_mask", "weight_mask_age", "weight_mask_step", "weight_mask_flip_rate"));
  LoadStateDict(to, StateDict(from), "x");
  EXPECT_EQ(to.mask(), from.mask());
}

}  // namespace
}  // namespace twofour::nn
