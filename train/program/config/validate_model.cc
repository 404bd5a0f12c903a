#include "twofour/nn/gpt.h"
#include "twofour/train/program/config/gpt_sizes.h"
#include "twofour/train/program/config/validate_parts.h"

namespace twofour::train {
namespace {

void CheckGpt(const proto::Gpt& gpt, Faults& faults) {
  const std::string at = "model.gpt.";
  faults.InRange(at + "depth", gpt.depth(), 0, 1000);
  faults.InRange(at + "width", gpt.width(), 0, kMaxFeatures);
  faults.InRange(at + "hidden_features", gpt.hidden_features(), 0, kMaxFeatures);
  faults.InRange(at + "sequence_length", gpt.sequence_length(), 1, kMaxFeatures);
  faults.InRange(at + "attention_window", gpt.attention_window(), 0, kMaxFeatures);
  // What a float holds comfortably.
  constexpr double kMaxStd = 1e6;
  constexpr double kLeastCap = nn::GptOptions::kLeastSoftCap, kMostCap = nn::GptOptions::kMostSoftCap;
  faults.Expect(gpt.soft_cap() == 0 || (gpt.soft_cap() >= kLeastCap && gpt.soft_cap() <= kMostCap), at + "soft_cap",
                gpt.soft_cap(), fmt::format("0 or {} to {}", kLeastCap, kMostCap));
  faults.Expect(gpt.rotary_base() > 1 && gpt.rotary_base() <= 1e12, at + "rotary_base", gpt.rotary_base(),
                "a number above 1, at most 1e12");
  faults.Between(at + "init.embedding_std", gpt.init().embedding_std(), 0, kMaxStd);
  faults.Between(at + "init.head_std", gpt.init().head_std(), 0, kMaxStd);
  faults.Between(at + "init.matrix_std", gpt.init().matrix_std(), -kMaxStd, kMaxStd);
  faults.Between(at + "init.projection_std", gpt.init().projection_std(), 0, kMaxStd);
  faults.Expect(gpt.heads() >= 0, at + "heads", gpt.heads(), "at least 0");
  faults.Expect(gpt.kv_heads() >= 0, at + "kv_heads", gpt.kv_heads(), "at least 0");
  const int64_t width = GptWidth(gpt), heads = GptHeads(gpt);
  faults.Expect(width >= 1, at + "width", width, "a positive width, or a depth above 0 to derive it from");
  if (width < 1 || heads < 1 || gpt.kv_heads() < 0) return;  // Said already.
  if (width % heads != 0 && gpt.heads() == 0) {
    faults.Expect(false, at + "width", width, "a multiple of 64, or heads that divide it");
  } else if (width % heads != 0) {
    faults.Expect(false, at + "heads", heads, fmt::format("a divisor of the width, which is {}", width));
  } else {
    faults.Expect(width / heads % 2 == 0, at + "heads", heads,
                  fmt::format("width / heads = {} / {} to be even: rotary positions turn pairs", width, heads));
  }
  faults.Expect(heads % GptKvHeads(gpt) == 0, at + "kv_heads", GptKvHeads(gpt),
                fmt::format("a divisor of heads, which is {}", heads));
}

}  // namespace

void CheckModel(const proto::Model& model, Faults& faults) {
  switch (model.kind_case()) {
    case proto::Model::kMlp: {
      const proto::MlpStack& mlp = model.mlp();
      faults.InRange("model.mlp.hidden_features (how many)", mlp.hidden_features_size(), 0, 1000);
      for (int i = 0; i < mlp.hidden_features_size(); ++i) {
        faults.InRange(fmt::format("model.mlp.hidden_features[{}]", i), mlp.hidden_features(i), 1, kMaxFeatures);
      }
      faults.Probability("model.mlp.dropout", mlp.dropout());
      faults.Expect(mlp.activation() != proto::SWIGLU, "model.mlp.activation", "SWIGLU",
                    "one that needs no gate: RELU_SQUARED, RELU or GELU");
      return;
    }
    case proto::Model::kResidualMlp: {
      const proto::ResidualMlp& mlp = model.residual_mlp();
      faults.InRange("model.residual_mlp.width", mlp.width(), 1, kMaxFeatures);
      faults.InRange("model.residual_mlp.hidden_features", mlp.hidden_features(), 0, kMaxFeatures);
      faults.InRange("model.residual_mlp.num_blocks", mlp.num_blocks(), 0, 1000);
      faults.Probability("model.residual_mlp.dropout", mlp.dropout());
      return;
    }
    case proto::Model::kGpt:
      return CheckGpt(model.gpt(), faults);
    case proto::Model::KIND_NOT_SET:
      return faults.Missing("model", "mlp { ... }, residual_mlp { ... } or gpt { ... }");
  }
}

}  // namespace twofour::train
