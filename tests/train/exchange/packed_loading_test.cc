// Models that multiply with packed weights as files hold them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "twofour/core/autograd.h"
#include "twofour/core/block_cache.h"
#include "twofour/core/error.h"
#include "twofour/nn/init.h"
#include "twofour/nn/mlp.h"
#include "twofour/nn/sparse_linear.h"
#include "twofour/nn/state_dict.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/row_mask.h"
#include "twofour/sparse/vnm_mask.h"
#include "twofour/train/exchange/packed_tensors.h"

#include "tests/support/expect_error.h"
#include "tests/support/peak_memory.h"
#include "tests/support/sanitized.h"
#include "tests/support/tensors.h"

namespace twofour::train {
namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using ::testing::HasSubstr;

constexpr int64_t kIn = 8192, kHidden = 4096, kOut = 8;
constexpr int64_t kDenseBytes = kIn * kHidden * int64_t{2};  // In bf16: 64 MiB.

/// A file of an Mlp whose c_fc is 64:2:32. That weight was never dense: each block keeps its first four columns, and
/// each row the first two of them, which are 1.
SafetensorsFile LargeFile() {
  const int64_t groups = kIn / 32;
  Tensor positions = Tensor::Zeros({kHidden, groups / 2}, DType::kU8);
  std::fill_n(positions.mutable_data<uint8_t>(), positions.numel(), uint8_t{0x44});
  Tensor columns = Tensor::Zeros({kHidden / 64, groups, 4}, DType::kU8);
  for (int64_t i = 0; i < columns.numel(); ++i) columns.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(i % 4);
  return {.tensors = {{"c_fc.weight_vnm_values", Tensor::Full({kHidden, 2 * groups}, 1.0, DType::kBF16)},
                      {"c_fc.weight_vnm_positions", positions},
                      {"c_fc.weight_vnm_columns", columns},
                      {"c_fc.weight_vnm_pattern", Tensor::FromVector<int64_t>({kHidden, kIn, 64, 2, 32}, {5})},
                      {"c_fc.bias", Tensor::Zeros({kHidden})},
                      {"c_proj.weight", Tensor::Full({kOut, kHidden}, 0.5)},
                      {"c_proj.bias", Tensor::Zeros({kOut})}},
          .metadata = {}};
}

TEST(PackedLoadingTest, NoDenseMatrixIsMade) {
  SafetensorsFile file = LargeFile(), same = LargeFile();
  BlockCache::Default().Clear();
  const std::optional<int64_t> dense = test::PeakGrowth([&] { UnpackTensors(same, "f"); });
  same = {};
  BlockCache::Default().Clear();
  const std::optional<int64_t> packed = test::PeakGrowth([&] {
    const NoGradGuard no_grad;
    Generator generator(1);
    std::optional<nn::UnsetWeightsScope> unset(std::in_place);
    nn::Mlp mlp({.in_features = kIn, .hidden_features = kHidden, .out_features = kOut}, generator);
    unset.reset();
    nn::PutPackedLinears(mlp, TakePackedLinears(file, "f", DType::kBF16), "f");
    nn::LoadStateDict(mlp, file.tensors, "f");
    // Each hidden unit adds up 2 of 32 inputs, the activation is ReLU squared, and each output adds up half of all.
    const float hidden = kIn / 16.0f / 64.0f;
    const Tensor y = mlp.Forward(Tensor::Full({1, kIn}, 1.0 / 64));
    for (int64_t i = 0; i < kOut; ++i) EXPECT_EQ(y.data<float>()[i], hidden * hidden * kHidden / 2);
  });
  if (test::kSanitized) GTEST_SKIP() << "sanitizers keep memory that was freed";
  if (!dense || !packed) GTEST_SKIP() << "the peak of memory is not known here";
  EXPECT_GE(*dense, kDenseBytes);  // What the next line looks for is found where it happens.
  EXPECT_LT(*packed, kDenseBytes / 2);
}

/// An Mlp's tensors with a c_fc in a form, and the dense ones.
struct SmallFile {
  SafetensorsFile packed, dense;
};

SmallFile MakeSmallFile(WeightForm form, DType dtype) {
  const Tensor scores = test::RandomF32({48, 32}, {.seed = 1});
  const sparse::VnmPattern vnm{.v = 16, .m = 8};
  const bool is_vnm = form == WeightForm::kPackedVnm;
  const sparse::Mask mask = is_vnm ? sparse::FindVnmMask(scores, vnm) : sparse::FindRowMask(scores, {2, 4});
  const Tensor weight = sparse::ApplyMask(scores, mask).To(dtype);
  SmallFile files{.packed = {.tensors = {}, .metadata = {}}, .dense = {.tensors = {}, .metadata = {}}};
  AppendWeight({"c_fc.weight", weight}, form, is_vnm ? sparse::MaskFormat::Vnm(vnm) : sparse::MaskFormat::Rows(2, 4),
               files.packed.tensors);
  files.dense.tensors = {{"c_fc.weight", weight.To(DType::kF32)}};
  for (SafetensorsFile* const file : {&files.packed, &files.dense}) {
    file->tensors.push_back({"c_fc.bias", test::RandomF32({48}, {.seed = 2})});
    file->tensors.push_back({"c_proj.weight", test::RandomF32({8, 48}, {.seed = 3})});
    file->tensors.push_back({"c_proj.bias", test::RandomF32({8}, {.seed = 4})});
  }
  return files;
}

TEST(PackedLoadingTest, EachFormMultipliesAsTheDenseWeight) {
  const NoGradGuard no_grad;
  for (const WeightForm form : {WeightForm::kPacked, WeightForm::kPackedVnm}) {
    for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
      SCOPED_TRACE(std::string(NameOf(form)) + " " + std::string(NameOf(dtype)));
      SmallFile files = MakeSmallFile(form, dtype);
      Generator generator(7);
      const nn::MlpOptions options{.in_features = 32, .hidden_features = 48, .out_features = 8};
      nn::Mlp packed(options, generator), dense(options, generator);
      nn::LoadStateDict(dense, files.dense.tensors, "f");
      const std::vector<nn::PackedLinear> linears = TakePackedLinears(files.packed, "f", DType::kF32);
      ASSERT_EQ(linears.size(), 1u);
      EXPECT_EQ(linears[0].weight->dtype(), dtype == DType::kBF16 ? DType::kBF16 : DType::kF32);
      ExpectBitEqual(linears[0].weight->Unpack(), *files.dense.Find("c_fc.weight"));
      EXPECT_EQ(files.packed.tensors.size(), 2u);  // The bias went with its weight.
      nn::PutPackedLinears(packed, linears, "f");
      nn::LoadStateDict(packed, files.packed.tensors, "f");
      for (const int64_t batch : {1, 20}) {
        const Tensor x = test::RandomF32({batch, 32}, {.seed = 5});
        ExpectClose(packed.Forward(x), dense.Forward(x), 1e-4);
      }
    }
  }
}

TEST(PackedLoadingTest, OtherFormsAreLeftInTheFile) {
  SmallFile files = MakeSmallFile(WeightForm::kBitmask24, DType::kF32);
  EXPECT_TRUE(TakePackedLinears(files.packed, "f", DType::kF32).empty());
  EXPECT_EQ(files.packed.tensors.size(), 6u);
  UnpackTensors(files.packed, "f");
  EXPECT_NE(files.packed.Find("c_fc.weight"), nullptr);
}

TEST(PackedLoadingTest, BadPartsAreRefused) {
  const auto take = [](DType activations, auto change) {
    SmallFile files = MakeSmallFile(WeightForm::kPackedVnm, DType::kF32);
    change(files.packed.tensors);
    TakePackedLinears(files.packed, "f", activations);
  };
  EXPECT_ERROR(take(DType::kF32, [](auto& t) { t[2].tensor.template mutable_data<uint8_t>()[3] = 8; }),
               ErrorKind::kInvalidInput, HasSubstr("f: tensor 'c_fc.weight': rows 0 to 15, columns 0 to 7: keeps "));
  EXPECT_ERROR(take(DType::kF32, [](auto& t) { t.erase(t.begin() + 2); }), ErrorKind::kInvalidInput,
               "f: tensor 'c_fc.weight' is packed-vnm, but 'c_fc.weight_vnm_columns' is missing");
  EXPECT_ERROR(take(DType::kF32, [](auto& t) { t[0].tensor.template mutable_data<float>()[5] = NAN; }),
               ErrorKind::kInvalidInput, "f: tensor 'c_fc.weight' holds nan at element 5, expected finite numbers");
  const auto large = [](auto& t) { t[0].tensor.template mutable_data<float>()[5] = 3.4e38f; };
  EXPECT_NO_THROW(take(DType::kF32, large));
  EXPECT_ERROR(take(DType::kBF16, large), ErrorKind::kInvalidInput, HasSubstr("holds inf at element 5"));
}

}  // namespace
}  // namespace twofour::train
