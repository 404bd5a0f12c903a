// Beside gemm_block.cc the only file that knows which library computes dense products.
#include "twofour/core/kernels/gemm/bf16_block.h"

#include "twofour/core/error.h"

#ifdef TWOFOUR_HAVE_ONEDNN
#include <fmt/format.h>

#include <mutex>
#include <unordered_map>

#include <oneapi/dnnl/dnnl.hpp>

#include "twofour/core/aligned_buffer.h"
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

class OneDnnWorker final : public Bf16Block::Worker {
 public:
  OneDnnWorker(const Bf16Block::Size& size, const dnnl::matmul& product, const memory::desc& a, const memory::desc& b,
               const memory::desc& c, const memory::desc& scratch)
      : size_(size),
        product_(product),
        scratch_(static_cast<int64_t>(scratch.get_size()) + 1),
        a_(a, Engine(), DNNL_MEMORY_NONE),
        b_(b, Engine(), DNNL_MEMORY_NONE),
        c_(c, Engine(), DNNL_MEMORY_NONE),
        arguments_({{DNNL_ARG_SRC, a_},
                    {DNNL_ARG_WEIGHTS, b_},
                    {DNNL_ARG_DST, c_},
                    {DNNL_ARG_SCRATCHPAD, memory(scratch, Engine(), scratch_.data())}}) {}

  void Multiply(const BFloat16* a, const uint32_t* b, float* c) override {
    const OneOpenMpThread guard;
    Call(size_, [&] {
      a_.set_data_handle(const_cast<BFloat16*>(a));
      b_.set_data_handle(const_cast<uint32_t*>(b));
      c_.set_data_handle(c);
      product_.execute(stream_, arguments_);
      stream_.wait();
    });
  }

 private:
  Bf16Block::Size size_;
  const dnnl::matmul& product_;
  dnnl::stream stream_{Engine()};
  AlignedBuffer<std::byte> scratch_;
  memory a_, b_, c_;
  std::unordered_map<int, memory> arguments_;
};

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

  std::unique_ptr<Worker> NewWorker() const override {
    return Call(size_, [&] { return std::make_unique<OneDnnWorker>(size_, product_, a_, b_, c_, scratch_); });
  }

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
