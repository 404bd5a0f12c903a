#pragma once

#include <string>

namespace twofour::train {

/// How many decimals show two digits of `spread` or, if that is 0, four digits of `value`: 0 to 8.
int DecimalsFor(double spread, double value);

/// The number with this many decimals and a true minus sign. A very large number, or one far below the last decimal, is
/// written as "1.234e+20".
std::string NumberText(double value, int decimals);

/// The same, with a plus sign before positive numbers.
std::string SignedText(double value, int decimals);

}  // namespace twofour::train
