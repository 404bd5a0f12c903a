// One-shot pruning of a trained model of one's own: what different methods lose at 2:4, before any retraining.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "twofour/twofour.h"

using namespace twofour;

constexpr int64_t kFeatures = 64, kBatch = 256, kBatches = 4;

/// Two MLPs one after another, each beside a shortcut.
class Stack : public nn::Module {
 public:
  explicit Stack(Generator& gen) {
    const nn::MlpOptions mlp{.in_features = kFeatures, .hidden_features = 4 * kFeatures, .out_features = kFeatures};
    first_ = &RegisterModule("first", std::make_unique<nn::Mlp>(mlp, gen));
    second_ = &RegisterModule("second", std::make_unique<nn::Mlp>(mlp, gen));
  }

  std::string_view type_name() const override { return "Stack"; }
  Tensor Forward(const Tensor& x) override {
    const Tensor h = x + (*first_)->Forward(x);
    return h + (*second_)->Forward(h);
  }

 private:
  nn::ModuleSlot *first_, *second_;
};

int Run() {
  Generator gen(5);
  Stack teacher(gen), model(gen);
  // Features of different sizes: scores that look at inputs can tell them apart.
  Tensor sizes = Tensor::Empty({kFeatures}), noise = Tensor::Empty({kBatches * kBatch, kFeatures});
  FillUniform(sizes, 0.1, 3.0, gen.NextKey());
  FillNormal(noise, 0.0, 1.0, gen.NextKey());
  const Tensor x = noise * sizes, y = teacher.Forward(x).Detach();
  optim::AdamW adamw(model.Parameters(), {.lr = 1e-3f});
  for (int step = 0; step < 150; ++step) {
    Tensor loss = MseLoss(model.Forward(x), y);
    adamw.ZeroGrad();
    loss.Backward();
    adamw.Step();
  }
  adamw.ZeroGrad();

  // The data that pruning looks at. Any function that runs the model on a batch will do.
  const nn::Calibration calibration{.batches = kBatches, .loss = [&](int64_t batch) {
                                      const auto part = [&](const Tensor& all) {
                                        return Slice(all, 0, batch * kBatch, (batch + 1) * kBatch);
                                      };
                                      return MseLoss(model.Forward(part(x)), part(y));
                                    }};
  const auto loss = [&] {
    const NoGradGuard no_grad;
    return MseLoss(model.Forward(x), y).item();
  };
  std::vector<NamedTensor> dense = nn::StateDict(model);  // It shares its elements with the model.
  for (NamedTensor& named : dense) named.tensor = named.tensor.Detach().Clone();
  std::printf("%-22s loss %.4f\n", "dense", loss());

  const sparse::PruningPattern rows = sparse::ParsePruningPattern("2:4", "pattern");
  const sparse::PruningPattern both = sparse::ParsePruningPattern("transposable:2:4", "pattern");
  struct Variant {
    const char* name;
    nn::OneShotOptions options;
  };
  const Variant variants[] = {
      {"magnitude", {.pattern = rows}},
      {"wanda", {.score = sparse::MaskScore::kWanda, .pattern = rows}},
      {"sparsegpt",
       {.method = nn::PruningMethod::kSparseGpt, .pattern = rows, .order = nn::PruningOrder::kLayerByLayer}},
      {"alps", {.method = nn::PruningMethod::kAlps, .pattern = rows, .order = nn::PruningOrder::kLayerByLayer}},
      {"alps, both ways",
       {.method = nn::PruningMethod::kAlps, .pattern = both, .order = nn::PruningOrder::kLayerByLayer}},
  };
  std::vector<double> losses;
  for (const Variant& variant : variants) {
    const std::optional<nn::OneShotReport> report = nn::PruneOnce(model, variant.options, calibration);
    double worst = 0;
    for (const nn::PrunedLinear& linear : report->pruned) worst = std::max(worst, *linear.output_error);
    std::printf("%-22s loss %.4f, outputs of a linear change by up to %.1f %%\n", variant.name, loss(), 100 * worst);
    losses.push_back(loss());
    nn::LoadStateDict(model, dense, "the dense weights");
  }
  // Magnitude, Wanda, SparseGPT and ALPS: each looks at more than the one before it.
  return std::is_sorted(losses.begin(), losses.begin() + 4, std::greater<>()) ? 0 : 1;
}

int main() {
  try {
    return Run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "prune_own_model: %s\n", error.what());
    return 1;
  }
}
