#pragma once

#include <cstdint>
#include <vector>

#include "twofour/nn/module.h"
#include "twofour/optim/optimizer.h"

namespace twofour::bench {

/// What exchanges need to know of a parameter.
struct TrafficParameter {
  int64_t elements = 0;
  double update_cost = 0;  ///< Optimizer::UpdateCosts.
  bool is_product = true;  ///< Backward passes compute its gradient by a product, which takes time.
  bool is_sparse = false;  ///< It has a 2:4 mask.
  int64_t tiles() const { return is_sparse ? elements / 16 : 0; }
};

/// The parameters of a model, in its order.
std::vector<TrafficParameter> TrafficParametersOf(nn::Module& model, const optim::Optimizer& optimizer);

struct TrafficGpt {
  int64_t depth = 12, width = 768, head_size = 128, sequence_length = 1024, vocab = 50257;
  bool sparse = false;  ///< The MLPs are 2:4.
  bool muon = false;  ///< Matrices of blocks are updated by Muon, as in configs/gpt_d12.pbtxt. Otherwise all by AdamW.
};

/// Those of an nn::Gpt, which exists meanwhile.
std::vector<TrafficParameter> TrafficParametersOf(const TrafficGpt& gpt);

}  // namespace twofour::bench
