#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace twofour::train {

/// What a label and its variants of spelling have in common: numbers by value ("1", "1.0" and "+01" are one), all else
/// in lower case (ASCII) without blanks at both ends, of any length in between, and without marks that nobody sees.
std::string NormalForm(std::string_view label);

/// Groups of names, by index, that have one normal form: two or more in each, both in rising order.
std::vector<std::vector<size_t>> SpelledAlike(std::span<const std::string> names);

/// The number that people mean by "1,234", "$5" or "12 %", or by a plain number; nullopt where it is none.
std::optional<double> LooseNumber(std::string_view label);

/// True for "NA", "nan", "null", "?" and the like, which many tables write where a value is missing.
bool LooksMissing(std::string_view label);

/// Why labels look like a measured quantity and not like classes, in words such as "997 different numbers in 1000 rows,
/// from 0.5 to 99.2"; nullopt where they do not. `counts` says how many rows have each name.
///
/// They do when nineteen of twenty names that do not look missing are numbers, more than ten of them, and
///  - there are fewer than two rows for each: a classifier could learn none of them; or
///  - there are more than twenty, fewer than ten rows for each, and some have a fraction; or the same of integers that
///    fill less than four fifths of the range from least to largest, with one in five standing in a single row. Numbers
///    that name classes are consecutive, or have several rows each, or are few; measurements are none of these.
std::optional<std::string> WhyMeasured(std::span<const std::string> names, std::span<const int64_t> counts);

/// Why labels might be a measured quantity, but could be classes as well: numbers as above, more than twenty of them,
/// with fractions or gaps, of which there are rows enough. nullopt where WhyMeasured says why they are.
std::optional<std::string> WhyPerhapsMeasured(std::span<const std::string> names, std::span<const int64_t> counts);

}  // namespace twofour::train
