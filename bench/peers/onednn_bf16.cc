#include <unordered_map>

#include <oneapi/dnnl/dnnl.hpp>

#include "bench/peers/peer.h"

namespace twofour::bench {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;
using DataType = memory::data_type;

/// What all primitives here are made of.
class OneDnnProduct : public PeerProduct {
 public:
  void PrepareWeight(const void* weight) override {
    prepared_.Run(stream_, weight);
    stream_.wait();
  }

  void SetBias(const float* bias) override {
    if (has_bias_) bias_.set_data_handle(const_cast<float*>(bias));
  }

 protected:
  /// An operand that comes as `stored` and is taken as `wanted`.
  struct Operand {
    Operand() = default;
    Operand(const memory::desc& stored, const memory::desc& wanted, const dnnl::engine& engine) {
      from = memory(stored, engine, DNNL_MEMORY_NONE);
      if (stored == wanted) {
        to = from;  // Another handle to the same object.
        return;
      }
      to = memory(wanted, engine);
      reorder = dnnl::reorder(from, to);
    }

    void Run(dnnl::stream& stream, const void* data) {
      from.set_data_handle(const_cast<void*>(data));
      if (reorder) reorder.execute(stream, from, to);
    }

    memory from, to;
    dnnl::reorder reorder;  // Empty where `to` is `from`.
  };

  explicit OneDnnProduct(const LinearProduct& product) : product_(product), shape_(product), stream_(engine_) {}

  bool IsWeightGrad() const { return product_.op == Op::kWeightGrad; }

  void MakeBias(const memory::desc& bias) {
    has_bias_ = true;
    bias_ = memory(bias, engine_, DNNL_MEMORY_NONE);
  }

  dnnl::primitive_attr Attributes() const {
    dnnl::primitive_attr attributes;
    if (product_.epilogue == PeerEpilogue::kBiasReluSquared) {
      dnnl::post_ops operations;
      operations.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
      operations.append_eltwise(1.0f, dnnl::algorithm::eltwise_square, 0.0f, 0.0f);
      attributes.set_post_ops(operations);
    }
    return attributes;
  }

  LinearProduct product_;
  GemmShape shape_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_;
  Operand prepared_;  // The weight.
  bool has_bias_ = false;
  memory bias_;
};

class OneDnnBf16Matmul final : public OneDnnProduct {
 public:
  OneDnnBf16Matmul(const LinearProduct& product, bool plain) : OneDnnProduct(product) {
    const memory::dims a_dims{shape_.m, shape_.k}, b_dims{shape_.k, shape_.n}, c_dims{shape_.m, shape_.n};
    const memory::desc a(a_dims, DataType::bf16, shape_.transpose_a ? Tag::ba : Tag::ab);
    const memory::desc b(b_dims, DataType::bf16, shape_.transpose_b ? Tag::ba : Tag::ab);
    const memory::desc c(c_dims, IsWeightGrad() ? DataType::f32 : DataType::bf16, Tag::ab);
    const memory::desc wanted_a = IsWeightGrad() && !plain ? memory::desc(a_dims, DataType::bf16, Tag::any) : a;
    const memory::desc wanted_b = plain ? b : memory::desc(b_dims, DataType::bf16, Tag::any);
    const bool with_bias = product.epilogue != PeerEpilogue::kNone;
    const memory::desc bias({1, shape_.n}, DataType::f32, Tag::ab);
    const dnnl::matmul::desc operation =
        with_bias ? dnnl::matmul::desc(wanted_a, wanted_b, bias, c) : dnnl::matmul::desc(wanted_a, wanted_b, c);
    const dnnl::matmul::primitive_desc description(operation, Attributes(), engine_);
    matmul_ = dnnl::matmul(description);
    if (with_bias) MakeBias(bias);
    a_ = Operand(a, description.src_desc(), engine_);
    prepared_ = Operand(b, description.weights_desc(), engine_);
    c_ = memory(c, engine_, DNNL_MEMORY_NONE);
  }

  void Multiply(const void* a, const void* b, void* c) override {
    a_.Run(stream_, a);
    if (IsWeightGrad()) prepared_.Run(stream_, b);
    c_.set_data_handle(c);
    std::unordered_map<int, memory> arguments{
        {DNNL_ARG_SRC, a_.to}, {DNNL_ARG_WEIGHTS, prepared_.to}, {DNNL_ARG_DST, c_}};
    if (has_bias_) arguments.emplace(DNNL_ARG_BIAS, bias_);
    matmul_.execute(stream_, arguments);
    stream_.wait();
  }

 private:
  dnnl::matmul matmul_;
  Operand a_;
  memory c_;
};

class OneDnnBf16InnerProduct final : public OneDnnProduct {
 public:
  explicit OneDnnBf16InnerProduct(const LinearProduct& product) : OneDnnProduct(product) {
    const auto& [op, out, in, tokens, precision, epilogue] = product;
    const memory::desc x({tokens, in}, DataType::bf16, Tag::ab), y({tokens, out}, DataType::bf16, Tag::ab);
    const memory::desc w({out, in}, DataType::bf16, Tag::ab), any_w({out, in}, DataType::bf16, Tag::any);
    const memory::desc bias({out}, DataType::f32, Tag::a);
    using dnnl::inner_product_forward;
    const auto kind = dnnl::prop_kind::forward_training;
    const bool with_bias = epilogue != PeerEpilogue::kNone;
    const inner_product_forward::primitive_desc forward(with_bias ? inner_product_forward::desc(kind, x, any_w, bias, y)
                                                                  : inner_product_forward::desc(kind, x, any_w, y),
                                                        Attributes(), engine_);
    x_ = memory(x, engine_, DNNL_MEMORY_NONE);
    y_ = memory(y, engine_, DNNL_MEMORY_NONE);
    if (op == Op::kForward) {
      primitive_ = inner_product_forward(forward);
      prepared_ = Operand(w, forward.weights_desc(), engine_);
      if (with_bias) MakeBias(bias);
    } else if (op == Op::kInputGrad) {
      using dnnl::inner_product_backward_data;
      const inner_product_backward_data::primitive_desc description(inner_product_backward_data::desc(x, any_w, y),
                                                                    engine_, forward);
      primitive_ = inner_product_backward_data(description);
      prepared_ = Operand(w, description.weights_desc(), engine_);
    } else {
      // A layout that the library prefers here would have to be brought back to rows, which costs more than it gains.
      using dnnl::inner_product_backward_weights;
      const memory::desc gradient({out, in}, DataType::f32, Tag::ab);
      const inner_product_backward_weights::primitive_desc description(
          inner_product_backward_weights::desc(x, gradient, y), engine_, forward);
      primitive_ = inner_product_backward_weights(description);
      gradient_ = memory(gradient, engine_, DNNL_MEMORY_NONE);
    }
  }

  void Multiply(const void* a, const void* b, void* c) override {
    const auto set = [](memory& operand, const void* data) { operand.set_data_handle(const_cast<void*>(data)); };
    std::unordered_map<int, memory> arguments;
    if (product_.op == Op::kForward) {
      set(x_, a), set(y_, c);
      arguments = {{DNNL_ARG_SRC, x_}, {DNNL_ARG_WEIGHTS, prepared_.to}, {DNNL_ARG_DST, y_}};
      if (has_bias_) arguments.emplace(DNNL_ARG_BIAS, bias_);
    } else if (product_.op == Op::kInputGrad) {
      set(y_, a), set(x_, c);
      arguments = {{DNNL_ARG_DIFF_DST, y_}, {DNNL_ARG_WEIGHTS, prepared_.to}, {DNNL_ARG_DIFF_SRC, x_}};
    } else {
      set(y_, a), set(x_, b), set(gradient_, c);
      arguments = {{DNNL_ARG_DIFF_DST, y_}, {DNNL_ARG_SRC, x_}, {DNNL_ARG_DIFF_WEIGHTS, gradient_}};
    }
    primitive_.execute(stream_, arguments);
    stream_.wait();
  }

 private:
  dnnl::primitive primitive_;
  memory x_, y_, gradient_;
};

}  // namespace

bool OneDnnHasBf16() {
  static const bool has = [] {
    try {
      OneDnnBf16Matmul({.op = Op::kForward, .out = 64, .in = 64, .tokens = 64, .precision = Precision::kBf16},
                       /*plain=*/false);
      return true;
    } catch (const dnnl::error&) {
      return false;
    }
  }();
  return has;
}

std::unique_ptr<PeerProduct> MakeOneDnnBf16Matmul(const LinearProduct& product) {
  return std::make_unique<OneDnnBf16Matmul>(product, /*plain=*/false);
}

std::unique_ptr<PeerProduct> MakeOneDnnBf16PlainMatmul(const LinearProduct& product) {
  return std::make_unique<OneDnnBf16Matmul>(product, /*plain=*/true);
}

std::unique_ptr<PeerProduct> MakeOneDnnBf16InnerProduct(const LinearProduct& product) {
  return std::make_unique<OneDnnBf16InnerProduct>(product);
}

}  // namespace twofour::bench
