#include "twofour/core/kernels/elements/broadcast.h"

#include <cstddef>

namespace twofour::kernels {
namespace {

/// The elements from one index of each of the last `rank` dimensions to the next; 0 for dimensions of size 1, which are
/// stretched or have no next index, and for those that the shape lacks.
std::vector<int64_t> Strides(const Shape& shape, size_t rank) {
  std::vector<int64_t> strides(rank, 0);
  int64_t stride = 1;
  for (size_t axis = shape.size(), at = rank; axis-- > 0; stride *= shape[axis]) {
    --at;
    if (shape[axis] != 1) strides[at] = stride;
  }
  return strides;
}

}  // namespace

Broadcast PlanBroadcast(const Shape& result, const Shape& a, const Shape& b) {
  const auto a_strides = Strides(a, result.size()), b_strides = Strides(b, result.size());
  Broadcast plan;
  // From the innermost: a dimension joins the one inside it if both operands walk on from one to the other.
  for (size_t axis = result.size(); axis-- > 0;) {
    if (result[axis] == 1) continue;
    if (!plan.sizes.empty()) {
      const auto joins = [&](int64_t stride, int64_t inside) { return stride == inside * plan.sizes.back(); };
      if (joins(a_strides[axis], plan.a_strides.back()) && joins(b_strides[axis], plan.b_strides.back())) {
        plan.sizes.back() *= result[axis];
        continue;
      }
    }
    plan.sizes.push_back(result[axis]);
    plan.a_strides.push_back(a_strides[axis]);
    plan.b_strides.push_back(b_strides[axis]);
  }
  if (plan.sizes.empty()) plan = {{1}, {1}, {1}};
  for (auto* list : {&plan.sizes, &plan.a_strides, &plan.b_strides}) std::reverse(list->begin(), list->end());
  return plan;
}

}  // namespace twofour::kernels
