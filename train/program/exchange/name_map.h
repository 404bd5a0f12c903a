#pragma once

#include <string>
#include <vector>

#include "twofour/train/exchange/tensor_match.h"

#include "name_map.pb.h"

namespace twofour::train {

/// Which parameters the tensors of a file become.
struct MappedNames {
  std::vector<TensorMatch> matches;
  std::vector<std::string> skipped;  ///< Tensors that the map leaves out.
};

/// Applies a map to the names of a file's tensors. Throws Error, beginning with `source`, on regular expressions that
/// do not parse, on rules without `from` or `to`, and on two tensors that become one parameter.
MappedNames ApplyNameMap(const proto::NameMap& map, const std::vector<std::string>& theirs, const std::string& source);

/// Reads and applies a map file of at most 1 MiB.
MappedNames ApplyNameMapFile(const std::string& path, const std::vector<std::string>& theirs);

}  // namespace twofour::train
