#include "twofour/train/program/cli/swap_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <ostream>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/nn/mask_kinds.h"
#include "twofour/nn/mlp.h"
#include "twofour/sparse/kernels/linear/forced_kernel.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/kernels/search/mask_search.h"
#include "twofour/sparse/tile_mask.h"
#include "twofour/train/program/cli/recipe_line.h"

namespace twofour::train {
namespace {

using Names = std::set<std::string>;

size_t LongestName(const std::vector<nn::SwapEntry>& entries) {
  size_t longest = 0;
  for (const nn::SwapEntry& entry : entries) longest = std::max(longest, entry.name.size());
  return longest;
}

/// Finds out what computes the products of the swapped layers of a run.
class Products {
 public:
  /// Throws Error if something that the run will ask for cannot be computed.
  Products(const nn::SwapReport& report, nn::Model& model, const RunExtent& run) : model_(model), run_(run) {
    for (const auto& [name, layer] : nn::FindSemiSparseLinears(model)) kinds_[name] = KindsOf(*layer);
    model.VisitModules([this](const std::string& name, nn::Module& module) {
      if (auto* const mlp = dynamic_cast<nn::Mlp*>(&module)) AddMlp(name, *mlp);
    });
    for (const nn::SwapEntry& entry : report.converted) AddLinear(entry);
  }

  /// What computes a linear: "pair_bucket_avx2 (the fastest at this size)", or a kernel for each direction if these
  /// differ, or the MLP whose op includes the linear, or "dense products".
  const std::string& OfLinear(const std::string& name) const { return linears_.at(name); }

  /// How each MLP of the model runs: pairs of name and description, in the model's order.
  const std::vector<std::pair<std::string, std::string>>& OfMlps() const { return mlps_; }

  /// For which masks the kernels of the linears are, and what computes the other products. Empty if these kernels
  /// compute every product of the run.
  std::string Elsewhere() const {
    if (!any_.two_of_four && !any_.other) return {};
    const bool both = any_.two_of_four && any_.other && !of_other_masks_.empty();
    if (!both && !any_.whole) return {};
    std::string text = both ? fmt::format("kernels of masks that are 2:4 in every tile; of other masks: {}",
                                          fmt::join(of_other_masks_, ", "))
                            : "kernels of its masks";
    if (any_.whole) text += "; while nothing is pruned: dense products";
    return text;
  }

  /// The names of all kernels that compute something.
  const Names& used() const { return used_; }

 private:
  static constexpr sparse::MaskFormat kTwoOfFour = sparse::MaskFormat::TwoOfFour();

  struct Part {
    std::string mlp;
    bool in_training, in_evaluation;
  };

  nn::MaskKinds KindsOf(const nn::SemiSparseLinear& layer) {
    if (!layer.options().apply) return {.whole = true};
    const int64_t tiles = layer.weight().numel() / (sparse::kTileSize * sparse::kTileSize);
    const sparse::MaskFormat pattern = layer.options().plan.PatternAt(run_.last_step);  // V:N:M only grows sparser.
    if (pattern.is_vnm()) other_ = pattern;
    nn::MaskKinds kinds = nn::FindMaskKinds(layer.options(), tiles, run_.first_step, run_.last_step);
    if (const sparse::Mask& loaded = layer.mask_in_force(); !loaded.empty()) {
      const bool two_of_four = !other_.is_vnm() && !loaded.FirstTileAboveTwoOfFour();
      (layer.runs_dense() ? kinds.whole : two_of_four ? kinds.two_of_four : kinds.other) = true;
    }
    any_.whole = any_.whole || kinds.whole;
    any_.two_of_four = any_.two_of_four || kinds.two_of_four;
    any_.other = any_.other || kinds.other;
    return kinds;
  }

  void AddMlp(const std::string& name, nn::Mlp& mlp) {
    std::string why_not;
    const sparse::FusedMlpKernel* training = mlp.FusedKernel(run_.batch, run_.activations, &why_not);
    const sparse::FusedMlpKernel* evaluation = mlp.FusedKernel(run_.evaluation_batch, run_.activations);
    const std::string prefix = name.empty() ? "" : name + ".", fc = prefix + "c_fc", proj = prefix + "c_proj";
    const bool two_of_four = kinds_[fc].two_of_four && kinds_[proj].two_of_four;
    const bool vnm = other_.is_vnm() && kinds_[fc].other && kinds_[proj].other;
    if (!two_of_four && !vnm) {
      if (training != nullptr) why_not = "its masks are never 2:4 in every tile";
      training = evaluation = nullptr;
    }
    for (const sparse::FusedMlpKernel* const kernel : {training, evaluation}) {
      if (kernel == nullptr) continue;
      used_.insert(kernel->name);
      // It packs the weights, and naming it can be what chose the op.
      used_.insert(kernel->LinearFor(vnm ? other_ : kTwoOfFour).name);
    }
    for (const std::string& linear : {fc, proj}) parts_[linear] = {name, training != nullptr, evaluation != nullptr};
    mlps_.emplace_back(name, training != nullptr ? fmt::format("as one op: {}", Describe(*training))
                                                 : fmt::format("linear by linear: {}", why_not));
  }

  std::string Describe(const sparse::FusedMlpKernel& kernel) const {
    if (kernel.linear->activation == run_.activations) return kernel.name;
    return fmt::format("{} (it takes {}, to which {} is widened)", kernel.name, NameOf(kernel.linear->activation),
                       NameOf(run_.activations));
  }

  void AddLinear(const nn::SwapEntry& entry) {
    const nn::MaskKinds& kinds = kinds_[entry.name];
    const auto part = parts_.find(entry.name);
    const bool fused = part != parts_.end() && part->second.in_training;
    std::string other, two_of_four;
    const std::string as_a_part = fused ? fmt::format("as a part of {}", part->second.mlp) : "";
    if (kinds.other) other = fused && other_.is_vnm() ? as_a_part : DescribeOtherMasks(entry);
    if (kinds.two_of_four && fused) two_of_four = as_a_part;
    if (kinds.two_of_four && !fused) two_of_four = Describe(entry, run_.batch, kTwoOfFour);
    const bool fused_in_evaluation = part != parts_.end() && part->second.in_evaluation;
    if (kinds.two_of_four && !fused_in_evaluation) Describe(entry, run_.evaluation_batch, kTwoOfFour);
    linears_[entry.name] = kinds.two_of_four ? two_of_four : kinds.other ? other : "dense products";
  }

  std::string DescribeOtherMasks(const nn::SwapEntry& entry) {
    try {
      Describe(entry, run_.evaluation_batch, other_);
      return Describe(entry, run_.batch, other_, &of_other_masks_);
    } catch (const Error& error) {
      throw Error(fmt::format("{} ({}: not all masks of this run are 2:4 both ways)", error.what(), entry.name));
    }
  }

  /// The kernels of a linear for masks of one kind in a pass over `batch` samples or tokens, and why they were chosen.
  /// They count as used, and are added to `names` unless that is null.
  std::string Describe(const nn::SwapEntry& entry, int64_t batch, const sparse::MaskFormat& format,
                       Names* names = nullptr) {
    const auto choose = [&](sparse::Direction direction) {
      const sparse::LinearProblem problem = {.out_features = entry.out_features,
                                             .in_features = entry.in_features,
                                             .batch = model_.ProductsOf(entry.name, batch).rows,
                                             .direction = direction,
                                             .format = format,
                                             .input = run_.activations,
                                             .output = run_.activations};
      const std::string& kernel = sparse::ChooseLinearKernel(problem).kernel->name;
      used_.insert(kernel);
      if (names != nullptr) names->insert(kernel);
      return std::pair(kernel, sparse::ExplainLinearKernel(problem));
    };
    const auto [forward, why_forward] = choose(sparse::Direction::kForward);
    const auto [input_grad, why_input_grad] = choose(sparse::Direction::kInputGrad);
    if (forward == input_grad) return fmt::format("{} ({})", forward, why_forward);
    return fmt::format("forward {} ({}), input gradient {} ({})", forward, why_forward, input_grad, why_input_grad);
  }

  const nn::Model& model_;
  RunExtent run_;
  sparse::MaskFormat other_ = sparse::MaskFormat::Unstructured();  // Of masks that are not 2:4 in every tile.
  std::map<std::string, nn::MaskKinds> kinds_;
  nn::MaskKinds any_;
  std::map<std::string, Part> parts_;
  std::map<std::string, std::string> linears_;
  std::vector<std::pair<std::string, std::string>> mlps_;
  Names used_, of_other_masks_;
};

}  // namespace

std::string DescribeSearches(const nn::SwapOptions& options) {
  return options.target == nn::SwapTarget::kWeight ? options.sparsity.plan.SearchNames()
                                                   : sparse::ChooseMaskSearchKernel(options.activation_method).name;
}

void PrintUnusedForcedKernels(const std::set<std::string>& used, std::ostream& out) {
  for (const std::string& name : sparse::ForcedKernelNames()) {
    if (!used.contains(name)) out << fmt::format("  TWOFOUR_KERNEL: {} is not used by this run\n", name);
  }
}

void PrintSwapReport(const nn::SwapReport& report, const nn::SwapOptions& options, nn::Model& model,
                     const RunExtent& run, std::ostream& out) {
  const bool by_weight = options.target == nn::SwapTarget::kWeight;
  std::optional<Products> products;
  if (by_weight) products.emplace(report, model, run);
  const std::string searches = DescribeSearches(options);
  out << fmt::format("✓ {} - converted {} MLP layers to {}\n",
                     by_weight ? DescribePattern(options.sparsity) : "2:4 sparsity enabled", report.converted.size(),
                     by_weight ? "SemiSparseLinear" : "SemiSparseActivationLinear");
  if (by_weight) out << fmt::format("  {}\n", DescribeRecipe(options.sparsity));
  if (!by_weight && run.activations == DType::kBF16) out << "  inputs are widened to fp32 to be pruned\n";
  if (by_weight && !products->Elsewhere().empty()) out << fmt::format("  {}\n", products->Elsewhere());
  const size_t width = std::max(LongestName(report.converted), LongestName(report.kept_dense));
  for (const nn::SwapEntry& entry : report.converted) {
    out << fmt::format("    {:<{}}  [{}, {}]", entry.name, width, entry.out_features, entry.in_features);
    if (by_weight) out << "  " << products->OfLinear(entry.name);
    out << "\n";
  }
  if (by_weight) {
    for (const auto& [name, how] : products->OfMlps()) out << fmt::format("    {:<{}}  {}\n", name, width, how);
  }
  if (!report.kept_dense.empty()) out << "  kept dense:\n";
  for (const nn::SwapEntry& entry : report.kept_dense) {
    out << fmt::format("    {:<{}}  [{}, {}]  {}\n", entry.name, width, entry.out_features, entry.in_features,
                       entry.reason);
  }
  Names used = products ? products->used() : Names{};
  for (const sparse::MaskSearchKernel& kernel : sparse::MaskSearchKernels()) {
    if (searches.find(kernel.name) != std::string::npos) used.insert(kernel.name);
  }
  PrintUnusedForcedKernels(used, out);
}

}  // namespace twofour::train
