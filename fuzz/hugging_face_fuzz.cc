#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "twofour/core/error.h"
#include "twofour/train/exchange/hugging_face.h"

/// Any text must be the config of a model that can be written and read again, or give an Error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace twofour::train;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  HuggingFaceModel model;
  model.options.vocab_size = 1000;
  try {
    TakeGenerationConfig(text, "generation_config.json", model);
  } catch (const twofour::Error&) {
  }
  for (const int64_t token : model.eos_tokens) assert(token >= 0 && token < 1000);
  try {
    model = ParseHuggingFaceConfig(text, "config.json");
  } catch (const twofour::Error&) {
    return 0;
  }
  assert(!MatchesOf(model).empty());
  const std::string written = ToHuggingFaceConfig(model, twofour::DType::kF32);
  const HuggingFaceModel again = ParseHuggingFaceConfig(written, "written");
  assert(ArchitectureOf(again.options) == model.architecture);
  assert(ToHuggingFaceConfig(again, twofour::DType::kF32) == written);
  return 0;
}
