#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "twofour/train/program/cli/arguments.h"
#include "twofour/train/program/prune/linears_of_run.h"

namespace twofour::train {

/// The options of commands that take samples of a run's training data: --samples, --seed and --accept-changed-data,
/// and for those that choose linears --include, --exclude and --multiple-of. What they set may be read after
/// Arguments::Parse.
class CalibrationArguments {
 public:
  /// `purpose`: what samples are for ("to calibrate with").
  CalibrationArguments(Arguments& arguments, const std::string& purpose);
  CalibrationArguments(const CalibrationArguments&) = delete;  // `arguments` points into it.
  CalibrationArguments& operator=(const CalibrationArguments&) = delete;

  void AddLinears(Arguments& arguments);

  int64_t samples() const { return samples_; }
  /// Whether all of the data will do where it has fewer samples, because nobody gave a number.
  bool or_all() const { return !samples_option_->given(); }
  uint32_t seed() const { return static_cast<uint32_t>(seed_); }
  bool accept_changed_data() const { return accept_changed_data_; }
  LinearsOfRun linears() const;
  /// Throws Error if samples or a seed were given that make no difference: they would with `with`.
  void RequireUsed(bool takes_samples, bool takes_seed, std::string_view with) const;

 private:
  int64_t samples_ = 128, seed_ = 0, multiple_of_ = 0;
  bool accept_changed_data_ = false;
  std::string include_, exclude_;
  std::optional<Argument> samples_option_, seed_option_, include_option_, exclude_option_, multiple_of_option_;
};

}  // namespace twofour::train
