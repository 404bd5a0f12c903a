// Times y = x W^T with weights and activations of 8 bits, as inference computes it: twofour with 2:4, V:N:M and whole
// weights, against oneDNN's product of bytes and against products of bf16.
//
// All weights are packed beforehand, because they do not change. A time of twofour includes everything from row-major
// activations of bf16 or f32 to row-major results of the same: finding each token's range, and rounding. The library
// gets an advantage: its activations are bytes already, so its time holds the product and the scaling of results alone.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/isa.h"
#include "twofour/sparse/kernels/int8/int8_kernel.h"
#include "twofour/sparse/mask_of_format.h"

#include "bench/peers/fastest.h"
#include "bench/peers/onednn_int8.h"
#include "bench/peers/peer.h"
#include "bench/support/gaussian.h"
#include "bench/support/pattern.h"
#include "bench/support/precision.h"
#include "bench/support/program.h"
#include "bench/support/rounds.h"

namespace twofour::bench {
namespace {

using nlohmann::ordered_json;
using sparse::Direction;

struct Arguments {
  int64_t out = 3072, in = 768, tokens = 2048;
  int threads = 1, rounds = 9;
  Precision precision = Precision::kBf16;
};

constexpr const char* kLibraryBytes = "oneDNN int8";
constexpr const char* kLibraryFloats = "library";
constexpr const char* kWhole = "int8 dense";
const std::vector<std::string> kPatterns = {"2:4", "64:2:8"};

/// A product with a weight of bytes under a mask.
class BytesProduct {
 public:
  BytesProduct(const Tensor& weight, const Tensor& bytes, const std::string& pattern)
      : mask_(pattern.empty() ? sparse::Mask::FromTensor(Tensor::Full(weight.shape(), 1, DType::kBool))
                              : sparse::FindMaskOf(weight, ParsePattern(pattern))),
        format_(pattern.empty() ? sparse::MaskFormat::Dense() : ParsePattern(pattern)),
        scales_(static_cast<size_t>(weight.dim(0)), 0.01F),
        row_sums_(static_cast<size_t>(weight.dim(0))) {
    sparse::MaskView view = mask_.view();
    if (format_.is_vnm()) view.vnm = format_.vnm();
    for (int64_t r = 0; r < weight.dim(0); ++r) {
      for (int64_t c = 0; c < weight.dim(1); ++c) {
        if (mask_.Keeps(r, c)) row_sums_[static_cast<size_t>(r)] += bytes.data<int8_t>()[r * weight.dim(1) + c];
      }
    }
    kernel_ = &sparse::ChooseInt8Kernel(
        {.out_features = weight.dim(0), .in_features = weight.dim(1), .batch = 2048, .format = format_});
    packed_ = kernel_->pack({bytes.data<int8_t>(), weight.dim(0), weight.dim(1)}, view);
  }

  void Multiply(const Tensor& x, Tensor& y) const {
    kernel_->multiply(*packed_, {.scales = scales_.data(), .row_sums = row_sums_.data()}, x.dim(0), x.dtype(), x.raw(),
                      y.mutable_raw());
  }
  const sparse::Int8Kernel& kernel() const { return *kernel_; }
  size_t bytes() const { return packed_->bytes(); }

 private:
  sparse::Mask mask_;
  sparse::MaskFormat format_;
  std::vector<float> scales_;
  std::vector<int32_t> row_sums_;
  const sparse::Int8Kernel* kernel_;
  std::unique_ptr<sparse::Int8PackedWeight> packed_;
};

/// The sparse product of the activations' precision, packed.
class FloatsProduct {
 public:
  FloatsProduct(const Tensor& weight, const std::string& pattern, int64_t tokens, DType dtype)
      : mask_(sparse::FindMaskOf(weight, ParsePattern(pattern))) {
    sparse::MaskView view = mask_.view();
    const sparse::MaskFormat format = ParsePattern(pattern);
    if (format.is_vnm()) view.vnm = format.vnm();
    const sparse::LinearPlan plan = sparse::ChooseLinearKernel({.out_features = weight.dim(0),
                                                                .in_features = weight.dim(1),
                                                                .batch = tokens,
                                                                .format = format,
                                                                .input = dtype,
                                                                .output = dtype});
    if (plan.widened) throw Error(fmt::format("{} multiplies no {}", plan.kernel->name, NameOf(dtype)));
    kernel_ = plan.kernel;
    packed_ = kernel_->pack(weight.data<float>(), view, Direction::kForward);
  }
  void Multiply(const Tensor& x, Tensor& y) const {
    kernel_->multiply(*packed_, Direction::kForward, x.dim(0), x.raw(), {}, y.mutable_raw());
  }

 private:
  sparse::Mask mask_;
  const sparse::LinearKernel* kernel_;
  std::unique_ptr<sparse::PackedWeight> packed_;
};

void Run(const Arguments& arguments) {
  const DType dtype = ActivationDType(arguments.precision);
  const int64_t out = arguments.out, in = arguments.in, tokens = arguments.tokens;
  const Tensor weight = Gaussian(out, in, {.seed = 8, .stream = 0});
  const Tensor x = Gaussian(tokens, in, {.seed = 8, .stream = 1}).To(dtype);
  Tensor y = Tensor::Empty({tokens, out}, dtype);
  Tensor bytes = Tensor::Empty({out, in}, DType::kI8), x_bytes = Tensor::Empty({tokens, in}, DType::kU8);
  for (int64_t i = 0; i < out * in; ++i) {
    bytes.mutable_data<int8_t>()[i] =
        static_cast<int8_t>(std::clamp(std::lround(weight.data<float>()[i] * 30), -127L, 127L));
  }
  for (int64_t i = 0; i < tokens * in; ++i) x_bytes.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(i * 37 % 251);

  Rounds rounds(fmt::format("[{}, {}], {} tokens, {} threads", out, in, tokens, arguments.threads), arguments.rounds);
  OneDnnInt8Product library(out, in, tokens, dtype, bytes.data<int8_t>());
  rounds.Add(kLibraryBytes, [&] { library.Multiply(x_bytes.data<uint8_t>(), y.mutable_raw()); });
  const LinearProduct product = {
      .op = Op::kForward, .out = out, .in = in, .tokens = tokens, .precision = arguments.precision};
  std::unique_ptr<PeerProduct> floats;
  const Tensor peer_weight = weight.To(dtype);
  if (!Peers(arguments.precision).empty()) {
    floats = FastestPeer(product, 3).make(product);
    floats->PrepareWeight(peer_weight.raw());
    rounds.Add(kLibraryFloats, [&] { floats->Multiply(x.raw(), peer_weight.raw(), y.mutable_raw()); });
  }
  const BytesProduct whole(weight, bytes, "");
  rounds.Add(kWhole, [&] { whole.Multiply(x, y); });
  std::vector<std::unique_ptr<BytesProduct>> in_bytes;
  std::vector<std::unique_ptr<FloatsProduct>> in_floats;
  for (const std::string& pattern : kPatterns) {
    const BytesProduct& of_bytes = *in_bytes.emplace_back(std::make_unique<BytesProduct>(weight, bytes, pattern));
    rounds.Add("int8 " + pattern, [&] { of_bytes.Multiply(x, y); });
    const FloatsProduct& of_floats =
        *in_floats.emplace_back(std::make_unique<FloatsProduct>(weight, pattern, tokens, dtype));
    rounds.Add("floats " + pattern, [&] { of_floats.Multiply(x, y); });
  }
  rounds.Run();

  ordered_json line = {{"bench", "int8"},
                       {"out", out},
                       {"in", in},
                       {"tokens", tokens},
                       {"threads", arguments.threads},
                       {"isa", NameOf(BestIsa())},
                       {"activations", NameOf(arguments.precision)},
                       {"onednn_int8_ms", rounds.Milliseconds(kLibraryBytes)},
                       {"onednn_int8_gops", product.flops() / rounds.Milliseconds(kLibraryBytes) * 1e-6},
                       {"dense_kernel", whole.kernel().name},
                       {"dense_ms", rounds.Milliseconds(kWhole)},
                       {"dense_vs_onednn_int8", rounds.Ratio(kLibraryBytes, kWhole)}};
  for (size_t i = 0; i < kPatterns.size(); ++i) {
    const std::string name = "int8 " + kPatterns[i];
    ordered_json& of = line[kPatterns[i]] = {
        {"kernel", in_bytes[i]->kernel().name},
        {"ms", rounds.Milliseconds(name)},
        {"bytes_of_dense_int8", static_cast<double>(in_bytes[i]->bytes()) / static_cast<double>(out * in)},
        {"vs_onednn_int8", rounds.Ratio(kLibraryBytes, name)},
        {"vs_int8_dense", rounds.Ratio(kWhole, name)},
        {"vs_same_in_floats", rounds.Ratio("floats " + kPatterns[i], name)}};
    if (floats != nullptr) of["vs_library_in_floats"] = rounds.Ratio(kLibraryFloats, name);
  }
  PrintLine(line);
}

}  // namespace
}  // namespace twofour::bench

int main(int argc, char** argv) {
  using namespace twofour::bench;
  Arguments arguments;
  CLI::App app("Times products of 8 bits, 2:4 and dense, against dense libraries.", "bench_int8");
  AddSize(app, "--out", arguments.out, "Output features", /*tiled=*/true);
  AddSize(app, "--in", arguments.in, "Input features", /*tiled=*/true);
  AddSize(app, "--tokens", arguments.tokens, "Rows of the activations", /*tiled=*/false);
  AddThreads(app, arguments.threads);
  AddPrecision(app, arguments.precision);
  AddRounds(app, arguments.rounds);
  return RunProgram(app, argc, argv, [&] {
    UseThreads(arguments.threads);
    Run(arguments);
  });
}
