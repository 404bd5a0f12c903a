#include "twofour/nn/prunable_linears.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "twofour/core/error.h"
#include "twofour/nn/gpt.h"

#include "tests/support/expect_error.h"

namespace twofour::nn {
namespace {

using ::testing::HasSubstr;

/// Four linears in the block, and a head that is tied to the embedding.
class PrunableLinearsTest : public ::testing::Test {
 protected:
  PrunableLinearsTest()
      : generator_(1),
        gpt_({.vocab_size = 12, .sequence_length = 4, .depth = 1, .width = 8, .heads = 2, .tied_head = true},
             generator_) {}

  Generator generator_;
  Gpt gpt_;
};

TEST_F(PrunableLinearsTest, SaysOfAllLinearsWhyNoneIsPruned) {
  EXPECT_ERROR(FindPrunableLinears(gpt_, {.include = "lm_head|.*mlp.*", .exclude = ".*c_fc", .multiple_of = 3}),
               ErrorKind::kInvalidInput,
               HasSubstr(" linears: name does not match include 'lm_head|.*mlp.*'; transformer.h.0.mlp.c_fc: name "
                         "matches exclude '.*c_fc'; 2 linears: its sizes are not both multiples of 3"));
  EXPECT_ERROR(
      FindPrunableLinears(gpt_, {.include = "lm_head"}), ErrorKind::kInvalidInput,
      HasSubstr("name does not match include 'lm_head'; lm_head: shares its weight with transformer.wte.weight"));
}

TEST_F(PrunableLinearsTest, FindsTheOthers) {
  std::vector<SwapEntry> dense;
  const std::vector<PrunableLinear> found = FindPrunableLinears(gpt_, {.include = "lm_head|.*mlp.*"}, &dense);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].name, "transformer.h.0.mlp.c_fc");
  EXPECT_EQ(dense.back().reason, "shares its weight with transformer.wte.weight");
}

}  // namespace
}  // namespace twofour::nn
