#pragma once

#include <string>
#include <vector>

#include "twofour/nn/one_shot.h"

namespace twofour::train {

/// Says which linears lost a share of their weights that is much more or less than their pattern asks for (by more than
/// 0.05), as where blocks are larger than a weight, one line each; of many, the first few. A linear whose budget is the
/// model's has no share of its own.
std::vector<std::string> NotesOnMissedPatterns(const std::vector<nn::PrunedLinear>& linears);

/// The same of `linears` linears together, from 0.02 on. Empty if they are near enough to the target.
std::string NoteOnMissedTarget(size_t linears, double sparsity, double target);

}  // namespace twofour::train
