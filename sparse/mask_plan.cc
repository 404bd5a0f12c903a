#include "twofour/sparse/mask_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/ops/check.h"
#include "twofour/sparse/best_tile_mask.h"
#include "twofour/sparse/kernels/search/mask_search.h"
#include "twofour/sparse/mask_of_format.h"
#include "twofour/sparse/mask_of_pattern.h"
#include "twofour/sparse/mask_of_tiles.h"
#include "twofour/sparse/moment.h"
#include "twofour/sparse/vnm_pattern.h"

namespace twofour::sparse {
namespace {

/// What a stage may keep after one that keeps `before`.
std::string KeepAfter(int before) {
  if (before == 1) return "no stage after one that keeps 1";
  return fmt::format("{}: each stage keeps fewer than the one before",
                     before == 2 ? "1" : fmt::format("1 to {}", before - 1));
}

void CheckKeep(const MaskPlanOptions& options, size_t i, const FieldPath& at, Faults& faults) {
  const FieldPath path = at.In("stages", i);
  const int keep = options.stages[i].keep, m = options.stages[i].m;
  faults.InRange(path("keep"), keep, 1, kTileSize);
  faults.Expect(m == 0, path("m"), m, fmt::format("none but for {}", faults.Word(NameOf(MaskMethod::kVnm))));
  if (i == 0 || !faults.IsSound(at.In("stages", i - 1)("keep"))) return;
  const int before = options.stages[i - 1].keep;
  faults.Expect(keep < before, path("keep"), keep, KeepAfter(before));
}

void CheckColumns(const MaskPlanOptions& options, size_t i, const FieldPath& at, Faults& faults) {
  const FieldPath path = at.In("stages", i);
  const int keep = options.stages[i].keep, m = options.stages[i].m;
  faults.Expect(keep == 2, path("keep"), keep,
                fmt::format("none for {}, whose stages have m", faults.Word(NameOf(MaskMethod::kVnm))));
  if (keep != 2 && m == 0) return;  // It was meant for another method.
  faults.InRange(path("m"), m, kTileSize, kMostVnmColumns);
  if (i + 1 == options.stages.size()) {
    faults.Expect(m == options.vnm.m, path("m"), m, fmt::format("{}: the last stage has the m of vnm", options.vnm.m));
  }
  if (i == 0 || !faults.IsSound(at.In("stages", i - 1)("m"))) return;
  const int before = options.stages[i - 1].m;
  faults.Expect(m > before, path("m"), m, fmt::format("more than {}: m rises from stage to stage", before));
}

void CheckStages(const MaskPlanOptions& options, const FieldPath& at, Faults& faults) {
  const bool vnm = options.method == MaskMethod::kVnm;
  if (options.stages.empty() || vnm) {
    faults.Expect(!options.nested_stages, at("nested_stages"), true,
                  vnm ? fmt::format("false for {}", faults.Word(NameOf(MaskMethod::kVnm))) : "false without stages");
  }
  if (options.stages.empty()) return;
  const std::string method = faults.Word(NameOf(options.method)), exact = faults.Word(NameOf(MaskMethod::kExact));
  faults.Expect(vnm || options.method == MaskMethod::kExact, at("stages"), fmt::format("with algorithm {}", method),
                fmt::format("{} for N-decay", exact),
                fmt::format("stages given, but the method is {}, expected {}", method, exact));
  RisingMoments rising("a step after the stage before, which begins at");
  for (size_t i = 0; i < options.stages.size(); ++i) {
    vnm ? CheckColumns(options, i, at, faults) : CheckKeep(options, i, at, faults);
    const MaskStage& stage = options.stages[i];
    rising.Check({stage.step, stage.fraction}, at.In("stages", i)("step"), faults);
  }
}

TileMagnitudes Magnitudes(TileMagnitudes elements) {
  for (float& element : elements) element = std::fabs(element);
  return elements;
}

TileMask RandomTileMask(const RandomKey& key, int64_t number) {
  const std::array<uint32_t, 4> bits = RandomBlock(key, static_cast<uint32_t>(number));
  const auto masks = TransposableMasks();
  // Scales 32 random bits to 0..89. No mask is likelier than another by more than about one part in 48 million.
  return masks[bits[0] * uint64_t{masks.size()} >> 32];
}

void CheckPattern(const MaskPlanOptions& options, const FieldPath& at, Faults& faults) {
  const PruningPattern& pattern = options.pattern;
  const std::string method = faults.Word(NameOf(MaskMethod::kPattern));
  if (options.method != MaskMethod::kPattern) {
    return faults.Expect(pattern == PruningPattern(), at("pattern"), pattern.ToString(),
                         fmt::format("none but for {}", method));
  }
  Check(pattern, at.In("pattern"), faults);
  faults.Expect(pattern.scope != PruningScope::kModel, at("pattern"), pattern.ToString(),
                "a scope within one weight, because each finds its mask by itself in training");
  faults.Expect(!pattern.has_budget() || options.order == TileOrder::kLeastLoss, at.In("schedule")("order"),
                faults.Word(NameOf(options.order)),
                fmt::format("{} for a budget: there are no tiles", faults.Word(NameOf(TileOrder::kLeastLoss))));
}

/// V:N:M masks have blocks and not tiles, of which a share could be pruned.
void CheckSchedule(const MaskPlanOptions& options, const FieldPath& at, Faults& faults) {
  const bool vnm = options.method == MaskMethod::kVnm;
  if (!vnm && !(options.method == MaskMethod::kPattern && options.pattern.format.is_vnm())) return;
  const std::string expected =
      fmt::format("none beside {}", vnm ? faults.Word(NameOf(options.method)) : options.pattern.ToString());
  faults.Expect(options.schedule.LastChange() == 0 && options.schedule.ShareAt(0) == 1, at("schedule"),
                "a share of tiles", expected, fmt::format("schedule given, expected {}", expected));
}

}  // namespace

void Check(const MaskPlanOptions& options, const FieldPath& at, Faults& faults) {
  if (options.method == MaskMethod::kRows) {
    Check(options.rows, at.In("rows"), faults);
  } else {
    faults.Expect(options.rows == RowPattern(), at("rows"), fmt::format("{}:{}", options.rows.keep, options.rows.of),
                  fmt::format("none but for {}", faults.Word(NameOf(MaskMethod::kRows))));
  }
  if (options.method == MaskMethod::kVnm) {
    Check(options.vnm, at.In("vnm"), faults);
    if (faults.IsSound(at.In("vnm")("m"))) CheckChoice(options.columns, options.vnm, at.In("vnm"), faults);
  } else {
    faults.Expect(options.vnm == VnmPattern(), at("vnm"), options.vnm.ToString(),
                  fmt::format("none but for {}", faults.Word(NameOf(MaskMethod::kVnm))));
    faults.Expect(options.columns == VnmColumnChoice::kSums, at.In("vnm")("columns"),
                  faults.Word(NameOf(options.columns)),
                  fmt::format("none but for {}", faults.Word(NameOf(MaskMethod::kVnm))));
  }
  CheckPattern(options, at, faults);
  CheckSchedule(options, at, faults);
  CheckStages(options, at, faults);
  const int64_t from = options.first_sparse_step, until = options.dense_from_step;
  const std::string in_code =
      fmt::format("sparse from step {} until step {}, expected 0 <= from <= until", from, until);
  faults.Expect(from >= 0, at("first_sparse_step"), from, "at least 0", in_code);
  faults.Expect(from <= until, at("dense_from_step"), until,
                fmt::format("at least first_sparse_step, which is {}", from), in_code);
}

MaskPlan::MaskPlan(MaskPlanOptions options) : options_(std::move(options)) {
  Checked(options_, "mask plan: ");
  LeaveOutReplaced(options_.stages);
}

const MaskStage* MaskPlan::StageAt(int64_t step) const {
  const MaskStage* in_force = nullptr;
  for (const MaskStage& stage : options_.stages) {
    if (stage.step <= step) in_force = &stage;
  }
  return in_force;
}

bool MaskPlan::has_budget() const { return options_.method == MaskMethod::kPattern && options_.pattern.has_budget(); }

int MaskPlan::KeptOfFour(int64_t step) const {
  const MaskFormat& pattern = options_.pattern.format;
  if (options_.method == MaskMethod::kPattern) return pattern.kind == MaskFormat::Kind::kTransposable ? pattern.n : 2;
  if (options_.stages.empty()) return 2;
  const MaskStage* const stage = StageAt(step);
  return stage == nullptr ? kTileSize : stage->keep;
}

double MaskPlan::ShareAt(int64_t step) const { return IsSparse(step) ? options_.schedule.ShareAt(step) : 0.0; }

bool MaskPlan::KeepsAll(int64_t step) const { return ShareAt(step) == 0 || KeptOfFour(step) == kTileSize; }

bool MaskPlan::AsksTheSame(int64_t step, int64_t other) const {
  return ShareAt(step) == ShareAt(other) && PatternAt(step) == PatternAt(other);
}

int64_t MaskPlan::SettlesAt() const {
  const int64_t last_stage = options_.stages.empty() ? 0 : options_.stages.back().step;
  return std::max({options_.first_sparse_step, options_.schedule.LastChange(), last_stage});
}

int64_t MaskPlan::LastChange() const {
  const bool has_finish = options_.dense_from_step != std::numeric_limits<int64_t>::max();
  return has_finish ? options_.dense_from_step : SettlesAt();
}

MaskFormat MaskPlan::PatternAt(int64_t step) const {
  if (options_.method == MaskMethod::kRows) return MaskFormat::Rows(options_.rows.keep, options_.rows.of);
  if (options_.method == MaskMethod::kPattern) return options_.pattern.format;
  if (options_.method != MaskMethod::kVnm || KeptOfFour(step) == kTileSize) {
    return {MaskFormat::Kind::kTransposable, KeptOfFour(step), kTileSize};
  }
  VnmPattern pattern = options_.vnm;
  if (const MaskStage* const stage = StageAt(step)) pattern.m = stage->m;
  return MaskFormat::Vnm(pattern);
}

PruningPattern MaskPlan::BudgetAt(int64_t step) const {
  PruningPattern pattern = options_.pattern;
  pattern.sparsity *= ShareAt(step);
  return pattern;
}

double MaskPlan::SparsityAt(int64_t step) const {
  if (has_budget()) return BudgetAt(step).sparsity;
  if (KeepsAll(step)) return 0;
  const MaskFormat pattern = PatternAt(step);
  return ShareAt(step) * (1 - static_cast<double>(pattern.n) / pattern.m);
}

bool MaskPlan::AlwaysTwoOfFour() const {
  return IsTwoOfFour(PatternAt(0)) && options_.stages.empty() && options_.schedule.ShareAt(0) == 1 &&
         options_.schedule.LastChange() == 0 && options_.first_sparse_step == 0 &&
         options_.dense_from_step == std::numeric_limits<int64_t>::max();
}

std::string MaskPlan::SearchNames() const {
  switch (options_.method) {
    case MaskMethod::kGreedy:
      return ChooseMaskSearchKernel(MaskMethod::kGreedy).name;
    case MaskMethod::kSignedGreedy:
    case MaskMethod::kRandom:
      return fmt::format("{} (scalar code)", NameOf(options_.method));
    case MaskMethod::kRows:
    case MaskMethod::kPattern:
      return std::string(NameOf(options_.method));
    case MaskMethod::kVnm:
      if (options_.vnm.inner == VnmInner::kRows) return std::string(NameOf(options_.method));
      return fmt::format("{} in chosen columns", ChooseMaskSearchKernel(MaskMethod::kExact).name);
    case MaskMethod::kExact:
      break;
  }
  const std::string exact = ChooseMaskSearchKernel(MaskMethod::kExact).name;
  if (options_.stages.empty()) return exact;
  std::vector<std::string> names;
  for (const MaskStage& stage : options_.stages) {
    if (stage.keep == kTileSize) continue;  // Nothing to search for.
    const bool vectors = stage.keep == 2 && !options_.nested_stages;
    names.push_back(fmt::format("{} for {}:{}", vectors ? exact : "best of all (scalar code)", stage.keep, kTileSize));
  }
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

Mask MaskPlan::FindWhole(const Tensor& scores, int64_t step, const RandomKey& key, std::string_view name) const {
  const int keep = KeptOfFour(step);
  switch (options_.method) {
    case MaskMethod::kGreedy:
      return FindMask(scores, MaskMethod::kGreedy, name);
    case MaskMethod::kSignedGreedy:
      return MaskOfTiles(scores, name,
                         [](int64_t, const TileMagnitudes& elements) { return GreedyTileMask(elements); });
    case MaskMethod::kRandom:
      return MaskOfTiles(scores, name,
                         [&](int64_t number, const TileMagnitudes&) { return RandomTileMask(key, number); });
    case MaskMethod::kRows:
      return FindRowMask(scores, options_.rows, name);
    case MaskMethod::kVnm:
      return FindMaskOf(scores, PatternAt(step), name, options_.columns);
    case MaskMethod::kPattern:
      return FindMaskOf(scores, has_budget() ? BudgetAt(step) : options_.pattern, name);
    case MaskMethod::kExact:
      break;
  }
  const bool nested = options_.nested_stages && !options_.stages.empty();
  if (keep == 2 && !nested) return FindMask(scores, MaskMethod::kExact, name);
  return MaskOfTiles(scores, name, [&](int64_t, const TileMagnitudes& elements) {
    const TileMagnitudes magnitudes = Magnitudes(elements);
    TileMask mask = 0xffff;
    if (!nested) return BestTileMask(keep, magnitudes, mask);
    for (const MaskStage& stage : options_.stages) {
      if (stage.step <= step) mask = BestTileMask(stage.keep, magnitudes, mask);
    }
    return mask;
  });
}

void MaskPlan::RequireSize(const Tensor& scores, std::string_view name) const {
  const bool any_size = options_.method == MaskMethod::kRows || options_.method == MaskMethod::kVnm ||
                        options_.method == MaskMethod::kPattern;
  const bool tiled = scores.rank() == 2 && scores.dim(0) % kTileSize == 0 && scores.dim(1) % kTileSize == 0;
  if (any_size ? scores.rank() == 2 : tiled) return;
  throw Error(fmt::format("{}: shape {}, a mask of method {} needs [rows, cols]{}", name, ToString(scores.shape()),
                          NameOf(options_.method), any_size ? "" : ", both multiples of 4"));
}

Mask MaskPlan::Find(const Tensor& scores, int64_t step, const RandomKey& key, std::string_view name) const {
  ops::RequireDType("MaskPlan::Find", name, scores, DType::kF32);
  RequireSize(scores, name);
  if (KeepsAll(step)) return MaskOfTiles(scores, name, [](int64_t, const TileMagnitudes&) { return TileMask{0xffff}; });
  // The last number keeps the random bits of the masks apart from those of the order of tiles.
  Mask mask = FindWhole(scores, step, {key.seed, key.stream, 0}, name);
  if (has_budget()) return mask;
  KeepOtherTilesWhole(scores, ShareAt(step), options_.order, {key.seed, key.stream, 1}, mask);
  return mask;
}

}  // namespace twofour::sparse
