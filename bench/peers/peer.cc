#include "bench/peers/peer.h"

#include <omp.h>

namespace twofour::bench {

std::string_view NameOf(Precision precision) { return precision == Precision::kBf16 ? "bf16" : "fp32"; }

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
  const Op op = product.op;
  const int64_t out = product.out, in = product.in, tokens = product.tokens;
  m = op == Op::kWeightGrad ? out : tokens;
  n = op == Op::kForward ? out : in;
  k = op == Op::kForward ? in : (op == Op::kInputGrad ? out : tokens);
  transpose_a = op == Op::kWeightGrad;
  transpose_b = op == Op::kForward;
}

const std::vector<Peer>& Peers(Precision precision) {
  static const std::vector<Peer> fp32 = {
      {"openblas", MakeOpenBlas},
      {"onednn_sgemm", MakeOneDnnSgemm},
      {"onednn_matmul", MakeOneDnnMatmul},
      {"eigen", MakeEigen},
  };
  static const std::vector<Peer> bf16 = {
      {"onednn_matmul", MakeOneDnnBf16Matmul},
      {"onednn_matmul_plain", MakeOneDnnBf16PlainMatmul},
      {"onednn_inner_product", MakeOneDnnBf16InnerProduct},
  };
  static const std::vector<Peer> none;
  if (precision == Precision::kFp32) return fp32;
  return OneDnnHasBf16() ? bf16 : none;
}

void SetPeerThreads(int threads) {
  omp_set_dynamic(0);
  omp_set_num_threads(threads);  // oneDNN and Eigen follow OpenMP's setting.
  SetOpenBlasThreads(threads);
}

}  // namespace twofour::bench
