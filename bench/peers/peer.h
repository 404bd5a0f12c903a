#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace twofour::bench {

/// The three products of a linear with weight W [out, in], activations row-major.
enum class Op {
  kForward,     ///< y [tokens, out] = x W^T
  kInputGrad,   ///< dx [tokens, in] = dy W
  kWeightGrad,  ///< dW [out, in] = dy^T x
};

/// "forward", "input_grad", "weight_grad".
std::string_view NameOf(Op op);

struct LinearProduct {
  Op op = Op::kForward;
  int64_t out = 0, in = 0, tokens = 0;
  double flops() const {
    return 2.0 * static_cast<double>(out) * static_cast<double>(in) * static_cast<double>(tokens);
  }
};

/// A product as libraries know it: row-major C [m, n] = op(A) [m, k] op(B) [k, n], where a transposed matrix is stored
/// the other way round.
struct GemmShape {
  explicit GemmShape(const LinearProduct& product);
  int64_t m, n, k;
  bool transpose_a, transpose_b;
  int64_t lda() const { return transpose_a ? m : k; }
  int64_t ldb() const { return transpose_b ? k : n; }
};

/// One product, set up in one library.
class PeerProduct {
 public:
  virtual ~PeerProduct() = default;
  /// Brings W into the library's own layout, where it has one. To be called after W has changed; never for kWeightGrad,
  /// in which both operands are new at every call.
  virtual void PrepareWeight(const float* /*weight*/) {}
  /// a is x or dy; b is W (for kWeightGrad x); c is the result.
  virtual void Multiply(const float* a, const float* b, float* c) = 0;
};

/// A dense library, or one of the interfaces that it has.
struct Peer {
  std::string_view name;
  std::unique_ptr<PeerProduct> (*make)(const LinearProduct& product);
};

/// Everything that twofour is measured against.
const std::vector<Peer>& Peers();

/// Threads of all peers, from the next product that is made on.
void SetPeerThreads(int threads);

std::unique_ptr<PeerProduct> MakeOpenBlas(const LinearProduct& product);
/// The BLAS interface, which arranges its operands at every call.
std::unique_ptr<PeerProduct> MakeOneDnnSgemm(const LinearProduct& product);
/// The matmul primitive, with W in whatever layout the library likes best.
std::unique_ptr<PeerProduct> MakeOneDnnMatmul(const LinearProduct& product);
std::unique_ptr<PeerProduct> MakeEigen(const LinearProduct& product);

void SetOpenBlasThreads(int threads);

}  // namespace twofour::bench
