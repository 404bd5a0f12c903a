#include <fmt/format.h>

#include "twofour/train/data/vocabulary.h"
#include "twofour/train/program/config/options.h"
#include "twofour/train/program/config/validate_parts.h"

namespace twofour::train {

namespace {

void CheckConvNet(const proto::ConvNet& net, Faults& faults) {
  const FieldPath at = ConvNetFields();
  const nn::ConvNetOptions options = ToOptions(net);
  Check(options, at, faults);
  if (options.image.height == 0 && options.image.width == 0) {  // The size is that of the data.
    faults.Expect(options.image.channels == 1, at.In("image")("channels"), options.image.channels,
                  "height and width beside it; without them, all three are those of the data");
    return;
  }
  Check(options.image, at.In("image"), faults);
  if (faults.IsSound(at("convolutions")) && faults.IsSound(at("image"))) CheckSizes(options, at, faults);
}

void CheckGpt(const proto::Gpt& gpt, Faults& faults) {
  const FieldPath at = GptFields();
  Check(ToOptions(gpt), at, faults);
  faults.InRange(at("vocab_size"), gpt.vocab_size(), 0, nn::GptOptions::kMostVocabSize);
  if (!faults.IsSound(at("vocab_size"))) return;
  const int64_t last = gpt.vocab_size() == 0 ? kMaxVocabSize - 1 : gpt.vocab_size() - 1;
  faults.InRange(at("bos_token"), gpt.bos_token(), -1, last);
  faults.InRange(at("pad_token"), gpt.pad_token(), -1, last);
  constexpr int kMostEosTokens = 100;
  faults.Expect(gpt.eos_tokens_size() <= kMostEosTokens, at("eos_tokens"),
                fmt::format("{} tokens", gpt.eos_tokens_size()), fmt::format("at most {}", kMostEosTokens));
  for (const int64_t token : gpt.eos_tokens()) faults.InRange(at("eos_tokens"), token, 0, last);
}

}  // namespace

void CheckModel(const proto::Model& model, Faults& faults) {
  switch (model.kind_case()) {
    case proto::Model::kMlp:
      return Check(ToOptions(model.mlp()), "model.mlp", faults);
    case proto::Model::kResidualMlp:
      return Check(ToOptions(model.residual_mlp()), "model.residual_mlp", faults);
    case proto::Model::kConvNet:
      return CheckConvNet(model.conv_net(), faults);
    case proto::Model::kGpt:
      return CheckGpt(model.gpt(), faults);
    case proto::Model::KIND_NOT_SET:
      break;  // Noted by ValidateConfig.
  }
}

}  // namespace twofour::train
