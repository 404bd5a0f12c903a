#include "bench/peers/peer.h"

#include <omp.h>

namespace twofour::bench {

std::string_view NameOf(Op op) {
  switch (op) {
    case Op::kForward:
      return "forward";
    case Op::kInputGrad:
      return "input_grad";
    case Op::kWeightGrad:
      return "weight_grad";
  }
  return "?";
}

GemmShape::GemmShape(const LinearProduct& product) {
  const auto& [op, out, in, tokens] = product;
  m = op == Op::kWeightGrad ? out : tokens;
  n = op == Op::kForward ? out : in;
  k = op == Op::kForward ? in : (op == Op::kInputGrad ? out : tokens);
  transpose_a = op == Op::kWeightGrad;
  transpose_b = op == Op::kForward;
}

const std::vector<Peer>& Peers() {
  static const std::vector<Peer> peers = {
      {"openblas", MakeOpenBlas},
      {"onednn_sgemm", MakeOneDnnSgemm},
      {"onednn_matmul", MakeOneDnnMatmul},
      {"eigen", MakeEigen},
  };
  return peers;
}

void SetPeerThreads(int threads) {
  omp_set_dynamic(0);
  omp_set_num_threads(threads);  // oneDNN and Eigen follow OpenMP's setting.
  SetOpenBlasThreads(threads);
}

}  // namespace twofour::bench
