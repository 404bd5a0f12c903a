#include "twofour/train/linear_analysis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/sparse/mask.h"
#include "twofour/sparse/mask_of_pattern.h"
#include "twofour/sparse/pruning_pattern.h"

#include "tests/support/tensors.h"

namespace twofour::train {
namespace {

using sparse::MaskFormat;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Tensor Dense(int64_t rows, int64_t cols) {
  return test::RandomAwayFromZero({rows, cols}, {.seed = 5, .stream = 0}).To(DType::kF32);
}

Tensor Pruned(const char* pattern, int64_t rows = 64, int64_t cols = 64) {
  const Tensor weight = Dense(rows, cols);
  return sparse::ApplyMask(weight, sparse::FindMaskOf(weight, sparse::ParsePruningPattern(pattern, "test")));
}

FileAnalysis Analyze(std::vector<NamedTensor> tensors) {
  return AnalyzeLinears({.tensors = std::move(tensors), .metadata = {}}, "f");
}

std::vector<std::string> Names(const FileAnalysis& analysis) {
  std::vector<std::string> names;
  for (const LinearAnalysis& linear : analysis.linears) names.push_back(linear.tensor.name);
  return names;
}

std::string MessageOf(std::vector<NamedTensor> tensors) {
  try {
    Analyze(std::move(tensors));
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(LinearAnalysis, NamesTellWhatIsALinear) {
  const FileAnalysis analysis = Analyze({{"transformer.wte.weight", Dense(8, 8)},
                                         {"transformer.wpe.weight", Dense(8, 8)},
                                         {"model.embed_tokens.weight", Dense(8, 8)},
                                         {"bert.word_embeddings.weight", Dense(8, 8)},
                                         {"h.0.c_fc.weight", Dense(8, 8)},
                                         {"h.0.c_fc.bias", Dense(8, 8)},
                                         {"h.0.norm.weight", Tensor::Full({8}, 1.0)},
                                         {"h.0.conv.weight", Tensor::Full({2, 2, 2}, 1.0)},
                                         {"h.0.empty.weight", Tensor::Zeros({0, 8})},
                                         {"ids.weight", Tensor::Zeros({4, 4}, DType::kI64)},
                                         {"wtemporal.weight", Dense(4, 4)},
                                         {"other", Dense(8, 8)}});
  EXPECT_EQ(Names(analysis), (std::vector<std::string>{"h.0.c_fc.weight", "wtemporal.weight"}));
  EXPECT_EQ(analysis.left_out, 10);
  // Where no name says what it is, all matrices count.
  EXPECT_EQ(Names(Analyze({{"a", Dense(4, 4)}, {"b", Dense(8, 4)}, {"wte", Dense(4, 4)}})),
            (std::vector<std::string>{"a", "b"}));
}

TEST(LinearAnalysis, FindsPatternsAndTheFormsThatTheyAllow) {
  const FileAnalysis analysis = Analyze({{"a.weight", Dense(64, 64)},
                                         {"b.weight", Pruned("transposable:2:4")},
                                         {"c.weight", Pruned("2:4")},
                                         {"d.weight", Pruned("16:2:16")},
                                         {"e.weight", Pruned("block:16x16:0.5")},
                                         {"f.weight", Pruned("1:4")}});
  ASSERT_EQ(analysis.linears.size(), 6u);
  const auto& [dense, both, rows, vnm, blocks, one] =
      std::tie(analysis.linears[0], analysis.linears[1], analysis.linears[2], analysis.linears[3], analysis.linears[4],
               analysis.linears[5]);
  EXPECT_THAT(dense.forms, IsEmpty());
  EXPECT_EQ(dense.dense_bytes(), 64u * 64 * 4);
  EXPECT_FALSE(dense.transposable || dense.vnm || dense.blocks);
  EXPECT_TRUE(both.transposable);
  ASSERT_EQ(both.forms.size(), 1u);
  EXPECT_EQ(both.forms[0].format, MaskFormat::Rows(2, 4));
  EXPECT_EQ(both.forms[0].bytes, dense.dense_bytes() * 17 / 32);
  EXPECT_FALSE(rows.transposable);
  EXPECT_EQ(rows.forms.front().format, MaskFormat::Rows(2, 4));
  ASSERT_TRUE(vnm.vnm.has_value());
  EXPECT_EQ(*vnm.vnm, (sparse::VnmPattern{.v = 16, .m = 16}));
  EXPECT_EQ(vnm.forms.front().format, MaskFormat::Vnm(*vnm.vnm));
  EXPECT_EQ(blocks.blocks, (sparse::ZeroBlocks{16, 0.5}));
  EXPECT_EQ(one.forms.front().format, MaskFormat::Rows(1, 4));
  for (const LinearAnalysis& linear : analysis.linears) {
    for (const PackedChoice& form : linear.forms) EXPECT_LT(form.bytes, linear.dense_bytes());
  }
}

TEST(LinearAnalysis, ValuesAreThoseOfTheProducts) {
  const FileAnalysis analysis =
      Analyze({{"a.weight", Pruned("2:4").To(DType::kBF16)}, {"b.weight", Pruned("2:4").To(DType::kF64)}});
  EXPECT_EQ(analysis.linears[0].values, DType::kBF16);
  EXPECT_EQ(analysis.linears[0].forms.front().bytes, 64u * 64 * 2 * 9 / 16);
  EXPECT_EQ(analysis.linears[1].values, DType::kF32);
}

TEST(LinearAnalysis, RefusesFilesWithoutLinearsAndWeightsThatAreNotFinite) {
  EXPECT_THAT(MessageOf({{"a.bias", Tensor::Full({4}, 1.0)}, {"wte.weight", Dense(4, 4)}}),
              HasSubstr("f: holds no weights of linears, expected matrices of floating numbers, named *.weight"));
  EXPECT_THAT(MessageOf({}), HasSubstr("f: holds no weights of linears"));
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Tensor weight = Dense(4, 8);
    weight.mutable_data<float>()[9] = bad;
    EXPECT_THAT(MessageOf({{"a.weight", Dense(4, 4)}, {"b.weight", weight}}),
                HasSubstr("f: tensor 'b.weight': 1 of its values are NaN or infinite, expected finite weights"));
    EXPECT_EQ(MessageOf({{"a.weight", Dense(4, 4)}, {"mask", weight}}), "no error");  // No linear's.
  }
}

}  // namespace
}  // namespace twofour::train
