#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "twofour/comm/communicator.h"
#include "twofour/nn/module.h"
#include "twofour/train/data_record.h"

#include "config.pb.h"

namespace twofour::train {

/// How many threads this rank should use: the processors that it may run on, divided by the number of ranks on this
/// machine that may run on just these. So ranks that the launcher has bound to processors of their own use all of
/// these, and others share. 0, which means all processors, for a process alone. Collective.
int ThreadsOfRank(comm::Communicator& ranks);

/// Something that must be the same on all ranks, or they would not train the same model.
struct StartPart {
  std::string what;  ///< "config"
  std::string text;  ///< For a message, so short or in lines.
};

/// What the program was told to do, but for --threads, which may differ.
StartPart ArgumentsPart(int argc, const char* const* argv);

/// The program, what decides which bits it computes, the config, the data, and the weights to begin with.
std::vector<StartPart> PartsOf(const proto::Config& config, const DataRecord& data, const nn::Module& model);

/// Throws SharedError that names a rank whose part differs from that of the first rank, and the first line that
/// differs. Collective.
void RequireSameParts(comm::Communicator& ranks, const std::vector<StartPart>& mine);

/// Throws Error if the shards of a step cannot be shared by the ranks.
void RequireRanksDivide(const comm::Communicator& ranks, int64_t shards);

/// "4, with 2 of 8 shards each, on node1 (2), node2 (2)".
std::string DescribeRanks(const comm::Communicator& ranks, int64_t shards);

}  // namespace twofour::train
