#include "twofour/train/data/shuffle.h"

#include <fmt/format.h>

#include <limits>
#include <numeric>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/random_streams.h"

namespace twofour::train {

std::vector<int64_t> AllIndices(int64_t size) {
  std::vector<int64_t> indices(static_cast<size_t>(size));
  std::iota(indices.begin(), indices.end(), int64_t{0});
  return indices;
}

std::vector<int64_t> RandomPermutation(int64_t size, const RandomKey& key) {
  if (size < 0 || size > std::numeric_limits<uint32_t>::max()) {
    throw Error(fmt::format("cannot shuffle {} samples, expected 0 to 2^32 - 1", size));
  }
  std::vector<int64_t> order = AllIndices(size);
  RandomSequence random(key);
  for (int64_t i = size - 1; i > 0; --i) {
    std::swap(order[i], order[random.Below(static_cast<uint32_t>(i + 1))]);
  }
  return order;
}

EpochSampler::EpochSampler(int64_t dataset_size, int64_t batch_size, uint64_t seed, bool shuffle)
    : dataset_size_(dataset_size), batch_size_(batch_size), seed_(seed), shuffle_(shuffle) {
  if (batch_size < 1 || batch_size > dataset_size) {
    throw Error(
        fmt::format("batch_size: got {}, expected 1 to {}, the number of training samples", batch_size, dataset_size));
  }
}

std::vector<int64_t> EpochSampler::BatchIndices(uint64_t batch_number) {
  const auto per_epoch = static_cast<uint64_t>(batches_per_epoch());
  const uint64_t epoch = batch_number / per_epoch;
  const auto begin = static_cast<int64_t>(batch_number % per_epoch) * batch_size_;
  if (!shuffle_) {
    std::vector<int64_t> indices(static_cast<size_t>(batch_size_));
    std::iota(indices.begin(), indices.end(), begin);
    return indices;
  }
  if (epoch_ != epoch) {
    order_ = RandomPermutation(dataset_size_, {seed_, random_streams::kShuffle, epoch});
    epoch_ = epoch;
  }
  return {order_.begin() + begin, order_.begin() + begin + batch_size_};
}

}  // namespace twofour::train
