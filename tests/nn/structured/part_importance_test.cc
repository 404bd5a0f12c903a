#include "twofour/nn/structured/part_importance.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/ops.h"

#include "tests/nn/structured/small_models.h"
#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::nn {
namespace {

using ::testing::HasSubstr;

const PartSet& SetNamed(const std::vector<PartSet>& sets, const std::string& name) {
  return *std::ranges::find(sets, name, &PartSet::name);
}

/// The importances of the parts of one set.
std::vector<double> Importance(Model& model, const std::string& name, PartImportance importance) {
  return ImportanceOf(model, {SetNamed(FindParts(model), name)}, importance, DataFor(model))->front();
}

void ExpectNear(const std::vector<double>& actual, const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    EXPECT_NEAR(actual[i], expected[i], tolerance * (1 + std::fabs(expected[i]))) << i;
  }
}

double Squares(const Tensor& tensor) {
  double sum = 0;
  if (!tensor.defined()) return sum;
  for (const float x : tensor.ToVector()) sum += static_cast<double>(x) * static_cast<double>(x);
  return sum;
}

/// The elements of a part, one by one: calls `visit` with each. Heads have 4 features, of which 2 or 1 share a key
/// head.
template <typename Visit>
void VisitElements(Model& model, const PartSet& set, int64_t part, const Visit& visit) {
  const auto range = [&](const std::string& name, int axis, int64_t first, int64_t count) {
    Tensor tensor = ParameterOf(model, name);
    if (!tensor.defined()) return;
    const int64_t columns = tensor.rank() == 2 ? tensor.dim(1) : 1;
    for (int64_t i = 0; i < tensor.numel(); ++i) {
      const int64_t at = axis == 0 ? i / columns : i % columns;
      if (at >= first && at < first + count) visit(tensor, i);
    }
  };
  if (set.kind == PartKind::kBlocks) {
    for (const NamedTensor& named : model.NamedParameters()) {
      if (!named.name.starts_with(fmt::format("{}.{}.", set.name, part))) continue;
      for (int64_t i = 0; i < named.tensor.numel(); ++i) visit(named.tensor, i);
    }
    return;
  }
  for (const char* const kind : {".weight", ".bias"}) {
    if (set.kind == PartKind::kHeads) {
      range(set.name + ".c_q" + kind, 0, part * set.unit * 4, set.unit * 4);
      range(set.name + ".c_k" + kind, 0, part * 4, 4);
      range(set.name + ".c_v" + kind, 0, part * 4, 4);
    } else if (set.name.starts_with("layers.")) {
      range(set.name + kind, 0, part, 1);
    } else {
      range(set.name + ".c_gate" + kind, 0, part, 1);
      range(set.name + ".c_fc" + kind, 0, part, 1);
    }
  }
  if (set.kind == PartKind::kHeads) range(set.name + ".c_proj.weight", 1, part * set.unit * 4, set.unit * 4);
  if (set.kind == PartKind::kNeurons && set.name == "layers.0") range("layers.1.weight", 1, part, 1);
  if (set.kind == PartKind::kNeurons && set.block >= 0) range(set.name + ".c_proj.weight", 1, part, 1);
}

/// Models and the sets of theirs that are looked at.
std::vector<std::pair<std::unique_ptr<Model>, std::vector<std::string>>> Models() {
  std::vector<std::pair<std::unique_ptr<Model>, std::vector<std::string>>> models;
  const std::vector<std::string> of_gpt = {"transformer.h.1.attn", "transformer.h.0.mlp", "transformer.h"};
  models.emplace_back(RandomGpt(GroupedGpt()), of_gpt);
  models.emplace_back(RandomGpt(LearnedGpt()), of_gpt);
  models.emplace_back(RandomGpt(GatedGpt()), of_gpt);
  models.emplace_back(RandomResidualMlp(), std::vector<std::string>{"blocks.2.mlp", "blocks"});
  models.emplace_back(RandomStack(), std::vector<std::string>{"layers.0"});
  return models;
}

TEST(PartImportanceTest, MagnitudeIsTheNormOfAllWeightsOfAPart) {
  for (const auto& [owner, names] : Models()) {
    Model& model = *owner;
    for (const std::string& name : names) {
      SCOPED_TRACE(std::string(model.type_name()) + " " + name);
      const std::vector<PartSet> sets = FindParts(model);
      const PartSet& set = SetNamed(sets, name);
      std::vector<double> expected;
      for (int64_t part = 0; part < set.count; ++part) {
        double squares = 0;
        VisitElements(model, set, part, [&](const Tensor& tensor, int64_t i) {
          squares += std::pow(static_cast<double>(tensor.data<float>()[i]), 2);
        });
        expected.push_back(std::sqrt(squares));
      }
      ExpectNear(Importance(model, name, PartImportance::kMagnitude), expected, 1e-12);
    }
  }
}

TEST(PartImportanceTest, PartsOfASetHoldEachWeightOnce) {
  const auto gpt = RandomGpt(GatedGpt());
  double squares = 0, expected = 0;
  for (const double norm : Importance(*gpt, "transformer.h.1.attn", PartImportance::kMagnitude)) squares += norm * norm;
  for (const NamedTensor& named : gpt->NamedParameters()) {
    const bool in = named.name.starts_with("transformer.h.1.attn.") && !named.name.ends_with("c_proj.bias");
    if (in) expected += Squares(named.tensor);
  }
  EXPECT_NEAR(squares, expected, 1e-9);
}

TEST(PartImportanceTest, GradientIsHowTheLossFollowsTheSizeOfAPart) {
  // If a part grows by the factor 1 + e, the loss changes by e * sum of weight * gradient.
  for (const auto& [owner, names] : Models()) {
    Model& model = *owner;
    for (const std::string& name : names) {
      SCOPED_TRACE(std::string(model.type_name()) + " " + name);
      const std::vector<double> actual = Importance(model, name, PartImportance::kGradient);
      const NoGradGuard no_grad;
      const std::vector<PartSet> sets = FindParts(model);
      const PartSet& set = SetNamed(sets, name);
      for (int64_t part = 0; part < set.count; ++part) {
        const std::vector<NamedTensor> before = CopiesOf(model);
        const auto loss_at = [&](float factor, int64_t batch) {
          VisitElements(model, set, part, [&](Tensor tensor, int64_t i) { tensor.mutable_data<float>()[i] *= factor; });
          const double loss = LossOf(model, batch).item();
          for (const NamedTensor& named : before) ParameterOf(model, named.name).CopyFrom(named.tensor);
          return loss;
        };
        double expected = 0;
        constexpr float kStep = 1.0f / 64;
        for (int64_t batch = 0; batch < 3; ++batch) {
          expected += std::fabs(loss_at(1 + kStep, batch) - loss_at(1 - kStep, batch)) / (2 * kStep);
        }
        EXPECT_NEAR(actual[static_cast<size_t>(part)], expected, 2e-3 * (1 + expected)) << part;
      }
    }
  }
}

TEST(PartImportanceTest, LossIsWhatTheMeanLossRisesBy) {
  for (const auto& [owner, names] : Models()) {
    Model& model = *owner;
    for (const std::string& name : names) {
      const std::vector<PartSet> sets = FindParts(model);
      const PartSet& set = SetNamed(sets, name);
      if (set.kind == PartKind::kNeurons) continue;
      SCOPED_TRACE(std::string(model.type_name()) + " " + name);
      const std::vector<NamedTensor> before = CopiesOf(model);
      const std::vector<double> actual = Importance(model, name, PartImportance::kLoss);
      ExpectSameWeights(model, before);
      const double whole = MeanOfLosses(model);
      for (int64_t part = 0; part < set.count; ++part) {
        Silence(model, set, part);
        EXPECT_EQ(actual[static_cast<size_t>(part)], MeanOfLosses(model) - whole) << part;
        for (const NamedTensor& named : before) ParameterOf(model, named.name).CopyFrom(named.tensor);
      }
    }
  }
}

TEST(PartImportanceTest, ActivationOfANeuronIsItsMeanMagnitude) {
  const NoGradGuard no_grad;
  const auto stack = RandomStack();
  std::vector<double> expected(31);
  for (int64_t batch = 0; batch < 3; ++batch) {
    Tensor h = BatchFor(*stack, batch);
    for (int layer = 0; layer < 2; ++layer) {
      const std::string name = fmt::format("layers.{}", layer);
      h = ReluSquared(ops::Linear(h, ParameterOf(*stack, name + ".weight"), ParameterOf(*stack, name + ".bias")));
    }
    for (int64_t i = 0; i < h.numel(); ++i) {
      expected[static_cast<size_t>(i % 31)] += std::fabs(static_cast<double>(h.data<float>()[i])) / 27;
    }
  }
  ExpectNear(Importance(*stack, "layers.1", PartImportance::kActivation), expected, 1e-5);
}

TEST(PartImportanceTest, ActivationOfHeadsIsTheNormOfWhatTheyHandOn) {
  // One block whose projection hands on each head by itself, so that the block's output minus its input shows them.
  const NoGradGuard no_grad;
  GptOptions options = GroupedGpt();
  options.depth = 1;
  const auto gpt = RandomGpt(options);
  Tensor proj = ParameterOf(*gpt, "transformer.h.0.attn.c_proj.weight");
  proj.Fill(0);
  for (int64_t i = 0; i < 24; ++i) proj.mutable_data<float>()[i * 24 + i] = 1;
  ParameterOf(*gpt, "transformer.h.0.mlp.c_proj.weight").Fill(0);
  struct Recorder : public ForwardObserver {
    void OnLinear(const Module&, const LinearInput&) override {}
    void OnBlock(const Module&, const Tensor& x, const Tensor& y) override {
      for (int64_t i = 0; i < x.numel(); ++i) handed_on.push_back(y.data<float>()[i] - x.data<float>()[i]);
    }
    std::vector<float> handed_on;
  } recorder;
  {
    const ForwardObserverScope observing(recorder);
    MeanOfLosses(*gpt);
  }
  ASSERT_EQ(recorder.handed_on.size(), 72u * 24);
  std::vector<double> expected(3);
  for (size_t row = 0; row < 72; ++row) {
    for (size_t group = 0; group < 3; ++group) {
      double squares = 0;
      for (size_t i = 0; i < 8; ++i) squares += std::pow(recorder.handed_on[row * 24 + group * 8 + i], 2.0);
      expected[group] += std::sqrt(squares) / 72;
    }
  }
  ExpectNear(Importance(*gpt, "transformer.h.0.attn", PartImportance::kActivation), expected, 1e-4);
}

TEST(PartImportanceTest, ActivationOfABlockIsHowFarItTurnsWhatPasses) {
  const NoGradGuard no_grad;
  const auto mlp = RandomResidualMlp();
  std::vector<double> expected(4);
  const auto linear = [&](const Tensor& x, const std::string& name) {
    return ops::Linear(x, ParameterOf(*mlp, name + ".weight"), ParameterOf(*mlp, name + ".bias"));
  };
  for (int64_t batch = 0; batch < 3; ++batch) {
    Tensor x = linear(BatchFor(*mlp, batch), "input");
    for (size_t block = 0; block < 4; ++block) {
      const std::string name = fmt::format("blocks.{}.", block);
      const Tensor normed = ops::RmsNorm(x, ParameterOf(*mlp, name + "norm.weight"));
      const Tensor y = Add(x, linear(ReluSquared(linear(normed, name + "mlp.c_fc")), name + "mlp.c_proj"));
      for (int64_t row = 0; row < 9; ++row) {
        double xy = 0, xx = 0, yy = 0;
        for (int64_t i = row * 12; i < (row + 1) * 12; ++i) {
          const auto a = static_cast<double>(x.data<float>()[i]), b = static_cast<double>(y.data<float>()[i]);
          xy += a * b, xx += a * a, yy += b * b;
        }
        expected[block] += (1 - xy / std::sqrt(xx * yy)) / 27;
      }
      x = y;
    }
  }
  ExpectNear(Importance(*mlp, "blocks", PartImportance::kActivation), expected, 1e-5);
  // One that changes nothing.
  ParameterOf(*mlp, "blocks.3.mlp.c_proj.weight").Fill(0);
  ParameterOf(*mlp, "blocks.3.mlp.c_proj.bias").Fill(0);
  EXPECT_NEAR(Importance(*mlp, "blocks", PartImportance::kActivation)[3], 0, 1e-12);
}

TEST(PartImportanceTest, ActivationsOfBf16CountAsWell) {
  const auto gpt = RandomGpt(GroupedGpt());
  const auto importance = [&](const char* name) { return Importance(*gpt, name, PartImportance::kActivation); };
  const std::vector<double> blocks = importance("transformer.h"), heads = importance("transformer.h.1.attn");
  gpt->SetActivationDType(DType::kBF16);
  ExpectNear(importance("transformer.h"), blocks, 2e-2);
  ExpectNear(importance("transformer.h.1.attn"), heads, 2e-2);
}

TEST(PartImportanceTest, SaysWhatItCannotMeasure) {
  const auto stack = RandomStack();
  const std::vector<PartSet> sets = FindParts(*stack);
  const auto measure = [&](PartImportance importance, const Calibration& data) {
    ImportanceOf(*stack, sets, importance, data);
  };
  EXPECT_ERROR(measure(PartImportance::kGradient, {}), ErrorKind::kInvalidInput,
               "importance by gradient needs calibration data, expected at least one batch");
  EXPECT_ERROR(measure(PartImportance::kLoss, DataFor(*stack)), ErrorKind::kInvalidInput,
               "layers.0: importance by loss would take an evaluation for each of 20 neurons, expected another "
               "importance");
  const Calibration elsewhere{.batches = 1, .loss = [](int64_t) { return Tensor::Zeros({}); }};
  EXPECT_ERROR(measure(PartImportance::kActivation, elsewhere), ErrorKind::kInvalidInput,
               HasSubstr("layers.0: no batch of the calibration data comes to it"));
  ParameterOf(*stack, "layers.1.bias").mutable_data<float>()[4] = std::numeric_limits<float>::infinity();
  EXPECT_ERROR(measure(PartImportance::kMagnitude, {}), ErrorKind::kRuntimeFailure,
               "layers.1: the importance by magnitude of number 4 of its neurons is inf");
  EXPECT_ERROR(measure(PartImportance::kActivation, DataFor(*stack)), ErrorKind::kRuntimeFailure,
               "layers.1: the importance by activation of number 4 of its neurons is inf");
}

TEST(PartImportanceTest, GradientsAreOfAllWeightsAndLeaveNone) {
  const auto stack = RandomStack();
  Importance(*stack, "layers.0", PartImportance::kGradient);
  for (const Tensor& parameter : stack->Parameters()) EXPECT_FALSE(parameter.grad().defined());
  Tensor frozen = ParameterOf(*stack, "layers.0.bias");
  frozen.set_requires_grad(false);
  EXPECT_ERROR(Importance(*stack, "layers.0", PartImportance::kGradient), ErrorKind::kInvalidInput,
               "layers.0.bias requires no gradient, expected one to measure");
}

}  // namespace
}  // namespace twofour::nn
