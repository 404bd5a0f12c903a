#include <oneapi/dnnl/dnnl.hpp>

#include "bench/peers/peer.h"

namespace twofour::bench {
namespace {

using dnnl::memory;
using Tag = dnnl::memory::format_tag;

class OneDnnSgemm final : public PeerProduct {
 public:
  explicit OneDnnSgemm(const GemmShape& shape) : shape_(shape) {}

  void Multiply(const void* a, const void* b, void* c) override {
    dnnl::sgemm(shape_.transpose_a ? 'T' : 'N', shape_.transpose_b ? 'T' : 'N', shape_.m, shape_.n, shape_.k, 1.0f,
                static_cast<const float*>(a), shape_.lda(), static_cast<const float*>(b), shape_.ldb(), 0.0f,
                static_cast<float*>(c), shape_.n);
  }

 private:
  GemmShape shape_;
};

class OneDnnMatmul final : public PeerProduct {
 public:
  explicit OneDnnMatmul(const LinearProduct& product)
      : shape_(product), weight_grad_(product.op == Op::kWeightGrad), stream_(engine_) {
    const memory::desc a = Descriptor(shape_.m, shape_.k, shape_.transpose_a ? Tag::ba : Tag::ab);
    stored_b_ = Descriptor(shape_.k, shape_.n, shape_.transpose_b ? Tag::ba : Tag::ab);
    const memory::desc b = weight_grad_ ? stored_b_ : Descriptor(shape_.k, shape_.n, Tag::any);
    const memory::desc c = Descriptor(shape_.m, shape_.n, Tag::ab);
    const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(a, b, c), engine_);
    matmul_ = dnnl::matmul(description);
    // Made once; each call fills in the pointers.
    a_ = memory(a, engine_, DNNL_MEMORY_NONE);
    c_ = memory(c, engine_, DNNL_MEMORY_NONE);
    if (weight_grad_) {
      b_ = memory(stored_b_, engine_, DNNL_MEMORY_NONE);
    } else {
      b_ = memory(description.weights_desc(), engine_);
      weight_ = memory(stored_b_, engine_, DNNL_MEMORY_NONE);
      reorder_ = dnnl::reorder(weight_, b_);
    }
  }

  void PrepareWeight(const void* weight) override {
    weight_.set_data_handle(const_cast<void*>(weight));
    reorder_.execute(stream_, weight_, b_);
    stream_.wait();
  }

  void Multiply(const void* a, const void* b, void* c) override {
    a_.set_data_handle(const_cast<void*>(a));
    if (weight_grad_) b_.set_data_handle(const_cast<void*>(b));
    c_.set_data_handle(c);
    matmul_.execute(stream_, {{DNNL_ARG_SRC, a_}, {DNNL_ARG_WEIGHTS, b_}, {DNNL_ARG_DST, c_}});
    stream_.wait();
  }

 private:
  static memory::desc Descriptor(int64_t rows, int64_t cols, Tag tag) {
    return {{rows, cols}, memory::data_type::f32, tag};
  }

  GemmShape shape_;
  bool weight_grad_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_;
  dnnl::matmul matmul_;
  dnnl::reorder reorder_;
  memory::desc stored_b_;
  memory a_, weight_, b_, c_;
};

}  // namespace

std::unique_ptr<PeerProduct> MakeOneDnnSgemm(const LinearProduct& product) {
  return std::make_unique<OneDnnSgemm>(GemmShape(product));
}

std::unique_ptr<PeerProduct> MakeOneDnnMatmul(const LinearProduct& product) {
  return std::make_unique<OneDnnMatmul>(product);
}

}  // namespace twofour::bench
