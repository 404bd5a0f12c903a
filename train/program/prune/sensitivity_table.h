#pragma once

#include <string>

#include "twofour/train/program/prune/sensitivity.h"

namespace twofour::train {

/// A table for people: a line for each linear, in the order of the model, with what each level adds to the loss, then
/// the loss with none of them pruned. Lines end in "\n".
std::string ToLines(const Sensitivity& sensitivity);

/// Whether a linear lost a share of its weights that is much more or less than the level (by more than 0.05), as where
/// blocks are large.
bool MissesItsLevel(const LossOfLevel& level);
bool AnyMissesItsLevel(const Sensitivity& sensitivity);
inline const std::string kWhatBracketsAre = "in brackets: the sparsity that the pattern leaves of this level";

/// What a level adds to the loss: "+0.0123", "-0.0001", "nan"; "+0.0123 (0.50)" where it misses its level.
std::string IncreaseText(const LossOfLevel& level, double dense_loss);

/// "0.5", "0.6667".
std::string LevelText(const sparse::PruningPattern& pattern);

}  // namespace twofour::train
