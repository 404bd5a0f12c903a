#include "twofour/core/help_balance.h"

#include <algorithm>

namespace twofour {

void HelpBalance::Book(int64_t now, const Entry& entry) {
  const int64_t waited = std::min(entry.waited, kMostWait), aside = std::min(entry.aside, kMostWait);
  if (waited >= kLongWait) wary_until_ = now + kWaryFor;
  // Half of the help counts, because two threads that share caches, or units of a core, each take longer than one
  // alone. Half of the time aside counts, too: beside two busy processes on two processors, it is twice what it would
  // be alone.
  balance_ = std::min(balance_ + (entry.helped - aside) / 2 - entry.asking - waited, kMostCredit);
  if (balance_ > -kLeastLoss) return;
  const bool soon = now - alone_until_ < alone_;
  alone_ = std::max(-kPatience * balance_, soon ? std::min(2 * alone_, kMostAlone) : 0);
  alone_until_ = now + alone_;
  balance_ = 0;
}

}  // namespace twofour
