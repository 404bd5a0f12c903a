// Times one-shot pruning of one weight against the products that SparseGPT consists of, computed by oneDNN in float.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/cholesky.h"
#include "twofour/core/isa.h"
#include "twofour/sparse/prune/input_statistics.h"
#include "twofour/sparse/prune/sparsegpt.h"
#include "twofour/sparse/pruning_pattern.h"

#include "bench/support/gaussian.h"
#include "bench/support/program.h"
#include "bench/support/rounds.h"

namespace twofour::bench {
namespace {

struct Arguments {
  int64_t out = 3072, in = 768, samples = 4096;
  int threads = 1, rounds = 9;
  std::string pattern = "2:4";
};

/// Columns between two updates of all that follow, and of a part of them: as SparseGpt has them.
constexpr int64_t kBlock = 128, kPart = 32;

/// C [rows, n] = A [rows, k] B [k, n] by oneDNN's sgemm.
class Products {
 public:
  void Add(int64_t rows, int64_t k, int64_t n) {
    if (n > 0) products_.push_back(MakeOneDnnSgemm({.op = Op::kInputGrad, .out = k, .in = n, .tokens = rows}));
  }
  void Run(const float* a, const float* b, float* c) const {
    for (const std::unique_ptr<PeerProduct>& product : products_) product->Multiply(a, b, c);
  }

 private:
  std::vector<std::unique_ptr<PeerProduct>> products_;
};

/// What is multiplied: the updates of the columns behind each block, of those behind each part of a block, and those
/// inside a part, which are a triangle; and as many multiply-adds as the factor of the inverse takes.
Products ProductsOf(int64_t out, int64_t in) {
  Products products;
  for (int64_t block = 0; block < in; block += kBlock) {
    const int64_t end = std::min(block + kBlock, in);
    products.Add(out, end - block, in - end);
    for (int64_t part = block; part < end; part += kPart) {
      const int64_t behind = std::min(part + kPart, end);
      products.Add(out, behind - part, end - behind);
      products.Add(out, (behind - part) / 2, behind - part);
    }
  }
  products.Add(in, 2 * in / 3, in);
  return products;
}

void Bench(const Arguments& arguments) {
  const Tensor weight = Gaussian(arguments.out, arguments.in, {.seed = 24});
  sparse::InputStatistics inputs(arguments.in, sparse::InputStatistics::Extent::kGram);
  const Tensor x = Gaussian(arguments.samples, arguments.in, {.seed = 25});
  inputs.Add(x, "x");
  const Tensor& gram = inputs.Gram();
  const sparse::SparseGptOptions options{.pattern = sparse::ParsePruningPattern(arguments.pattern, "--pattern"),
                                         .block = kBlock};
  const Products products = ProductsOf(arguments.out, arguments.in);
  const int64_t size = std::max(arguments.out, arguments.in) * arguments.in;
  const Tensor a = Gaussian(1, size, {.seed = 26}), b = Gaussian(1, size, {.seed = 27});
  Tensor c = Tensor::Empty({size});
  Rounds rounds("pruning", arguments.rounds);
  rounds.Add("sparsegpt", [&] { sparse::SparseGpt(weight, gram, options); });
  rounds.Add("factor", [&] { CholeskyOfInverse(gram); });
  rounds.Add("products", [&] { products.Run(a.data<float>(), b.data<float>(), c.mutable_data<float>()); });
  rounds.Run();
  PrintLine({{"bench", "prune"},
             {"out", arguments.out},
             {"in", arguments.in},
             {"threads", arguments.threads},
             {"isa", NameOf(BestIsa())},
             {"pattern", options.pattern.ToString()},
             {"sparsegpt_ms", rounds.Milliseconds("sparsegpt")},
             {"factor_ms", rounds.Milliseconds("factor")},
             {"onednn_products_ms", rounds.Milliseconds("products")},
             {"times_products", rounds.Ratio("sparsegpt", "products")}});
}

}  // namespace
}  // namespace twofour::bench

int main(int argc, char** argv) {
  using namespace twofour::bench;
  Arguments arguments;
  CLI::App app("Times SparseGPT of one weight against its products.", "bench_prune");
  AddSize(app, "--out", arguments.out, "Output features", /*tiled=*/false);
  AddSize(app, "--in", arguments.in, "Input features", /*tiled=*/false);
  AddThreads(app, arguments.threads);
  AddRounds(app, arguments.rounds);
  app.add_option("--pattern", arguments.pattern, "As in 2:4, transposable:2:4, 64:2:8, unstructured:0.5");
  return RunProgram(app, argc, argv, [&] {
    UseThreads(arguments.threads);
    Bench(arguments);
  });
}
