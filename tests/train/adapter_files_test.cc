#include "twofour/train/adapter_files.h"

#include <gtest/gtest.h>

#include <vector>

#include "twofour/core/io/safetensors.h"
#include "twofour/nn/lora_swap.h"
#include "twofour/nn/mlp.h"
#include "twofour/train/exchange/adapter.h"
#include "twofour/train/export.h"

#include "tests/support/temp_dir.h"
#include "tests/support/tensors.h"

namespace twofour::train {
namespace {

using test::ExpectBitEqual;

class AdapterFilesTest : public ::testing::Test {
 protected:
  test::TempDir dir_;
  FileSystem& files_ = FileSystem::Default();
  RunFiles run_{dir_.path()};
  Generator generator_{1};
  nn::Mlp mlp_{{.in_features = 16, .hidden_features = 32, .out_features = 16}, generator_};
};

// Reading the base and merging the adapter gives what the model exports.
TEST_F(AdapterFilesTest, TheAdapterOnTheBaseIsTheModel) {
  nn::SwapLinearWithSemiSparseLinear(mlp_);
  nn::SwapSemiSparseLinearWithLoraLinear(mlp_, {.exclude = "c_proj", .lora = {.rank = 4, .alpha = 6}});
  for (const auto& [name, layer] : nn::FindLoraLinears(mlp_)) {
    Tensor b = layer->lora_b();
    FillUniform(b, -1, 1, {.seed = 2});
  }
  SaveAdapterFiles(files_, run_, mlp_, 6);
  std::vector<NamedTensor> tensors = LoadSafetensors(files_, run_.adapter_base()).tensors;
  const Adapter adapter = LoadAdapter(files_, run_.adapter());
  ASSERT_EQ(adapter.linears.size(), 1u);
  EXPECT_EQ(adapter.linears[0].linear, "c_fc");
  MergeAdapter(adapter, /*keep_zeros=*/false, tensors);
  const std::vector<NamedTensor> expected = ExportModel(mlp_, ExportWeights::kDenseWithMasks);
  ASSERT_EQ(tensors.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    SCOPED_TRACE(expected[i].name);
    EXPECT_EQ(tensors[i].name, expected[i].name);
    ExpectBitEqual(tensors[i].tensor, expected[i].tensor);
  }
  RemoveAdapterFiles(files_, run_);
  EXPECT_TRUE(files_.ListDirectory(dir_.path()).empty());
  RemoveAdapterFiles(files_, run_);  // There are none, which is no error.
}

TEST_F(AdapterFilesTest, AModelWithoutAdaptersHasNone) {
  SaveAdapterFiles(files_, run_, mlp_, 6);
  EXPECT_TRUE(files_.ListDirectory(dir_.path()).empty());
}

}  // namespace
}  // namespace twofour::train
