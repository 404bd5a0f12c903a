#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "twofour/core/ceil_div.h"
#include "twofour/train/data/dataset.h"

namespace twofour::train {

/// The samples of a data set in their order, cut into batches, the last of which may be smaller.
class EvaluationBatches {
 public:
  EvaluationBatches(const Dataset& data, int64_t batch_size) : data_(data), batch_size_(batch_size) {}

  int64_t count() const { return CeilDiv(data_.size(), batch_size_); }
  /// Batch `number`, counted from 0. Stays valid until another one is asked for: asking again costs nothing.
  const Batch& Get(int64_t number) {
    if (number != number_) {
      const int64_t begin = number * batch_size_;
      std::vector<int64_t> indices(static_cast<size_t>(std::min(batch_size_, data_.size() - begin)));
      std::iota(indices.begin(), indices.end(), begin);
      batch_ = GetBatch(data_, indices);
      number_ = number;
    }
    return batch_;
  }

 private:
  const Dataset& data_;
  int64_t batch_size_, number_ = -1;
  Batch batch_;
};

}  // namespace twofour::train
