#include "twofour/train/data/split.h"

#include <fmt/format.h>

#include <cmath>

#include "twofour/core/error.h"
#include "twofour/core/faults.h"
#include "twofour/core/random_streams.h"
#include "twofour/train/data/shuffle.h"

namespace twofour::train {

SplitIndices SplitByFraction(int64_t size, double eval_fraction, uint64_t seed) {
  Faults faults("", ": got ");
  faults.OpenFraction("eval_fraction", eval_fraction);
  faults.Throw();
  const int64_t eval_size = std::llround(static_cast<double>(size) * eval_fraction);
  if (eval_size < 1 || eval_size >= size) {
    throw Error(fmt::format(
        "eval_fraction: {} of {} samples leaves {} to train on and {} to evaluate, expected at least 1 of each",
        eval_fraction, size, size - eval_size, eval_size));
  }
  const std::vector<int64_t> order = RandomPermutation(size, {seed, random_streams::kSplit, 0});
  return {.train = {order.begin() + eval_size, order.end()}, .eval = {order.begin(), order.begin() + eval_size}};
}

}  // namespace twofour::train
