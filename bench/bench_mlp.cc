// Times one training step of an MLP with ReLU^2: forward, backward to the input and to all parameters, with mask search
// and all packing, without an optimizer. Three variants take turns: dense libraries, twofour dense, twofour sparse.
// With --adamw the step ends with AdamW's update, and only twofour's two variants take part. With --only one of these
// two runs alone, to be compared with another program.
//
// In bf16 every variant gets bf16 activations and f32 weights, and rounds the weights in each step, as training has to.
//
// To reach a given share of active hidden units, c_fc's bias shifts the pre-activations, by the same value in all
// variants. So the zeros really come from ReLU^2.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <set>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/isa.h"
#include "twofour/nn/mlp.h"
#include "twofour/nn/swap.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/mask_of_format.h"
#include "twofour/sparse/semi_sparse_weight.h"

#include "bench/peers/mlp_step.h"
#include "bench/support/difference.h"
#include "bench/support/gaussian.h"
#include "bench/support/pattern.h"
#include "bench/support/precision.h"
#include "bench/support/program.h"
#include "bench/support/rounds.h"
#include "bench/support/twofour_mlp_step.h"

namespace twofour::bench {
namespace {

using nlohmann::ordered_json;

struct Arguments {
  MlpShape shape = {.in = 768, .hidden = 3072, .tokens = 2048};
  std::vector<int64_t> tokens = {2048};
  int threads = 1, rounds = 9;
  std::optional<double> activation_density;
  bool adamw = false, check = false;
  std::string only;  ///< "dense" or "sparse"; empty: everything.
  std::string pattern = "2:4";
};

// Choosing the fastest peers needs fewer rounds than the comparison with them.
constexpr int kMaxChoosingRounds = 3;
// The largest difference that --check allows in fp32, as a share of the largest element. Results differ because sums of
// up to 65536 products are taken in different orders.
constexpr double kTolerance = 1e-4;
// The same in bf16, as a share of a row's norm. Results differ because up to four roundings, of at most 2^-8 each, lie
// between the operands and a gradient, and terms may cancel in part.
constexpr double kBf16Tolerance = 0x1p-6;

nn::Mlp MakeMlp(const MlpShape& shape) {
  Generator generator(/*seed=*/24);
  return nn::Mlp({.in_features = shape.in, .hidden_features = shape.hidden, .out_features = shape.in}, generator);
}

/// The output of c_fc, which may be dense or sparse, as f32.
Tensor PreActivation(nn::Mlp& mlp, const Tensor& x) {
  const NoGradGuard no_grad;
  Tensor result;
  mlp.VisitModules([&](const std::string& name, nn::Module& module) {
    if (name == "c_fc") result = module.Forward(x).To(DType::kF32);
  });
  return result;
}

/// The number to add to all pre-activations so that the share `density` of them is positive.
float ShiftForDensity(const Tensor& pre_activation, double density) {
  std::vector<float> values = pre_activation.ToVector();
  const auto count = static_cast<double>(values.size());
  const auto rank = static_cast<int64_t>(std::clamp((1 - density) * count, 0.0, count - 1));
  std::nth_element(values.begin(), values.begin() + rank, values.end());
  return -values[static_cast<size_t>(rank)];
}

double ShareOfPositive(const Tensor& tensor) {
  const float* values = tensor.data<float>();
  const int64_t positive = std::count_if(values, values + tensor.numel(), [](float value) { return value > 0; });
  return static_cast<double>(positive) / static_cast<double>(tensor.numel());
}

class MlpBench {
 public:
  explicit MlpBench(const Arguments& arguments)
      : arguments_(arguments),
        shape_(arguments.shape),
        dtype_(ActivationDType(shape_.precision)),
        format_(ParsePattern(arguments.pattern)),
        x_(Gaussian(shape_.tokens, shape_.in, {.seed = 24, .stream = 100}).To(dtype_)),
        dy_(Gaussian(shape_.tokens, shape_.in, {.seed = 24, .stream = 101}).To(dtype_)),
        dense_(MakeMlp(shape_)),
        sparse_(MakeMlp(shape_)),
        dense_step_(dense_, x_, dy_, arguments.adamw),
        sparse_step_(sparse_, x_, dy_, arguments.adamw) {
    if (!arguments.adamw && arguments.only.empty() && !Peers(shape_.precision).empty()) {
      peer_step_.emplace(shape_, std::min(arguments.rounds, kMaxChoosingRounds));
    }
    nn::SwapOptions swap{.multiple_of = sparse::kTileSize};
    if (format_.is_vnm()) {
      swap.sparsity.plan = sparse::MaskPlan({.method = sparse::MaskMethod::kVnm, .vnm = format_.vnm()});
    }
    nn::SwapLinearWithSemiSparseLinear(sparse_, swap);
    SetBias(0);
    if (arguments.activation_density) {
      // In f32, because many bf16 have the same value.
      SetBias(ShiftForDensity(PreActivation(sparse_, x_.To(DType::kF32)), *arguments.activation_density));
    }
    density_ = ShareOfPositive(PreActivation(sparse_, x_));
  }

  /// Runs all variants once and compares them with dense libraries that compute in fp32, from the same operands: the
  /// sparse one with products of masked weights. Throws Error if a result differs by more than rounding.
  void Check() {
    MlpShape shape = shape_;
    shape.precision = Precision::kFp32;
    PeerMlpStep reference(shape, /*rounds=*/1);
    const Tensor x = x_.To(DType::kF32), dy = dy_.To(DType::kF32);

    MlpParameters parameters = ParametersOf(dense_);
    for (Tensor* weight : {&parameters.c_fc_weight, &parameters.c_proj_weight}) {
      *weight = weight->To(dtype_).To(DType::kF32);
    }
    reference.Run(parameters, x, dy);
    dense_step_.Run();
    CheckStep("twofour dense", dense_step_, reference);
    if (peer_step_ && shape_.precision == Precision::kBf16) {
      peer_step_->Run(ParametersOf(dense_), x_, dy_);
      CheckStep("the library in bf16", *peer_step_, reference);
    }

    const MlpParameters masters = ParametersOf(sparse_);
    parameters.c_fc_weight = sparse::ApplyMask(parameters.c_fc_weight, Mask(masters.c_fc_weight));
    parameters.c_proj_weight = sparse::ApplyMask(parameters.c_proj_weight, Mask(masters.c_proj_weight));
    reference.Run(parameters, x, dy);
    sparse_step_.Run();
    CheckStep("twofour sparse", sparse_step_, reference);
  }

  void Run() {
    const MlpParameters parameters = ParametersOf(dense_);
    const bool library = peer_step_.has_value();
    const std::string& only = arguments_.only;
    Rounds rounds(fmt::format("MLP {} - {} - {}, {} tokens, {} threads, {}, density {:.3f}{}", shape_.in, shape_.hidden,
                              shape_.in, shape_.tokens, arguments_.threads, NameOf(shape_.precision), density_,
                              arguments_.adamw ? ", AdamW" : ""),
                  arguments_.rounds);
    if (library) rounds.Add("library", [&] { peer_step_->Run(parameters, x_, dy_); });
    if (only != "sparse") rounds.Add("dense", [&] { dense_step_.Run(); });
    if (only != "dense") rounds.Add("sparse", [&] { sparse_step_.Run(); });
    if (only.empty()) {
      rounds.Add("masks", [&] {
        Mask(parameters.c_fc_weight);
        Mask(parameters.c_proj_weight);
      });
    }
    rounds.Run();

    ordered_json line = {{"bench", "mlp_step"},
                         {"in", shape_.in},
                         {"hidden", shape_.hidden},
                         {"tokens", shape_.tokens},
                         {"threads", arguments_.threads},
                         {"isa", NameOf(BestIsa())},
                         {"precision", NameOf(shape_.precision)},
                         {"pattern", arguments_.pattern},
                         {"density", density_},
                         {"adamw", arguments_.adamw}};
    if (only != "sparse") line["twofour_dense_ms"] = rounds.Milliseconds("dense");
    if (only != "dense") line["twofour_sparse_ms"] = rounds.Milliseconds("sparse");
    if (only != "dense") line["kernels"] = ChosenKernels();
    if (only.empty()) {
      line.update({{"mask_ms", rounds.Milliseconds("masks")},
                   {"speedup_vs_twofour_dense", rounds.Ratio("dense", "sparse")},
                   {"packed_bytes_per_dense_byte", PackedBytesPerDenseByte()}});
    }
    if (library) {
      std::set<std::string> libraries;
      for (const auto& [product, peer] : peer_step_->peers()) libraries.insert(peer);
      line.update({{"dense_library", fmt::format("{}", fmt::join(libraries, "+"))},
                   {"dense_library_ms", rounds.Milliseconds("library")},
                   {"speedup_vs_dense_library", rounds.Ratio("library", "sparse")},
                   {"twofour_dense_vs_dense_library", rounds.Ratio("library", "dense")},
                   {"dense_products", peer_step_->peers()}});
    } else if (only.empty() && !arguments_.adamw) {
      line["dense_library"] = nullptr;
    }
    PrintLine(line);
  }

 private:
  sparse::Mask Mask(const Tensor& weight) const { return sparse::FindMaskOf(weight, format_); }

  void SetBias(float value) {
    for (nn::Mlp* mlp : {&dense_, &sparse_}) ParametersOf(*mlp).c_fc_bias.Fill(value);
  }

  template <typename Step>
  void CheckStep(std::string_view variant, const Step& step, const PeerMlpStep& reference) const {
    const MlpParameters got = step.gradients(), expected = reference.gradients();
    const std::tuple<const char*, Tensor, Tensor> results[] = {
        {"y", step.y(), reference.y()},
        {"gradient of x", step.dx(), reference.dx()},
        {"gradient of c_fc.weight", got.c_fc_weight, expected.c_fc_weight},
        {"gradient of c_fc.bias", got.c_fc_bias, expected.c_fc_bias},
        {"gradient of c_proj.weight", got.c_proj_weight, expected.c_proj_weight},
        {"gradient of c_proj.bias", got.c_proj_bias, expected.c_proj_bias},
    };
    const bool bf16 = shape_.precision == Precision::kBf16;
    const double tolerance = bf16 ? kBf16Tolerance : kTolerance;
    for (const auto& [what, actual, wanted] : results) {
      const Tensor values = actual.To(DType::kF32);
      const double difference = bf16 ? RowDifference(values, wanted) : ElementDifference(values, wanted);
      if (difference <= tolerance) continue;
      throw Error(fmt::format("check: {} of {} differs from the dense library's by {:.2g} of its {}, allowed is {}",
                              what, variant, difference, bf16 ? "rows' norm" : "largest element", tolerance),
                  ErrorKind::kRuntimeFailure);
    }
    std::cerr << fmt::format("check: {} agrees with the dense library\n", variant);
  }

  /// Counts both layers, packed for all products of the step, beside dense weights of the step's precision.
  double PackedBytesPerDenseByte() const {
    double packed = 0, dense = 0;
    for (const auto& [weight, x, y] : {std::tuple(ParametersOf(sparse_).c_fc_weight, shape_.in, shape_.hidden),
                                       std::tuple(ParametersOf(sparse_).c_proj_weight, shape_.hidden, shape_.in)}) {
      const sparse::SemiSparseWeight packed_weight(weight, Mask(weight), nullptr, format_);
      packed_weight.Forward(Tensor::Zeros({shape_.tokens, x}, dtype_));
      packed_weight.InputGrad(Tensor::Zeros({shape_.tokens, y}, dtype_));
      packed += static_cast<double>(packed_weight.packed_bytes());
      dense += static_cast<double>(weight.numel()) * static_cast<double>(SizeOf(dtype_));
    }
    return packed / dense;
  }

  ordered_json ChosenKernels() {
    ordered_json kernels;
    const auto add = [&](const std::string& layer, int64_t out, int64_t in) {
      for (const sparse::Direction direction : {sparse::Direction::kForward, sparse::Direction::kInputGrad}) {
        const sparse::LinearPlan plan = sparse::ChooseLinearKernel({.out_features = out,
                                                                    .in_features = in,
                                                                    .batch = shape_.tokens,
                                                                    .direction = direction,
                                                                    .format = format_,
                                                                    .input = dtype_,
                                                                    .output = dtype_});
        kernels[fmt::format("{}.{}", layer, NameOf(direction))] = plan.kernel->name;
      }
    };
    add("c_fc", shape_.hidden, shape_.in);
    add("c_proj", shape_.in, shape_.hidden);
    if (const auto* fused = sparse_.FusedKernel(shape_.tokens, dtype_)) kernels = {{"mlp", fused->name}};
    return kernels;
  }

  Arguments arguments_;
  MlpShape shape_;
  DType dtype_;
  sparse::MaskFormat format_;
  Tensor x_, dy_;
  nn::Mlp dense_, sparse_;
  std::optional<PeerMlpStep> peer_step_;
  TwofourMlpStep dense_step_, sparse_step_;
  double density_ = 0;
};

}  // namespace
}  // namespace twofour::bench

int main(int argc, char** argv) {
  using namespace twofour::bench;
  Arguments arguments;
  CLI::App app("Times one training step of an MLP with ReLU^2.", "bench_mlp");
  AddSize(app, "--in", arguments.shape.in, "Input and output features", /*tiled=*/true);
  AddSize(app, "--hidden", arguments.shape.hidden, "Hidden features", /*tiled=*/true);
  AddSizes(app, "--tokens", arguments.tokens, "Rows of the activations; several numbers make a line each");
  AddThreads(app, arguments.threads);
  app.add_option("--activation-density", arguments.activation_density,
                 "Share of hidden units that are not zero after ReLU^2; by default what it is without a shift")
      ->type_name("P")
      ->check(CLI::Range(0.0, 1.0));
  AddPrecision(app, arguments.shape.precision);
  AddRounds(app, arguments.rounds);
  AddPattern(app, arguments.pattern);
  app.add_flag("--adamw", arguments.adamw, "Update the weights by AdamW in each step; without the dense libraries");
  app.add_option("--only", arguments.only, "Measure this variant of twofour alone")
      ->check(CLI::IsMember({"dense", "sparse"}));
  app.add_flag("--check", arguments.check, "First verify that all variants compute the same, within rounding");
  return RunProgram(app, argc, argv, [&] {
    UseThreads(arguments.threads);
    if (arguments.only.empty() && !arguments.adamw) SayIfNoLibrary(arguments.shape.precision);
    for (const int64_t tokens : arguments.tokens) {
      arguments.shape.tokens = tokens;
      MlpBench bench(arguments);
      if (arguments.check) bench.Check();
      bench.Run();
    }
  });
}
