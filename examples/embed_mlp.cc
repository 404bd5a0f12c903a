// A program that embeds twofour: it trains an MLP with 2:4 sparse weights on a toy regression.
#include <cstdio>
#include <exception>

#include "twofour/twofour.h"

using namespace twofour;

int Train() {
  // A teacher MLP makes the targets: x [256, 64], y [256, 64].
  Generator gen(42);
  Tensor x = Tensor::Empty({256, 64});
  FillNormal(x, 0.0, 1.0, gen.NextKey());
  nn::Mlp teacher({.in_features = 64, .hidden_features = 128, .out_features = 64}, gen);
  const Tensor y = teacher.Forward(x).Detach();

  nn::Mlp mlp({.in_features = 64, .hidden_features = 256, .out_features = 64}, gen);  // c_fc, relu^2, c_proj
  const nn::SwapReport report = nn::SwapLinearWithSemiSparseLinear(mlp, {.include = ".*"});
  for (const nn::SwapEntry& entry : report.converted) std::printf("2:4 sparse: %s\n", entry.name.c_str());

  optim::AdamW adamw(mlp.Parameters(), {.lr = 1e-3f});
  double first_loss = 0, last_loss = 0;
  for (int step = 0; step < 100; ++step) {
    Tensor loss = MseLoss(mlp.Forward(x), y);
    adamw.ZeroGrad();
    loss.Backward();
    adamw.Step();
    last_loss = loss.item();
    if (step == 0) first_loss = last_loss;
    if (step % 20 == 0) std::printf("step %3d  loss %.5f\n", step, last_loss);
  }
  std::printf("loss %.5f -> %.5f\n", first_loss, last_loss);

  // Turns the layers back into nn::Linear. The weights keep their 2:4 zeros.
  nn::SwapSemiSparseLinearWithLinear(mlp, /*apply_mask=*/true);
  for (const NamedTensor& parameter : mlp.NamedParameters()) {
    if (parameter.tensor.rank() != 2) continue;
    const auto violation = sparse::FindPatternViolation(parameter.tensor, sparse::PatternAxis::kBoth);
    std::printf("%s: %s\n", parameter.name.c_str(), violation ? violation->ToString().c_str() : "2:4 both ways");
    if (violation) return 1;
  }
  return last_loss < first_loss ? 0 : 1;
}

int main() {
  try {
    return Train();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "embed_mlp: %s\n", error.what());
    return 1;
  }
}
