#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "twofour/comm/thread_network.h"
#include "twofour/core/io/file_system.h"
#include "twofour/nn/model.h"
#include "twofour/nn/swap.h"
#include "twofour/optim/optimizer.h"
#include "twofour/train/checkpoint.h"
#include "twofour/train/clock.h"
#include "twofour/train/metrics.h"
#include "twofour/train/trainer.h"

#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour::test {

/// Everything in a folder, by the files' names.
inline std::map<std::string, std::string> FilesIn(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    files[entry.path().lexically_relative(folder).string()] = ReadTextFile(entry.path());
  }
  return files;
}

/// Expects the same files in both, without showing what is in them.
inline void ExpectSameFiles(const std::filesystem::path& folder, const std::filesystem::path& expected) {
  const auto files = FilesIn(folder), expected_files = FilesIn(expected);
  EXPECT_FALSE(files.empty());
  EXPECT_EQ(files.size(), expected_files.size()) << folder;
  for (const auto& [name, text] : files) {
    EXPECT_TRUE(expected_files.contains(name) && expected_files.at(name) == text) << folder << ": " << name;
  }
}

/// So that records do not depend on how fast the machine is.
struct StoppedClock final : train::Clock {
  double Seconds() const override { return 0; }
};

/// What one rank trains. A rank makes its own.
struct RankJob {
  std::unique_ptr<nn::Model> model;
  std::unique_ptr<optim::Optimizer> optimizer;
  std::unique_ptr<train::Task> task;
};

/// Trains on `ranks` ranks that are threads. The first writes metrics.jsonl and checkpoints into `folder`. Continues
/// from the checkpoint `from` if one is given.
inline void TrainOnRanks(int ranks, const std::function<RankJob()>& make, const train::TrainerOptions& options,
                         const std::filesystem::path& folder, const std::filesystem::path& from = {},
                         comm::ThreadNetworkOptions network_options = {},
                         train::GradientExchange::Options exchange = {.bucket_elements = 300}) {
  std::filesystem::create_directories(folder);
  network_options.stack_bytes = size_t{8} << 20;
  comm::ThreadNetwork network(ranks, network_options);
  network.Run([&](comm::Communicator& rank) {
    const RankJob job = make();
    const StoppedClock clock;
    std::optional<train::JsonLinesSink> sink;
    std::optional<train::CheckpointStore> store;
    train::TrainerServices services{.clock = &clock, .ranks = &rank, .exchange = exchange};
    if (rank.rank() == 0) {
      services.sink = &sink.emplace(FileSystem::Default(), folder / "metrics.jsonl");
      services.checkpoints = &store.emplace(FileSystem::Default(), folder, 10);
    }
    train::Trainer trainer(*job.task, *job.optimizer, optim::ConstantLr(1e-2), options, services);
    if (!from.empty()) trainer.Restore(train::CheckpointStore::Load(FileSystem::Default(), from), from.string());
    trainer.Run();
  });
}

}  // namespace twofour::test
