#include "twofour/core/kernels/attention/rotary.h"

#include <cmath>
#include <memory>
#include <mutex>
#include <tuple>
#include <vector>

#include "twofour/core/dtype.h"
#include "twofour/core/kernels/attention/rotary_loops.h"
#include "twofour/core/parallel.h"
#include "twofour/core/recently_used.h"

namespace twofour::kernels {
namespace loops {

// The overload for double, as a plain loop. It is static and not in an unnamed namespace, because it overloads the f32
// loop.
static void Rotate(int64_t rows, int64_t half, const double* cosines, const double* sines, const double* x, double* y) {
  for (int64_t row = 0; row < rows; ++row, x += 2 * half, y += 2 * half) {
    for (int64_t i = 0; i < half; ++i) {
      y[i] = x[i] * cosines[i] + x[half + i] * sines[i];
      y[half + i] = x[half + i] * cosines[i] - x[i] * sines[i];
    }
  }
}

}  // namespace loops

namespace {

/// Cosines and sines of the angles of some positions, both [positions, head_size / 2].
template <typename C>
struct Turns {
  std::vector<C> cosines, sines;
};

/// For positions [begin, end) of the problem.
template <typename C>
Turns<C> TurnsOf(const RotaryProblem& p, int64_t begin, int64_t end) {
  const int64_t half = p.head_size / 2;
  Turns<C> turns;
  turns.cosines.reserve(static_cast<size_t>((end - begin) * half));
  turns.sines.reserve(static_cast<size_t>((end - begin) * half));
  for (int64_t t = begin; t < end; ++t) {
    for (const double frequency : p.frequencies) {
      const double angle = static_cast<double>(p.first_position + t) * frequency;
      turns.cosines.push_back(static_cast<C>(std::cos(angle)));
      turns.sines.push_back(static_cast<C>(p.back ? -std::sin(angle) : std::sin(angle)));
    }
  }
  return turns;
}

// Each layer of each training step asks for the same turns. They are kept for the problems that were seen last, unless
// they are so few that this is not worth it, as when one token is decoded, or so many that they take much memory.
constexpr int64_t kFewestKept = 16 * 32, kMostKept = int64_t{1} << 18;
constexpr size_t kKeptProblems = 4;

/// For all positions of the problem, or null where they are not kept.
template <typename C>
std::shared_ptr<const Turns<C>> KeptTurns(const RotaryProblem& p) {
  using Key = std::tuple<int64_t, std::vector<double>, int64_t, bool>;
  static std::mutex mutex;
  static auto& kept = *new RecentlyUsed<Key, std::shared_ptr<const Turns<C>>>(kKeptProblems);
  const int64_t size = p.positions * (p.head_size / 2);
  if (size < kFewestKept || size > kMostKept) return nullptr;
  const std::lock_guard lock(mutex);
  return kept.Get({p.positions, p.frequencies, p.first_position, p.back},
                  [&](const Key&) { return std::make_shared<const Turns<C>>(TurnsOf<C>(p, 0, p.positions)); });
}

}  // namespace

template <typename T>
void Rotary(const RotaryProblem& p, const T* x, T* y) {
  using C = ComputeType<T>;
  const int64_t half = p.head_size / 2, row = p.heads * p.head_size;
  const std::shared_ptr<const Turns<C>> kept = KeptTurns<C>(p);
  // Threads divide the positions, so that the turns of a position are computed once for all sequences.
  ParallelFor(p.positions, RowGrain(p.batch * row), [&](int64_t begin, int64_t end) {
    Turns<C> own;
    if (kept == nullptr) own = TurnsOf<C>(p, begin, end);
    const Turns<C>& turns = kept == nullptr ? own : *kept;
    for (int64_t t = begin; t < end; ++t) {
      const int64_t first = (kept == nullptr ? t - begin : t) * half;
      for (int64_t item = 0; item < p.batch; ++item) {
        const int64_t at = (item * p.positions + t) * row;
        loops::Rotate(p.heads, half, turns.cosines.data() + first, turns.sines.data() + first, x + at, y + at);
      }
    }
  });
}

template void Rotary<float>(const RotaryProblem&, const float*, float*);
template void Rotary<double>(const RotaryProblem&, const double*, double*);
template void Rotary<BFloat16>(const RotaryProblem&, const BFloat16*, BFloat16*);

}  // namespace twofour::kernels
