// Predicts how training scales over ranks: runs the exchanges of one optimizer step of a Gpt with the code of training,
// on a network in virtual time. Nothing is computed; how long that would take is told by arguments.
#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "twofour/core/parallel.h"

#include "bench/ranks/rank_simulation.h"
#include "bench/support/program.h"

namespace twofour::bench {
namespace {

struct Arguments {
  TrafficGpt gpt;
  std::string pattern = "dense";
  std::vector<int64_t> ranks{2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};
  double latency = 50e-6, bandwidth = 1.25e9;
  double compute_seconds = 100;
  int64_t micro_batches = 64;
  bool weak = false;
  SimulatedStep step{.update_ns_per_element = 1, .mask_ns_per_element = 1, .scale = 4096};
};

/// The step of each of so many ranks.
SimulatedStep StepOf(const Arguments& arguments, int64_t ranks) {
  SimulatedStep step = arguments.step;
  step.network = {.latency_seconds = arguments.latency, .bytes_per_second = arguments.bandwidth};
  step.frozen = arguments.pattern == "frozen";
  const double seconds = arguments.compute_seconds / static_cast<double>(arguments.weak ? 1 : ranks);
  step.passes = arguments.weak ? arguments.micro_batches : std::max<int64_t>(arguments.micro_batches / ranks, 1);
  step.pass_seconds = seconds / static_cast<double>(step.passes);
  return step;
}

void Simulate(const Arguments& arguments, const std::vector<TrafficParameter>& parameters, int ranks,
              double alone_seconds) {
  const SimulatedStep step = StepOf(arguments, ranks);
  const StepOutcome outcome = SimulateStep(parameters, ranks, step);
  double bytes = 0, most_bytes = 0, messages = 0, most_messages = 0;
  for (const comm::Traffic& sent : outcome.sent) {
    bytes += static_cast<double>(sent.bytes);
    most_bytes = std::max(most_bytes, static_cast<double>(sent.bytes));
    messages += static_cast<double>(sent.messages);
    most_messages = std::max(most_messages, static_cast<double>(sent.messages));
  }
  const auto all_bytes = static_cast<double>(BytesOfStep(parameters, ranks, step));
  const double speedup = alone_seconds / outcome.step_seconds * (arguments.weak ? ranks : 1);
  PrintLine({{"bench", "simulate_ranks"},
             {"ranks", ranks},
             {"pattern", arguments.pattern},
             {"scaling", arguments.weak ? "weak" : "strong"},
             {"latency", arguments.latency},
             {"bandwidth", arguments.bandwidth},
             {"scale", step.scale},
             {"step_seconds", outcome.step_seconds},
             {"compute_seconds", outcome.compute_seconds},
             {"update_seconds", outcome.update_seconds},
             {"mask_seconds", outcome.mask_seconds},
             {"exposed_seconds",
              outcome.step_seconds - outcome.compute_seconds - outcome.update_seconds - outcome.mask_seconds},
             {"hidden_share", outcome.hidden_share},
             {"bytes_per_rank", all_bytes / ranks},
             {"most_bytes_of_a_rank", bytes > 0 ? all_bytes * most_bytes / bytes : 0},
             {"messages_per_rank", messages / ranks},
             {"most_messages_of_a_rank", most_messages},
             {"largest_owner_share", outcome.largest_owner_share},
             {"speedup", speedup},
             {"efficiency", speedup / ranks}});
}

void Run(Arguments arguments) {
  SetNumThreads(1);  // Ranks are threads already.
  arguments.gpt.sparse = arguments.pattern != "dense";
  const std::vector<TrafficParameter> parameters = TrafficParametersOf(arguments.gpt);
  const double alone_seconds = SimulateStep(parameters, 1, StepOf(arguments, 1)).step_seconds;
  for (const int64_t ranks : arguments.ranks) Simulate(arguments, parameters, static_cast<int>(ranks), alone_seconds);
}

void AddSeconds(CLI::App& app, const std::string& flag, double& value, const std::string& description) {
  app.add_option(flag, value, description)->check(CLI::Range(0.0, 1e9))->capture_default_str();
}

}  // namespace
}  // namespace twofour::bench

int main(int argc, char** argv) {
  using namespace twofour::bench;
  Arguments arguments;
  CLI::App app("Predicts how training of a Gpt scales over ranks.", "simulate_ranks");
  AddSize(app, "--depth", arguments.gpt.depth, "Blocks", /*tiled=*/false);
  AddSize(app, "--width", arguments.gpt.width, "Features between blocks", /*tiled=*/true);
  AddSize(app, "--head-size", arguments.gpt.head_size, "Features of a head", /*tiled=*/false);
  AddSize(app, "--vocab", arguments.gpt.vocab, "Size of the vocabulary", /*tiled=*/false);
  app.add_flag("--muon", arguments.gpt.muon, "Muon updates the matrices of blocks; otherwise AdamW updates all");
  app.add_option(
         "--pattern", arguments.pattern,
         "dense; sparse: the MLPs are 2:4, masks are found in each step; frozen: their masks stay, and gradients "
         "of masked weights are not sent")
      ->check(CLI::IsMember({"dense", "sparse", "frozen"}))
      ->capture_default_str();
  AddSizes(app, "--ranks", arguments.ranks, "Numbers of ranks, one after the other");
  AddSeconds(app, "--latency", arguments.latency, "Seconds from a message's last byte sent to its last byte received");
  app.add_option("--bandwidth", arguments.bandwidth, "Bytes a second of each rank's link, in each direction")
      ->check(CLI::Range(1.0, 1e15))
      ->capture_default_str();
  AddSeconds(app, "--compute-seconds", arguments.compute_seconds,
             "Forward and backward passes of the whole step on one rank; with --weak, of each rank");
  AddSize(app, "--micro-batches", arguments.micro_batches,
          "Micro-batches of the whole step, at least one for each rank; with --weak, of each rank", /*tiled=*/false);
  app.add_flag("--weak", arguments.weak, "More ranks have more work: weak scaling");
  AddSeconds(app, "--undivided-seconds", arguments.step.undivided_seconds,
             "What each rank does for the whole model in a step: packing 2:4 weights, checks");
  AddSeconds(app, "--update-ns-per-element", arguments.step.update_ns_per_element, "AdamW's time for one element");
  AddSeconds(app, "--mask-ns-per-element", arguments.step.mask_ns_per_element, "The search's time for one element");
  app.add_option("--bucket-elements", arguments.step.bucket_elements, "Gradients that are sent at once")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40))
      ->capture_default_str();
  app.add_option("--weight-bucket-bytes", arguments.step.weight_bucket_bytes, "Weights and masks that are sent at once")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40))
      ->capture_default_str();
  AddSize(app, "--scale", arguments.step.scale,
          "Divides sizes and bandwidth, so that many ranks fit into memory. Times stay about the same",
          /*tiled=*/false);
  return RunProgram(app, argc, argv, [&] { Run(arguments); });
}
