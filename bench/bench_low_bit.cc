// Times the product of a few rows with a weight of 8 or 4 bits, dense or 2:4 along rows, against dense products of bf16
// and f32, all taking turns. The activations are bf16, as inference has them. With one row the product takes as long as
// reading the weight, so that bytes decide. As many copies of each weight take turns as are needed to be larger than
// --working-set, because a model has many weights: what the caches still hold of the last product is of no use to it.
#include <fmt/format.h>

#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "twofour/core/huge_pages.h"
#include "twofour/core/isa.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/sparse/low_bit_weight.h"
#include "twofour/sparse/mask.h"

#include "bench/peers/peer.h"
#include "bench/support/dense_rows.h"
#include "bench/support/gaussian.h"
#include "bench/support/precision.h"
#include "bench/support/program.h"
#include "bench/support/rounds.h"

namespace twofour::bench {
namespace {

using nlohmann::ordered_json;
using sparse::LowBitKind;

struct Arguments {
  int64_t out = 4096, in = 4096;
  std::vector<int64_t> tokens = {1};
  int threads = 1, rounds = 15;
  int working_set = 0;  // MiB
  std::vector<std::string> values = {"int8", "fp8", "nvfp4"};
};

struct Variant {
  std::string name;
  LowBitKind kind;
  bool two_of_four;
};

/// A copy with the advantage that a packed weight has, too.
Tensor InHugePages(const Tensor& tensor) {
  Tensor copy = Tensor::Empty(tensor.shape(), tensor.dtype());
  const size_t bytes = copy.numel() * SizeOf(copy.dtype());
  PreferHugePages(copy.mutable_raw(), bytes);
  std::memcpy(copy.mutable_raw(), tensor.raw(), bytes);
  return copy;
}

/// Things of which each call of Next is another one, in turn.
template <typename T>
class Turns {
 public:
  Turns(const Arguments& arguments, size_t bytes, const std::function<T()>& make) {
    do things_.push_back(make());
    while (things_.size() * bytes < static_cast<size_t>(arguments.working_set) * 1024 * 1024);
  }
  T& Next() { return things_[at_++ % things_.size()]; }

 private:
  std::vector<T> things_;
  size_t at_ = 0;
};

/// Dense products of one dtype, and the names of all of them.
class Dense {
 public:
  Dense(const Arguments& arguments, int64_t tokens, const Tensor& weight, Precision precision)
      : product_{.op = Op::kForward,
                 .out = arguments.out,
                 .in = arguments.in,
                 .tokens = tokens,
                 .precision = precision},
        dtype_(ActivationDType(precision)),
        x32_(Gaussian(tokens, arguments.in, {.seed = 24, .stream = 1})),
        x_(x32_.To(dtype_)),
        y_(Tensor::Empty({tokens, arguments.out}, dtype_)),
        weights_(arguments, bytes(), [&] { return InHugePages(weight.To(dtype_)); }) {}

  int64_t bytes() const { return product_.out * product_.in * static_cast<int64_t>(SizeOf(dtype_)); }
  const std::vector<std::string>& names() const { return names_; }

  void AddTo(const Arguments& arguments, Rounds& rounds) {
    const std::string dtype(NameOf(dtype_));
    for (const Peer& peer : Peers(product_.precision)) {
      names_.push_back(dtype + " " + std::string(peer.name));
      peers_.push_back(std::make_unique<Turns<std::unique_ptr<PeerProduct>>>(arguments, bytes(), [&] {
        auto peer_product = peer.make(product_);
        peer_product->PrepareWeight(weights_.Next().raw());
        return peer_product;
      }));
      rounds.Add(names_.back(), [this, &turns = *peers_.back()] {
        turns.Next()->Multiply(x_.raw(), weights_.Next().raw(), y_.mutable_raw());
      });
    }
    names_.push_back(dtype + " twofour dense");
    rounds.Add(names_.back(), [this] { dtype_ == DType::kBF16 ? MultiplyGemm<BFloat16>() : MultiplyGemm<float>(); });
    if (product_.tokens != 1 || product_.in % 32 != 0) return;
    names_.push_back(dtype + " plain loop");
    rounds.Add(names_.back(), [this] { dtype_ == DType::kBF16 ? MultiplyRows<BFloat16>() : MultiplyRows<float>(); });
  }

 private:
  template <typename T>
  void MultiplyGemm() {
    kernels::Gemm(kernels::Transpose::kNo, kernels::Transpose::kYes, product_.tokens, product_.out, product_.in,
                  x_.data<T>(), weights_.Next().template data<T>(), y_.mutable_data<T>());
  }
  template <typename T>
  void MultiplyRows() {
    if (!sums_.defined()) sums_ = Tensor::Empty({product_.out});
    MultiplyDenseRows(product_.out, product_.in, weights_.Next().template data<T>(), x32_.data<float>(),
                      sums_.mutable_data<float>());
  }

  LinearProduct product_;
  DType dtype_;
  Tensor x32_, x_, y_, sums_;
  Turns<Tensor> weights_;
  std::vector<std::string> names_;
  std::vector<std::unique_ptr<Turns<std::unique_ptr<PeerProduct>>>> peers_;
};

void Run(const Arguments& arguments, int64_t tokens, const Tensor& weight, const std::vector<Variant>& variants) {
  Rounds rounds(fmt::format("[{}, {}], {} rows, {} threads", arguments.out, arguments.in, tokens, arguments.threads),
                arguments.rounds);
  Dense half(arguments, tokens, weight, Precision::kBf16), single(arguments, tokens, weight, Precision::kFp32);
  half.AddTo(arguments, rounds);
  single.AddTo(arguments, rounds);
  const Tensor x = Gaussian(tokens, arguments.in, {.seed = 24, .stream = 1}).To(DType::kBF16);
  Tensor y;
  using Weight = std::unique_ptr<const sparse::LowBitWeight>;
  std::map<std::string, std::unique_ptr<Turns<Weight>>> packed;
  const sparse::Mask mask = sparse::FindMask(weight, sparse::MaskMethod::kExact);
  const sparse::Mask all = sparse::Mask::FromTensor(Tensor::Full({arguments.out, arguments.in}, 1, DType::kBool));
  std::string kernel;
  std::map<std::string, size_t> bytes;
  for (const Variant& variant : variants) {
    const auto make = [&] {
      return std::make_unique<const sparse::LowBitWeight>(
          weight, variant.two_of_four ? mask : all,
          variant.two_of_four ? sparse::MaskFormat::TwoOfFour() : sparse::MaskFormat::Dense(), variant.kind);
    };
    const Weight first = make();
    kernel = first->kernel().name, bytes[variant.name] = first->bytes();
    const sparse::LowBitParts parts = first->Parts();
    auto& turns = packed[variant.name];
    turns = std::make_unique<Turns<Weight>>(arguments, first->bytes(),
                                            [&] { return std::make_unique<const sparse::LowBitWeight>(parts); });
    rounds.Add(variant.name, [&] { y = turns->Next()->Multiply(x); });
  }
  rounds.Run();
  const std::string fastest_half = rounds.Fastest(half.names()), fastest_single = rounds.Fastest(single.names());
  ordered_json line = {{"bench", "low_bit"},
                       {"out", arguments.out},
                       {"in", arguments.in},
                       {"tokens", tokens},
                       {"threads", arguments.threads},
                       {"isa", NameOf(BestIsa())},
                       {"kernel", kernel},
                       {"working_set_mib", arguments.working_set},
                       {"bf16_bytes", half.bytes()},
                       {"fastest_bf16", fastest_half},
                       {"fastest_bf16_ms", rounds.Milliseconds(fastest_half)},
                       {"fastest_f32", fastest_single},
                       {"fastest_f32_ms", rounds.Milliseconds(fastest_single)}};
  for (const Variant& variant : variants) {
    line["low_bit"][variant.name] = {{"bytes", bytes[variant.name]},
                                     {"ms", rounds.Milliseconds(variant.name)},
                                     {"speedup_vs_bf16", rounds.Ratio(fastest_half, variant.name)},
                                     {"speedup_vs_f32", rounds.Ratio(fastest_single, variant.name)}};
  }
  for (const Dense* dense : {&half, &single}) {
    for (const std::string& name : dense->names()) line["dense_ms"][name] = rounds.Milliseconds(name);
  }
  PrintLine(line);
}

std::vector<Variant> VariantsOf(const std::vector<std::string>& values) {
  std::vector<Variant> variants;
  for (const LowBitKind kind : {LowBitKind::kInt8, LowBitKind::kE4M3, LowBitKind::kNvfp4}) {
    const std::string name(sparse::NameOf(kind));
    if (std::ranges::find(values, name) == values.end()) continue;
    for (const bool two_of_four : {true, false}) {
      variants.push_back({name + (two_of_four ? " 2:4" : " dense"), kind, two_of_four});
    }
  }
  return variants;
}

}  // namespace
}  // namespace twofour::bench

int main(int argc, char** argv) {
  using namespace twofour;
  using namespace twofour::bench;
  Arguments arguments;
  CLI::App app("Times products of few rows with weights of 8 and 4 bits against dense ones.", "bench_low_bit");
  AddSize(app, "--out", arguments.out, "Output features", /*tiled=*/true);
  AddSize(app, "--in", arguments.in, "Input features", /*tiled=*/true);
  AddSizes(app, "--tokens", arguments.tokens, "Rows of the activations");
  AddThreads(app, arguments.threads);
  AddRounds(app, arguments.rounds);
  app.add_option("--values", arguments.values, "What weights are rounded to: int8, fp8, nvfp4")
      ->delimiter(',')
      ->check(CLI::IsMember({"int8", "fp8", "nvfp4"}))
      ->capture_default_str();
  app.add_option("--working-set", arguments.working_set,
                 "MiB that each product's weights take at least: copies of the weight take turns")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  return RunProgram(app, argc, argv, [&] {
    UseThreads(arguments.threads);
    SayIfNoLibrary(Precision::kBf16);
    const Tensor weight = Gaussian(arguments.out, arguments.in, {.seed = 24, .stream = 0});
    for (const int64_t tokens : arguments.tokens) Run(arguments, tokens, weight, VariantsOf(arguments.values));
  });
}
