#include "twofour/train/exchange/adapter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops.h"

#include "tests/support/temp_dir.h"
#include "tests/support/tensors.h"

namespace twofour::train {
namespace {

using test::ExpectBitEqual;
using test::ExpectClose;
using test::F32;
using test::RandomF32;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr const char* kConfig = R"({"peft_type": "LORA", "r": 2, "lora_alpha": 3, "bias": "none", "use_dora": false,
  "rank_pattern": {}, "alpha_pattern": {}, "target_modules": ["c_fc"], "auto_mapping": null, "lora_bias": false})";

SafetensorsFile FileOf(DType dtype = DType::kF32) {
  return {.tensors = {{"base_model.model.h.0.c_fc.lora_A.weight", RandomF32({2, 6}, {.seed = 1}).To(dtype)},
                      {"base_model.model.h.0.c_fc.lora_B.weight", RandomF32({4, 2}, {.seed = 2}).To(dtype)}},
          .metadata = {}};
}

Adapter Parsed() { return ParseAdapter(kConfig, "config", FileOf(), "file"); }

TEST(AdapterTest, ReadsWhatPeftWrites) {
  const Adapter adapter = Parsed();
  EXPECT_EQ(adapter.rank, 2);
  EXPECT_EQ(adapter.alpha, 3);
  ASSERT_EQ(adapter.linears.size(), 1u);
  EXPECT_EQ(adapter.linears[0].linear, "h.0.c_fc");
  ExpectBitEqual(adapter.linears[0].a, RandomF32({2, 6}, {.seed = 1}));
  const Adapter half = ParseAdapter(kConfig, "config", FileOf(DType::kBF16), "file");
  EXPECT_EQ(half.linears[0].b.dtype(), DType::kF32);
}

TEST(AdapterTest, ReadsWhatItWrites) {
  const test::TempDir dir;
  SaveAdapter(FileSystem::Default(), dir / "adapter.safetensors", Parsed());
  const Adapter adapter = LoadAdapter(FileSystem::Default(), dir / "adapter.safetensors");
  EXPECT_EQ(adapter.rank, 2);
  EXPECT_EQ(adapter.alpha, 3);
  ExpectBitEqual(adapter.linears.at(0).a, Parsed().linears[0].a);
  ExpectBitEqual(adapter.linears.at(0).b, Parsed().linears[0].b);
}

TEST(AdapterTest, MergesAndKeepsZeros) {
  const Adapter adapter = Parsed();
  const Tensor product = Scale(MatMul(adapter.linears[0].b, adapter.linears[0].a), 1.5);
  const Tensor weight =
      F32(std::vector<float>{1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0}, {4, 6});
  Tensor ones = Tensor::Full({4, 6}, 1), kept = weight.To(DType::kBool);
  const Tensor sum = Add(weight, product), masked = Mul(sum, weight);
  const auto merge = [&](std::vector<NamedTensor> tensors, bool keep_zeros) {
    MergeAdapter(adapter, keep_zeros, tensors);
    return tensors[0].tensor;
  };
  ExpectClose(merge({{"h.0.c_fc.weight", weight}}, false), sum);
  ExpectClose(merge({{"h.0.c_fc.weight", weight}}, true), masked);
  ExpectClose(merge({{"h.0.c_fc.weight", ones}, {"h.0.c_fc.weight_mask", kept}}, false),
              Mul(Add(ones, product), weight));
  EXPECT_EQ(merge({{"h.0.c_fc.weight", weight}}, true).data<float>()[1], 0);
  EXPECT_EQ(weight.data<float>()[0], 1);  // The tensors that were given stay as they are.
}

TEST(AdapterTest, TakesTheFactorsOutOfACheckpoint) {
  std::vector<NamedTensor> tensors = {{"c_fc.weight", Tensor::Zeros({4, 6})},
                                      {"c_fc.lora_A.weight", RandomF32({2, 6}, {.seed = 1})},
                                      {"c_fc.lora_B.weight", RandomF32({4, 2}, {.seed = 2})}};
  const Adapter adapter = TakeAdapter(tensors, 3, "checkpoint");
  ASSERT_EQ(tensors.size(), 1u);
  EXPECT_EQ(adapter.linears.at(0).linear, "c_fc");
  std::vector<NamedTensor> none = {{"c_fc.weight", Tensor::Zeros({4, 6})}};
  EXPECT_THAT([&] { TakeAdapter(none, 3, "checkpoint"); }, ThrowsMessage<Error>(HasSubstr("holds no adapter")));
}

TEST(AdapterTest, BlamesTheAdapterForNumbersThatAreTooLarge) {
  Adapter adapter = Parsed();
  adapter.alpha = 3e38;
  const Tensor ones = Tensor::Full({4, 6}, 1);
  std::vector<NamedTensor> tensors = {{"h.0.c_fc.weight", ones}};
  adapter.linears[0].b = Tensor::Full({4, 2}, 1e4);
  EXPECT_THAT([&] { MergeAdapter(adapter, false, tensors); },
              ThrowsMessage<Error>("file: added to 'h.0.c_fc.weight', it gives numbers that no 32-bit float can hold"));
  ExpectBitEqual(tensors[0].tensor, ones);
}

TEST(AdapterTest, WrongFiles) {
  const auto expect = [](const std::string& config, const SafetensorsFile& file, const char* message) {
    SCOPED_TRACE(message);
    EXPECT_THAT([&] { ParseAdapter(config, "config", file, "file"); }, ThrowsMessage<Error>(HasSubstr(message)));
  };
  expect(R"({"peft_type": "IA3"})", FileOf(), "config: expected the config of a LoRA adapter");
  expect(kConfig, {}, "file: holds no adapter");
  SafetensorsFile wrong = FileOf();
  wrong.tensors[0].tensor = Tensor::Zeros({2, 6}, DType::kI32);
  expect(kConfig, wrong, "expected f32, f16 or bf16 of two dimensions");
  wrong = FileOf();
  wrong.tensors[0].tensor = Tensor::Zeros({2}, DType::kF32);
  expect(kConfig, wrong, "of two dimensions");
  wrong = FileOf();
  wrong.tensors[1].tensor = Tensor::Full({4, 2}, NAN);
  expect(kConfig, wrong, "file: tensor 'h.0.c_fc.lora_B.weight' holds nan at element 0, expected finite numbers");
  wrong = FileOf();
  wrong.tensors[0].tensor = Tensor::Full({2, 6}, 1e30).To(DType::kF16);
  expect(kConfig, wrong, "file: tensor 'h.0.c_fc.lora_A.weight' holds inf");
  wrong = FileOf();
  wrong.skipped.push_back({"base_model.model.x.lora_A.weight", "F8_E8M0", {2, 6}});
  expect(kConfig, wrong, "F8_E8M0");
  wrong = FileOf();
  wrong.tensors[0].tensor = wrong.tensors[0].tensor.To(DType::kF8E4M3);
  expect(kConfig, wrong, "f8_e4m3 [2, 6], expected f32, f16 or bf16 of two dimensions");
}

}  // namespace
}  // namespace twofour::train
