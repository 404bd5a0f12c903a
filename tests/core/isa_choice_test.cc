#include "twofour/core/isa_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/x86_features.h"

namespace twofour::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

using Isas = std::vector<Isa>;

const Isas kBuilt = {Isa::kAmxBf16, Isa::kAvx512Bf16, Isa::kAvx512, Isa::kAvx2, Isa::kSse4, Isa::kPortable};

/// Machines that count how often they are asked for AMX.
class MadeUpMachine {
 public:
  MadeUpMachine(Isas supported, bool intel, bool grants_amx = true) {
    machine_.built = kBuilt;
    machine_.supported = std::move(supported);
    machine_.intel = intel;
    machine_.grants_amx = [this, grants_amx] {
      ++asked_;
      return grants_amx;
    };
  }
  MadeUpMachine(const MadeUpMachine&) = delete;
  MadeUpMachine& operator=(const MadeUpMachine&) = delete;

  IsaChoice Choose(std::string_view limit = "") const { return ChooseIsas(machine_, limit); }
  int asked() const { return asked_; }

 private:
  Machine machine_;
  int asked_ = 0;
};

const Isas kUpToPairs = {Isa::kAvx512Bf16, Isa::kAvx512, Isa::kAvx2, Isa::kSse4, Isa::kPortable};

TEST(ChooseIsasTest, TakesWhatTheProcessorHasFastestFirst) {
  const MadeUpMachine machine({Isa::kPortable, Isa::kAvx2, Isa::kSse4}, true);
  const IsaChoice choice = machine.Choose();
  EXPECT_THAT(choice.allowed, ElementsAre(Isa::kAvx2, Isa::kSse4, Isa::kPortable));
  EXPECT_FALSE(choice.bf16_pairs_pay);
  EXPECT_EQ(machine.asked(), 0) << "for AMX, which the processor lacks";
}

TEST(ChooseIsasTest, PairsOfBf16PayExceptOnIntel) {
  for (const bool intel : {false, true}) {
    const MadeUpMachine machine(kUpToPairs, intel);
    for (const char* limit : {"", "amxbf16", "avx512bf16"}) {
      EXPECT_EQ(machine.Choose(limit).allowed, kUpToPairs) << limit << ": its kernels can still be forced";
      EXPECT_EQ(machine.Choose(limit).bf16_pairs_pay, !intel) << limit;
    }
    EXPECT_FALSE(machine.Choose("avx512").bf16_pairs_pay);
    EXPECT_THAT(machine.Choose("avx512").allowed, ElementsAre(Isa::kAvx512, Isa::kAvx2, Isa::kSse4, Isa::kPortable));
  }
}

TEST(ChooseIsasTest, OnlyWhatTheProcessorHasCanBeForbidden) {
  const MadeUpMachine machine(kUpToPairs, false);
  EXPECT_THAT(machine.Choose().forbidden, IsEmpty());
  EXPECT_THAT(machine.Choose("amxbf16").forbidden, IsEmpty());
  EXPECT_THAT(machine.Choose("avx512bf16").forbidden, IsEmpty());
  EXPECT_THAT(machine.Choose("avx2").forbidden, ElementsAre(Isa::kAvx512Bf16, Isa::kAvx512));
  const MadeUpMachine lesser({Isa::kPortable, Isa::kAvx2, Isa::kSse4}, false);
  EXPECT_THAT(lesser.Choose("avx512bf16").forbidden, IsEmpty());
  EXPECT_THAT(lesser.Choose("sse4").forbidden, ElementsAre(Isa::kAvx2));
}

TEST(ChooseIsasTest, AmxIsTheBestWhereTheSystemGrantsIt) {
  Isas all = kUpToPairs;
  all.insert(all.begin(), Isa::kAmxBf16);
  const MadeUpMachine granting(all, true);
  EXPECT_EQ(granting.Choose().allowed, all);
  EXPECT_EQ(granting.Choose("amxbf16").allowed, all);
  EXPECT_EQ(granting.asked(), 2);

  const MadeUpMachine refusing(all, true, false);
  EXPECT_EQ(refusing.Choose().allowed, kUpToPairs);
  EXPECT_EQ(refusing.asked(), 1);
}

TEST(ChooseIsasTest, ALimitThatLeavesAmxOutDoesNotAskForIt) {
  const MadeUpMachine machine(kBuilt, true);
  EXPECT_EQ(machine.Choose("avx512bf16").allowed, kUpToPairs);
  EXPECT_THAT(machine.Choose("portable").allowed, ElementsAre(Isa::kPortable));
  EXPECT_EQ(machine.asked(), 0);
}

TEST(ChooseIsasTest, RefusesALimitThatTheBuildDoesNotKnow) {
  const MadeUpMachine machine(kUpToPairs, false);
  for (const char* limit : {"neon", "any", "AVX2", "avx2 "}) {
    EXPECT_THAT([&] { machine.Choose(limit); },
                ThrowsMessage<Error>("TWOFOUR_MAX_ISA=" + std::string(limit) +
                                     ": no such instruction set, expected one of amxbf16, avx512bf16, avx512, avx2, "
                                     "sse4, portable"));
  }
  Machine without_library;
  without_library.built = kUpToPairs;
  EXPECT_THAT([&] { ChooseIsas(without_library, "amxbf16"); },
              ThrowsMessage<Error>(HasSubstr("expected one of avx512bf16, ")));
}

TEST(ScopedIsaChoiceTest, TakesTheMachinesPlaceWhileItLives) {
  const Isas before = AllowedIsas();
  const bool paid = Bf16PairsPay();
  {
    const ScopedIsaChoice outer({.allowed = {Isa::kAmxBf16, Isa::kAvx512Bf16}, .bf16_pairs_pay = true});
    EXPECT_EQ(BestIsa(), Isa::kAmxBf16);
    EXPECT_TRUE(Bf16PairsPay());
    {
      const ScopedIsaChoice inner({.allowed = {Isa::kPortable}});
      EXPECT_FALSE(IsAllowed(Isa::kAmxBf16));
      EXPECT_FALSE(Bf16PairsPay());
    }
    EXPECT_TRUE(IsAllowed(Isa::kAmxBf16));
  }
  EXPECT_EQ(AllowedIsas(), before);
  EXPECT_EQ(Bf16PairsPay(), paid);
}

TEST(X86FeaturesTest, AmxIsAllowedOnlyIfTheProcessorHasItAndTheSystemGrantsIt) {
  const bool granted = AskForAmx();
  EXPECT_EQ(AskForAmx(), granted);
  EXPECT_TRUE((granted && HasAmxBf16()) || !IsAllowed(Isa::kAmxBf16));
}

}  // namespace
}  // namespace twofour::internal
