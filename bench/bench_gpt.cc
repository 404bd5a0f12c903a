// Times one training step of a Gpt: forward, loss, backward, clipping and AdamW, and for the sparse one also mask
// search and packing. Dense and sparse take turns. The MLPs of each model also run alone, to find their share of a
// step. In bf16 activations are bf16 from the embedding to the head; weights, logits and the optimizer are f32.
#include <fmt/format.h>
#include <sys/resource.h>

#include <memory>
#include <string>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/isa.h"
#include "twofour/core/peak_flops.h"
#include "twofour/nn/gpt.h"
#include "twofour/nn/mlp.h"
#include "twofour/nn/swap.h"
#include "twofour/optim/adamw.h"
#include "twofour/optim/clip.h"

#include "bench/support/gaussian.h"
#include "bench/support/precision.h"
#include "bench/support/program.h"
#include "bench/support/rounds.h"

namespace twofour::bench {
namespace {

struct Arguments {
  int64_t width = 768, depth = 4, head_size = 64, sequence_length = 512, batch = 4, vocab = 256;
  int threads = 2, rounds = 9;
  Precision precision = Precision::kFp32;
  std::string only;  ///< "dense" or "sparse"; empty: both.
};

Tensor RandomTokens(const Arguments& arguments, uint32_t stream) {
  Tensor tokens = Tensor::Empty({arguments.batch, arguments.sequence_length}, DType::kI32);
  RandomSequence random({.seed = 24, .stream = stream});
  int32_t* out = tokens.mutable_data<int32_t>();
  for (int64_t i = 0; i < tokens.numel(); ++i) {
    out[i] = static_cast<int32_t>(random.Below(static_cast<uint32_t>(arguments.vocab)));
  }
  return tokens;
}

class TrainingStep {
 public:
  TrainingStep(const Arguments& arguments, bool sparse)
      : tokens_(RandomTokens(arguments, 100)), targets_(RandomTokens(arguments, 101)) {
    Generator generator(/*seed=*/24);
    gpt_ = std::make_unique<nn::Gpt>(nn::GptOptions{.vocab_size = arguments.vocab,
                                                    .sequence_length = arguments.sequence_length,
                                                    .depth = arguments.depth,
                                                    .width = arguments.width,
                                                    .heads = arguments.width / arguments.head_size,
                                                    .soft_cap = 15},
                                     generator);
    gpt_->SetActivationDType(ActivationDType(arguments.precision));
    if (sparse) nn::SwapLinearWithSemiSparseLinear(*gpt_, {.include = ".*\\.mlp\\..*"});
    parameters_ = gpt_->Parameters();
    adamw_ = std::make_unique<optim::AdamW>(parameters_, optim::AdamWOptions{.lr = 1e-4});
  }

  void Run() {
    adamw_->ZeroGrad();
    gpt_->Loss(tokens_, targets_).Backward();
    optim::ClipGradNorm(parameters_, 1.0);
    adamw_->Step();
  }

  nn::Gpt& gpt() { return *gpt_; }

 private:
  Tensor tokens_, targets_;
  std::unique_ptr<nn::Gpt> gpt_;
  std::vector<Tensor> parameters_;
  std::unique_ptr<optim::AdamW> adamw_;
};

/// Forward and backward pass of all MLPs of a model.
class MlpPasses {
 public:
  MlpPasses(const Arguments& arguments, nn::Gpt& gpt)
      : x_(Gaussian(arguments.batch * arguments.sequence_length, arguments.width, {.seed = 24, .stream = 102})),
        dy_(Gaussian(x_.rows(), x_.cols(), {.seed = 24, .stream = 103})) {
    x_ = x_.To(ActivationDType(arguments.precision));
    dy_ = dy_.To(ActivationDType(arguments.precision));
    gpt.VisitModules([&](const std::string&, nn::Module& module) {
      if (auto* mlp = dynamic_cast<nn::Mlp*>(&module)) mlps_.push_back(mlp);
    });
    x_.set_requires_grad();
  }

  void Run() {
    for (nn::Mlp* mlp : mlps_) {
      x_.ZeroGrad();
      for (Tensor& parameter : mlp->Parameters()) {
        parameter.ZeroGrad();
        parameter.mutable_data<float>();  // Like an optimizer's write: makes masks and packed weights out of date.
      }
      mlp->Forward(x_).Backward(dy_);
    }
  }

 private:
  Tensor x_, dy_;
  std::vector<nn::Mlp*> mlps_;
};

double PeakMebibytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void Run(const Arguments& arguments) {
  Rounds rounds(fmt::format("Gpt width {} depth {}, {} x {} tokens, {} threads, {}", arguments.width, arguments.depth,
                            arguments.batch, arguments.sequence_length, arguments.threads, NameOf(arguments.precision)),
                arguments.rounds);
  std::vector<std::string> variants{"dense", "sparse"};
  if (!arguments.only.empty()) variants = {arguments.only};
  std::vector<std::unique_ptr<TrainingStep>> steps;
  std::vector<std::unique_ptr<MlpPasses>> mlps;
  for (const std::string& variant : variants) {
    steps.push_back(std::make_unique<TrainingStep>(arguments, variant == "sparse"));
    rounds.Add(variant, [step = steps.back().get()] { step->Run(); });
    if (!arguments.only.empty()) continue;  // So that the peak memory is that of training alone.
    mlps.push_back(std::make_unique<MlpPasses>(arguments, steps.back()->gpt()));
    rounds.Add(variant + " MLPs", [passes = mlps.back().get()] { passes->Run(); });
  }
  rounds.Run();

  const auto tokens = static_cast<double>(arguments.batch * arguments.sequence_length);
  nlohmann::ordered_json line{{"bench", "gpt_step"},
                              {"width", arguments.width},
                              {"depth", arguments.depth},
                              {"head_size", arguments.head_size},
                              {"sequence_length", arguments.sequence_length},
                              {"batch", arguments.batch},
                              {"vocab", arguments.vocab},
                              {"threads", arguments.threads},
                              {"isa", NameOf(BestIsa())},
                              {"precision", NameOf(arguments.precision)}};
  const double peak = MeasurePeakFlops(ActivationDType(arguments.precision)).flops;
  for (const std::string& variant : variants) {
    const double tokens_per_s = 1e3 * tokens / rounds.Milliseconds(variant);
    line[variant + "_ms"] = rounds.Milliseconds(variant);
    line[variant + "_tokens_per_s"] = tokens_per_s;
    if (peak > 0) line[variant + "_mfu"] = tokens_per_s * steps[0]->gpt().TrainingFlopsPerToken() / peak;
    if (arguments.only.empty()) line[variant + "_mlp_share"] = rounds.Ratio(variant + " MLPs", variant);
  }
  if (arguments.only.empty()) {
    line["sparse_vs_dense"] = rounds.Ratio("dense", "sparse");
  } else {
    line["peak_mib"] = PeakMebibytes();
  }
  PrintLine(line);
}

}  // namespace
}  // namespace twofour::bench

int main(int argc, char** argv) {
  using namespace twofour::bench;
  Arguments arguments;
  CLI::App app("Times one training step of a Gpt, dense and sparse.", "bench_gpt");
  AddSize(app, "--width", arguments.width, "Features between blocks", /*tiled=*/true);
  AddSize(app, "--depth", arguments.depth, "Blocks", /*tiled=*/false);
  AddSize(app, "--head-size", arguments.head_size, "Features of a head", /*tiled=*/false);
  AddSize(app, "--sequence-length", arguments.sequence_length, "Tokens of a sequence", /*tiled=*/false);
  AddSize(app, "--batch", arguments.batch, "Sequences", /*tiled=*/false);
  AddSize(app, "--vocab", arguments.vocab, "Size of the vocabulary", /*tiled=*/false);
  AddThreads(app, arguments.threads);
  AddPrecision(app, arguments.precision);
  AddRounds(app, arguments.rounds);
  app.add_option("--only", arguments.only, "Measure this variant alone, and its peak memory")
      ->check(CLI::IsMember({"dense", "sparse"}));
  return RunProgram(app, argc, argv, [&] {
    UseThreads(arguments.threads);
    Run(arguments);
  });
}
