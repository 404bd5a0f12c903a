#include "twofour/train/data/token_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

std::shared_ptr<const TokenSource> Zeros(size_t size) {
  return std::make_shared<InMemoryTokens>(std::vector<uint16_t>(size));
}

TEST(WholeOfTest, IsAllTokens) {
  const auto source = Zeros(7);
  const TokenSpan span = WholeOf(source);
  EXPECT_EQ(span.source, source);
  EXPECT_EQ(span.begin, 0);
  EXPECT_EQ(span.end, 7);
  EXPECT_EQ(span.size(), 7);
}

TEST(SplitEndTest, HoldsOutTheEnd) {
  const auto source = Zeros(10);
  TokenData data;
  SplitEnd(source, 0.25, data);  // 2.5 tokens are rounded up.
  EXPECT_EQ(data.train.source, source);
  EXPECT_EQ(data.train.begin, 0);
  EXPECT_EQ(data.train.end, 7);
  EXPECT_EQ(data.eval.source, source);
  EXPECT_EQ(data.eval.begin, 7);
  EXPECT_EQ(data.eval.end, 10);
}

TEST(SplitEndTest, Errors) {
  TokenData data;
  for (const double fraction : {0.0, 1.0, -0.5, 2.0, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THAT([&] { SplitEnd(Zeros(10), fraction, data); },
                ThrowsMessage<Error>(HasSubstr("expected a number between 0 and 1")));
  }
  EXPECT_THAT([&] { SplitEnd(Zeros(10), 0.01, data); },
              ThrowsMessage<Error>("eval_fraction: 0.01 of 10 tokens leaves 10 to train on and 0 to evaluate, expected "
                                   "at least 1 of each"));
  EXPECT_THROW(SplitEnd(Zeros(10), 0.99, data), Error);
  EXPECT_THROW(SplitEnd(Zeros(0), 0.5, data), Error);
}

}  // namespace
}  // namespace twofour::train
