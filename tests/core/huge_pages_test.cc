#include "twofour/core/huge_pages.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

namespace twofour {
namespace {

TEST(HugePagesTest, MemoryStaysAsGoodAsItWas) {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{5000}, size_t{9} << 20}) {
    std::vector<uint8_t> memory(bytes + 3, 7);
    PreferHugePages(memory.data() + 3, bytes);  // Aligned to nothing.
    std::ranges::fill(memory, uint8_t{9});
    EXPECT_EQ(std::ranges::count(memory, 9), static_cast<int64_t>(memory.size()));
  }
}

/// The flags of the mapping that begins at `address`, as the system lists them.
std::optional<std::string> FlagsAt(uintptr_t address) {
  std::ifstream maps("/proc/self/smaps");
  bool found = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.find('-') < line.find(' ')) {
      size_t length = 0;
      try {
        found = std::stoull(line, &length, 16) == address && line[length] == '-';
      } catch (const std::exception&) {
      }
    }
    if (found && line.starts_with("VmFlags:")) return line + " ";
  }
  return std::nullopt;
}

TEST(HugePagesTest, AsksTheSystem) {
  constexpr size_t kBytes = size_t{8} << 20;
  void* const memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  PreferHugePages(memory, kBytes);
  const std::optional<std::string> flags = FlagsAt(reinterpret_cast<uintptr_t>(memory));
  munmap(memory, kBytes);
  if (!flags || !std::ifstream("/sys/kernel/mm/transparent_hugepage/enabled")) {
    GTEST_SKIP() << "this system has no huge pages or does not list mappings";
  }
  EXPECT_NE(flags->find(" hg "), std::string::npos) << *flags;
}

}  // namespace
}  // namespace twofour
