#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/nn/model.h"

namespace twofour::nn {

/// What a model can do without.
enum class PartKind {
  kHeads,    ///< Heads of attention.
  kNeurons,  ///< Hidden units of an MLP.
  kBlocks,   ///< Whole blocks between which features pass.
};

/// "heads", "neurons", "blocks".
std::string_view NameOf(PartKind kind);

/// An axis of a parameter along which parts lie one after another, each with `span` entries.
struct PartAxis {
  std::string parameter;  ///< "transformer.h.0.mlp.c_fc.weight"
  int axis = 0;
  int64_t span = 1;
};

/// Parts of which a model keeps the best ones.
struct PartSet {
  PartKind kind = PartKind::kNeurons;
  std::string name;    ///< "transformer.h.0.attn", "transformer.h.0.mlp", "layers.0"; of blocks: "transformer.h".
  int64_t count = 0;   ///< Parts.
  int64_t unit = 1;    ///< How many query heads a part is: those that share a key head go together.
  int64_t block = -1;  ///< The block that they are in; -1: none.
  /// The weights of heads and of neurons. Those of block I are all parameters that begin with NAME.I.
  std::vector<PartAxis> axes = {};
  /// The linear behind heads or neurons. Part I is what it reads in the I-th of `count` equal shares of its features.
  std::string reader = {};
};

/// The parts of a Gpt, a ResidualMlp or an MlpStack: in each block its heads and its neurons, then the blocks. Each
/// hidden layer of an MlpStack is a set of neurons. Throws Error for other models and where a module of the tree is
/// none that such a model begins with, or has weights of another dtype than f32: masks hold for one shape only, and
/// adapters and packed weights have shapes of their own.
std::vector<PartSet> FindParts(Model& model);

}  // namespace twofour::nn
