#pragma once

#include <string>

#include "twofour/train/data/dataset.h"

namespace twofour::train {

/// The samples of each class to train on and to evaluate, for the log: "a 40/10, b 41/9". Of more than ten classes, the
/// rarest four and the most frequent four.
std::string DescribeClassCounts(const DataSplit& split);

/// Adds to the split's notes what is odd about its classes: those that evaluation has and training does not, a single
/// one to train on, those of a single sample or of none, names that look like one spelled in two ways (see
/// NormalForm), and names that look like missing values.
void NoteClasses(DataSplit& split);

/// Throws Error, naming `source`, when no evaluation sample, of five or more, is of a class that occurs in training:
/// whatever was trained, the accuracy would be 0.
void RequireCommonClass(const DataSplit& split, const std::string& source);

}  // namespace twofour::train
