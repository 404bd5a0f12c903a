#include "twofour/sparse/kernels/int8/int8_stream.h"

#include <algorithm>
#include <cassert>

#include "twofour/core/parallel.h"

namespace twofour::sparse {
namespace {

constexpr int64_t kJoined = 4;

/// The counts of all three pairings, each rounded up.
StepCounts Spread(StepCounts counts) {
  StepCounts spread = 0;
  for (int pairing = 0; pairing < kPairings; ++pairing) {
    spread |= static_cast<StepCounts>(RoundUp(int64_t{CountOf(counts, pairing)}, kJoined)) << (16 * pairing);
  }
  return spread;
}

/// Room for the steps of one strip within one block, before they are joined.
struct Scratch {
  explicit Scratch(int64_t steps) : weights(steps * 4), offsets(steps * 2) {}
  PairBucketSteps steps() {
    return {reinterpret_cast<uint16_t(*)[2]>(offsets.data()), reinterpret_cast<float(*)[4]>(weights.data())};
  }
  AlignedBuffer<float> weights;
  AlignedBuffer<uint16_t> offsets;
};

/// Joins `count` steps of one bucket.
void Join(const PairBucketSteps& from, int64_t count, uint16_t* offsets, uint32_t* weights) {
  for (int64_t step = 0; step < RoundUp(count, kJoined); ++step) {
    const int64_t source = std::min(step, count - 1), joined = step / kJoined, place = step % kJoined;
    for (int column = 0; column < 2; ++column) {
      offsets[joined * 8 + column * 4 + place] = from.offsets[source][column];
    }
    for (int w = 0; w < 4; ++w) {
      if (place == 0) weights[joined * 4 + w] = 0;
      if (step >= count) continue;
      const auto byte = static_cast<uint8_t>(static_cast<int8_t>(from.weights[source][w]));
      weights[joined * 4 + w] |= uint32_t{byte} << (8 * place);
    }
  }
}

}  // namespace

Int8Stream::Int8Stream(const StepSource& source, int64_t rows, int64_t cols, int64_t block_cols, int64_t column_bytes)
    : rows_(rows),
      cols_(cols),
      block_cols_(block_cols),
      column_bytes_(column_bytes),
      strips_(source.strips()),
      buckets_(source.LayOut(kJoined)),
      offsets_(int64_t{buckets_.back().begin} * 8),
      weights_(int64_t{buckets_.back().begin} * 4) {
  source.ForEach([&](int64_t i) {
    const StepCounts counts = source.counts(i), spread = Spread(counts), first = FirstSteps(spread);
    int64_t room = 0;
    for (int pairing = 0; pairing < kPairings; ++pairing) room += CountOf(spread, pairing);
    Scratch scratch(room + 1);
    source.Write(i, spread, Isa::kAny, scratch.steps());
    int64_t to = buckets_[static_cast<size_t>(i)].begin;
    for (int pairing = 0; pairing < kPairings; ++pairing) {
      Join(scratch.steps() + CountOf(first, pairing), CountOf(counts, pairing), offsets_.data() + to * 8,
           weights_.data() + to * 4);
      to += CeilDiv(int64_t{CountOf(counts, pairing)}, kJoined);
    }
    assert(to == buckets_[static_cast<size_t>(i) + 1].begin);
  });
}

size_t Int8Stream::bytes() const { return buckets_.size() * sizeof(Buckets) + offsets_.bytes() + weights_.bytes(); }

void Int8Stream::UnpackRow(int64_t row, int8_t* to) const {
  std::fill_n(to, cols_, int8_t{0});
  const int64_t strip = row / 4;
  for (int64_t block = 0; block < blocks(); ++block) {
    const Buckets& at = buckets(block)[strip];
    const int64_t end0 = at.begin + at.count[0], end1 = end0 + at.count[1], end = buckets(block)[strip + 1].begin;
    for (int64_t step = at.begin; step < end; ++step) {
      const auto& rows_of = kPairingRows[step < end0 ? 0 : step < end1 ? 1 : 2];
      for (int w = 0; w < 4; ++w) {
        if (rows_of[w] != row % 4) continue;
        for (int64_t place = 0; place < kJoined; ++place) {
          const int64_t col = block * block_cols_ + steps().offsets[step][w / 2 * 4 + place] / column_bytes_;
          const auto byte = static_cast<uint8_t>(steps().weights[step][w] >> (8 * place));
          if (byte != 0) to[col] = static_cast<int8_t>(byte);  // What fills a bucket up names a column again.
        }
      }
    }
  }
}

Int8Quads::Int8Quads(const Int8View& weight, const MaskView& mask, int64_t block_quads)
    : rows_(weight.rows), cols_(weight.cols), block_quads_(block_quads), quads_(strips() * quads() * 4) {
  ParallelFor(strips(), RowGrain(cols_ * 4), [&](int64_t begin, int64_t end) {
    for (int64_t strip = begin; strip < end; ++strip) {
      uint32_t* to = quads_.data() + strip * quads() * 4;
      for (int64_t quad = 0; quad < quads(); ++quad) {
        for (int64_t row = strip * 4; row < strip * 4 + 4; ++row, ++to) {
          *to = 0;
          for (int64_t col = quad * 4; row < rows_ && col < std::min(quad * 4 + 4, cols_); ++col) {
            if (!mask.Keeps(row, col)) continue;
            const auto byte = static_cast<uint8_t>(weight.values[row * cols_ + col]);
            *to |= uint32_t{byte} << (8 * (col - quad * 4));
          }
        }
      }
    }
  });
}

void Int8Quads::UnpackRow(int64_t row, int8_t* to) const {
  for (int64_t col = 0; col < cols_; ++col) {
    to[col] = static_cast<int8_t>(static_cast<uint8_t>(strip(row / 4)[col / 4][row % 4] >> (8 * (col % 4))));
  }
}

}  // namespace twofour::sparse
