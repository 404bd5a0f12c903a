#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "twofour/train/program/report/run_group.h"

namespace twofour::train {

/// Which way a number should go.
enum class Better { kSmaller, kLarger, kNeither };

/// A column of the table of results: one number of each run.
struct ResultColumn {
  std::string title, hint;
  Better better = Better::kNeither;
  bool compared = true;                          ///< Whether it is compared with the baseline.
  std::vector<std::vector<double>> values = {};  ///< For each group, the numbers of the finished runs that have one.
};

/// The columns for evaluation loss (last and best), the last evaluation's details, training loss, speed and training
/// time. Leaves out columns that no finished run has a number for.
std::vector<ResultColumn> ResultColumns(const std::vector<RunGroup>& groups);

/// The HTML table, with a row for each group. A cell has the mean, the standard deviation, and the difference to the
/// baseline with its confidence interval. The best mean of a column is bold.
std::string ResultTable(const std::vector<RunGroup>& groups, size_t baseline);

}  // namespace twofour::train
