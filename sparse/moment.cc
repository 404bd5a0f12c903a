#include "twofour/sparse/moment.h"

#include <fmt/format.h>

namespace twofour::sparse {
namespace {

bool Rises(const Moment& a, const Moment& b) {
  return a.step < b.step || (a.fraction && b.fraction && *a.fraction < *b.fraction);
}

}  // namespace

void RisingMoments::Check(const Moment& moment, const std::string& path, Faults& faults) {
  const bool known = moment.step >= 0;
  faults.Expect(known, path, moment.step, "at least 0");
  if (known && before_) {
    const std::string expected = fmt::format("{} {}", after_, before_->step);
    faults.Expect(Rises(*before_, moment), path, fmt::format("step {}", moment.step), expected,
                  fmt::format("{} is {}, expected {}", path, moment.step, expected));
  }
  before_ = known && faults.IsSound(path) ? std::optional(moment) : std::nullopt;
}

}  // namespace twofour::sparse
