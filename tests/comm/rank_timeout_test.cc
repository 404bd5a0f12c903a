#include "twofour/comm/rank_timeout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/expect_error.h"
#include "tests/support/scoped_env.h"

namespace twofour::comm {
namespace {

using test::ScopedEnv;

double With(std::optional<std::string> value) {
  const ScopedEnv scope("TWOFOUR_RANK_TIMEOUT", std::move(value));
  return RankTimeoutSeconds();
}

TEST(RankTimeoutTest, IsFiveMinutesOrWhatTheEnvironmentSays) {
  EXPECT_EQ(With({}), 300);
  EXPECT_EQ(With(""), 300);
  EXPECT_EQ(With("20"), 20);
  EXPECT_EQ(With("0.5"), 0.5);
  EXPECT_EQ(With("1e9"), 1e9);
}

TEST(RankTimeoutTest, RefusesOtherValues) {
  for (const char* value : {"0", "-1", "soon", "5s", " 5", "nan", "inf", "1.1e9", "1e999"}) {
    EXPECT_ERROR(With(value), ErrorKind::kInvalidInput,
                 AllOf(testing::HasSubstr("TWOFOUR_RANK_TIMEOUT is '"),
                       testing::HasSubstr("expected a number of seconds above 0, at most 1e+09")));
  }
}

}  // namespace
}  // namespace twofour::comm
