// Times the three products of one linear: twofour with a 2:4 sparse and with a dense weight, against dense libraries.
//
// A sparse time includes everything from a row-major input to a row-major output, and packing the weight for this
// direction, because a training step changes the weight. It does not include the search for the mask, which bench_mask
// times. The peers get an advantage: their weight is packed beforehand, outside of the time.
#include <fmt/format.h>

#include "twofour/core/isa.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/mask.h"

#include "bench/peers/peer.h"
#include "bench/support/gaussian.h"
#include "bench/support/program.h"
#include "bench/support/rounds.h"

namespace twofour::bench {
namespace {

using nlohmann::ordered_json;
using sparse::Direction;

struct Arguments {
  int64_t out = 3072, in = 768, tokens = 2048;
  int threads = 1, rounds = 9;
};

constexpr const char* kDense = "twofour dense";
constexpr const char* kSparse = "twofour sparse";
constexpr const char* kPacking = "packing";

/// A, B and C of one product: see PeerProduct.
struct Operands {
  const float *a, *b;
  float* c;
};

void TwofourDense(const GemmShape& shape, const Operands& operands) {
  const auto flag = [](bool transpose) { return transpose ? kernels::Transpose::kYes : kernels::Transpose::kNo; };
  kernels::Gemm(flag(shape.transpose_a), flag(shape.transpose_b), shape.m, shape.n, shape.k, operands.a, operands.b,
                operands.c);
}

class SparseProduct {
 public:
  SparseProduct(const LinearProduct& product, const Tensor& weight, const sparse::Mask& mask, const Operands& operands)
      : direction_(product.op == Op::kForward ? Direction::kForward : Direction::kInputGrad),
        tokens_(product.tokens),
        weight_(weight),
        mask_(mask),
        operands_(operands),
        problem_{product.out, product.in, product.tokens, direction_},
        kernel_(*sparse::ChooseLinearKernel(problem_).kernel) {}

  const sparse::LinearProblem& problem() const { return problem_; }
  const sparse::LinearKernel& kernel() const { return kernel_; }
  std::unique_ptr<sparse::PackedWeight> Pack() const {
    return kernel_.pack(weight_.data<float>(), mask_.view(), direction_);
  }
  void PackAndMultiply() const { kernel_.multiply(*Pack(), direction_, tokens_, operands_.a, {}, operands_.c); }

 private:
  Direction direction_;
  int64_t tokens_;
  const Tensor& weight_;
  const sparse::Mask& mask_;
  Operands operands_;
  sparse::LinearProblem problem_;
  const sparse::LinearKernel& kernel_;
};

class LinearBench {
 public:
  explicit LinearBench(const Arguments& arguments)
      : arguments_(arguments),
        weight_(Gaussian(arguments.out, arguments.in, {.seed = 24, .stream = 0})),
        x_(Gaussian(arguments.tokens, arguments.in, {.seed = 24, .stream = 1})),
        dy_(Gaussian(arguments.tokens, arguments.out, {.seed = 24, .stream = 2})),
        mask_(sparse::FindMask(weight_, sparse::MaskMethod::kExact)) {}

  void Run(Op op) {
    const LinearProduct product = {op, arguments_.out, arguments_.in, arguments_.tokens};
    const GemmShape shape(product);
    Tensor result = Tensor::Empty({shape.m, shape.n});
    const Operands operands = {(op == Op::kForward ? x_ : dy_).data<float>(),
                               (op == Op::kWeightGrad ? x_ : weight_).data<float>(), result.mutable_data<float>()};

    Rounds rounds(fmt::format("{} [{}, {}], {} tokens, {} threads", NameOf(op), product.out, product.in, product.tokens,
                              arguments_.threads),
                  arguments_.rounds);
    std::vector<std::string> peer_names;
    std::vector<std::unique_ptr<PeerProduct>> peers;
    for (const Peer& peer : Peers()) {
      PeerProduct& peer_product = *peers.emplace_back(peer.make(product));
      if (op != Op::kWeightGrad) peer_product.PrepareWeight(operands.b);
      peer_names.emplace_back(peer.name);
      rounds.Add(peer_names.back(), [&] { peer_product.Multiply(operands.a, operands.b, operands.c); });
    }
    rounds.Add(kDense, [&] { TwofourDense(shape, operands); });
    std::unique_ptr<SparseProduct> sparse_product;  // The gradient of a weight is dense.
    if (op != Op::kWeightGrad) {
      sparse_product = std::make_unique<SparseProduct>(product, weight_, mask_, operands);
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
    const std::string fastest = rounds.Fastest(peers);
    ordered_json line = {{"bench", "spmm"},
                         {"op", NameOf(product.op)},
                         {"out", product.out},
                         {"in", product.in},
                         {"tokens", product.tokens},
                         {"threads", arguments_.threads},
                         {"isa", NameOf(BestIsa())},
                         {"kernel", nullptr},
                         {"reason", "the gradient of a weight is dense"},
                         {"dense_library", fastest},
                         {"dense_library_ms", rounds.Milliseconds(fastest)},
                         {"dense_gflops", gflops(product.flops(), rounds.Milliseconds(fastest))},
                         {"twofour_dense_ms", rounds.Milliseconds(kDense)},
                         {"twofour_dense_gflops", gflops(product.flops(), rounds.Milliseconds(kDense))},
                         {"twofour_dense_speedup", rounds.Ratio(fastest, kDense)},
                         {"sparse_ms", nullptr},
                         {"sparse_gflops_kept", nullptr},
                         {"sparse_gflops_dense_equivalent", nullptr},
                         {"speedup", nullptr},
                         {"speedup_vs_twofour_dense", nullptr},
                         {"packing_ms", nullptr}};
    if (sparse_product != nullptr) {
      const double kept = static_cast<double>(mask_.CountKept()) / static_cast<double>(product.out * product.in);
      const double milliseconds = rounds.Milliseconds(kSparse);
      line["kernel"] = sparse_product->kernel().name;
      line["reason"] = sparse::ExplainLinearKernel(sparse_product->problem());
      line["sparse_ms"] = milliseconds;
      line["sparse_gflops_kept"] = gflops(kept * product.flops(), milliseconds);
      line["sparse_gflops_dense_equivalent"] = gflops(product.flops(), milliseconds);
      line["speedup"] = rounds.Ratio(fastest, kSparse);
      line["speedup_vs_twofour_dense"] = rounds.Ratio(kDense, kSparse);
      line["packing_ms"] = rounds.Milliseconds(kPacking);
    }
    for (const std::string& peer : peers) line["peers_ms"][peer] = rounds.Milliseconds(peer);
    PrintLine(line);
  }

  Arguments arguments_;
  Tensor weight_, x_, dy_;
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
  AddRounds(app, arguments.rounds);
  return RunProgram(app, argc, argv, [&] {
    UseThreads(arguments.threads);
    LinearBench bench(arguments);
    for (const Op op : {Op::kForward, Op::kInputGrad, Op::kWeightGrad}) bench.Run(op);
  });
}
