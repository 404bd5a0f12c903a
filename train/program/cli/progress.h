#pragma once

#include <iosfwd>
#include <string>

#include "twofour/train/metrics.h"

namespace twofour::train {

/// Shows training metrics to a person: one line that is rewritten on a terminal, plain lines otherwise.
class ProgressSink : public MetricSink {
 public:
  ~ProgressSink() override { Finish(); }
  ProgressSink(std::ostream& out, bool terminal, int64_t total_steps, int64_t units_per_step);

  void OnTrain(const TrainMetrics& metrics) override;
  void OnEval(const EvalMetrics& metrics) override;
  void OnSparsity(const SparsityMetrics&) override {}
  void OnActivation(const ActivationMetrics&) override {}

  /// Ends a line that is being rewritten.
  void Finish();

 private:
  std::ostream& out_;
  bool terminal_;
  int64_t total_steps_, units_per_step_;
  bool line_open_ = false;
};

/// "1:02:03", "2:03" or "0:03".
std::string FormatDuration(double seconds);

}  // namespace twofour::train
