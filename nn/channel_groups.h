#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "twofour/nn/module.h"
#include "twofour/sparse/permutation/channel_order.h"

namespace twofour::nn {

/// An axis of a parameter that follows the order of some channels.
struct ChannelUse {
  std::string parameter;  ///< "transformer.h.0.mlp.c_fc.weight"
  int axis = 0;
};

/// Channels of a model that may stand in any order without changing what the model computes, apart from the rounding of
/// sums in another order.
struct ChannelGroup {
  std::string name;
  int64_t size = 0;
  std::vector<ChannelUse> uses;
};

/// The name of the channels between blocks.
inline constexpr const char* kResidualChannels = "residual";

/// The channels of a model that may be reordered:
///   "NAME.hidden"  The hidden units of each Mlp NAME, and of each hidden layer NAME of an MlpStack: outputs of the
///                  linears before them and inputs of the one behind them.
///   "residual"     The features between the blocks of a Gpt or a ResidualMlp. All embeddings, norms, linears that read
///                  or write them and the head share this order. Heads of attention keep theirs.
/// Empty for other models. Throws Error for a model with sparse linears, because their masks hold for one order only.
std::vector<ChannelGroup> FindChannelGroups(Module& model);

/// Reorders the parameters of `model` in place: afterwards channel i is what was channel order[i]. `group` is one of
/// FindChannelGroups. Throws Error on an order that sparse::RequireOrder refuses, before anything is changed. State
/// that an optimizer keeps is not reordered.
void ReorderChannels(Module& model, const ChannelGroup& group, const sparse::ChannelOrder& order);

}  // namespace twofour::nn
