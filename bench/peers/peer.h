#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace twofour::bench {

/// The three products of a linear with weight W [out, in]. Activations are row-major.
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

/// A product in the terms of libraries: row-major C [m, n] = op(A) [m, k] op(B) [k, n]. A transposed matrix is stored
/// the other way round: [k, m] or [n, k].
struct GemmShape {
  explicit GemmShape(const LinearProduct& product);
  int64_t m, n, k;
  bool transpose_a, transpose_b;
  int64_t lda() const { return transpose_a ? m : k; }
  int64_t ldb() const { return transpose_b ? k : n; }
};

/// One product, prepared in one library.
class PeerProduct {
 public:
  virtual ~PeerProduct() = default;
  /// Brings W into the library's own layout, if it has one. Must be called after W has changed. Must not be called for
  /// kWeightGrad, where both operands are new at every call.
  virtual void PrepareWeight(const float* /*weight*/) {}
  /// a is x or dy; b is W, or x for kWeightGrad; c is the result.
  virtual void Multiply(const float* a, const float* b, float* c) = 0;
};

/// A dense library, or one of the interfaces that it has.
struct Peer {
  std::string_view name;
  std::unique_ptr<PeerProduct> (*make)(const LinearProduct& product);
};

/// Everything that twofour is measured against.
const std::vector<Peer>& Peers();

/// Sets the number of threads of all peers, for products that are made from now on.
void SetPeerThreads(int threads);

std::unique_ptr<PeerProduct> MakeOpenBlas(const LinearProduct& product);
/// oneDNN's BLAS interface, which rearranges its operands at every call.
std::unique_ptr<PeerProduct> MakeOneDnnSgemm(const LinearProduct& product);
/// oneDNN's matmul primitive, with W in the layout that the library prefers.
std::unique_ptr<PeerProduct> MakeOneDnnMatmul(const LinearProduct& product);
std::unique_ptr<PeerProduct> MakeEigen(const LinearProduct& product);

void SetOpenBlasThreads(int threads);

}  // namespace twofour::bench
