#include "twofour/train/program/config/in_field.h"

#include <gtest/gtest.h>

#include "tests/support/expect_error.h"

namespace twofour::train {
namespace {

TEST(InFieldTest, GivesBackWhatTheUseGives) {
  EXPECT_EQ(InField("a", [] { return 3; }), 3);
}

TEST(InFieldTest, EachFaultBeginsWithTheFieldsName) {
  const auto fails = [] { throw Error("x: one\nx: two", ErrorKind::kRuntimeFailure); };
  EXPECT_ERROR(InField("data.path", fails), ErrorKind::kRuntimeFailure,
               "config: data.path: x: one\nconfig: data.path: x: two");
}

}  // namespace
}  // namespace twofour::train
