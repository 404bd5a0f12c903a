#include "twofour/train/parallel/buckets.h"

namespace twofour::train {

std::vector<std::vector<size_t>> BucketsOf(const std::vector<size_t>& items, const std::vector<int64_t>& sizes,
                                           int64_t full) {
  std::vector<std::vector<size_t>> buckets;
  int64_t left = 0;
  for (const size_t item : items) {
    if (left <= 0) {
      buckets.emplace_back();
      left = full;
    }
    buckets.back().push_back(item);
    left -= sizes[item];
  }
  return buckets;
}

}  // namespace twofour::train
