#include "twofour/train/program/config/text_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sweep.pb.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour::train {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(ParseTextMessageTest, ReadsAnyTypeOfMessage) {
  proto::Sweep sweep;
  ParseTextMessage("base: 'x' axis { field: 'seed' value: ['1', '2'] }", "s", sweep);
  EXPECT_EQ(sweep.axis(0).value_size(), 2);
}

TEST(ParseTextMessageTest, NamesTheTypeThatLacksTheField) {
  proto::Sweep sweep;
  EXPECT_ERROR(ParseTextMessage("bsae: 'x'\naxis {\n  vaule: '1'\n}", "s.pbtxt", sweep), ErrorKind::kInvalidInput,
               AllOf(HasSubstr("s.pbtxt:1:1: unknown field 'bsae' in Sweep (did you mean 'base'?)"),
                     HasSubstr("s.pbtxt:3:3: unknown field 'vaule' in Axis (did you mean 'value'?)")));
}

TEST(LoadTextMessageTest, NamesTheFile) {
  const test::TempDir dir;
  test::WriteTextFile(dir / "s.pbtxt", "seed: minus");
  proto::Sweep sweep;
  EXPECT_ERROR(LoadTextMessage((dir / "s.pbtxt").string(), sweep), ErrorKind::kInvalidInput,
               HasSubstr("s.pbtxt:1:7: "));
  EXPECT_ERROR(LoadTextMessage((dir / "none.pbtxt").string(), sweep), ErrorKind::kInvalidInput,
               HasSubstr("none.pbtxt"));
}

}  // namespace
}  // namespace twofour::train
