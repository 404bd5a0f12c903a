// Times the product of a few rows with a packed 2:4 or V:N:M weight, as inference needs it, against dense products. The
// dense weight has the same dtype, and peers get it in their own layout: nothing is packed within a time. With one row
// the product takes as long as reading the weight, so that bytes decide. Where no library multiplies bf16, the dense
// product is a plain loop over the rows.
#include <fmt/format.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "twofour/core/huge_pages.h"
#include "twofour/core/isa.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/row_packed_weight.h"
#include "twofour/sparse/vnm_mask.h"
#include "twofour/sparse/vnm_packed_weight.h"

#include "bench/peers/peer.h"
#include "bench/support/dense_rows.h"
#include "bench/support/gaussian.h"
#include "bench/support/pattern.h"
#include "bench/support/precision.h"
#include "bench/support/program.h"
#include "bench/support/rounds.h"

namespace twofour::bench {
namespace {

using nlohmann::ordered_json;

struct Arguments {
  int64_t out = 4096, in = 4096;
  std::vector<int64_t> tokens = {1, 64};
  int threads = 1, rounds = 15;
  Precision precision = Precision::kFp32;
  std::string pattern = "2:4";
};

constexpr const char* kDense = "twofour dense";
constexpr const char* kLoop = "plain loop";
constexpr const char* kPacked = "twofour packed";

template <typename T>
void MultiplyDense(const Tensor& x, const Tensor& weight, Tensor& y) {
  kernels::Gemm(kernels::Transpose::kNo, kernels::Transpose::kYes, x.dim(0), weight.dim(0), weight.dim(1), x.data<T>(),
                weight.data<T>(), y.mutable_data<T>());
}

/// A copy with the advantage that a packed weight has, too.
Tensor InHugePages(const Tensor& tensor) {
  Tensor copy = Tensor::Empty(tensor.shape(), tensor.dtype());
  const size_t bytes = copy.numel() * SizeOf(copy.dtype());
  PreferHugePages(copy.mutable_raw(), bytes);
  std::memcpy(copy.mutable_raw(), tensor.raw(), bytes);
  return copy;
}

void Run(const Arguments& arguments, int64_t tokens, const Tensor& weight, const sparse::InferenceWeight& packed) {
  const LinearProduct product = {
      .op = Op::kForward, .out = arguments.out, .in = arguments.in, .tokens = tokens, .precision = arguments.precision};
  const DType dtype = ActivationDType(arguments.precision);
  const bool half = dtype == DType::kBF16;
  const Tensor dense = InHugePages(weight.To(dtype)), x32 = Gaussian(tokens, arguments.in, {.seed = 24, .stream = 1}),
               x = x32.To(dtype);
  Tensor y = Tensor::Empty({tokens, arguments.out}, dtype), y32 = Tensor::Empty({arguments.out});
  Rounds rounds(fmt::format("[{}, {}], {} rows, {} threads, {}", arguments.out, arguments.in, tokens, arguments.threads,
                            NameOf(arguments.precision)),
                arguments.rounds);
  std::vector<std::string> names = {kDense};
  std::vector<std::unique_ptr<PeerProduct>> peers;
  for (const Peer& peer : Peers(arguments.precision)) {
    PeerProduct& peer_product = *peers.emplace_back(peer.make(product));
    peer_product.PrepareWeight(dense.raw());
    names.emplace_back(peer.name);
    rounds.Add(names.back(), [&] { peer_product.Multiply(x.raw(), dense.raw(), y.mutable_raw()); });
  }
  rounds.Add(kDense, [&] { half ? MultiplyDense<BFloat16>(x, dense, y) : MultiplyDense<float>(x, dense, y); });
  if (tokens == 1 && arguments.in % 32 == 0) {
    names.emplace_back(kLoop);
    rounds.Add(kLoop, [&] {
      float* const to = y32.mutable_data<float>();
      if (half) {
        MultiplyDenseRows(arguments.out, arguments.in, dense.data<BFloat16>(), x32.data<float>(), to);
      } else {
        MultiplyDenseRows(arguments.out, arguments.in, dense.data<float>(), x32.data<float>(), to);
      }
    });
  }
  rounds.Add(kPacked, [&] { y = packed.Multiply(x); });
  rounds.Run();
  const std::string fastest = rounds.Fastest(names);
  ordered_json line = {{"bench", "packed"},
                       {"out", arguments.out},
                       {"in", arguments.in},
                       {"tokens", tokens},
                       {"threads", arguments.threads},
                       {"isa", NameOf(BestIsa())},
                       {"precision", NameOf(arguments.precision)},
                       {"pattern", arguments.pattern},
                       {"dense_bytes", dense.numel() * static_cast<int64_t>(half ? sizeof(BFloat16) : sizeof(float))},
                       {"packed_bytes", packed.bytes()},
                       {"fastest_dense", fastest},
                       {"fastest_dense_ms", rounds.Milliseconds(fastest)},
                       {"packed_ms", rounds.Milliseconds(kPacked)},
                       {"speedup", rounds.Ratio(fastest, kPacked)}};
  for (const std::string& name : names) line["dense_ms"][name] = rounds.Milliseconds(name);
  PrintLine(line);
}

/// The weight with the pattern's zeros, packed for inference.
std::unique_ptr<const sparse::InferenceWeight> Pack(const Tensor& weight, const sparse::MaskFormat& pattern,
                                                    DType values) {
  if (!pattern.is_vnm()) {
    return std::make_unique<const sparse::RowPackedWeight>(weight, sparse::FindMask(weight, sparse::MaskMethod::kExact),
                                                           sparse::MaskFormat::Rows(2, 4), values);
  }
  const Tensor masked = sparse::ApplyMask(weight, sparse::FindVnmMask(weight, pattern.vnm()));
  return std::make_unique<const sparse::VnmPackedWeight>(sparse::PackVnm(masked, pattern.vnm(), "weight"), values,
                                                         "weight");
}

}  // namespace
}  // namespace twofour::bench

int main(int argc, char** argv) {
  using namespace twofour;
  using namespace twofour::bench;
  Arguments arguments;
  CLI::App app("Times products of few rows with a packed sparse weight against dense ones.", "bench_packed");
  AddSize(app, "--out", arguments.out, "Output features", /*tiled=*/true);
  AddSize(app, "--in", arguments.in, "Input features", /*tiled=*/true);
  AddSizes(app, "--tokens", arguments.tokens, "Rows of the activations");
  AddThreads(app, arguments.threads);
  AddPrecision(app, arguments.precision);
  AddPattern(app, arguments.pattern);
  AddRounds(app, arguments.rounds);
  return RunProgram(app, argc, argv, [&] {
    UseThreads(arguments.threads);
    SayIfNoLibrary(arguments.precision);
    const Tensor weight = Gaussian(arguments.out, arguments.in, {.seed = 24, .stream = 0});
    const auto packed = Pack(weight, ParsePattern(arguments.pattern), ActivationDType(arguments.precision));
    for (const int64_t tokens : arguments.tokens) Run(arguments, tokens, weight, *packed);
  });
}
