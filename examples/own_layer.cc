// A layer of one's own: a frozen linear with a trained low-rank correction, y = W x + B A x (Hu et al., "LoRA", 2022).
// It owns parameters and a child. The child can be swapped for a 2:4 sparse one, and the state goes to a file and back:
//   own_layer FILE
#include <cstdio>
#include <exception>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "twofour/twofour.h"

using namespace twofour;

class LowRankLinear : public nn::Module {
 public:
  LowRankLinear(std::unique_ptr<nn::Linear> base, int64_t rank, Generator& gen) {
    Tensor a = Tensor::Empty({rank, base->in_features()});
    FillNormal(a, 0.0, 0.1, gen.NextKey());
    a_ = RegisterParameter("lora_a", std::move(a));
    b_ = RegisterParameter("lora_b", Tensor::Zeros({base->out_features(), rank}));
    // The layer keeps the place and not the child: a swap puts another module there.
    base_ = &RegisterModule("base", std::move(base));
    for (Tensor parameter : (*base_)->Parameters()) parameter.set_requires_grad(false);
  }

  std::string_view type_name() const override { return "LowRankLinear"; }
  Tensor Forward(const Tensor& x) override { return (*base_)->Forward(x) + Linear(Linear(x, a_), b_); }

 private:
  Tensor a_, b_;
  nn::ModuleSlot* base_;
};

int Run(const char* file) {
  Generator gen(7);
  Tensor x = Tensor::Empty({256, 32});
  FillNormal(x, 0.0, 1.0, gen.NextKey());
  LowRankLinear layer(std::make_unique<nn::Linear>(nn::LinearOptions{.in_features = 32, .out_features = 64}, gen), 16,
                      gen);
  const Tensor y = layer.Forward(x).Detach();  // As before pruning.

  // The base becomes 2:4 sparse, and what that lost is learned by the correction.
  const nn::SwapReport report = nn::SwapLinearWithSemiSparseLinear(layer);
  for (const nn::SwapEntry& entry : report.converted) std::printf("2:4 sparse: %s\n", entry.name.c_str());
  std::vector<Tensor> trained;
  for (const NamedTensor& parameter : layer.NamedParameters()) {
    std::printf("%-12s %s\n", parameter.name.c_str(), parameter.tensor.requires_grad() ? "trained" : "frozen");
    if (parameter.tensor.requires_grad()) trained.push_back(parameter.tensor);
  }
  optim::AdamW adamw(trained, {.lr = 1e-2f});
  double first = 0, last = 0;
  for (int step = 0; step < 200; ++step) {
    Tensor loss = MseLoss(layer.Forward(x), y);
    adamw.ZeroGrad();
    loss.Backward();
    adamw.Step();
    last = loss.item();
    if (step == 0) first = last;
  }
  std::printf("loss %.5f -> %.5f\n", first, last);

  SaveSafetensors(FileSystem::Default(), file, nn::StateDict(layer));  // With the mask of the base.
  LowRankLinear again(std::make_unique<nn::Linear>(nn::LinearOptions{.in_features = 32, .out_features = 64}, gen), 16,
                      gen);
  nn::SwapLinearWithSemiSparseLinear(again);
  nn::LoadStateDict(again, LoadSafetensors(FileSystem::Default(), file).tensors, file);
  const bool same = again.Forward(x).ToVector() == layer.Forward(x).ToVector();
  std::printf("%s: %s\n", file, same ? "gives the same outputs" : "gives other outputs");
  return same && report.converted.size() == 1 && last < 0.7 * first ? 0 : 1;
}

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: own_layer FILE\n");
    return 2;
  }
  try {
    return Run(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "own_layer: %s\n", error.what());
    return 1;
  }
}
