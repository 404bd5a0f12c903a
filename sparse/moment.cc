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
    faults.Expect(Rises(*before_, moment), path, fmt::format("step {}", moment.step),
                  fmt::format("{} {}", after_, before_->step),
                  fmt::format("a {} at step {} follows one at step {}, expected rising steps", what_, moment.step,
                              before_->step));
  }
  before_ = known ? std::optional(moment) : std::nullopt;
}

}  // namespace twofour::sparse
