#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"

namespace twofour::sparse {

/// Remembers which kernel runs the products of one weight. It is chosen once for each direction, number of batch rows,
/// mask format and dtype of activations. The choice is kept as long as the weight is trained, although the weight is
/// packed anew at each step. Several threads may ask at once.
class LinearPlanner {
 public:
  LinearPlanner(int64_t out_features, int64_t in_features) : out_features_(out_features), in_features_(in_features) {}

  /// What ChooseLinearKernel chooses. Throws Error as that function does.
  LinearPlan For(Direction direction, int64_t batch, const MaskFormat& format, DType activation = DType::kF32);

 private:
  struct Entry {
    Direction direction;
    int64_t batch;
    MaskFormat format;
    DType activation;  // The dtype of the input and of the output.
    LinearPlan plan;
  };

  int64_t out_features_, in_features_;
  std::mutex choosing_;
  std::vector<Entry> entries_;  // At most kMostEntries; the oldest is replaced.
  size_t next_ = 0;             // The entry to replace next, once there are that many.
};

}  // namespace twofour::sparse
