#pragma once

namespace twofour::train {

/// Tells the time. It is an interface so that tests can choose the time.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Seconds since some fixed moment.
  virtual double Seconds() const = 0;
  /// The machine's steady clock, which only moves forward.
  static const Clock& Default();
  /// The machine's wall clock: seconds since 1970 (UTC). It may jump in either direction.
  static const Clock& Wall();
};

}  // namespace twofour::train
