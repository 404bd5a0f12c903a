// The layer swap on a model of one's own: two towers and a head. The towers become 2:4 sparse. While they are trained,
// the sparsity grows, and they end as plain linears with zeros in place.
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <string_view>

#include "twofour/twofour.h"

using namespace twofour;

class TwoTowers : public nn::Module {
 public:
  explicit TwoTowers(Generator& gen) {
    const nn::MlpOptions tower{.in_features = 32, .hidden_features = 128, .out_features = 32};
    left_ = &RegisterModule("left", std::make_unique<nn::Mlp>(tower, gen));
    right_ = &RegisterModule("right", std::make_unique<nn::Mlp>(tower, gen));
    head_ = &RegisterModule(
        "head", std::make_unique<nn::Linear>(nn::LinearOptions{.in_features = 32, .out_features = 16}, gen));
  }

  std::string_view type_name() const override { return "TwoTowers"; }
  Tensor Forward(const Tensor& x) override {
    return (*head_)->Forward((*left_)->Forward(x) * (*right_)->Forward(x) + x);
  }

 private:
  nn::ModuleSlot *left_, *right_, *head_;
};

int Run() {
  constexpr int kSteps = 200;
  Generator gen(5);
  Tensor x = Tensor::Empty({256, 32});
  FillNormal(x, 0.0, 1.0, gen.NextKey());
  TwoTowers teacher(gen), model(gen);
  const Tensor y = teacher.Forward(x).Detach();

  // Names are whole dotted names: left.c_fc, left.c_proj, right.c_fc, right.c_proj, head. From dense at step 0 to 2:4
  // in all tiles at half of the steps.
  nn::SemiSparseOptions sparsity;
  const sparse::SparsitySchedule schedule({.shape = sparse::ScheduleShape::kLinear, .end_step = kSteps / 2});
  sparsity.plan = sparse::MaskPlan({.schedule = schedule});
  const nn::SwapReport report =
      nn::SwapLinearWithSemiSparseLinear(model, {.include = R"((left|right)\..*)", .sparsity = sparsity});
  for (const nn::SwapEntry& entry : report.converted) std::printf("%-12s 2:4 sparse\n", entry.name.c_str());
  for (const nn::SwapEntry& entry : report.kept_dense) {
    std::printf("%-12s dense: %s\n", entry.name.c_str(), entry.reason.c_str());
  }

  optim::AdamW adamw(model.Parameters(), {.lr = 3e-3f});
  nn::SparseTraining training(model);  // Tells the layers the step, which schedules depend on.
  double first = 0, last = 0;
  for (int step = 0; step < kSteps; ++step) {
    training.SetOptimizerStep(step);
    Tensor loss = MseLoss(model.Forward(x), y);
    adamw.ZeroGrad();
    loss.Backward();
    adamw.Step();
    last = loss.item();
    if (step == 0) first = last;
    if (step % 40 == 0) {
      const sparse::Mask& mask = training.layers()[0].layer->mask();
      std::printf("step %3d  loss %.4f  kept %.0f %%\n", step, last,
                  100.0 * static_cast<double>(mask.CountKept()) / static_cast<double>(mask.rows() * mask.cols()));
    }
  }
  training.SetOptimizerStep(kSteps);
  nn::SwapSemiSparseLinearWithLinear(model, /*apply_mask=*/true);
  int patterns = 0;
  for (const NamedTensor& parameter : model.NamedParameters()) {
    if (parameter.tensor.rank() != 2 || parameter.name == "head.weight") continue;
    if (!sparse::FindPatternViolation(parameter.tensor, sparse::PatternAxis::kBoth)) ++patterns;
  }
  std::printf("loss %.4f -> %.4f; %d weights are 2:4 both ways\n", first, last, patterns);
  return patterns == 4 && last < first ? 0 : 1;
}

int main() {
  try {
    return Run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "swap_own_model: %s\n", error.what());
    return 1;
  }
}
