// Times what a mask costs: the search for it, and packing a weight by it. In nanoseconds for each 4x4 tile, on one
// thread, for every kernel that runs here. With --vnm, the search for V:N:M masks instead.
#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/io/safetensors.h"
#include "twofour/core/isa.h"
#include "twofour/sparse/kernels/linear/linear_kernel.h"
#include "twofour/sparse/kernels/search/mask_search.h"
#include "twofour/sparse/mask.h"

#include "bench/support/gaussian.h"
#include "bench/support/program.h"
#include "bench/support/rounds.h"
#include "bench/support/vnm_search.h"

namespace twofour::bench {
namespace {

using sparse::Direction;

struct Arguments {
  int64_t rows = 1024, cols = 4096;
  int rounds = 9;
  bool vnm = false;
  std::string file, tensor;
};

/// Normal random numbers, or a tensor of a file.
Tensor ScoresOf(const Arguments& arguments) {
  if (arguments.file.empty()) return Gaussian(arguments.rows, arguments.cols, {.seed = 24});
  const SafetensorsFile file = LoadSafetensors(FileSystem::Default(), arguments.file);
  const Tensor* const found = file.Find(arguments.tensor);
  if (found == nullptr) throw Error(fmt::format("{}: no tensor '{}'", arguments.file, arguments.tensor));
  return *found;
}

double NanosecondsPerTile(const Rounds& rounds, const std::string& variant, const sparse::Mask& mask) {
  return rounds.Milliseconds(variant) * 1e6 / static_cast<double>(mask.tile_rows() * mask.tile_cols());
}

void SearchAll(const sparse::MaskSearchKernel& kernel, const float* weight, sparse::Mask& mask) {
  for (int64_t row = 0; row < mask.tile_rows(); ++row) {
    kernel.search(weight + row * sparse::kTileSize * mask.cols(), mask.cols(), mask.tiles() + row * mask.tile_cols());
  }
}

void BenchSearch(const Arguments& arguments, const Tensor& weight) {
  const auto label = [](const sparse::MaskSearchKernel& kernel) {
    return fmt::format("{} {} {}", NameOf(kernel.method), kernel.name, NameOf(kernel.isa));
  };
  sparse::Mask mask(arguments.rows, arguments.cols);
  const float* elements = weight.data<float>();
  Rounds rounds("mask search", arguments.rounds);
  for (const sparse::MaskSearchKernel& kernel : sparse::MaskSearchKernels()) {
    if (!IsAllowed(kernel.isa)) continue;
    rounds.Add(label(kernel), [&kernel, &mask, elements] { SearchAll(kernel, elements, mask); });
  }
  rounds.Run();
  for (const sparse::MaskSearchKernel& kernel : sparse::MaskSearchKernels()) {
    if (!IsAllowed(kernel.isa)) continue;
    PrintLine({{"bench", "mask_search"},
               {"algorithm", NameOf(kernel.method)},
               {"kernel", kernel.name},
               {"isa", NameOf(kernel.isa)},
               {"rows", arguments.rows},
               {"cols", arguments.cols},
               {"ns_per_tile", NanosecondsPerTile(rounds, label(kernel), mask)}});
  }
}

struct Packing {
  const sparse::LinearKernel* kernel;
  Direction direction;
  std::string label;
};

std::vector<Packing> PackingsHere(const Arguments& arguments) {
  std::vector<Packing> packings;
  for (const sparse::LinearKernel& kernel : sparse::LinearKernels()) {
    for (const Direction direction : {Direction::kForward, Direction::kInputGrad}) {
      if (!Check(kernel, {arguments.rows, arguments.cols, /*batch=*/2048, direction}).can()) continue;
      packings.push_back(
          {&kernel, direction, fmt::format("{} {} {}", kernel.name, NameOf(kernel.isa), NameOf(direction))});
    }
  }
  return packings;
}

void BenchPacking(const Arguments& arguments, const Tensor& weight) {
  const sparse::Mask mask = sparse::FindMask(weight, sparse::MaskMethod::kExact);
  const float* elements = weight.data<float>();
  const std::vector<Packing> packings = PackingsHere(arguments);
  Rounds rounds("packing", arguments.rounds);
  for (const Packing& packing : packings) {
    rounds.Add(packing.label,
               [&packing, &mask, elements] { packing.kernel->pack(elements, mask.view(), packing.direction); });
  }
  rounds.Run();
  const double dense_bytes = static_cast<double>(weight.numel()) * sizeof(float);
  for (const Packing& packing : packings) {
    const size_t bytes = packing.kernel->pack(elements, mask.view(), packing.direction)->bytes();
    PrintLine({{"bench", "packing"},
               {"kernel", packing.kernel->name},
               {"isa", NameOf(packing.kernel->isa)},
               {"direction", NameOf(packing.direction)},
               {"rows", arguments.rows},
               {"cols", arguments.cols},
               {"ns_per_tile", NanosecondsPerTile(rounds, packing.label, mask)},
               {"bytes_per_dense_byte", static_cast<double>(bytes) / dense_bytes}});
  }
}

}  // namespace
}  // namespace twofour::bench

int main(int argc, char** argv) {
  using namespace twofour::bench;
  Arguments arguments;
  CLI::App app("Times mask search and packing, per 4x4 tile, on one thread.", "bench_mask");
  AddSize(app, "--rows", arguments.rows, "Rows of the weight", /*tiled=*/true);
  AddSize(app, "--cols", arguments.cols, "Columns of the weight", /*tiled=*/true);
  AddRounds(app, arguments.rounds);
  CLI::Option* const vnm = app.add_flag("--vnm", arguments.vnm, "Times and judges the search for V:N:M masks");
  CLI::Option* const file =
      app.add_option("--file", arguments.file, "A safetensors file with a weight to search masks for");
  app.add_option("--tensor", arguments.tensor, "The weight's name in that file")->needs(file);
  file->needs(vnm);
  return RunProgram(app, argc, argv, [&] {
    UseThreads(1);
    if (arguments.vnm) return BenchVnmSearch(ScoresOf(arguments), arguments.rounds);
    const twofour::Tensor weight = Gaussian(arguments.rows, arguments.cols, {.seed = 24});
    BenchSearch(arguments, weight);
    BenchPacking(arguments, weight);
  });
}
