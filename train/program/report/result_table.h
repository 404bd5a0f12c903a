#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "twofour/train/program/report/run_group.h"

namespace twofour::train {

/// Which way a number should go.
enum class Better { kSmaller, kLarger, kNeither };

/// One number of a run that the table of results has a column for.
struct ResultColumn {
  std::string title, hint;
  Better better = Better::kNeither;
  bool compared = true;                          ///< With the baseline.
  std::vector<std::vector<double>> values = {};  ///< Of each group's finished runs; runs that tell none left out.
};

/// Evaluation loss (last and best), the last evaluation's details, training loss and speed, as far as any finished run
/// tells of them.
std::vector<ResultColumn> ResultColumns(const std::vector<RunGroup>& groups);

/// The HTML table: a row for each group, in each cell mean, standard deviation and the difference to the baseline with
/// its confidence interval; the best mean of a column in bold.
std::string ResultTable(const std::vector<RunGroup>& groups, size_t baseline);

}  // namespace twofour::train
