// Inference from a packed file. What configs/sparse_mlp.pbtxt trained recognises digits:
//   trainer --config configs/sparse_mlp.pbtxt
//   trainer export --run runs/sparse_mlp --format packed -o digits.safetensors
//   packed_inference digits.safetensors
#include <algorithm>
#include <cstdio>
#include <exception>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "twofour/train/data/glyphs.h"
#include "twofour/train/exchange/weight_source.h"
#include "twofour/twofour.h"

using namespace twofour;

int Run(const char* path) {
  Generator gen(0);                                           // For the weights that the file replaces.
  std::optional<nn::UnsetWeightsScope> unset(std::in_place);  // Those of linears need not even be filled.
  nn::ResidualMlp model({.in_features = 784, .width = 128, .hidden_features = 512, .num_blocks = 2, .out_features = 10},
                        gen);
  unset.reset();
  // Weights that `--format packed` wrote stay packed: they are never dense. Other forms and masked weights come out
  // with zeros in place. Any export of `trainer` is read, but ONNX.
  const train::WeightSource source = train::LoadWeightSource(FileSystem::Default(), path, /*activations=*/DType::kF32);
  nn::PutPackedLinears(model, source.packed, path);
  nn::LoadStateDict(model, train::EffectiveWeights(source.file), path);
  model.SetTraining(false);  // No dropout.
  const NoGradGuard no_grad;

  // Linears whose weights have those zeros are packed here: products then read half of the bytes.
  const nn::SwapReport report = nn::SwapLinearWithSparseLinear(model);
  for (const nn::SwapEntry& entry : report.converted) std::printf("packed here: %s\n", entry.name.c_str());
  for (const nn::PackedLinear& linear : source.packed) std::printf("packed in the file: %s\n", linear.name.c_str());

  constexpr int64_t kSamples = 1000;
  const train::DataSplit digits = train::LoadGlyphs({.train_size = 1, .eval_size = kSamples, .seed = 3});
  std::vector<int64_t> indices(kSamples);
  std::iota(indices.begin(), indices.end(), int64_t{0});
  const train::Batch batch = digits.eval->Get(indices);
  const Tensor logits = model.Forward(batch.inputs);
  int64_t correct = 0;
  for (int64_t i = 0; i < kSamples; ++i) {
    const float* const row = logits.data<float>() + i * logits.cols();
    correct += std::max_element(row, row + logits.cols()) - row == batch.targets.data<int32_t>()[i];
  }
  std::printf("%lld of %lld digits recognised\n", static_cast<long long>(correct), static_cast<long long>(kSamples));
  return report.converted.size() + source.packed.size() == 4 ? 0 : 1;
}

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: packed_inference FILE\n");
    return 2;
  }
  try {
    return Run(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "packed_inference: %s\n", error.what());
    return 1;
  }
}
