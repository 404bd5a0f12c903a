#include "twofour/train/program/prune/pattern_kind.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "twofour/core/error.h"
#include "twofour/core/faults.h"
#include "twofour/sparse/allocation/layer_steps.h"

namespace twofour::train {
namespace {

using Kind = sparse::MaskFormat::Kind;

constexpr char kExpectedKind[] =
    "a pattern without its sparsity, such as unstructured, unstructured:row, block:16x16, n:4, transposable:2:4, "
    "64:2:8 "
    "or rows:64:2:8";
constexpr size_t kMostLevels = 100;
constexpr double kUsualLevels[] = {0.25, 0.5, 0.75};

/// Those that a kind without a budget can have, from the least sparse on.
std::vector<sparse::PruningPattern> AllOf(sparse::PruningPattern kind) {
  if (sparse::HasOneSparsity(kind)) return {kind};
  std::vector<sparse::PruningPattern> all;
  for (kind.format.n = kind.format.m - 1; kind.format.n >= 1; --kind.format.n) all.push_back(kind);
  return all;
}

sparse::PruningPattern PatternAt(const sparse::PruningPattern& kind, double level, std::string_view where) {
  if (!(level > 0 && level < 1)) {
    throw Error(fmt::format("{}: {}, expected sparsities above 0 and below 1", where, level));
  }
  if (kind.has_budget()) {
    sparse::PruningPattern pattern = kind;
    pattern.sparsity = level;
    return pattern;
  }
  std::vector<std::string> possible;
  for (const sparse::PruningPattern& pattern : AllOf(kind)) {
    if (sparse::IsSameSparsity(pattern.Sparsity(), level)) return pattern;
    possible.push_back(fmt::format("{:.6g}", pattern.Sparsity()));
  }
  throw Error(fmt::format("{}: {}, expected {}{} with {}", where, level, possible.size() > 1 ? "one of " : "",
                          fmt::join(possible, ", "), KindText(kind)));
}

}  // namespace

std::optional<sparse::PruningPattern> ReadPatternKind(std::string_view text) {
  for (const sparse::PruningScope scope : {sparse::PruningScope::kLayer, sparse::PruningScope::kRow}) {
    const sparse::PruningPattern unstructured = sparse::PruningPattern::Unstructured(0, scope);
    if (text == KindText(unstructured)) return unstructured;
  }
  // Everything else is a pattern once a number stands where one is left open.
  std::string full(text);
  const bool blocks = text.starts_with("block:"), any_n = text.starts_with("n:");
  if (blocks) full += ":0";
  if (any_n) full[0] = '1';
  const std::optional<sparse::PruningPattern> pattern = sparse::ReadPruningPattern(full);
  if (!pattern || pattern->has_budget() != blocks || (any_n && pattern->format.kind != Kind::kRows)) {
    return std::nullopt;
  }
  return pattern;
}

sparse::PruningPattern ParsePatternKind(std::string_view text, std::string_view where) {
  const std::optional<sparse::PruningPattern> kind = ReadPatternKind(text);
  if (!kind) {
    throw Error(fmt::format("{}: '{}', expected {}", where, text, kExpectedKind));
  }
  Faults faults(fmt::format("{}: ", where));
  Check(*kind, FieldPath(), faults);
  faults.ThrowFirst();
  return *kind;
}

std::string_view ExpectedPatternKind() { return kExpectedKind; }

std::string KindText(const sparse::PruningPattern& kind) {
  switch (kind.format.kind) {
    case Kind::kUnstructured:
      return kind.scope == sparse::PruningScope::kRow ? "unstructured:row" : "unstructured";
    case Kind::kBlocks:
      return fmt::format("block:{}x{}", kind.format.block_rows, kind.format.block_cols);
    case Kind::kRows:
      return fmt::format("n:{}", kind.format.m);
    default:
      return kind.ToString();
  }
}

std::vector<sparse::PruningPattern> PatternsAt(const sparse::PruningPattern& kind, std::span<const double> levels,
                                               std::string_view where) {
  if (levels.empty() && !kind.has_budget()) return AllOf(kind);
  if (levels.empty()) levels = kUsualLevels;
  if (levels.size() > kMostLevels) {
    throw Error(fmt::format("{}: {} of them, expected at most {}", where, levels.size(), kMostLevels));
  }
  std::vector<sparse::PruningPattern> patterns;
  for (const double level : levels) {
    const sparse::PruningPattern pattern = PatternAt(kind, level, where);
    if (std::ranges::find(patterns, pattern) != patterns.end()) {
      throw Error(fmt::format("{}: {} is there twice", where, level));
    }
    patterns.push_back(pattern);
  }
  std::ranges::sort(patterns, std::less<>(), &sparse::PruningPattern::Sparsity);
  return patterns;
}

}  // namespace twofour::train
