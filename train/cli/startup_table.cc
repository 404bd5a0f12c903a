#include "twofour/train/cli/startup_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <set>
#include <string>

#include "twofour/core/cpu.h"
#include "twofour/core/kernels/gemm.h"
#include "twofour/core/parallel.h"
#include "twofour/nn/mlp.h"
#include "twofour/sparse/kernels/forced_kernel.h"
#include "twofour/sparse/kernels/linear_kernel.h"
#include "twofour/sparse/kernels/mask_search.h"
#include "twofour/train/cli/recipe_line.h"
#include "twofour/train/config/build.h"
#include "twofour/train/config/build_sparsity.h"
#include "twofour/train/data/class_notes.h"

namespace twofour::train {
namespace {

/// 1234567 as "1,234,567"; not for negative numbers.
std::string Grouped(int64_t number) {
  const std::string digits = std::to_string(number);
  std::string grouped;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) grouped += ',';
    grouped += digits[i];
  }
  return grouped;
}

std::string DescribeOptimizer(const proto::Optimizer& optimizer) {
  if (optimizer.has_muon()) return "muon and adamw";
  return optimizer.has_sgd() ? "sgd" : "adamw";
}

std::string DescribeTraining(const proto::Config& config, const Workload& workload) {
  const int64_t per_step = workload.task->units_per_batch() * AccumulateSteps(config);
  const double epochs = static_cast<double>(config.training().steps()) * static_cast<double>(per_step) /
                        static_cast<double>(workload.training_units);
  return fmt::format("{} steps of {} {} ({:.1f} epochs), {}, lr {} {}, seed {}", Grouped(config.training().steps()),
                     per_step, workload.task->unit(), epochs, DescribeOptimizer(config.optimizer()),
                     config.learning_rate().lr(), proto::LearningRate::Schedule_Name(config.learning_rate().schedule()),
                     config.seed());
}

/// What searches for the masks of a swap: see MaskPlan::SearchNames.
std::string DescribeSearches(const nn::SwapOptions& options) {
  return options.target == nn::SwapTarget::kWeight ? options.sparsity.plan.SearchNames()
                                                   : sparse::ChooseMaskSearchKernel(options.activation_algorithm).name;
}

/// Which kernels multiply with a layer's weight, and why: "pair_bucket_avx2 (the fastest at this size)", or one for
/// each direction where they differ. Their names are added to `used`.
std::string DescribeKernels(const nn::SwapEntry& entry, int64_t batch, bool two_of_four, std::set<std::string>& used) {
  const auto choose = [&](sparse::Direction direction) {
    auto choice = sparse::ChooseLinearKernel({entry.out_features, entry.in_features, batch, direction, two_of_four});
    used.emplace(choice.kernel->name);
    return choice;
  };
  const auto forward = choose(sparse::Direction::kForward), input_grad = choose(sparse::Direction::kInputGrad);
  if (forward.kernel == input_grad.kernel) return fmt::format("{} ({})", forward.kernel->name, forward.reason);
  return fmt::format("forward {} ({}), input gradient {} ({})", forward.kernel->name, forward.reason,
                     input_grad.kernel->name, input_grad.reason);
}

void PrintRow(const char* key, const std::string& value, std::ostream& out) {
  out << fmt::format("  {:<12}{}\n", key, value);
}

std::string DescribePeak(const PeakFlops& peak) {
  if (peak.sure) {
    return fmt::format("{:.0f} GFLOP/s (f32 multiply-adds, measured): MFU is the share of it", peak.flops * 1e-9);
  }
  return fmt::format("about {:.0f} GFLOP/s (f32 multiply-adds; {:.0f} was typical while measuring): MFU is rough",
                     peak.flops * 1e-9, peak.typical * 1e-9);
}

/// Whether products are those of a 2:4 weight once the plan has reached its last stage and share.
bool EndsTwoOfFour(const sparse::MaskPlanOptions& plan) {
  return plan.method != sparse::MaskMethod::kRows && (plan.stages.empty() || plan.stages.back().keep <= 2) &&
         plan.schedule.ShareAt(plan.schedule.LastChange()) == 1;
}

/// The names in TWOFOUR_KERNEL that decide nothing here: they may be meant for another run, or be a mistake.
void PrintUnusedForcedKernels(const std::set<std::string>& used, std::ostream& out) {
  for (const std::string& name : sparse::ForcedKernelNames()) {
    if (!used.contains(name)) out << fmt::format("  TWOFOUR_KERNEL: {} is not used by this run\n", name);
  }
}

size_t LongestName(const std::vector<nn::SwapEntry>& entries) {
  size_t longest = 0;
  for (const nn::SwapEntry& entry : entries) longest = std::max(longest, entry.name.size());
  return longest;
}

}  // namespace

std::string DescribeThreads(int threads, bool automatic, const Processors& processors) {
  if (automatic && !processors.Limit().empty()) return fmt::format("{} ({})", threads, processors.Limit());
  if (threads > processors.usable)
    return fmt::format("{} (no more than {} run at once, one for each processor)", threads, processors.usable);
  if (threads > processors.count) return fmt::format("{} (more than useful: {})", threads, processors.Limit());
  return std::to_string(threads);
}

void PrintStartupTable(const proto::Config& config, const std::string& folder, const Workload& workload,
                       const PeakFlops& peak, std::ostream& out) {
  const nn::Module& model = *workload.model;
  const auto row = [&out](const char* key, const std::string& value) { PrintRow(key, value, out); };
  out << "twofour " TWOFOUR_VERSION "\n";
  row("run", fmt::format("{} -> {}", config.name(), folder));
  row("model", fmt::format("{}, {} parameters", model.type_name(), Grouped(model.NumParameters())));
  row("data", workload.data_description);
  if (workload.samples.train != nullptr) {
    row("classes", fmt::format("{} (to train on/to evaluate)", DescribeClassCounts(workload.samples)));
  }
  row("training", DescribeTraining(config, workload));
  row("threads", DescribeThreads(NumThreads(), config.threads() == 0, CountProcessors()));
  row("processor", std::string(InstructionSetName()));
  if (peak.flops > 0) row("peak", DescribePeak(peak));
  const bool sparse = config.sparsity().enabled();
  row("kernels", fmt::format("dense products: {}{}", kernels::GemmName(),
                             sparse ? "; masks: " + DescribeSearches(BuildSwapOptions(config)) : ""));
  if (!sparse) PrintUnusedForcedKernels({}, out);
}

void PrintSwapReport(const nn::SwapReport& report, const nn::SwapOptions& options, nn::Module& model, int64_t batch,
                     std::ostream& out) {
  const bool by_weight = options.target == nn::SwapTarget::kWeight;
  const nn::SemiSparseOptions& sparsity = options.sparsity;
  const bool two_of_four = EndsTwoOfFour(sparsity.plan.options());
  std::set<std::string> used;
  out << fmt::format("✓ {} - converted {} MLP layers to {}\n",
                     by_weight ? DescribePattern(sparsity) : "2:4 sparsity enabled", report.converted.size(),
                     by_weight ? "SemiSparseLinear" : "SemiSparseActivationLinear");
  if (by_weight) out << fmt::format("  {}\n", DescribeRecipe(sparsity));
  if (by_weight && sparsity.apply && two_of_four && !sparsity.plan.AlwaysTwoOfFour()) {
    out << "  kernels once every tile is 2:4; before that, products are those of dense matrices\n";
  }
  const size_t width = std::max(LongestName(report.converted), LongestName(report.kept_dense));
  for (const nn::SwapEntry& entry : report.converted) {
    out << fmt::format("    {:<{}}  [{}, {}]", entry.name, width, entry.out_features, entry.in_features);
    if (by_weight) {
      out << "  " << (sparsity.apply ? DescribeKernels(entry, batch, two_of_four, used) : "dense products");
    }
    out << "\n";
  }
  model.VisitModules([&](const std::string& name, nn::Module& module) {
    auto* const mlp = dynamic_cast<nn::Mlp*>(&module);
    if (mlp == nullptr || !by_weight) return;
    std::string why_not;
    const sparse::MlpKernel* const fused = mlp->FusedKernel(batch, &why_not);
    if (fused != nullptr) used.emplace(fused->name);
    out << fmt::format("    {:<{}}  {}\n", name, width,
                       fused != nullptr ? "as one op" : "linear by linear: " + why_not);
  });
  if (!report.kept_dense.empty()) out << "  kept dense:\n";
  for (const nn::SwapEntry& entry : report.kept_dense) {
    out << fmt::format("    {:<{}}  [{}, {}]  {}\n", entry.name, width, entry.out_features, entry.in_features,
                       entry.reason);
  }
  const std::string searches = DescribeSearches(options);
  for (const sparse::MaskSearchKernel& kernel : sparse::MaskSearchKernels()) {
    if (searches.find(kernel.name) != std::string::npos) used.insert(kernel.name);
  }
  PrintUnusedForcedKernels(used, out);
}

}  // namespace twofour::train
