#pragma once

#include <cstdint>

#include "twofour/core/dtype.h"
#include "twofour/nn/conv_net.h"
#include "twofour/nn/gpt.h"
#include "twofour/nn/mlp_stack.h"
#include "twofour/nn/residual_mlp.h"
#include "twofour/optim/adamw.h"
#include "twofour/optim/muon.h"
#include "twofour/optim/parameter_group.h"
#include "twofour/optim/sgd.h"
#include "twofour/train/classification.h"
#include "twofour/train/data/csv.h"
#include "twofour/train/data/glyphs.h"
#include "twofour/train/data/idx.h"
#include "twofour/train/data/text_corpus.h"
#include "twofour/train/data/token_file.h"
#include "twofour/train/language_model.h"
#include "twofour/train/regression.h"
#include "twofour/train/trainer.h"

#include "config.pb.h"

namespace twofour::train {

// These functions convert the messages of a config to options of the library. Only they and those of build_sparsity.h
// know the fields of both. ValidateConfig calls Check on the results, and build.h makes objects of them. They accept
// any config and keep values that are out of bounds, so that Check finds them.

GlyphsOptions ToOptions(const proto::Glyphs& glyphs);
IdxOptions ToOptions(const proto::Idx& idx);
CsvOptions ToOptions(const proto::Csv& csv);
TextOptions ToOptions(const proto::Text& text);
TokensOptions ToOptions(const proto::Tokens& tokens);

// Sizes that come from the data are not set here.
nn::MlpStackOptions ToOptions(const proto::MlpStack& mlp);
nn::ResidualMlpOptions ToOptions(const proto::ResidualMlp& mlp);
nn::ConvNetOptions ToOptions(const proto::ConvNet& net);
/// The config's names for the fields of ConvNetOptions.
FieldPath ConvNetFields();
/// How the fields of a Gpt's options are called in the config.
FieldPath GptFields();
nn::GptOptions ToOptions(const proto::Gpt& gpt);
/// The reverse. Says nothing of initial weights.
proto::Gpt ToProto(const nn::GptOptions& options);

// The learning rate is not set here: it belongs to the schedule.
optim::SgdOptions ToOptions(const proto::Sgd& sgd);
optim::AdamWOptions ToOptions(const proto::AdamW& adamw);
optim::MuonOptions ToOptions(const proto::Muon& muon);
/// The result has no parameters yet. `weight_decay` is for a group that does not set its own.
optim::ParameterGroup ToOptions(const proto::ParameterGroup& group, double weight_decay);

/// The dtype of a model's activations (nn::Model::SetActivationDType).
DType ToActivationDType(proto::Training::Precision precision);

/// Micro-batches of one optimizer step.
int64_t AccumulateSteps(const proto::Config& config);
ClassificationOptions BuildClassificationOptions(const proto::Config& config);
/// The targets' scales are not set here.
RegressionOptions BuildRegressionOptions(const proto::Config& config);
LanguageModelOptions BuildLanguageModelOptions(const proto::Config& config);
TrainerOptions BuildTrainerOptions(const proto::Config& config);

}  // namespace twofour::train
