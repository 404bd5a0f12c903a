#include "twofour/train/program/cli/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ostream>

namespace twofour::train {
namespace {

/// "bits_per_byte" as "bits per byte".
std::string WithSpaces(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

/// "  accuracy 0.7500"
std::string Details(const MetricDetails& details) {
  std::string text;
  for (const auto& [name, value] : details) text += fmt::format("  {} {:.4f}", WithSpaces(name), value);
  return text;
}

}  // namespace

std::string FormatDuration(double seconds) {
  const auto total = static_cast<int64_t>(std::llround(std::clamp(seconds, 0.0, 1e9)));
  if (total >= 3600) return fmt::format("{}:{:02}:{:02}", total / 3600, total / 60 % 60, total % 60);
  return fmt::format("{}:{:02}", total / 60, total % 60);
}

ProgressSink::ProgressSink(std::ostream& out, bool terminal, int64_t total_steps, int64_t units_per_step)
    : out_(out), terminal_(terminal), total_steps_(total_steps), units_per_step_(units_per_step) {}

void ProgressSink::OnTrain(const TrainMetrics& metrics) {
  const double remaining = static_cast<double>(total_steps_ - metrics.step) * static_cast<double>(units_per_step_);
  const std::string eta = metrics.units_per_s > 0 ? FormatDuration(remaining / metrics.units_per_s) : "?";
  const std::string mfu = metrics.mfu <= 0       ? ""
                          : metrics.mfu_is_rough ? fmt::format("  MFU about {:.0f} %", 100 * metrics.mfu)
                                                 : fmt::format("  MFU {:.1f} %", 100 * metrics.mfu);
  const std::string line =
      fmt::format("step {:>{}}/{}  loss {:.4f}{}  lr {:.2e}  {:.0f} {}/s{}  ETA {}", metrics.step,
                  std::to_string(total_steps_).size(), total_steps_, metrics.loss, Details(metrics.details), metrics.lr,
                  metrics.units_per_s, metrics.unit, mfu, eta);
  if (terminal_) {
    out_ << "\r\033[K" << line << std::flush;
    line_open_ = true;
  } else {
    out_ << line << std::endl;
  }
}

void ProgressSink::OnEval(const EvalMetrics& metrics) {
  if (line_open_) out_ << "\r\033[K";
  line_open_ = false;
  out_ << fmt::format("step {:>{}}/{}  evaluation loss {:.4f}", metrics.step, std::to_string(total_steps_).size(),
                      total_steps_, metrics.loss);
  out_ << Details(metrics.details) << std::endl;
}

void ProgressSink::Finish() {
  if (line_open_) out_ << std::endl;
  line_open_ = false;
}

}  // namespace twofour::train
