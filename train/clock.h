#pragma once

namespace twofour::train {

/// Time that only moves forward; an interface so that tests can tell the time.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Seconds since some fixed moment.
  virtual double Seconds() const = 0;
  /// The machine's own.
  static const Clock& Default();
};

}  // namespace twofour::train
