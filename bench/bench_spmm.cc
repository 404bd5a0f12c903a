// Times the three products of one linear: twofour with a 2:4 sparse and with a dense weight, against dense libraries.
//
// A sparse time includes everything from a row-major input to a row-major output, and packing the weight for this
// direction, because a training step changes the weight. It does not include the search for the mask, which bench_mask
// times. The peers get an advantage: their weight is packed beforehand, outside of the time. In bf16 their weight is
// also rounded beforehand, while twofour rounds the f32 weight within the time, sparse and dense.
#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/isa.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/mask_of_format.h"

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
  Precision precision = Precision::kFp32;
  std::string pattern = "2:4";
};

constexpr const char* kDense = "twofour dense";
constexpr const char* kSparse = "twofour sparse";
constexpr const char* kPacking = "packing";

/// What one product reads and writes: see PeerProduct.
struct Operands {
  Tensor a, b;    ///< Activations, and the f32 weight or activations again.
  Tensor peer_b;  ///< b as peers get it, which is rounded in bf16.
  Tensor c;
};

template <typename A, typename B, typename C>
void Multiply(const GemmShape& shape, const Operands& operands, Tensor& c) {
  const auto flag = [](bool transpose) { return transpose ? kernels::Transpose::kYes : kernels::Transpose::kNo; };
  kernels::Gemm(flag(shape.transpose_a), flag(shape.transpose_b), shape.m, shape.n, shape.k, operands.a.data<A>(),
                operands.b.data<B>(), c.mutable_data<C>());
}

void TwofourDense(const LinearProduct& product, Operands& operands) {
  const GemmShape shape(product);
  if (product.precision == Precision::kFp32) {
    Multiply<float, float, float>(shape, operands, operands.c);
  } else if (product.op == Op::kWeightGrad) {
    Multiply<BFloat16, BFloat16, float>(shape, operands, operands.c);
  } else {
    Multiply<BFloat16, float, BFloat16>(shape, operands, operands.c);
  }
}

class SparseProduct {
 public:
  SparseProduct(const LinearProduct& product, const sparse::Mask& mask, const sparse::MaskFormat& format,
                Operands& operands)
      : mask_(mask.view()),
        operands_(operands),
        problem_{.out_features = product.out,
                 .in_features = product.in,
                 .batch = product.tokens,
                 .direction = product.op == Op::kForward ? Direction::kForward : Direction::kInputGrad,
                 .format = format,
                 .input = operands.a.dtype(),
                 .output = operands.c.dtype()},
        plan_(sparse::ChooseLinearKernel(problem_)) {
    if (format.is_vnm()) mask_.vnm = format.vnm();
    if (plan_.widened) throw Error(fmt::format("{} multiplies no {}", kernel().name, NameOf(problem_.input)));
  }

  const sparse::LinearProblem& problem() const { return problem_; }
  const sparse::LinearKernel& kernel() const { return *plan_.kernel; }
  std::unique_ptr<sparse::PackedWeight> Pack() const {
    return kernel().pack(operands_.b.data<float>(), mask_, problem_.direction);
  }
  void PackAndMultiply() {
    kernel().multiply(*Pack(), problem_.direction, problem_.batch, operands_.a.raw(), {}, operands_.c.mutable_raw());
  }

 private:
  sparse::MaskView mask_;
  Operands& operands_;
  sparse::LinearProblem problem_;
  sparse::LinearPlan plan_;
};

class LinearBench {
 public:
  explicit LinearBench(const Arguments& arguments)
      : arguments_(arguments),
        dtype_(ActivationDType(arguments.precision)),
        weight_(Gaussian(arguments.out, arguments.in, {.seed = 24, .stream = 0})),
        x_(Gaussian(arguments.tokens, arguments.in, {.seed = 24, .stream = 1}).To(dtype_)),
        dy_(Gaussian(arguments.tokens, arguments.out, {.seed = 24, .stream = 2}).To(dtype_)),
        format_(ParsePattern(arguments.pattern)),
        mask_(sparse::FindMaskOf(weight_, format_)) {}

  void Run(Op op) {
    const LinearProduct product = {.op = op,
                                   .out = arguments_.out,
                                   .in = arguments_.in,
                                   .tokens = arguments_.tokens,
                                   .precision = arguments_.precision};
    const GemmShape shape(product);
    const bool weight_grad = op == Op::kWeightGrad;
    Operands operands = {.a = op == Op::kForward ? x_ : dy_,
                         .b = weight_grad ? x_ : weight_,
                         .peer_b = weight_grad ? x_ : weight_.To(dtype_),
                         .c = Tensor::Empty({shape.m, shape.n}, weight_grad ? DType::kF32 : dtype_)};

    Rounds rounds(fmt::format("{} [{}, {}], {} tokens, {} threads, {}", NameOf(op), product.out, product.in,
                              product.tokens, arguments_.threads, NameOf(product.precision)),
                  arguments_.rounds);
    std::vector<std::string> peer_names;
    std::vector<std::unique_ptr<PeerProduct>> peers;
    for (const Peer& peer : Peers(product.precision)) {
      PeerProduct& peer_product = *peers.emplace_back(peer.make(product));
      if (!weight_grad) peer_product.PrepareWeight(operands.peer_b.raw());
      peer_names.emplace_back(peer.name);
      rounds.Add(peer_names.back(),
                 [&] { peer_product.Multiply(operands.a.raw(), operands.peer_b.raw(), operands.c.mutable_raw()); });
    }
    rounds.Add(kDense, [&] { TwofourDense(product, operands); });
    std::unique_ptr<SparseProduct> sparse_product;  // The gradient of a weight is dense.
    if (!weight_grad) {
      sparse_product = std::make_unique<SparseProduct>(product, mask_, format_, operands);
      rounds.Add(kSparse, [&] { sparse_product->PackAndMultiply(); });
      rounds.Add(kPacking, [&] { sparse_product->Pack(); });
    }
    rounds.Run();
    Print(product, rounds, peer_names, sparse_product.get());
  }

 private:
  void Print(const LinearProduct& product, const Rounds& rounds, const std::vector<std::string>& peers,
             const SparseProduct* sparse_product) const {
    const auto gflops = [](double flops, double milliseconds) { return flops / milliseconds * 1e-6; };
    ordered_json line = {{"bench", "spmm"},
                         {"op", NameOf(product.op)},
                         {"out", product.out},
                         {"in", product.in},
                         {"tokens", product.tokens},
                         {"threads", arguments_.threads},
                         {"isa", NameOf(BestIsa())},
                         {"precision", NameOf(product.precision)},
                         {"pattern", arguments_.pattern},
                         {"kernel", nullptr},
                         {"reason", "the gradient of a weight is dense"},
                         {"dense_library", nullptr},
                         {"dense_library_ms", nullptr},
                         {"dense_gflops", nullptr},
                         {"twofour_dense_ms", rounds.Milliseconds(kDense)},
                         {"twofour_dense_gflops", gflops(product.flops(), rounds.Milliseconds(kDense))},
                         {"twofour_dense_speedup", nullptr},
                         {"sparse_ms", nullptr},
                         {"sparse_gflops_kept", nullptr},
                         {"sparse_gflops_dense_equivalent", nullptr},
                         {"speedup", nullptr},
                         {"speedup_vs_twofour_dense", nullptr},
                         {"packing_ms", nullptr}};
    if (!peers.empty()) {
      const std::string fastest = rounds.Fastest(peers);
      line["dense_library"] = fastest;
      line["dense_library_ms"] = rounds.Milliseconds(fastest);
      line["dense_gflops"] = gflops(product.flops(), rounds.Milliseconds(fastest));
      line["twofour_dense_speedup"] = rounds.Ratio(fastest, kDense);
      if (sparse_product != nullptr) line["speedup"] = rounds.Ratio(fastest, kSparse);
    }
    if (sparse_product != nullptr) {
      const double kept = static_cast<double>(mask_.CountKept()) / static_cast<double>(product.out * product.in);
      const double milliseconds = rounds.Milliseconds(kSparse);
      line["kernel"] = sparse_product->kernel().name;
      line["reason"] = sparse::ExplainLinearKernel(sparse_product->problem());
      line["sparse_ms"] = milliseconds;
      line["sparse_gflops_kept"] = gflops(kept * product.flops(), milliseconds);
      line["sparse_gflops_dense_equivalent"] = gflops(product.flops(), milliseconds);
      line["speedup_vs_twofour_dense"] = rounds.Ratio(kDense, kSparse);
      line["packing_ms"] = rounds.Milliseconds(kPacking);
    }
    for (const std::string& peer : peers) line["peers_ms"][peer] = rounds.Milliseconds(peer);
    PrintLine(line);
  }

  Arguments arguments_;
  DType dtype_;
  Tensor weight_, x_, dy_;
  sparse::MaskFormat format_;
  sparse::Mask mask_;
};

}  // namespace
}  // namespace twofour::bench

int main(int argc, char** argv) {
  using namespace twofour::bench;
  Arguments arguments;
  CLI::App app("Times the products of one linear with a 2:4 weight against dense libraries.", "bench_spmm");
  AddSize(app, "--out", arguments.out, "Output features", /*tiled=*/true);
  AddSize(app, "--in", arguments.in, "Input features", /*tiled=*/true);
  AddSize(app, "--tokens", arguments.tokens, "Rows of the activations", /*tiled=*/false);
  AddThreads(app, arguments.threads);
  AddPrecision(app, arguments.precision);
  AddRounds(app, arguments.rounds);
  AddPattern(app, arguments.pattern);
  return RunProgram(app, argc, argv, [&] {
    UseThreads(arguments.threads);
    SayIfNoLibrary(arguments.precision);
    LinearBench bench(arguments);
    for (const Op op : {Op::kForward, Op::kInputGrad, Op::kWeightGrad}) bench.Run(op);
  });
}
