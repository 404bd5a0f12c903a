#include <cblas.h>

#include "bench/peers/peer.h"

namespace twofour::bench {
namespace {

class OpenBlas final : public PeerProduct {
 public:
  explicit OpenBlas(const GemmShape& shape) : shape_(shape) {}

  void Multiply(const void* a, const void* b, void* c) override {
    const auto flag = [](bool transpose) { return transpose ? CblasTrans : CblasNoTrans; };
    const auto size = [](int64_t value) { return static_cast<blasint>(value); };
    cblas_sgemm(CblasRowMajor, flag(shape_.transpose_a), flag(shape_.transpose_b), size(shape_.m), size(shape_.n),
                size(shape_.k), 1.0f, static_cast<const float*>(a), size(shape_.lda()), static_cast<const float*>(b),
                size(shape_.ldb()), 0.0f, static_cast<float*>(c), size(shape_.n));
  }

 private:
  GemmShape shape_;
};

}  // namespace

std::unique_ptr<PeerProduct> MakeOpenBlas(const LinearProduct& product) {
  return std::make_unique<OpenBlas>(GemmShape(product));
}

void SetOpenBlasThreads(int threads) { openblas_set_num_threads(threads); }

}  // namespace twofour::bench
