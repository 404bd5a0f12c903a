#include "twofour/core/isa.h"

#include "bench/peers/eigen_gemm.h"

namespace twofour::bench {
namespace {

/// The copy for the instruction set that twofour uses here. So TWOFOUR_MAX_ISA limits both.
EigenGemm* ChooseEigenGemm() {
#ifdef __x86_64__
  if (IsAllowed(Isa::kAvx512)) return EigenGemmAvx512;
  if (IsAllowed(Isa::kAvx2)) return EigenGemmAvx2;
#endif
  return EigenGemmBaseline;
}

class EigenProduct final : public PeerProduct {
 public:
  explicit EigenProduct(const GemmShape& shape) : shape_(shape), gemm_(ChooseEigenGemm()) {}
  void Multiply(const void* a, const void* b, void* c) override {
    gemm_(shape_, static_cast<const float*>(a), static_cast<const float*>(b), static_cast<float*>(c));
  }

 private:
  GemmShape shape_;
  EigenGemm* gemm_;
};

}  // namespace

std::unique_ptr<PeerProduct> MakeEigen(const LinearProduct& product) {
  return std::make_unique<EigenProduct>(GemmShape(product));
}

}  // namespace twofour::bench
