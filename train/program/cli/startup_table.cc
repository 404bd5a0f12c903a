#include "twofour/train/program/cli/startup_table.h"

#include <fmt/format.h>

#include <cstdlib>
#include <ostream>
#include <string>

#include "twofour/core/bf16_multiply_adds.h"
#include "twofour/core/isa.h"
#include "twofour/core/kernels/gemm/bf16_gemm.h"
#include "twofour/core/kernels/gemm/gemm.h"
#include "twofour/core/parallel.h"
#include "twofour/train/data/class_notes.h"
#include "twofour/train/data/text.h"
#include "twofour/train/program/cli/swap_report.h"
#include "twofour/train/program/config/build_sparsity.h"
#include "twofour/train/program/config/options.h"
#include "twofour/train/program/start/rank_start.h"

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

void PrintRow(const char* key, const std::string& value, std::ostream& out) {
  out << fmt::format("  {:<12}{}\n", key, value);
}

std::string DescribePrecision(DType activations) {
  if (activations == DType::kF32) return "fp32";
  constexpr const char* kMixed = "bf16 (activations and what products multiply; weights, sums and losses are fp32)";
  if (kernels::FastBf16Gemm() != nullptr) return kMixed;
  if (IsAllowed(Isa::kAvx512Bf16)) {
    return fmt::format("{}; products run in fp32, which is faster here than this processor's products of bf16", kMixed);
  }
  return fmt::format("{}; no products of bf16 here{}, so they run in fp32", kMixed,
                     IsForbidden(Isa::kAvx512Bf16) ? " (TWOFOUR_MAX_ISA forbids them)" : "");
}

/// `operands` is what products of activations multiply. Where no instruction does that, the peak is that of f32.
std::string DescribePeak(const PeakFlops& peak, DType operands) {
  if (!MultipliesPairs()) operands = DType::kF32;
  if (peak.sure) {
    return fmt::format("{:.0f} GFLOP/s ({} multiply-adds, measured): MFU is the share of it", peak.flops * 1e-9,
                       NameOf(operands));
  }
  return fmt::format("about {:.0f} GFLOP/s ({} multiply-adds; {:.0f} was typical while measuring): MFU is rough",
                     peak.flops * 1e-9, NameOf(operands), peak.typical * 1e-9);
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
                       const PeakFlops& peak, const comm::Communicator& ranks, std::ostream& out) {
  const nn::Model& model = *workload.model;
  const DType operands = model.activation_dtype();
  const auto row = [&out](const char* key, const std::string& value) { PrintRow(key, value, out); };
  out << "twofour " TWOFOUR_VERSION "\n";
  row("run", fmt::format("{} -> {}", config.name(), folder));
  row("model", fmt::format("{}, {} parameters", model.type_name(), Grouped(model.NumParameters())));
  row("data", workload.data_description);
  if (!workload.samples.class_names.empty()) {
    row("classes", fmt::format("{} (to train on/to evaluate)", DescribeClassCounts(workload.samples)));
  }
  if (workload.data_record.OfNumbers()) row("targets", QuotedList(workload.samples.table->TargetNames()));
  row("training", DescribeTraining(config, workload));
  row("precision", DescribePrecision(operands));
  if (ranks.size() > 1) row("ranks", DescribeRanks(ranks, config.training().shards()));
  row("threads", DescribeThreads(NumThreads(), config.threads() == 0, CountProcessors()));
  row("processor", std::string(NameOf(BestIsa())));
  if (peak.flops > 0) row("peak", DescribePeak(peak, operands));
  const bool sparse = config.sparsity().enabled();
  row("kernels",
      fmt::format("dense products: {}{}", operands == DType::kBF16 ? kernels::Bf16GemmName() : kernels::GemmName(),
                  sparse ? "; masks: " + DescribeSearches(BuildSwapOptions(config)) : ""));
  if (!sparse) PrintUnusedForcedKernels({}, out);
}
}  // namespace twofour::train
