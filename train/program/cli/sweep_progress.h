#pragma once

#include <cstddef>
#include <iosfwd>

#include "twofour/train/program/sweep/runner.h"

namespace twofour::train {

/// Shows a sweep's progress to a person: a line for every run that ends, and the end of its log if it failed.
class SweepProgressPrinter : public SweepObserver {
 public:
  SweepProgressPrinter(size_t runs, std::ostream& out) : runs_(runs), out_(out) {}
  void OnEnd(const PlannedRun& run, const RunEnd& end, const SweepProgress& progress) override;
  void OnStopping(size_t running) override;

 private:
  size_t runs_;
  std::ostream& out_;
};

}  // namespace twofour::train
