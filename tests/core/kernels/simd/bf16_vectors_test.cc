// The functions of bf16_vectors-inl.h against plain definitions, element by element, and the emulated ones against the
// processor's own.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/random.h"

#include "tests/support/awkward_floats.h"
#include "tests/support/bf16_wrappers.h"

namespace twofour::test {
namespace {

/// Element i of a vector of pairs.
uint16_t HalfOf(const uint32_t (&pairs)[16], int i) { return static_cast<uint16_t>(pairs[i / 2] >> (16 * (i % 2))); }

void SetHalf(uint32_t (&pairs)[16], int i, uint16_t bits) {
  pairs[i / 2] = (pairs[i / 2] & ~(0xffffU << (16 * (i % 2)))) | uint32_t{bits} << (16 * (i % 2));
}

/// out = for each of 32 elements, element(i).
template <typename Element>
void FillHalves(uint32_t (&out)[16], const Element& element) {
  for (int i = 0; i < 32; ++i) SetHalf(out, i, element(i));
}

/// What takes vectors to one vector of floats, lane by lane.
template <typename Lane>
auto Floats(const Lane& lane) {
  return [lane](const Bf16Vectors& in, Bf16Vectors& out) {
    for (int i = 0; i < 16; ++i) out.floats[0][i] = lane(in, i);
  };
}

/// What takes vectors to one vector of pairs, element by element.
template <typename Element>
auto Halves(const Element& element) {
  return [element](const Bf16Vectors& in, Bf16Vectors& out) {
    FillHalves(out.pairs[0], [&](int i) { return element(in, i); });
  };
}

/// What takes the first vector to `count` bits.
template <typename Bit>
auto Bits(int count, const Bit& bit) {
  return [count, bit](const Bf16Vectors& in, Bf16Vectors& out) {
    out.bits = 0;
    for (int i = 0; i < count; ++i) out.bits |= static_cast<uint32_t>(bit(in, i)) << i;
  };
}

/// What takes the first vector to another order of its elements.
template <typename Place>
auto Reordered(const Place& place) {
  return Halves([place](const Bf16Vectors& in, int i) { return HalfOf(in.pairs[0], place(i)); });
}

bool IsZero(uint16_t bits) { return (bits & 0x7fff) == 0; }
bool IsNaN(uint16_t bits) { return (bits & 0x7fff) > 0x7f80; }
uint16_t RoundedBits(float x) { return NearestBf16(x).bits(); }
BFloat16 ElementOf(const uint32_t (&pairs)[16], int i) { return BFloat16::FromBits(HalfOf(pairs, i)); }

float DotOf(const Bf16Vectors& in, int i) {
  const auto add = [&](int at, float sum) {
    return FusedMultiplyAddBf16(ElementOf(in.pairs[0], at), ElementOf(in.pairs[1], at), sum);
  };
  return add(2 * i, add(2 * i + 1, in.floats[0][i]));
}

/// The halves of two vectors that are added, again and again.
void SumInHalves(const Bf16Vectors& in, Bf16Vectors& out) {
  float sums[16];
  std::copy_n(in.floats[0], 16, sums);
  for (int half = 8; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) sums[i] += sums[half + i];
  }
  out.floats[0][0] = sums[0];
}

void LoadElements(const Bf16Vectors& in, Bf16Vectors& out) {
  FillHalves(out.pairs[0],
             [&](int i) { return i < 16 ? HalfOf(in.pairs[0], 5 + i) : HalfOf(in.pairs[1], 1 + i - 16); });
}

using Definition = std::function<void(const Bf16Vectors& in, Bf16Vectors& out)>;

const std::map<std::string, Definition>& Definitions() {
  using In = const Bf16Vectors&;
  static const std::map<std::string, Definition> definitions = {
      {"ZeroFloats", Floats([](In, int) { return 0.0f; })},
      {"SetFloats", Floats([](In in, int) { return in.floats[0][0]; })},
      {"LoadFloats", Floats([](In in, int i) { return in.floats[(i + 3) / 16][(i + 3) % 16]; })},
      {"Add", Floats([](In in, int i) { return in.floats[0][i] + in.floats[1][i]; })},
      {"LoadFirstFloats",
       Floats([](In in, int i) { return i < static_cast<int>(in.bits % 17) ? in.floats[1][i] : 0.0f; })},
      {"PickFloats", Floats([](In in, int i) {
         return (in.bits >> i & 1) != 0 ? in.floats[1][in.pairs[0][i] & 15] : in.floats[0][i];
       })},
      {"SetPairs", [](In in, Bf16Vectors& out) { std::fill_n(out.pairs[0], 16, in.bits); }},
      {"LoadPairs",
       [](In in, Bf16Vectors& out) {
         for (int i = 0; i < 16; ++i) out.pairs[0][i] = in.pairs[(i + 3) / 16][(i + 3) % 16];
       }},
      {"LoadHalves", LoadElements},
      {"LoadBf16",
       [](In in, Bf16Vectors& out) {
         LoadElements(in, out);
         std::copy_n(in.pairs[0], 16, out.pairs[1]);
         FillHalves(out.pairs[2], [&](int i) { return RoundedBits(in.floats[1 - i / 16][i % 16]); });
         FillHalves(out.pairs[3], [&](int i) { return RoundedBits(in.floats[i / 16][i % 16]); });
       }},
      {"DotPairs", Floats(DotOf)},
      {"RoundToBf16", Halves([](In in, int i) { return RoundedBits(in.floats[i / 16][i % 16]); })},
      {"BitsOf",
       [](In in, Bf16Vectors& out) {
         for (int i = 0; i < 16; ++i) {
           out.pairs[0][i] = RoundedBits(in.floats[0][i]);
           out.pairs[1][i] = HalfOf(in.pairs[0], i);
         }
       }},
      {"PairHalves", Reordered([](int i) { return i / 2 + i % 2 * 16; })},
      {"InterleaveLower", Halves([](In in, int i) { return HalfOf(in.pairs[i % 2], i / 8 * 8 + i % 8 / 2); })},
      {"InterleaveUpper", Halves([](In in, int i) { return HalfOf(in.pairs[i % 2], i / 8 * 8 + 4 + i % 8 / 2); })},
      // The first half holds the lower four of each block of 8, the second half the upper four.
      {"UndoInterleave",
       [](In in, Bf16Vectors& out) {
         for (int i = 0; i < 32; ++i)
           SetHalf(out.pairs[0], i % 16 / 4 * 8 + i / 16 * 4 + i % 4, HalfOf(in.pairs[0], i));
       }},
      {"FirstsOf", Halves([](In in, int i) { return HalfOf(in.pairs[i / 16], i % 16 * 2); })},
      {"SecondsOf", Halves([](In in, int i) { return HalfOf(in.pairs[i / 16], i % 16 * 2 + 1); })},
      {"Loaded", Reordered([](int i) { return i; })},
      {"StreamPairs", Reordered([](int i) { return i; })},
      {"ReluSquared", Floats([](In in, int i) {
         const float x = in.floats[0][i];
         return std::isnan(x) || x > 0 ? x * x : 0.0f;
       })},
      {"JoinQuads", Reordered([](int i) { return i / 8 * 8 + i % 8 / 2 + i % 2 * 4; })},
      {"NonZeros", Bits(32, [](In in, int i) { return !IsZero(HalfOf(in.pairs[0], i)); })},
      {"KeepElements",
       Halves([](In in, int i) { return (in.bits >> i & 1) != 0 ? HalfOf(in.pairs[0], i) : uint16_t{0}; })},
      {"CompressElements",
       [](In in, Bf16Vectors& out) {
         int count = 0;
         for (int i = 0; i < 32; ++i) {
           if ((in.bits >> i & 1) != 0) SetHalf(out.pairs[0], count++, HalfOf(in.pairs[0], i));
         }
         while (count < 32) SetHalf(out.pairs[0], count++, 0);
       }},
      {"StoreFirstElements",
       [](In in, Bf16Vectors& out) {
         for (int i = 0; i < 32; ++i) {
           SetHalf(out.pairs[0], i, HalfOf(in.pairs[i < static_cast<int>(in.bits % 33) ? 0 : 1], i));
         }
       }},
      {"AddElements",
       Halves([](In in, int i) { return static_cast<uint16_t>(HalfOf(in.pairs[0], i) + HalfOf(in.pairs[1], i)); })},
      {"CountBits",
       [](In in, Bf16Vectors& out) {
         std::memcpy(out.pairs[0], in.pairs[0], sizeof(out.pairs[0]));
         auto* const bytes = reinterpret_cast<uint8_t*>(out.pairs[0]);
         for (int i = 0; i < 32; ++i) {
           if ((in.pairs[1][0] >> i & 1) != 0) ++bytes[i];
           if ((in.bits >> i & 1) != 0) ++bytes[32 + i];
         }
       }},
      {"AsFloats", [](In in, Bf16Vectors& out) { std::memcpy(out.floats[0], in.pairs[0], sizeof(out.floats[0])); }},
      {"TwiceRootTimes", Floats([](In in, int i) {
         const float root = std::sqrt(in.floats[0][i]);
         return (root + root) * in.floats[1][i];
       })},
      {"SumOf", SumInHalves},
      {"TransposePairs",
       [](In in, Bf16Vectors& out) {
         for (int i = 0; i < 16; ++i) {
           for (int j = 0; j < 16; ++j) out.pairs[i][j] = in.pairs[j][i];
         }
       }},
  };
  return definitions;
}

/// Where a NaN may be another NaN: in what is computed. What is only moved keeps all its bits.
bool RoundsElements(const std::string& name) { return name == "RoundToBf16" || name == "LoadBf16" || name == "BitsOf"; }

void ExpectSame(const std::string& name, const Bf16Vectors& actual, const Bf16Vectors& expected) {
  ASSERT_EQ(actual.bits, expected.bits);
  for (int v = 0; v < 2; ++v) {
    for (int i = 0; i < 16; ++i) {
      ASSERT_TRUE(SameFloat(actual.floats[v][i], expected.floats[v][i]))
          << "lane " << i << ": " << std::hexfloat << actual.floats[v][i] << ", expected " << expected.floats[v][i];
    }
  }
  if (std::memcmp(actual.pairs, expected.pairs, sizeof(actual.pairs)) == 0) return;
  for (int i = 0; i < 16 * 32; ++i) {
    const uint16_t is = HalfOf(actual.pairs[i / 32], i % 32), should_be = HalfOf(expected.pairs[i / 32], i % 32);
    if (RoundsElements(name) && IsNaN(is) && IsNaN(should_be)) continue;
    ASSERT_EQ(is, should_be) << "element " << i % 32 << " of vector " << i / 32;
  }
}

/// Random numbers of one kind.
class Operands {
 public:
  static constexpr int kKinds = 5;

  Operands(int kind, uint32_t stream) : kind_(kind), random_({.seed = 31, .stream = stream}) {}

  Bf16Vectors Draw() {
    Bf16Vectors result;
    result.bits = Word();
    for (auto& vector : result.pairs) FillHalves(vector, [&](int) { return Half(); });
    for (int i = 0; i < 32; ++i) result.floats[i / 16][i % 16] = Float();
    if (kind_ == 4) {  // Sums that almost vanish.
      for (int i = 0; i < 16; ++i) {
        const float product = static_cast<float>(ElementOf(result.pairs[0], 2 * i + 1)) *
                              static_cast<float>(ElementOf(result.pairs[1], 2 * i + 1));
        result.floats[0][i] = -product * (1 + static_cast<float>(random_.Below(3)) * 0x1p-23f);
      }
    }
    return result;
  }

 private:
  uint32_t Word() { return random_.Below(1 << 16) << 16 | random_.Below(1 << 16); }

  uint16_t Half() {
    switch (kind_) {
      case 0:  // Any bits.
        return static_cast<uint16_t>(random_.Below(1 << 16));
      case 1:  // Zeros, denormal numbers, infinities, NaNs and others.
        return static_cast<uint16_t>(kAwkward[random_.Below(16)] ^ random_.Below(2) << 15);
      case 2:  // Factors of products around the smallest normal float.
        return static_cast<uint16_t>(random_.Below(2) << 15 | (63 + random_.Below(4)) << 7 | random_.Below(128));
      case 3:  // Factors of products around the largest float.
        return static_cast<uint16_t>(random_.Below(2) << 15 | (189 + random_.Below(3)) << 7 | random_.Below(128));
      default:
        return static_cast<uint16_t>(random_.Below(2) << 15 | (120 + random_.Below(16)) << 7 | random_.Below(128));
    }
  }

  float Float() {
    const auto of_exponent = [&](uint32_t exponent) {
      return std::bit_cast<float>((Word() & 0x807fffffU) | exponent << 23);
    };
    switch (kind_) {
      case 0:
        return std::bit_cast<float>(Word());
      case 1:  // Among them numbers halfway between two bf16, and just beside that.
        return std::bit_cast<float>(uint32_t{Half()} << 16 | kLowerHalves[random_.Below(6)]);
      case 2:
        return random_.Below(4) == 0 ? std::copysign(0x1p-126f, random_.Uniform(-1, 1)) : of_exponent(random_.Below(4));
      case 3:
        return of_exponent(252 + random_.Below(3));
      default:
        return of_exponent(120 + random_.Below(16));
    }
  }

  static constexpr uint16_t kAwkward[16] = {0,      0,      0,      0x0001, 0x007f, 0x0080, 0x7f80, 0x7f7f,
                                            0x7f81, 0x7fc0, 0x7fff, 0x3f80, 0x3f81, 0x4000, 0x4049, 0xbf80};
  static constexpr uint32_t kLowerHalves[6] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};

  int kind_;
  RandomSequence random_;
};

/// Calls test(wrapper, operands) for many operands.
template <typename Test>
void ForAllWrappers(const Bf16WrapperTable& table, const Test& test) {
  for (size_t at = 0; at < table.wrappers.size(); ++at) {
    const std::string name = table.wrappers[at].name;
    SCOPED_TRACE(name);
    for (int kind = 0; kind < Operands::kKinds; ++kind) {
      SCOPED_TRACE(kind);
      Operands operands(kind, static_cast<uint32_t>(at));
      for (int round = 0; round < (name == "DotPairs" ? 1000 : 50); ++round) {
        test(at, operands.Draw());
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

TEST(Bf16VectorsTest, EachDoesWhatItsDefinitionSays) {
  for (const Bf16WrapperTable& table : Bf16WrapperTables()) {
    if (!IsAllowed(table.isa)) continue;
    SCOPED_TRACE(std::string(NameOf(table.isa)));
    ASSERT_EQ(table.wrappers.size(), Definitions().size());
    ForAllWrappers(table, [&](size_t at, const Bf16Vectors& in) {
      const Bf16Wrapper& wrapper = table.wrappers[at];
      ASSERT_EQ(Definitions().count(wrapper.name), 1u);
      Bf16Vectors actual = in, expected = in;
      wrapper.run(in, actual);
      Definitions().at(wrapper.name)(in, expected);
      ExpectSame(wrapper.name, actual, expected);
    });
  }
}

TEST(Bf16VectorsTest, TheEmulationGivesTheBitsOfTheInstructions) {
  const std::vector<Bf16WrapperTable> tables = Bf16WrapperTables();
  if (tables.size() < 2 || !IsAllowed(tables[0].isa)) GTEST_SKIP() << "the processor has no such instructions";
  ForAllWrappers(tables[0], [&](size_t at, const Bf16Vectors& in) {
    ASSERT_STREQ(tables[0].wrappers[at].name, tables[1].wrappers[at].name);
    Bf16Vectors actual = in, expected = in;
    tables[1].wrappers[at].run(in, actual);
    tables[0].wrappers[at].run(in, expected);
    ExpectSame(tables[0].wrappers[at].name, actual, expected);
  });
}

TEST(Bf16VectorsTest, ASumJustBelowTheSmallestNormalNumberIsZero) {
  // 2^-126 less a little more than half of what the next smaller number would be less by, if exponents had no limit.
  // Among numbers as they are, 2^-126 is nearest.
  for (const Bf16WrapperTable& table : Bf16WrapperTables()) {
    if (!IsAllowed(table.isa)) continue;
    const auto dot = std::find_if(table.wrappers.begin(), table.wrappers.end(),
                                  [](const Bf16Wrapper& wrapper) { return std::string(wrapper.name) == "DotPairs"; });
    ASSERT_NE(dot, table.wrappers.end());
    const std::pair<float, float> factors_and_sums[] = {
        {0.5f, 0x1p-126f}, {0.625f, 0.0f}, {0.75f, 0.0f}, {1.0f, 0.0f}, {-0.75f, 0x1p-126f}, {-1.5f, 0x1.000002p-126f}};
    for (const auto& [factor, sum] : factors_and_sums) {
      for (const float sign : {1.0f, -1.0f}) {
        Bf16Vectors in, out;
        in.floats[0][0] = std::copysign(0x1p-126f, sign);
        in.pairs[0][0] = BFloat16(factor * 0x1p-75f).bits();
        in.pairs[1][0] = BFloat16(std::copysign(0x1p-75f, -sign)).bits();
        dot->run(in, out);
        EXPECT_EQ(out.floats[0][0], std::copysign(sum, sign)) << factor << " on " << NameOf(table.isa);
        EXPECT_EQ(std::signbit(out.floats[0][0]), sign < 0);
      }
    }
  }
}

}  // namespace
}  // namespace twofour::test
