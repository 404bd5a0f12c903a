// Beside gemm_block.cc the only file that knows which library computes dense products.
#include "twofour/core/kernels/gemm/bf16_block.h"

#include "twofour/core/error.h"

#ifdef TWOFOUR_HAVE_ONEDNN
#include <fmt/format.h>

#include <mutex>

#include <oneapi/dnnl/dnnl.hpp>

#include "twofour/core/one_openmp_thread.h"
#include "twofour/core/recently_used.h"
#endif

namespace twofour::kernels {

#ifdef TWOFOUR_HAVE_ONEDNN

namespace {

using dnnl::memory;

const dnnl::engine& Engine() {
  static const auto& engine = *new dnnl::engine(dnnl::engine::kind::cpu, 0);  // Blocks may be freed at the very end.
  return engine;
}

dnnl::matmul::primitive_desc Describe(const memory::desc& a, const memory::desc& b, const memory::desc& c) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);  // The library's own memory is one thread's.
#if DNNL_VERSION_MAJOR >= 3
  return {Engine(), a, b, c, attributes};
#else
  return {dnnl::matmul::desc(a, b, c), attributes, Engine()};
#endif
}

/// Calls f. An error of the library becomes an Error.
template <typename F>
auto Call(const Bf16Block::Size& size, const F& f) {
  try {
    return f();
  } catch (const dnnl::error& error) {
    throw Error(fmt::format("oneDNN matmul of bf16 [{0}, {2}] x [{2}, {1}] failed: {3}", size.rows, size.cols,
                            size.depth, error.message),
                ErrorKind::kRuntimeFailure);
  }
}

class OneDnnBlock final : public Bf16Block {
 public:
  explicit OneDnnBlock(const Size& size)
      : size_(size),
        a_({size.rows, size.depth}, memory::data_type::bf16, memory::format_tag::ab),
        b_({size.depth, size.cols}, memory::data_type::bf16, memory::format_tag::BA16a64b2a),
        c_({size.rows, size.cols}, memory::data_type::f32, memory::format_tag::ab) {
    const OneOpenMpThread guard;  // The product is compiled for as many threads as there are now.
    const dnnl::matmul::primitive_desc description = Describe(a_, b_, c_);
    scratch_ = description.scratchpad_desc();
    product_ = dnnl::matmul(description);
  }

  void Multiply(const BFloat16* a, const uint32_t* b, float* c, std::byte* scratch) const override {
    const OneOpenMpThread guard;
    Call(size_, [&] {
      const auto at = [](const memory::desc& matrix, const void* data) {
        return memory(matrix, Engine(), const_cast<void*>(data));
      };
      dnnl::stream stream(Engine());
      product_.execute(stream, {{DNNL_ARG_SRC, at(a_, a)},
                                {DNNL_ARG_WEIGHTS, at(b_, b)},
                                {DNNL_ARG_DST, at(c_, c)},
                                {DNNL_ARG_SCRATCHPAD, at(scratch_, scratch)}});
      stream.wait();
    });
  }
  size_t scratch_bytes() const override { return scratch_.get_size(); }

 private:
  Size size_;
  memory::desc a_, b_, c_, scratch_;
  dnnl::matmul product_;
};

}  // namespace

std::shared_ptr<const Bf16Block> Bf16Block::Find(const Size& size) {
  static std::mutex mutex;
  static auto& blocks = *new RecentlyUsed<Size, std::shared_ptr<const Bf16Block>>(kMostKept);
  const std::lock_guard<std::mutex> lock(mutex);
  return blocks.Get(size, [](const Size& missing) {
    return Call(missing, [&] { return std::make_shared<const OneDnnBlock>(missing); });
  });
}

bool BuiltWithBf16Blocks() { return true; }

bool Bf16BlocksUseAmx() {
  const auto bits = [](dnnl::cpu_isa isa) { return static_cast<unsigned>(isa); };
  const unsigned amx = bits(dnnl::cpu_isa::avx512_core_amx);  // Better sets have all its bits, too.
  return (bits(dnnl::get_effective_cpu_isa()) & amx) == amx;
}

#else

std::shared_ptr<const Bf16Block> Bf16Block::Find(const Size&) { throw Error("twofour was built without oneDNN"); }
bool BuiltWithBf16Blocks() { return false; }
bool Bf16BlocksUseAmx() { return false; }

#endif

}  // namespace twofour::kernels
