#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace twofour::train {

/// One form for all spellings of a label. A number has the form of its value, so that "1", "1.0" and "+01" are the
/// same. Other text is in lower case (ASCII), with single blanks between words, no blanks at the ends, and without
/// invisible characters.
std::string NormalForm(std::string_view label);

/// Names in the order in which data.json keeps them: by value where all are integers, so that 2 comes before 10, and
/// bytewise otherwise.
std::vector<std::string> SortedNames(std::vector<std::string> names);

/// Groups of names, by index, that have the same normal form. Each group has two or more. Groups and their members are
/// in ascending order.
std::vector<std::vector<size_t>> SpelledAlike(std::span<const std::string> names);

/// ", which has "yes"", where one of `classes` is `name` in another spelling or encoding; otherwise empty.
std::string SimilarClass(const std::string& name, std::span<const std::string> classes);

/// The number that people mean by "1,234", "$5" or "12 %", or by a plain number; nullopt where the label is no number.
std::optional<double> LooseNumber(std::string_view label);

/// True for an empty text, NA, N.A., N/A, N/A after a #, NaN, null, nil, ?, - and missing, in upper or lower case.
bool LooksMissing(std::string_view label);

/// Why labels look like a measured quantity and not like classes, in words such as "997 different numbers in 1000 rows,
/// from 0.5 to 99.2"; nullopt where they do not. `counts` says how many rows have each name.
///
/// They do when nineteen of twenty names that do not look missing are numbers, there are more than ten numbers, and one
/// of these is true:
///  - There are fewer than two rows for each number, so that a classifier could learn none of them.
///  - There are more than twenty numbers, fewer than ten rows for each, and some have a fraction.
///  - There are more than twenty numbers, fewer than ten rows for each, and all are integers that fill less than four
///    fifths of the range from the smallest to the largest; at least one in five occurs in a single row.
/// Numbers that name classes are consecutive, or have several rows each, or are few. Measurements are none of these.
std::optional<std::string> WhyMeasured(std::span<const std::string> names, std::span<const int64_t> counts);

/// Why labels might be a measured quantity, but could be classes as well: as above nearly all are numbers, there are
/// more than twenty, and they have fractions or gaps. nullopt otherwise, and where WhyMeasured has a reason.
std::optional<std::string> WhyPerhapsMeasured(std::span<const std::string> names, std::span<const int64_t> counts);

}  // namespace twofour::train
