#include "twofour/train/program/cli/permute.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <ostream>
#include <string>

#include "twofour/core/error.h"
#include "twofour/sparse/permutation/channel_search.h"
#include "twofour/train/program/cli/arguments.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/cli/pattern_argument.h"
#include "twofour/train/program/permute/permuted_run.h"

namespace twofour::train {
namespace {

constexpr int64_t kMostBatches = 1'000'000;

bool IsRia(const std::string& score) {
  if (score == "ria") return true;
  if (score == "magnitude") return false;
  throw Error(fmt::format("--score: '{}', expected magnitude or ria", score));
}

std::optional<PermuteRequest> Parse(int argc, const char* const* argv, std::ostream& out) {
  PermuteRequest request;
  std::string pattern, inner = "transposable", score = "magnitude";
  int64_t given_batches = PermuteRequest::kUsualBatches;
  Arguments arguments("permute");
  arguments.Add("--from", request.from, "The folder of a dense run").Type("DIR").Required();
  arguments.Add("--out", request.out, "The new run's folder, to be made").Type("DIR").Required();
  arguments.Add("--pattern", pattern, "What masks will keep: 2:4, or V:2:M as in 64:2:8").Type("PATTERN").Required();
  arguments.Add("--inner", inner, "2:4 of the columns kept: transposable, or rows for rows alone")
      .Type("NAME")
      .ShowDefault();
  arguments.Add("--score", score, "What is to be kept: magnitude, or ria (which needs the run's data)")
      .Type("NAME")
      .ShowDefault();
  const Argument batches =
      arguments.Add("--batches", given_batches, "Batches of training data that --score ria takes activations from")
          .Type("N")
          .Range(int64_t{1}, kMostBatches)
          .ShowDefault();
  const Argument rounds = arguments.Add("--rounds", request.rounds, "Passes of the search over all channels")
                              .Type("N")
                              .Range(int64_t{1}, sparse::ChannelSearchOptions::kMostRounds)
                              .ShowDefault();
  const Argument hidden_only = arguments.AddFlag("--hidden-only", request.hidden_only,
                                                 "Reorder the hidden units of MLPs only, not the features between "
                                                 "blocks");
  arguments.Add("--permutation", request.permutation, "Apply the orders of this file instead of searching")
      .Type("FILE")
      .Excludes(rounds)
      .Excludes(hidden_only);
  arguments.AddFlag("--accept-changed-data", request.accept_changed_data,
                    "Take activations from the run's data although it is not what the run began with");
  arguments.Add("--threads", request.threads, "Threads to compute with; 0: all processors it may use")
      .Type("N")
      .Range(int64_t{0}, kMaxThreads);
  bool overwrite = false;
  arguments.AddFlag("--overwrite", overwrite, "Replace an existing run in the folder");
  if (!arguments.Parse(argc, argv, 1, out)) return std::nullopt;
  request.pattern = ParsePattern(pattern, inner);
  request.ria = IsRia(score);
  if (!request.ria && batches.given()) throw Error("--batches: goes with --score ria");
  if (!request.ria && request.accept_changed_data) throw Error("--accept-changed-data: goes with --score ria");
  if (batches.given()) request.batches = given_batches;
  if (overwrite) request.if_exists = RunFolder::IfExists::kOverwrite;
  return request;
}

}  // namespace

int RunPermute(int argc, const char* const* argv, const CommandContext& context) {
  const std::optional<PermuteRequest> request = Parse(argc, argv, context.out);
  if (!request) return 0;
  const std::optional<PermutedRun> permuted = PermuteRun(*request, context.stop.stop);
  if (!permuted) return EndWithoutResult(context);
  PrintNotes(permuted->notes, context.err);
  size_t width = 0;
  for (const PermutedLayer& layer : permuted->layers) width = std::max(width, layer.name.size());
  for (const PermutedLayer& layer : permuted->layers) {
    context.out << fmt::format("{:<{}} [{}, {}]: keeps {:.4f} of the importance, before {:.4f}\n", layer.name, width,
                               layer.out_features, layer.in_features, layer.kept_after, layer.kept_before);
  }
  context.out << fmt::format("{}: orders of {} groups of channels {}, weights from {}\n", request->out,
                             permuted->groups, request->permutation.empty() ? "found" : "applied", request->from);
  RequireWritten(context.out);
  return 0;
}

}  // namespace twofour::train
