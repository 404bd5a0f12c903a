#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "twofour/core/io/file_system.h"
#include "twofour/train/checkpoint.h"

#include "tests/support/temp_dir.h"

namespace twofour::test {

/// A checkpoint whose tensors hold its step.
inline train::CheckpointData MakeData(int64_t step, int64_t best_step = 0) {
  const float value = static_cast<float>(step);
  return {{{"a.weight", Tensor::Full({8, 4}, value)}, {"a.bias", Tensor::FromVector<float>({value}, {1})}},
          {{"step", Tensor::Scalar(value, DType::kI32)}, {"a.weight.exp_avg", Tensor::Full({8, 4}, -value)}},
          {step, best_step, 0.5}};
}

/// A folder of checkpoints.
class CheckpointFixture : public ::testing::Test {
 protected:
  std::vector<std::string> Names() { return files_.ListDirectory(dir_.path()); }

  /// True when the folder holds a whole checkpoint of its step.
  bool IsWhole(const std::filesystem::path& path, int64_t step) {
    const train::CheckpointData data = train::CheckpointStore::Load(files_, path);
    return data.state.step == step && data.model.at(0).tensor.ToVector().at(31) == static_cast<float>(step);
  }

  TempDir dir_;
  FileSystem& files_ = FileSystem::Default();
};

}  // namespace twofour::test
