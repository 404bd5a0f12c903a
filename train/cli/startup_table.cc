#include "twofour/train/cli/startup_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "twofour/core/cpu.h"
#include "twofour/core/kernels/gemm.h"
#include "twofour/core/parallel.h"
#include "twofour/nn/mlp.h"
#include "twofour/sparse/kernels/linear_kernel.h"
#include "twofour/sparse/kernels/mask_search.h"
#include "twofour/train/cli/recipe_line.h"
#include "twofour/train/config/build.h"
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

/// Which kernels multiply with a layer's weight, and why: "pair_bucket_avx2 (the fastest at this size)", or one for
/// each direction where they differ.
std::string DescribeKernels(const nn::SwapEntry& entry, int64_t batch, bool two_of_four) {
  const auto choose = [&](sparse::Direction direction) {
    return sparse::ChooseLinearKernel({entry.out_features, entry.in_features, batch, direction, two_of_four});
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
  row("kernels", fmt::format("dense products: {}; masks: {}", kernels::GemmName(),
                             sparse::ChooseMaskSearchKernel(config.sparsity().algorithm() == proto::Sparsity::GREEDY
                                                                ? sparse::MaskAlgorithm::kGreedy
                                                                : sparse::MaskAlgorithm::kExact)
                                 .name));
  PrintNotes(workload.notes, out);
}

void PrintNotes(const std::vector<std::string>& notes, std::ostream& out) {
  for (const std::string& note : notes) PrintRow("note", note, out);
}

void PrintSwapReport(const nn::SwapReport& report, const nn::SwapOptions& options, nn::Module& model, int64_t batch,
                     std::ostream& out) {
  const bool by_weight = options.target == nn::SwapTarget::kWeight;
  const nn::SemiSparseOptions& sparsity = options.sparsity;
  const bool two_of_four = sparsity.plan.options().method != sparse::MaskMethod::kRows;
  out << fmt::format("✓ 2:4 sparsity enabled - converted {} MLP layers to {}\n", report.converted.size(),
                     by_weight ? "SemiSparseLinear" : "SemiSparseActivationLinear");
  if (by_weight) out << fmt::format("  {}\n", DescribeRecipe(sparsity));
  const size_t width = std::max(LongestName(report.converted), LongestName(report.kept_dense));
  for (const nn::SwapEntry& entry : report.converted) {
    out << fmt::format("    {:<{}}  [{}, {}]", entry.name, width, entry.out_features, entry.in_features);
    if (by_weight) out << "  " << DescribeKernels(entry, batch, two_of_four);
    out << "\n";
  }
  model.VisitModules([&](const std::string& name, nn::Module& module) {
    auto* const mlp = dynamic_cast<nn::Mlp*>(&module);
    if (mlp == nullptr || !by_weight) return;
    std::string why_not;
    const bool fused = mlp->FusedKernel(batch, &why_not) != nullptr;
    out << fmt::format("    {:<{}}  {}\n", name, width, fused ? "as one op" : "linear by linear: " + why_not);
  });
  if (!report.kept_dense.empty()) out << "  kept dense:\n";
  for (const nn::SwapEntry& entry : report.kept_dense) {
    out << fmt::format("    {:<{}}  [{}, {}]  {}\n", entry.name, width, entry.out_features, entry.in_features,
                       entry.reason);
  }
}

}  // namespace twofour::train
