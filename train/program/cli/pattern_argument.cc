#include "twofour/train/program/cli/pattern_argument.h"

#include <fmt/format.h>

#include <charconv>
#include <system_error>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/faults.h"
#include "twofour/sparse/permutation/pattern_mask.h"
#include "twofour/sparse/vnm_pattern.h"

namespace twofour::train {
namespace {

/// The whole numbers between colons; empty if something else is between them.
std::vector<int> Numbers(const std::string& text) {
  std::vector<int> numbers;
  const char *at = text.data(), *const end = at + text.size();
  while (true) {
    const auto [after, error] = std::from_chars(at, end, numbers.emplace_back());
    if (error != std::errc() || (after != end && *after != ':')) return {};
    if (after == end) return numbers;
    at = after + 1;
  }
}

sparse::VnmInner ParseInner(const std::string& inner) {
  for (const sparse::VnmInner known : {sparse::VnmInner::kTransposable, sparse::VnmInner::kRows}) {
    if (inner == NameOf(known)) return known;
  }
  throw Error(fmt::format("--inner: '{}', expected transposable or rows", inner));
}

}  // namespace

sparse::VnmPattern ParsePattern(const std::string& pattern, const std::string& inner) {
  const std::vector<int> numbers = Numbers(pattern);
  sparse::VnmPattern parsed{.inner = ParseInner(inner)};
  if (numbers == std::vector{2, 4}) {
    parsed.m = sparse::kPlainColumns;
    return parsed;
  }
  if (numbers.size() != 3) {
    throw Error(fmt::format("--pattern: '{}', expected 2:4 or V:2:M as in 64:2:8", pattern));
  }
  parsed.v = numbers[0];
  parsed.n = numbers[1];
  parsed.m = numbers[2];
  Checked(parsed, "");
  return parsed;
}

sparse::MaskFormat ParseRowPattern(const std::string& pattern) {
  const std::vector<int> numbers = Numbers(pattern);
  if (numbers.size() == 2 && 1 <= numbers[0] && numbers[0] <= numbers[1] && numbers[1] <= 32) {
    return sparse::MaskFormat::Rows(numbers[0], numbers[1]);
  }
  if (numbers.size() == 3) {
    const sparse::VnmPattern vnm{.v = numbers[0], .n = numbers[1], .m = numbers[2], .inner = sparse::VnmInner::kRows};
    if (FaultsOf(vnm, "").count() == 0) return sparse::MaskFormat::Vnm(vnm);
  }
  throw Error(
      fmt::format("--pattern '{}': expected N:M with 1 <= N <= M <= 32, such as 2:4, or V:2:M with V a multiple of 4 "
                  "from 4 to 256 and M from 5 to 32, such as 64:2:8",
                  pattern));
}

}  // namespace twofour::train
