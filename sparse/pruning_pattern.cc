#include "twofour/sparse/pruning_pattern.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <span>
#include <system_error>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/sparse/row_mask.h"
#include "twofour/sparse/tile_mask.h"
#include "twofour/sparse/vnm_pattern.h"

namespace twofour::sparse {
namespace {

using Kind = MaskFormat::Kind;

constexpr int kMostInBlock = 1024;
constexpr char kExpected[] =
    "a pattern such as 2:4, transposable:2:4, 64:2:8, rows:64:2:8, unstructured:0.5 (or :row, :model behind "
    "it) or block:16x16:0.5 (or :model)";

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

template <typename Number>
std::optional<Number> Parsed(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::vector<int>> WholeNumbers(std::span<const std::string_view> texts) {
  std::vector<int> numbers;
  for (const std::string_view text : texts) {
    const std::optional<int> number = Parsed<int>(text);
    if (!number) return std::nullopt;
    numbers.push_back(*number);
  }
  return numbers;
}

std::optional<PruningScope> ScopeNamed(std::string_view name) {
  for (const PruningScope scope : {PruningScope::kRow, PruningScope::kLayer, PruningScope::kModel}) {
    if (name == NameOf(scope)) return scope;
  }
  return std::nullopt;
}

/// "0.5" or "0.5:model".
std::optional<PruningPattern> WithBudget(const MaskFormat& format, std::span<const std::string_view> parts) {
  if (parts.empty() || parts.size() > 2) return std::nullopt;
  const std::optional<double> sparsity = Parsed<double>(parts[0]);
  const std::optional<PruningScope> scope =
      parts.size() == 2 ? ScopeNamed(parts[1]) : std::optional(PruningScope::kLayer);
  if (!sparsity || !scope) return std::nullopt;
  return PruningPattern{.format = format, .sparsity = *sparsity, .scope = *scope};
}

}  // namespace

std::optional<PruningPattern> ReadPruningPattern(std::string_view text) {
  const std::vector<std::string_view> parts = Split(text, ':');
  const std::span<const std::string_view> rest = std::span(parts).subspan(1);
  if (parts[0] == "unstructured") return WithBudget(MaskFormat::Unstructured(), rest);
  if (parts[0] == "block") {
    if (rest.empty()) return std::nullopt;
    const auto sizes = WholeNumbers(Split(rest[0], 'x'));
    if (!sizes || sizes->size() != 2) return std::nullopt;
    return WithBudget(MaskFormat::Blocks((*sizes)[0], (*sizes)[1]), rest.subspan(1));
  }
  const bool transposable = parts[0] == "transposable", rows = parts[0] == "rows";
  const auto numbers = WholeNumbers(transposable || rows ? rest : std::span(parts));
  if (!numbers) return std::nullopt;
  const std::vector<int>& n = *numbers;
  if (n.size() == 2 && !rows) {
    return PruningPattern{.format = transposable ? MaskFormat{.kind = Kind::kTransposable, .n = n[0], .m = n[1]}
                                                 : MaskFormat::Rows(n[0], n[1])};
  }
  if (n.size() == 3 && !transposable) {
    return PruningPattern{.format = {.kind = rows ? Kind::kVnmRows : Kind::kVnm, .n = n[1], .m = n[2], .v = n[0]}};
  }
  return std::nullopt;
}

std::string_view ExpectedPattern() { return kExpected; }

std::string_view NameOf(PruningScope scope) {
  switch (scope) {
    case PruningScope::kRow:
      return "row";
    case PruningScope::kLayer:
      return "layer";
    case PruningScope::kModel:
      return "model";
  }
  return "?";
}

PruningPattern PruningPattern::Unstructured(double sparsity, PruningScope scope) {
  return {.format = MaskFormat::Unstructured(), .sparsity = sparsity, .scope = scope};
}

PruningPattern PruningPattern::Blocks(int rows, int cols, double sparsity, PruningScope scope) {
  return {.format = MaskFormat::Blocks(rows, cols), .sparsity = sparsity, .scope = scope};
}

bool PruningPattern::has_budget() const { return format.kind == Kind::kUnstructured || format.kind == Kind::kBlocks; }

double PruningPattern::Sparsity() const {
  if (has_budget()) return sparsity;
  if (format.kind == Kind::kDense) return 0;
  return 1 - static_cast<double>(format.n) / format.m;
}

std::string PruningPattern::ToString() const {
  const std::string budget =
      fmt::format(":{}{}", sparsity, scope == PruningScope::kLayer ? "" : fmt::format(":{}", NameOf(scope)));
  switch (format.kind) {
    case Kind::kTransposable:
      return fmt::format("transposable:{}:{}", format.n, format.m);
    case Kind::kVnmRows:
      return "rows:" + format.Ratio();
    case Kind::kBlocks:
      return fmt::format("block:{}x{}{}", format.block_rows, format.block_cols, budget);
    case Kind::kUnstructured:
      return "unstructured" + budget;
    case Kind::kRows:
    case Kind::kVnm:
    case Kind::kDense:
      break;
  }
  return format.Ratio();
}

void Check(const PruningPattern& pattern, const FieldPath& at, Faults& faults) {
  const MaskFormat& format = pattern.format;
  const auto expect = [&](bool holds, const char* field, const FaultValue& value, const std::string& expected) {
    faults.Expect(
        holds, at(field), value, expected,
        fmt::format("pattern {}: {} is {}, expected {}", pattern.ToString(), field, value.ToString(), expected));
  };
  expect(format.kind != Kind::kDense, "format", "dense", "one that drops something");
  if (format.is_vnm()) Check(format.vnm(), at, faults);
  if (format.kind == Kind::kRows || format.kind == Kind::kTransposable) {
    const bool rows = format.kind == Kind::kRows;
    expect(rows ? format.m >= 2 && format.m <= kMostNeighbours : format.m == kTileSize, "m", format.m,
           rows ? fmt::format("2 to {}", kMostNeighbours) : fmt::format("{}", kTileSize));
    if (faults.IsSound(at("m"))) {
      expect(format.n >= 1 && format.n < format.m, "n", format.n,
             format.m == 2 ? "1" : fmt::format("1 to {}", format.m - 1));
    }
  }
  if (format.kind == Kind::kBlocks) {
    for (const auto& [field, size] : {std::pair("block_rows", format.block_rows), {"block_cols", format.block_cols}}) {
      expect(size >= 1 && size <= kMostInBlock, field, size, fmt::format("1 to {}", kMostInBlock));
    }
    expect(pattern.scope != PruningScope::kRow, "scope", faults.Word(NameOf(pattern.scope)),
           fmt::format("{} or {} for blocks", faults.Word(NameOf(PruningScope::kLayer)),
                       faults.Word(NameOf(PruningScope::kModel))));
  }
  if (pattern.has_budget()) {
    expect(pattern.sparsity >= 0 && pattern.sparsity <= 1, "sparsity", pattern.sparsity, "a number in [0, 1]");
  } else {
    expect(pattern.sparsity == 0, "sparsity", pattern.sparsity, "0 for a pattern without a budget");
    expect(pattern.scope == PruningScope::kLayer, "scope", faults.Word(NameOf(pattern.scope)),
           fmt::format("{} for a pattern without a budget", faults.Word(NameOf(PruningScope::kLayer))));
  }
}

PruningPattern ParsePruningPattern(std::string_view text, std::string_view where) {
  const std::optional<PruningPattern> pattern = ReadPruningPattern(text);
  if (!pattern) throw Error(fmt::format("{}: '{}', expected {}", where, text, kExpected));
  Faults faults(fmt::format("{}: ", where));
  Check(*pattern, FieldPath(), faults);
  faults.ThrowFirst();
  return *pattern;
}

}  // namespace twofour::sparse
