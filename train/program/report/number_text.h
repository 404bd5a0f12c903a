#pragma once

#include <string>

namespace twofour::train {

/// Decimals that show two digits of `spread`, 0 to 8; for a spread of 0, four digits of `value`.
int DecimalsFor(double spread, double value);

/// With this many decimals and a true minus sign; what would be very long in this form, as "1.234e+20".
std::string NumberText(double value, int decimals);

/// The same with a sign before positive numbers, too.
std::string SignedText(double value, int decimals);

}  // namespace twofour::train
