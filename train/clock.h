#pragma once

namespace twofour::train {

/// Tells the time; an interface so that tests can.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Seconds since some fixed moment.
  virtual double Seconds() const = 0;
  /// The machine's own, which only moves forward.
  static const Clock& Default();
  /// Seconds since 1970 (UTC) as the machine is set: may jump either way.
  static const Clock& Wall();
};

}  // namespace twofour::train
