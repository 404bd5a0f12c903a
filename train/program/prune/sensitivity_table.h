#pragma once

#include <string>

#include "twofour/train/program/prune/sensitivity.h"

namespace twofour::train {

/// A table for people: a line for each linear, in the order of the model, with what each level adds to the loss, then
/// the loss of the dense model. Lines end in "\n".
std::string ToLines(const Sensitivity& sensitivity);

/// What a level adds to the loss: "+0.0123", "-0.0001", "nan".
std::string IncreaseText(const LossOfLevel& level, double dense_loss);

/// "0.5", "0.6667".
std::string LevelText(const sparse::PruningPattern& pattern);

}  // namespace twofour::train
