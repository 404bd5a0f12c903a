#include "twofour/core/isa.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/error.h"

namespace twofour {
namespace {

TEST(IsaTest, AllowedOnesHaveNamesAndComeFastestFirst) {
  const std::vector<Isa> allowed = AllowedIsas();
  ASSERT_FALSE(allowed.empty());
  for (const Isa isa : allowed) {
    EXPECT_THAT(std::string(NameOf(isa)), ::testing::MatchesRegex("[a-z][a-z0-9]+"));
    EXPECT_TRUE(IsAllowed(isa));
  }
  EXPECT_EQ(BestIsa(), allowed.front());
  EXPECT_TRUE(std::is_sorted(allowed.rbegin(), allowed.rend()));
  EXPECT_EQ(std::count(allowed.begin(), allowed.end(), Isa::kAny), 0);
}

TEST(IsaTest, ProductsOfPairsComeBeforeTheSetThatTheyExtend) {
  EXPECT_GT(Isa::kAvx512Bf16, Isa::kAvx512);
  EXPECT_EQ(NameOf(Isa::kAvx512Bf16), "avx512bf16");
}

/// The limit is read once in a process. So each of these runs in a process of its own, which must not ask before.
class MaxIsaDeathTest : public ::testing::Test {
 protected:
  MaxIsaDeathTest() { ::testing::FLAGS_gtest_death_test_style = "threadsafe"; }

  /// Ends the process with what the error says, or with the names that are allowed.
  [[noreturn]] static void SayWhatIsAllowed(std::string_view limit) {
    setenv("TWOFOUR_MAX_ISA", std::string(limit).c_str(), 1);
    try {
      for (const Isa isa : AllowedIsas()) std::cerr << NameOf(isa) << ' ';
    } catch (const Error& error) {
      std::cerr << error.what();
    }
    std::exit(0);
  }
};

TEST_F(MaxIsaDeathTest, LeavesOutAllThatAreFaster) {
  const auto expect = [](Isa limit, const std::string& pattern) {
    EXPECT_EXIT(SayWhatIsAllowed(NameOf(limit)), ::testing::ExitedWithCode(0), pattern) << NameOf(limit);
  };
  // A build for another processor has no such name.
  const std::string unknown = "|no such instruction set, expected one of ";
  expect(Isa::kAvx512Bf16, "^(avx512bf16 )?(avx512vnni )?(avx512 )?(avxvnni )?(avx2 )?(sse4 )?(portable )?$" + unknown);
  expect(Isa::kAvx512Vnni, "^(avx512vnni )?(avx512 )?(avxvnni )?(avx2 )?(sse4 )?(portable )?$" + unknown);
  expect(Isa::kAvx512, "^(avx512 )?(avxvnni )?(avx2 )?(sse4 )?(portable )?$" + unknown);
  expect(Isa::kAvx2, "^(avx2 )?(sse4 )?(portable )?$" + unknown);
  expect(Isa::kSse4, "^(sse4 )?(portable )?$" + unknown);
}

TEST_F(MaxIsaDeathTest, AnUnknownNameIsAnErrorThatListsTheKnownOnes) {
  EXPECT_EXIT(SayWhatIsAllowed("avx9"), ::testing::ExitedWithCode(0),
              "TWOFOUR_MAX_ISA=avx9: no such instruction set, expected one of [a-z0-9]+");
#ifdef __x86_64__
  EXPECT_EXIT(SayWhatIsAllowed("avx9"), ::testing::ExitedWithCode(0),
              "expected one of (amxbf16, )?avx512bf16, .*avx2, sse4");
#endif
}

TEST(IsaTest, CodeForAnyProcessorRunsOnAny) {
  EXPECT_TRUE(IsAllowed(Isa::kAny));
  EXPECT_EQ(NameOf(Isa::kAny), "any");
}

}  // namespace
}  // namespace twofour
