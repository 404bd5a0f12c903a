#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"

namespace twofour::sparse {

/// Which kernels the products of one weight run on: chosen once for each direction, number of batch rows, format of
/// mask and dtype of activations, and kept for as long as the weight is trained, although the weight is packed anew at
/// each step. Several threads may ask at once.
class LinearPlanner {
 public:
  LinearPlanner(int64_t out_features, int64_t in_features) : out_features_(out_features), in_features_(in_features) {}

  /// Throws Error as ChooseLinearKernel does, whose choice it is.
  LinearPlan For(Direction direction, int64_t batch, const MaskFormat& format, DType activation = DType::kF32);

 private:
  struct Entry {
    Direction direction;
    int64_t batch;
    MaskFormat format;
    DType activation;  // Of the input and the output.
    LinearPlan plan;
  };

  int64_t out_features_, in_features_;
  std::mutex choosing_;
  std::vector<Entry> entries_;  // The latest kMostEntries.
  size_t next_ = 0;             // Where the next one goes, once there are that many.
};

}  // namespace twofour::sparse
