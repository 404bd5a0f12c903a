#include "twofour/train/program/permute/permutation_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "twofour/core/io/safetensors.h"

#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"

namespace twofour::train {
namespace {

using ::testing::HasSubstr;

class PermutationFileTest : public ::testing::Test {
 protected:
  void Save(const std::vector<NamedTensor>& tensors) { SaveSafetensors(files_, path_, tensors, {}); }
  std::vector<sparse::ChannelOrder> Load() { return LoadPermutation(files_, path_, groups_).orders; }
  static Tensor Order(const std::vector<int64_t>& order) {
    return Tensor::FromVector(order, {static_cast<int64_t>(order.size())});
  }

  test::TempDir dir_;
  FileSystem& files_ = FileSystem::Default();
  const std::filesystem::path path_ = dir_ / "permutation.safetensors";
  const std::vector<nn::ChannelGroup> groups_ = {{.name = "a.mlp.hidden", .size = 3, .uses = {}},
                                                 {.name = "residual", .size = 2, .uses = {}}};
};

TEST_F(PermutationFileTest, KeepsOrders) {
  const std::vector<sparse::ChannelOrder> orders = {{2, 0, 1}, {1, 0}};
  SavePermutation(files_, path_, groups_, orders, {{"pattern", "64:2:8"}});
  EXPECT_EQ(Load(), orders);
  const SafetensorsFile file = LoadSafetensors(files_, path_);
  EXPECT_EQ(file.metadata.at("pattern"), "64:2:8");
  EXPECT_EQ(LoadPermutation(files_, path_, groups_).metadata, file.metadata);
  EXPECT_EQ(file.Find("a.mlp.hidden")->dtype(), DType::kI64);
}

TEST_F(PermutationFileTest, GroupsThatTheFileLacksStayInOrder) {
  Save({{"residual", Order({1, 0})}});
  EXPECT_EQ(Load(), (std::vector<sparse::ChannelOrder>{{0, 1, 2}, {1, 0}}));
}

TEST_F(PermutationFileTest, RefusesFilesOfOtherModels) {
  const auto expect = [&](const std::vector<NamedTensor>& tensors, const std::string& message) {
    Save(tensors);
    EXPECT_ERROR(Load(), ErrorKind::kInvalidInput, HasSubstr(path_.string() + ": " + message));
  };
  expect({}, "holds no tensors, expected orders of channels");
  expect({{"b.mlp.hidden", Order({0, 1, 2})}},
         "the model has no channels 'b.mlp.hidden', expected a.mlp.hidden to residual");
  expect({{"residual", Order({0, 1, 2})}}, "tensor 'residual' is i64 [3], expected i64 [2]");
  expect({{"residual", Order({0, 1}).To(DType::kI32)}}, "tensor 'residual' is i32 [2], expected i64 [2]");
  expect({{"residual", Order({0, 1}).View({2, 1})}}, "tensor 'residual' is i64 [2, 1], expected i64 [2]");
  expect({{"residual", Order({1, 1})}}, "'residual': place 1 has channel 1 again, expected each channel once");
  expect({{"residual", Order({0, 2})}}, "'residual': place 1 has channel 2, expected 0 to 1");
  expect({{"residual", Order({0, INT64_MIN})}}, "'residual': place 1 has channel -9223372036854775808");
}

}  // namespace
}  // namespace twofour::train
