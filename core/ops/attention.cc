#include "twofour/core/ops/attention.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "twofour/core/autograd.h"
#include "twofour/core/error.h"
#include "twofour/core/kernels/attention/attention.h"
#include "twofour/core/ops/check.h"
#include "twofour/core/ops/in_f32.h"

namespace twofour {
inline namespace ops {
namespace {

using autograd::SavedTensor;

kernels::AttentionProblem CheckedProblem(const Tensor& q, const Tensor& k, const Tensor& v,
                                         const AttentionOptions& options) {
  ops::RequireFloating("CausalAttention", "q", q);
  ops::RequireFloating("CausalAttention", "k", k);
  const auto fail = [](const std::string& what) { throw Error("CausalAttention: " + what); };
  if (q.rank() != 4) fail(fmt::format("q has shape {}, expected [batch, Tq, heads, head_size]", ToString(q.shape())));
  if (k.rank() != 4)
    fail(fmt::format("k has shape {}, expected [batch, Tk, kv_heads, head_size]", ToString(k.shape())));
  const int64_t batch = q.dim(0), heads = q.dim(2), head_size = q.dim(3), capacity = k.dim(1), kv_heads = k.dim(2);
  const int64_t keys = options.keys == 0 ? capacity : options.keys;
  if (keys < 0 || keys > capacity) fail(fmt::format("{} keys, expected 0 to the {} that k holds", keys, capacity));
  if (heads == 0 || head_size == 0) fail(fmt::format("q has shape {}, an empty head", ToString(q.shape())));
  ops::RequireLike("CausalAttention", "k", k, q, {batch, capacity, kv_heads, head_size});
  ops::RequireLike("CausalAttention", "v", v, q, k.shape());
  if (kv_heads == 0 || heads % kv_heads != 0) {
    fail(fmt::format("{} heads of q, expected a multiple of the {} of k", heads, kv_heads));
  }
  if (q.dim(1) > keys) fail(fmt::format("{} queries, expected at most as many as keys, {}", q.dim(1), keys));
  if (options.window < 0) fail(fmt::format("window {}, expected at least 0", options.window));
  if (!std::isfinite(options.scale)) fail(fmt::format("scale {}, expected a finite number", options.scale));
  return {.batch = batch,
          .queries = q.dim(1),
          .keys = keys,
          .key_capacity = capacity,
          .heads = heads,
          .kv_heads = kv_heads,
          .head_size = head_size,
          .window = options.window == 0 ? keys : std::min(options.window, keys),
          .scale = options.scale == 0 ? 1 / std::sqrt(static_cast<double>(head_size)) : options.scale};
}

template <typename F>
void Dispatch(DType dtype, const F& function) {
  if (dtype == DType::kBF16) return function(BFloat16{});
  DispatchF32OrF64(dtype, "CausalAttention", function);
}

}  // namespace

Tensor CausalAttention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& options) {
  const kernels::AttentionProblem problem = CheckedProblem(q, k, v, options);
  if (q.dtype() == DType::kF16) {
    const auto attend = [&](const Tensor& wide_q, const Tensor& wide_k, const Tensor& wide_v) {
      return CausalAttention(wide_q, wide_k, wide_v, options);
    };
    return ops::InF32(attend, q, k, v);
  }
  Tensor out = Tensor::Empty(q.shape(), q.dtype());
  const DType sums = q.dtype() == DType::kF64 ? DType::kF64 : DType::kF32;
  Tensor log_sums = Tensor::Empty({problem.batch, problem.heads, problem.queries}, sums);
  Dispatch(q.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::CausalAttention<T>(problem, q.data<T>(), k.data<T>(), v.data<T>(), out.mutable_data<T>(),
                                log_sums.mutable_data<kernels::AttentionSum<T>>());
  });
  autograd::Record(
      "CausalAttention", {q, k, v}, out,
      [problem, log_sums, sq = SavedTensor(q), sk = SavedTensor(k), sv = SavedTensor(v), saved = SavedTensor(out),
       need_q = q.requires_grad(), need_k = k.requires_grad(), need_v = v.requires_grad()](const Tensor& dout) {
        const auto empty_if = [](bool wanted, const SavedTensor& like) {
          return wanted ? Tensor::Empty(like.Get().shape(), like.Get().dtype()) : Tensor();
        };
        Tensor dq = empty_if(need_q, sq), dk = empty_if(need_k, sk), dv = empty_if(need_v, sv);
        for (Tensor* unused_rows : {&dk, &dv}) {
          if (unused_rows->defined() && problem.keys < problem.key_capacity) unused_rows->Fill(0);
        }
        Dispatch(dout.dtype(), [&](auto zero) {
          using T = decltype(zero);
          kernels::CausalAttentionGrad<T>(problem, sq.Get().data<T>(), sk.Get().data<T>(), sv.Get().data<T>(),
                                          saved.Get().data<T>(), log_sums.data<kernels::AttentionSum<T>>(),
                                          dout.data<T>(), ops::MutableDataOrNull<T>(dq), ops::MutableDataOrNull<T>(dk),
                                          ops::MutableDataOrNull<T>(dv));
        });
        return std::vector<Tensor>{dq, dk, dv};
      });
  return out;
}

}  // namespace ops
}  // namespace twofour
