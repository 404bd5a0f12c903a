// Makes a training step of 2:4 linears and a file of their weights, with nothing but twofour.h.
#include <cstdio>

#include "twofour/twofour.h"

using namespace twofour;

int main() {
  Generator generator(1);
  nn::MlpStack model({.in_features = 16, .hidden_features = {32}, .out_features = 16}, generator);
  nn::SwapLinearWithSemiSparseLinear(model);
  optim::Sgd sgd(model.Parameters(), {.lr = 0.1});
  const Tensor x = Tensor::Full({4, 16}, 1.0);
  const Tensor loss = MseLoss(model.Forward(x), x);
  loss.Backward();
  sgd.Step();
  const double after = MseLoss(model.Forward(x), x).item();

  SaveSafetensors(FileSystem::Default(), "weights.safetensors", nn::StateDict(model));
  const SafetensorsFile file = LoadSafetensors(FileSystem::Default(), "weights.safetensors");
  nn::LoadStateDict(model, file.tensors, "weights.safetensors");
  const bool* const mask = file.Find("layers.0.weight_mask")->data<bool>();
  if (mask[0] + mask[1] + mask[2] + mask[3] != 2) return 1;
  std::printf("%g -> %g\n", loss.item(), after);
  return after < loss.item() ? 0 : 1;
}
