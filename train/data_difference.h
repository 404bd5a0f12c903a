#pragma once

#include <string>
#include <vector>

#include "twofour/train/data_record.h"

namespace twofour::train {

/// One difference between two records.
struct DataDifference {
  std::string text;  ///< "class 1 is \"a\", was \"c\"".
  /// Whether it is in what the model was made with (see DataRecord), so that the model would be wrong on the other
  /// data.
  bool of_meaning = false;
};

/// The differences between two records, the most important first; empty where the data is the same. A file that only
/// has another path is the same. Fields that a record does not have (see DataRecord::version) are not compared. Scaling
/// that an earlier twofour wrote is compared as float32, because it was written as float32.
std::vector<DataDifference> CompareData(const DataRecord& then, const DataRecord& now);

/// The differences that are `of_meaning`.
std::vector<DataDifference> OfMeaning(std::vector<DataDifference> differences);

/// The first few differences, on one line.
std::string Describe(const std::vector<DataDifference>& differences);

}  // namespace twofour::train
