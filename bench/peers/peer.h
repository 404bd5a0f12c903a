#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace twofour::bench {

/// What a step computes in. Master weights, biases and their gradients are f32 in either.
enum class Precision {
  kFp32,
  kBf16,  ///< Operands of products, activations and their gradients are bf16, rounded to nearest even.
};

/// "fp32", "bf16".
std::string_view NameOf(Precision precision);

/// The three products of a linear with weight W [out, in]. Activations are row-major.
enum class Op {
  kForward,     ///< y [tokens, out] = x W^T
  kInputGrad,   ///< dx [tokens, in] = dy W
  kWeightGrad,  ///< dW [out, in] = dy^T x
};

/// "forward", "input_grad", "weight_grad".
std::string_view NameOf(Op op);

/// What is done to a forward product before it is written.
enum class PeerEpilogue { kNone, kBias, kBiasReluSquared };

struct LinearProduct {
  Op op = Op::kForward;
  int64_t out = 0, in = 0, tokens = 0;
  Precision precision = Precision::kFp32;
  /// Only bf16 peers take another one than kNone.
  PeerEpilogue epilogue = PeerEpilogue::kNone;

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

/// One product, prepared in one library. In bf16 all matrices are bf16, W included, except for the result of
/// kWeightGrad, which is f32.
class PeerProduct {
 public:
  virtual ~PeerProduct() = default;
  /// Brings W into the library's own layout, if it has one. Must be called after W has changed. Must not be called for
  /// kWeightGrad, where both operands are new at every call.
  virtual void PrepareWeight(const void* /*weight*/) {}
  /// The f32 bias [out] of the epilogue. Needed before Multiply if the product has one.
  virtual void SetBias(const float* /*bias*/) {}
  /// a is x or dy; b is W, or x for kWeightGrad; c is the result.
  virtual void Multiply(const void* a, const void* b, void* c) = 0;
};

/// A dense library, or one of the interfaces that it has.
struct Peer {
  std::string_view name;
  std::unique_ptr<PeerProduct> (*make)(const LinearProduct& product);
};

/// Everything that twofour is measured against. In bf16 the list is empty where no library can compute in it.
const std::vector<Peer>& Peers(Precision precision);

/// Sets the number of threads of all peers, for products that are made from now on.
void SetPeerThreads(int threads);

std::unique_ptr<PeerProduct> MakeOpenBlas(const LinearProduct& product);
/// oneDNN's BLAS interface, which rearranges its operands at every call.
std::unique_ptr<PeerProduct> MakeOneDnnSgemm(const LinearProduct& product);
/// oneDNN's matmul primitive, with W in the layout that the library prefers.
std::unique_ptr<PeerProduct> MakeOneDnnMatmul(const LinearProduct& product);
std::unique_ptr<PeerProduct> MakeEigen(const LinearProduct& product);

/// Whether oneDNN can compute in bf16 here.
bool OneDnnHasBf16();
/// oneDNN's matmul primitive in bf16, with every operand but row-major activations in the layout that the library
/// prefers. For kWeightGrad, each call brings both operands into their layouts.
std::unique_ptr<PeerProduct> MakeOneDnnBf16Matmul(const LinearProduct& product);
/// The same with every operand as it lies.
std::unique_ptr<PeerProduct> MakeOneDnnBf16PlainMatmul(const LinearProduct& product);
/// oneDNN's inner product primitive in bf16, with W in the layout that the library prefers.
std::unique_ptr<PeerProduct> MakeOneDnnBf16InnerProduct(const LinearProduct& product);

void SetOpenBlasThreads(int threads);

}  // namespace twofour::bench
