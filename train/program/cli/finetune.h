#pragma once

#include <string>

#include "config.pb.h"

namespace twofour::train {

/// The config of a run that adapts the weights of the finished run in folder `from` by what the file `config` says of
/// data, training and sparsity. A file without a model gets that of the run. Throws Error if the run is not finished.
proto::Config FinetuneConfig(const std::string& from, const std::string& config);

/// Throws Error if the model of `config` is another function of its weights than that of the run in folder `from`.
void RequireModelOf(const std::string& from, const proto::Config& config);

}  // namespace twofour::train
