#include "twofour/train/parallel/shared_telemetry.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "twofour/train/parallel/agreement.h"

namespace twofour::train {

void ShareTelemetry(comm::Communicator& ranks, Telemetry& telemetry) {
  Telemetry::Numbers numbers = telemetry.numbers();
  const size_t densities = numbers.densities.size();
  std::vector<double> mine = numbers.densities;
  mine.insert(mine.end(), numbers.masked_gradient_shares.begin(), numbers.masked_gradient_shares.end());
  const std::vector<double> all = AllNumbers(ranks, mine);
  std::ranges::fill(numbers.masked_gradient_shares, 0);
  for (size_t begin = 0; begin < all.size(); begin += mine.size()) {
    std::copy_n(all.begin() + static_cast<ptrdiff_t>(begin), densities, numbers.densities.begin());
    for (size_t i = densities; i < mine.size(); ++i) numbers.masked_gradient_shares[i - densities] += all[begin + i];
  }
  telemetry.SetNumbers(numbers);
}

}  // namespace twofour::train
