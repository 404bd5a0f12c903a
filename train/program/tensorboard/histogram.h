#pragma once

#include <cstdint>
#include <vector>

#include "twofour/core/tensor.h"

namespace twofour::train {

/// How a tensor's elements are distributed, as TensorBoard draws it. The buckets are TensorFlow's
/// (tensorflow/core/lib/histogram): 0, and at either side of it powers of 1.1 from 1e-12 to 1e20.
struct Histogram {
  struct Bucket {
    double limit =
        0;  ///< Its right end; the last one's can be the largest double. It begins where the one before ends.
    int64_t count = 0;  ///< What equals a limit counts in the bucket that lies farther from 0; 0 in the one above it.
  };

  /// Of the finite elements. All 0 when there are none.
  double min = 0, max = 0, sum = 0, sum_squares = 0;
  int64_t count = 0;
  /// Rising. The first and the last hold something, and where several in a row hold nothing there is one.
  std::vector<Bucket> buckets;
};

/// Elements that are not finite are left out. Sums are taken in double, in the order of the elements.
Histogram HistogramOf(const Tensor& values);

}  // namespace twofour::train
