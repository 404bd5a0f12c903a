#include "bench/peers/fastest.h"

#include <fmt/format.h>

#include <algorithm>

#include "bench/support/gaussian.h"
#include "bench/support/precision.h"
#include "bench/support/rounds.h"

namespace twofour::bench {

// Short, because choosing needs less precision than reporting, and there are many products to choose for.
constexpr double kMinMilliseconds = 20;

const Peer& FastestPeer(const LinearProduct& product, int rounds) {
  const GemmShape shape(product);
  const DType operands = ActivationDType(product.precision);
  const Tensor a = Gaussian(shape.m, shape.k, {.seed = 24, .stream = 0}).To(operands);
  const Tensor b = Gaussian(shape.k, shape.n, {.seed = 24, .stream = 1}).To(operands);
  const Tensor bias = Tensor::Zeros({shape.n});
  Tensor c = Tensor::Empty({shape.m, shape.n}, product.op == Op::kWeightGrad ? DType::kF32 : operands);
  const std::byte *a_data = a.raw(), *b_data = b.raw();
  const float* bias_data = bias.data<float>();
  std::byte* c_data = c.mutable_raw();

  Rounds timing(
      fmt::format("peers at {} [{}, {}], {} tokens", NameOf(product.op), product.out, product.in, product.tokens),
      rounds, kMinMilliseconds);
  const std::vector<Peer>& peers = Peers(product.precision);
  std::vector<std::string> names;
  for (const Peer& peer : peers) {
    names.emplace_back(peer.name);
    timing.Add(names.back(), [=, made = std::shared_ptr<PeerProduct>(peer.make(product))] {
      if (product.op != Op::kWeightGrad) made->PrepareWeight(b_data);
      made->SetBias(bias_data);
      made->Multiply(a_data, b_data, c_data);
    });
  }
  timing.Run();
  const std::string fastest = timing.Fastest(names);
  return *std::find_if(peers.begin(), peers.end(), [&](const Peer& peer) { return peer.name == fastest; });
}

}  // namespace twofour::bench
