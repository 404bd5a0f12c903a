// Times one training step of the net of configs/mnist_conv.pbtxt: forward, loss, backward and AdamW, and for the sparse
// one also mask search and packing. Dense and sparse take turns. Images, labels and weights are random.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/isa.h"
#include "twofour/core/ops/loss.h"
#include "twofour/nn/conv_net.h"
#include "twofour/nn/swap.h"
#include "twofour/optim/adamw.h"

#include "bench/support/gaussian.h"
#include "bench/support/precision.h"
#include "bench/support/program.h"
#include "bench/support/rounds.h"

namespace twofour::bench {
namespace {

constexpr int64_t kClasses = 10;

struct Arguments {
  int64_t image = 28, channels = 1, batch = 128;
  std::vector<int64_t> convolutions = {32, 64, 64};
  int threads = 2, rounds = 9;
  Precision precision = Precision::kFp32;
  std::string only;  ///< "dense" or "sparse"; empty: both.
};

nn::ConvNetOptions NetOptions(const Arguments& arguments) {
  nn::ConvNetOptions options{.image = {arguments.image, arguments.image, arguments.channels},
                             .hidden_features = {128},
                             .out_features = kClasses,
                             .activation = nn::Activation::kRelu};
  for (const int64_t channels : arguments.convolutions) {
    options.convolutions.push_back({.out_channels = channels, .pool = options.convolutions.empty() ? 1 : 2});
  }
  return options;
}

class TrainingStep {
 public:
  TrainingStep(const Arguments& arguments, bool sparse)
      : images_(Gaussian(arguments.batch, arguments.image * arguments.image * arguments.channels,
                         {.seed = 24, .stream = 100})),
        labels_(Tensor::Empty({arguments.batch}, DType::kI32)) {
    int32_t* const labels = labels_.mutable_data<int32_t>();
    for (int64_t i = 0; i < arguments.batch; ++i) labels[i] = static_cast<int32_t>(i % kClasses);
    Generator generator(/*seed=*/24);
    net_ = std::make_unique<nn::ConvNet>(NetOptions(arguments), generator);
    net_->SetActivationDType(ActivationDType(arguments.precision));
    if (sparse) nn::SwapLinearWithSemiSparseLinear(*net_, {.include = "layers\\..*"});
    adamw_ = std::make_unique<optim::AdamW>(net_->Parameters(), optim::AdamWOptions{.lr = 1e-4});
  }

  void Run() {
    adamw_->ZeroGrad();
    CrossEntropyLoss(net_->Forward(images_), labels_).Backward();
    adamw_->Step();
  }

 private:
  Tensor images_, labels_;
  std::unique_ptr<nn::ConvNet> net_;
  std::unique_ptr<optim::AdamW> adamw_;
};

void Run(const Arguments& arguments) {
  Rounds rounds(fmt::format("ConvNet, {} images of {} x {}, {} threads, {}", arguments.batch, arguments.image,
                            arguments.image, arguments.threads, NameOf(arguments.precision)),
                arguments.rounds);
  std::vector<std::string> variants{"dense", "sparse"};
  if (!arguments.only.empty()) variants = {arguments.only};
  std::vector<std::unique_ptr<TrainingStep>> steps;
  for (const std::string& variant : variants) {
    steps.push_back(std::make_unique<TrainingStep>(arguments, variant == "sparse"));
    rounds.Add(variant, [step = steps.back().get()] { step->Run(); });
  }
  rounds.Run();

  nlohmann::ordered_json line{{"bench", "conv_step"},           {"image", arguments.image},
                              {"channels", arguments.channels}, {"convolutions", arguments.convolutions},
                              {"batch", arguments.batch},       {"threads", arguments.threads},
                              {"isa", NameOf(BestIsa())},       {"precision", NameOf(arguments.precision)}};
  for (const std::string& variant : variants) line[variant + "_ms"] = rounds.Milliseconds(variant);
  if (arguments.only.empty()) line["sparse_vs_dense"] = rounds.Ratio("dense", "sparse");
  PrintLine(line);
}

}  // namespace
}  // namespace twofour::bench

int main(int argc, char** argv) {
  using namespace twofour::bench;
  Arguments arguments;
  CLI::App app("Times one training step of a convolutional net, dense and sparse.", "bench_conv");
  AddSize(app, "--image", arguments.image, "Height and width of images", /*tiled=*/false);
  AddSize(app, "--channels", arguments.channels, "Channels of images", /*tiled=*/false);
  AddSizes(app, "--convolutions", arguments.convolutions, "Channels of each convolution; all but the first pool");
  AddSize(app, "--batch", arguments.batch, "Images", /*tiled=*/false);
  AddThreads(app, arguments.threads);
  AddPrecision(app, arguments.precision);
  AddRounds(app, arguments.rounds);
  app.add_option("--only", arguments.only, "Measure this variant alone")->check(CLI::IsMember({"dense", "sparse"}));
  return RunProgram(app, argc, argv, [&] {
    UseThreads(arguments.threads);
    Run(arguments);
  });
}
