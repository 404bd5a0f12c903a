#include "twofour/core/processor_name.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"

namespace twofour {
namespace {

TEST(ProcessorNameTest, IsTheFirstModelName) {
  const test::TempDir dir;
  const auto name_in = [&dir](const std::string& text) {
    test::WriteTextFile(dir / "cpuinfo", text);
    return ProcessorName((dir / "cpuinfo").string());
  };
  EXPECT_EQ(name_in("processor\t: 0\nmodel\t\t: 1\nmodel name\t: A Processor @ 2: fast \n\nmodel name\t: B\n"),
            "A Processor @ 2: fast");
  EXPECT_EQ(name_in("model name\nmodel name\t: \nmodel name:B"), "B");
  EXPECT_EQ(name_in("Processor\t: ARMv8\n"), "unknown processor");
  EXPECT_EQ(ProcessorName((dir / "none").string()), "unknown processor");
  EXPECT_FALSE(ProcessorName().empty());
}

}  // namespace
}  // namespace twofour
