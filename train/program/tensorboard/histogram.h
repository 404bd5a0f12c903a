#pragma once

#include <cstdint>
#include <vector>

#include "twofour/core/tensor.h"

namespace twofour::train {

/// How a tensor's elements are distributed, as TensorBoard draws it. The limits of buckets are TensorFlow's
/// (tensorflow/core/lib/histogram): 0, and on either side of it 1e-12 times powers of 1.1, up to 1e20.
struct Histogram {
  struct Bucket {
    double limit = 0;   ///< The right end; may be the largest double for the last bucket.
    int64_t count = 0;  ///< A value at a limit counts in the bucket farther from 0; 0 in the one above it.
  };

  /// Over the finite elements. All 0 if there are none.
  double min = 0, max = 0, sum = 0, sum_squares = 0;
  int64_t count = 0;
  /// In rising order. Each begins where the one before ends. The first and the last are not empty, and several empty
  /// ones in a row are joined into one.
  std::vector<Bucket> buckets;
};

/// Leaves out elements that are not finite. Sums are taken in double, in the order of the elements.
Histogram HistogramOf(const Tensor& values);

}  // namespace twofour::train
