#pragma once

#include <string>
#include <vector>

#include "twofour/train/data_record.h"

namespace twofour::train {

/// Something in which two records differ.
struct DataDifference {
  std::string text;  ///< "class 1 is \"a\", was \"c\"".
  /// It is part of what a model was made with, so that the model would be wrong on the other data.
  bool of_meaning = false;
};

/// What `now` has that `then` had not, what weighs most first; empty where they are the same data. The same contents
/// under another path are the same. What a record does not tell of (see DataRecord::version) is not compared, and the
/// scaling of an earlier twofour is compared as the float32 that it was written as.
std::vector<DataDifference> CompareData(const DataRecord& then, const DataRecord& now);

/// Those that are part of what a model was made with.
std::vector<DataDifference> OfMeaning(std::vector<DataDifference> differences);

/// The first few of them on one line.
std::string Describe(const std::vector<DataDifference>& differences);

}  // namespace twofour::train
