#pragma once

#include <array>
#include <string_view>

namespace twofour::train {

struct CommandName {
  std::string_view name, description;
};

/// The commands that have a name. Without one, the program trains.
inline constexpr std::array kCommands = std::to_array<CommandName>({
    {"analyze", "Tells which patterns the linears of a run or file have, and what packing them gains on this machine."},
    {"evaluate", "Measures a run's weights on its evaluation data, or on another file."},
    {"export", "Writes the weights of a run for other programs."},
    {"finetune", "Prunes a run and trains low-rank adapters of its weights (LoRA), in three stages."},
    {"import", "Makes a run of weights from elsewhere, to sample, evaluate, train further or export."},
    {"inspect", "Lists the tensors of a safetensors file, with their sparsity and the N:M patterns that hold."},
    {"patterns", "Lists patterns of pruning: bytes, what products gain on this machine, and what GPUs take."},
    {"permute", "Reorders the channels of a dense run's model, so that masks of a pattern keep more of its weights."},
    {"predict", "Predicts the classes, or the targets, of the rows of a table or of images with a trained model."},
    {"prune", "Prunes the weights of a run once, by SparseGPT, Wanda or others, and makes a run that keeps the masks."},
    {"quantize",
     "Makes a run of another one's weights in 8 or 4 bits, for inputs in 8 bits or floats, to use and not to train."},
    {"report", "Compares runs: tables, charts and intervals over seeds in one HTML file, and a CSV file beside it."},
    {"retrain", "Prunes a finished dense run once and trains it again, as before, with the masks fixed."},
    {"sample", "Prints text that a trained language model makes up."},
    {"sensitivity", "Measures how much the loss grows if one linear of a run alone is pruned, for each of them."},
    {"shrink", "Makes a smaller model of a dense run's: its best attention heads, hidden units and blocks."},
    {"suggest-decay", "Finds a lambda for sparsity.masked_decay by how often masks flip in short trainings."},
    {"suggest-pattern", "Measures V:N:M patterns on this machine and names the one to train with for a wanted speed."},
    {"sweep", "Makes many runs of one config that differ in a few fields, and a report that compares them."},
    {"tokenize",
     "Finds a byte-level BPE vocabulary for a text (--vocab), or writes the text's token ids (--tokenizer)."},
});

}  // namespace twofour::train
