#include "bench/peers/onednn_int8.h"

#include <fmt/format.h>

#include <vector>

#include <oneapi/dnnl/dnnl.hpp>

#include "twofour/core/error.h"

namespace twofour::bench {

using dnnl::memory;
using Tag = memory::format_tag;
using DataType = memory::data_type;

struct OneDnnInt8Product::Parts {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  dnnl::matmul matmul;
  memory x, weight, y;
};

OneDnnInt8Product::OneDnnInt8Product(int64_t out, int64_t in, int64_t tokens, DType result, const int8_t* weight)
    : parts_(std::make_unique<Parts>()) {
  const memory::desc x({tokens, in}, DataType::u8, Tag::ab), wanted({in, out}, DataType::s8, Tag::any);
  const memory::desc y({tokens, out}, result == DType::kF32 ? DataType::f32 : DataType::bf16, Tag::ab);
  dnnl::primitive_attr attributes;
  attributes.set_output_scales(1 << 1, std::vector<float>(static_cast<size_t>(out), 0.01F));
  const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(x, wanted, y), attributes, parts_->engine,
                                                 /*allow_empty=*/true);
  if (!description) throw Error(fmt::format("oneDNN multiplies no bytes to {} here", NameOf(result)));
  parts_->matmul = dnnl::matmul(description);
  parts_->x = memory(x, parts_->engine, DNNL_MEMORY_NONE);
  parts_->y = memory(y, parts_->engine, DNNL_MEMORY_NONE);
  memory from({{in, out}, DataType::s8, Tag::ba}, parts_->engine, const_cast<int8_t*>(weight));
  parts_->weight = memory(description.weights_desc(), parts_->engine);
  dnnl::reorder(from, parts_->weight).execute(parts_->stream, from, parts_->weight);
  parts_->stream.wait();
}

OneDnnInt8Product::~OneDnnInt8Product() = default;

void OneDnnInt8Product::Multiply(const uint8_t* x, void* y) {
  parts_->x.set_data_handle(const_cast<uint8_t*>(x));
  parts_->y.set_data_handle(y);
  parts_->matmul.execute(parts_->stream,
                         {{DNNL_ARG_SRC, parts_->x}, {DNNL_ARG_WEIGHTS, parts_->weight}, {DNNL_ARG_DST, parts_->y}});
  parts_->stream.wait();
}

}  // namespace twofour::bench
