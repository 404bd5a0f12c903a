#pragma once

#include <string>
#include <vector>

#include "twofour/nn/one_shot.h"
#include "twofour/nn/swap.h"

namespace twofour::train {

/// Whether a linear lost a share of its weights that is much more or less than its pattern asks for (by more than
/// 0.05), as where blocks are larger than a weight. A linear whose budget is the model's has no share of its own.
bool MissesItsPattern(const nn::PrunedLinear& linear);

/// Says which linears do, one line each; of many, the first few.
std::vector<std::string> NotesOnMissedPatterns(const std::vector<nn::PrunedLinear>& linears);

/// Says which linears lost all of their weights, of those that NotesOnMissedPatterns does not name.
std::vector<std::string> NotesOnEmptied(const std::vector<nn::PrunedLinear>& linears);

/// The same of `linears` linears together, from 0.02 on. Empty if they are near enough to the target.
std::string NoteOnMissedTarget(size_t linears, double sparsity, double target);

/// Says which linears stay dense although their names are chosen, and why; of many, the first few.
std::vector<std::string> NotesOnSkipped(const std::string& include, const std::string& exclude,
                                        const std::vector<nn::SwapEntry>& kept_dense);

}  // namespace twofour::train
