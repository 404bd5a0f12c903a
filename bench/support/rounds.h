#pragma once

#include <functional>
#include <string>
#include <vector>

namespace twofour::bench {

/// The middle value, or the mean of the two in the middle. `values` must not be empty.
double Median(std::vector<double> values);

/// Times variants of one piece of work against each other. In each round every variant runs, one after another, so that
/// other load on the machine affects all of them. Each round starts with another variant. Ratios are taken within a
/// round, and then their median: so a machine that slows down for a while changes both sides.
class Rounds {
 public:
  /// `what` is shown as progress on standard error. A variant takes at least `min_milliseconds` of each round: a short
  /// one is repeated, so that its time is well above the noise of clock and scheduler.
  Rounds(std::string what, int rounds, double min_milliseconds = 50);

  void Add(std::string variant, std::function<void()> run);
  /// Warms each variant up, then measures.
  void Run();

  /// The time of one run, as the median over the rounds.
  double Milliseconds(const std::string& variant) const;
  /// The median over the rounds of time(numerator) / time(denominator).
  double Ratio(const std::string& numerator, const std::string& denominator) const;
  /// The variant with the smallest median among those named.
  std::string Fastest(const std::vector<std::string>& variants) const;

 private:
  struct Variant {
    std::string name;
    std::function<void()> run;
    int repetitions = 1;
    std::vector<double> milliseconds;  // The time of one run, with an entry for each round.
  };
  const Variant& Find(const std::string& name) const;
  int WarmUp(const std::function<void()>& run) const;

  std::string what_;
  int rounds_;
  double min_milliseconds_;
  std::vector<Variant> variants_;
};

}  // namespace twofour::bench
