#include "twofour/train/program/cli/calibration_arguments.h"

namespace twofour::train {
namespace {

constexpr int64_t kMostSamples = 1'000'000;
/// Each seed has batches of its own; see PrunableRun::CalibrationOf.
constexpr int64_t kMostSeed = 1000;

}  // namespace

CalibrationArguments::CalibrationArguments(Arguments& arguments, const std::string& purpose) {
  samples_option_ = arguments
                        .Add("--samples", samples_,
                             "Samples or sequences of the training data " + purpose +
                                 ", rounded up to whole batches; by default all of data that has fewer")
                        .Type("N")
                        .Range(int64_t{1}, kMostSamples)
                        .ShowDefault();
  seed_option_ =
      arguments.Add("--seed", seed_, "The seed: with the run's own, which samples these are; and what else is random")
          .Type("N")
          .Range(int64_t{0}, kMostSeed)
          .ShowDefault();
  arguments.AddFlag("--accept-changed-data", accept_changed_data_,
                    "Use the run's data although it is not what the run began with");
}

void CalibrationArguments::AddLinears(Arguments& arguments) {
  include_option_ =
      arguments.Add("--include", include_, "Linears whose whole name matches; by default sparsity.include of the run")
          .Type("REGEX");
  exclude_option_ =
      arguments.Add("--exclude", exclude_, "But not those that match this; by default sparsity.exclude of the run")
          .Type("REGEX");
  multiple_of_option_ =
      arguments
          .Add("--multiple-of", multiple_of_,
               "Only those whose sizes are both multiples of this; by default sparsity.multiple_of of the run")
          .Type("N")
          .Range(int64_t{1}, kMaxFeatures);
}

void CalibrationArguments::RequireUsed(bool takes_samples, bool takes_seed, std::string_view with) const {
  RequireGoesWith(*samples_option_, takes_samples, "--samples", with);
  RequireGoesWith(*seed_option_, takes_seed, "--seed", with);
}

LinearsOfRun CalibrationArguments::linears() const {
  LinearsOfRun linears;
  if (include_option_ && include_option_->given()) linears.include = include_;
  if (exclude_option_ && exclude_option_->given()) linears.exclude = exclude_;
  if (multiple_of_option_ && multiple_of_option_->given()) linears.multiple_of = multiple_of_;
  return linears;
}

}  // namespace twofour::train
