#include "twofour/sparse/permutation/channel_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.h"
#include "tests/support/tensors.h"

namespace twofour::sparse {
namespace {

using test::ExpectBitEqual;
using test::F32;
using test::I32;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ChannelOrderTest, PlacesGetTheChannelsThatTheOrderNames) {
  EXPECT_THAT(IdentityOrder(3), ElementsAre(0, 1, 2));
  const Tensor matrix = F32({1, 2, 3, 4, 5, 6}, {2, 3});
  ExpectBitEqual(Reordered(matrix, 1, {2, 0, 1}), F32({3, 1, 2, 6, 4, 5}, {2, 3}));
  ExpectBitEqual(Reordered(matrix, -1, {2, 0, 1}), F32({3, 1, 2, 6, 4, 5}, {2, 3}));
  ExpectBitEqual(Reordered(matrix, 0, {1, 0}), F32({4, 5, 6, 1, 2, 3}, {2, 3}));
  ExpectBitEqual(Reordered(matrix, -2, {1, 0}), F32({4, 5, 6, 1, 2, 3}, {2, 3}));
  ExpectBitEqual(Reordered(I32({7, 8, 9}, {3}), 0, {1, 2, 0}), I32({8, 9, 7}, {3}));
}

TEST(ChannelOrderTest, RefusesWhatIsNoOrder) {
  EXPECT_ERROR(RequireOrder({0, 1}, 3, "residual"), ErrorKind::kInvalidInput,
               HasSubstr("residual: an order of 2 channels, expected 3"));
  EXPECT_ERROR(RequireOrder({0, 3, 1}, 3, "residual"), ErrorKind::kInvalidInput,
               HasSubstr("residual: place 1 has channel 3, expected 0 to 2"));
  EXPECT_ERROR(RequireOrder({0, -1, 1}, 3, "residual"), ErrorKind::kInvalidInput, HasSubstr("channel -1"));
  EXPECT_ERROR(RequireOrder({1, 0, 1}, 3, "residual"), ErrorKind::kInvalidInput,
               HasSubstr("residual: place 2 has channel 1 again, expected each channel once"));
  EXPECT_ERROR(Reordered(F32({1, 2}, {2}), 1, {0, 1}), ErrorKind::kInvalidInput, HasSubstr("2"));
  EXPECT_ERROR(Reordered(Tensor::Zeros({2, 2, 2}), 0, {0, 1}), ErrorKind::kInvalidInput, HasSubstr("rank 1 or 2"));
}

}  // namespace
}  // namespace twofour::sparse
