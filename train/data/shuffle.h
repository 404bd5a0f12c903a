#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "twofour/core/random.h"

namespace twofour::train {

/// 0 to size - 1, in order.
std::vector<int64_t> AllIndices(int64_t size);

/// The numbers 0 to size-1 in a random order that the key alone decides (Fisher and Yates). Throws Error when `size`
/// is negative or above 2^32 - 1.
std::vector<int64_t> RandomPermutation(int64_t size, const RandomKey& key);

/// Says which samples make up which batch. Every epoch visits the samples in its own order. Samples that are left over
/// after the last full batch of an epoch are dropped. A batch is a pure function of the constructor's arguments and its
/// number, so a run resumed at batch 1000 sees the batches that the uninterrupted run would have seen.
class EpochSampler {
 public:
  /// With `shuffle` false, every epoch visits the samples in the order of the data set. Throws Error when batch_size is
  /// below 1 or above dataset_size.
  EpochSampler(int64_t dataset_size, int64_t batch_size, uint64_t seed, bool shuffle);

  int64_t batch_size() const { return batch_size_; }
  int64_t batches_per_epoch() const { return dataset_size_ / batch_size_; }

  /// The samples of batch `batch_number`, counted from 0 over all epochs: [batch_size] indices. Not const, because it
  /// keeps the order of the last epoch that was asked for. Batches may be asked for in any order.
  std::vector<int64_t> BatchIndices(uint64_t batch_number);

 private:
  int64_t dataset_size_;
  int64_t batch_size_;
  uint64_t seed_;
  bool shuffle_;
  std::optional<uint64_t> epoch_;  // The epoch whose order order_ holds.
  std::vector<int64_t> order_;
};

}  // namespace twofour::train
