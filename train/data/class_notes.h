#pragma once

#include <string>

#include "twofour/train/data/dataset.h"

namespace twofour::train {

/// The numbers of training and evaluation samples of each class, for the log: "a 40/10, b 41/9". With more than ten
/// classes, only the four rarest and the four most frequent.
std::string DescribeClassCounts(const DataSplit& split);

/// Adds notes to the split on what is odd about its classes: classes that occur in evaluation only, a single class in
/// training, classes with one sample or none, names that look like two spellings of one name (see NormalForm), and
/// names that look like missing values.
void NoteClasses(DataSplit& split);

/// Throws Error, naming `source`, when there are five or more evaluation samples and none is of a class that occurs in
/// training. The accuracy of any model would be 0 then.
void RequireCommonClass(const DataSplit& split, const std::string& source);

}  // namespace twofour::train
