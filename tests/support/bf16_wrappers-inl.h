// Calls the functions of bf16_vectors-inl.h on vectors in memory. Compiled twice: see there.
#include <algorithm>
#include <cstdint>

#include "twofour/core/kernels/simd/bf16_vectors-inl.h"

#include "tests/support/bf16_wrappers.h"

TWOFOUR_BF16_BEFORE
namespace twofour::test::TWOFOUR_BF16 {
namespace {

using namespace twofour::TWOFOUR_BF16;

Pairs PairsAt(const Bf16Vectors& in, int i) { return LoadPairs(in.pairs[i]); }
Floats FloatsAt(const Bf16Vectors& in, int i) { return LoadFloats(in.floats[i]); }
void Give(const Pairs& x, Bf16Vectors& out) { StorePairs(x, out.pairs[0]); }
void GiveFloats(const Floats& x, Bf16Vectors& out) { StoreFloats(x, out.floats[0]); }

/// `count` elements from the beginning of a vector of pairs.
struct Halves {
  explicit Halves(const uint32_t (&pairs)[16]) { std::memcpy(elements, pairs, sizeof(elements)); }
  BFloat16 elements[2 * kLanes];
};

void RunZeroFloats(const Bf16Vectors&, Bf16Vectors& out) { GiveFloats(ZeroFloats(), out); }
void RunSetFloats(const Bf16Vectors& in, Bf16Vectors& out) { GiveFloats(SetFloats(in.floats[0][0]), out); }
void RunLoadFloats(const Bf16Vectors& in, Bf16Vectors& out) { GiveFloats(LoadFloats(in.floats[0] + 3), out); }
void RunLoadFirstFloats(const Bf16Vectors& in, Bf16Vectors& out) {
  GiveFloats(LoadFirstFloats(in.floats[1], static_cast<int>(in.bits % 17)), out);
}
void RunPickFloats(const Bf16Vectors& in, Bf16Vectors& out) {
  GiveFloats(PickFloats(FloatsAt(in, 0), in.bits & 0xffffU, PairsAt(in, 0), FloatsAt(in, 1)), out);
}
void RunAdd(const Bf16Vectors& in, Bf16Vectors& out) { GiveFloats(Add(FloatsAt(in, 0), FloatsAt(in, 1)), out); }
void RunSetPairs(const Bf16Vectors& in, Bf16Vectors& out) { Give(SetPairs(in.bits), out); }
void RunLoadPairs(const Bf16Vectors& in, Bf16Vectors& out) { Give(LoadPairs(in.pairs[0] + 3), out); }
void RunLoadHalves(const Bf16Vectors& in, Bf16Vectors& out) {
  const Halves low(in.pairs[0]), high(in.pairs[1]);
  Give(LoadHalves(low.elements + 5, high.elements + 1), out);
}
void RunLoadBf16(const Bf16Vectors& in, Bf16Vectors& out) {
  const Halves low(in.pairs[0]), high(in.pairs[1]);
  StorePairs(LoadBf16(low.elements + 5, high.elements + 1), out.pairs[0]);
  StorePairs(LoadBf16(low.elements), out.pairs[1]);
  StorePairs(LoadBf16(in.floats[1], in.floats[0]), out.pairs[2]);
  StorePairs(LoadBf16(in.floats[0]), out.pairs[3]);
}
void RunDotPairs(const Bf16Vectors& in, Bf16Vectors& out) {
  GiveFloats(DotPairs(FloatsAt(in, 0), PairsAt(in, 0), PairsAt(in, 1)), out);
}
void RunRoundToBf16(const Bf16Vectors& in, Bf16Vectors& out) {
  Give(RoundToBf16(FloatsAt(in, 0), FloatsAt(in, 1)), out);
}
void RunBitsOf(const Bf16Vectors& in, Bf16Vectors& out) {
  const Halves halves(in.pairs[0]);
  for (int i = 0; i < kLanes; ++i) {
    out.pairs[0][i] = BitsOf(in.floats[0][i]);
    out.pairs[1][i] = BitsOf(halves.elements[i]);
  }
}
void RunPairHalves(const Bf16Vectors& in, Bf16Vectors& out) { Give(PairHalves(PairsAt(in, 0)), out); }
void RunInterleaveLower(const Bf16Vectors& in, Bf16Vectors& out) {
  Give(InterleaveLower(PairsAt(in, 0), PairsAt(in, 1)), out);
}
void RunInterleaveUpper(const Bf16Vectors& in, Bf16Vectors& out) {
  Give(InterleaveUpper(PairsAt(in, 0), PairsAt(in, 1)), out);
}
void RunUndoInterleave(const Bf16Vectors& in, Bf16Vectors& out) { Give(UndoInterleave(PairsAt(in, 0)), out); }
void RunFirstsOf(const Bf16Vectors& in, Bf16Vectors& out) { Give(FirstsOf(PairsAt(in, 0), PairsAt(in, 1)), out); }
void RunSecondsOf(const Bf16Vectors& in, Bf16Vectors& out) { Give(SecondsOf(PairsAt(in, 0), PairsAt(in, 1)), out); }
void RunLoaded(const Bf16Vectors& in, Bf16Vectors& out) { Give(Loaded(PairsAt(in, 0)), out); }
void RunStreamPairs(const Bf16Vectors& in, Bf16Vectors& out) {
  StreamPairs(PairsAt(in, 0), out.pairs[0]);
  FlushStream();
}
void RunReluSquared(const Bf16Vectors& in, Bf16Vectors& out) { GiveFloats(ReluSquared(FloatsAt(in, 0)), out); }
void RunJoinQuads(const Bf16Vectors& in, Bf16Vectors& out) { Give(JoinQuads(PairsAt(in, 0)), out); }
void RunNonZeros(const Bf16Vectors& in, Bf16Vectors& out) { out.bits = NonZeros(PairsAt(in, 0)); }
void RunKeepElements(const Bf16Vectors& in, Bf16Vectors& out) { Give(KeepElements(PairsAt(in, 0), in.bits), out); }
void RunCompressElements(const Bf16Vectors& in, Bf16Vectors& out) {
  Give(CompressElements(PairsAt(in, 0), in.bits), out);
}
void RunStoreFirstElements(const Bf16Vectors& in, Bf16Vectors& out) {
  std::copy_n(in.pairs[1], kLanes, out.pairs[0]);
  StoreFirstElements(PairsAt(in, 0), static_cast<int>(in.bits % 33), out.pairs[0]);
}
void RunAddElements(const Bf16Vectors& in, Bf16Vectors& out) { Give(AddElements(PairsAt(in, 0), PairsAt(in, 1)), out); }
void RunCountBits(const Bf16Vectors& in, Bf16Vectors& out) {
  Give(CountBits(PairsAt(in, 0), uint64_t{in.bits} << 32 | in.pairs[1][0]), out);
}
void RunAsFloats(const Bf16Vectors& in, Bf16Vectors& out) { GiveFloats(AsFloats(PairsAt(in, 0)), out); }
void RunTwiceRootTimes(const Bf16Vectors& in, Bf16Vectors& out) {
  GiveFloats(TwiceRootTimes(FloatsAt(in, 0), FloatsAt(in, 1)), out);
}
void RunSumOf(const Bf16Vectors& in, Bf16Vectors& out) { out.floats[0][0] = SumOf(FloatsAt(in, 0)); }
void RunTransposePairs(const Bf16Vectors& in, Bf16Vectors& out) {
  Pairs rows[kLanes];
  for (int i = 0; i < kLanes; ++i) rows[i] = PairsAt(in, i);
  TransposePairs(rows);
  for (int i = 0; i < kLanes; ++i) StorePairs(rows[i], out.pairs[i]);
}

}  // namespace
}  // namespace twofour::test::TWOFOUR_BF16
TWOFOUR_BF16_AFTER

// Runs on every processor, so it is compiled for the baseline.
namespace twofour::test::TWOFOUR_BF16 {

Bf16WrapperTable Bf16Wrappers() {
#define TWOFOUR_WRAPPER(name) \
  { #name, Run##name }
  return {TWOFOUR_BF16_NATIVE ? Isa::kAvx512Bf16 : Isa::kAny,
          {TWOFOUR_WRAPPER(ZeroFloats),      TWOFOUR_WRAPPER(SetFloats),
           TWOFOUR_WRAPPER(LoadFloats),      TWOFOUR_WRAPPER(Add),
           TWOFOUR_WRAPPER(SetPairs),        TWOFOUR_WRAPPER(LoadPairs),
           TWOFOUR_WRAPPER(LoadHalves),      TWOFOUR_WRAPPER(LoadBf16),
           TWOFOUR_WRAPPER(DotPairs),        TWOFOUR_WRAPPER(RoundToBf16),
           TWOFOUR_WRAPPER(BitsOf),          TWOFOUR_WRAPPER(PairHalves),
           TWOFOUR_WRAPPER(InterleaveLower), TWOFOUR_WRAPPER(InterleaveUpper),
           TWOFOUR_WRAPPER(UndoInterleave),  TWOFOUR_WRAPPER(FirstsOf),
           TWOFOUR_WRAPPER(SecondsOf),       TWOFOUR_WRAPPER(Loaded),
           TWOFOUR_WRAPPER(StreamPairs),     TWOFOUR_WRAPPER(ReluSquared),
           TWOFOUR_WRAPPER(JoinQuads),       TWOFOUR_WRAPPER(NonZeros),
           TWOFOUR_WRAPPER(KeepElements),    TWOFOUR_WRAPPER(CompressElements),
           TWOFOUR_WRAPPER(AddElements),     TWOFOUR_WRAPPER(StoreFirstElements),
           TWOFOUR_WRAPPER(CountBits),       TWOFOUR_WRAPPER(AsFloats),
           TWOFOUR_WRAPPER(TwiceRootTimes),  TWOFOUR_WRAPPER(SumOf),
           TWOFOUR_WRAPPER(TransposePairs),  TWOFOUR_WRAPPER(LoadFirstFloats),
           TWOFOUR_WRAPPER(PickFloats)}};
#undef TWOFOUR_WRAPPER
}

}  // namespace twofour::test::TWOFOUR_BF16
