#include "twofour/train/program/cli/sample.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>
#include <ostream>
#include <sstream>
#include <utility>

#include "twofour/core/dtype.h"
#include "twofour/core/error.h"
#include "twofour/core/io/text.h"
#include "twofour/core/parallel.h"
#include "twofour/nn/generate.h"
#include "twofour/nn/sparse_linear.h"
#include "twofour/nn/swap.h"
#include "twofour/train/clock.h"
#include "twofour/train/data/text.h"
#include "twofour/train/program/cli/arguments.h"
#include "twofour/train/program/cli/model_arguments.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/config/load_model.h"
#include "twofour/train/program/start/start_computing.h"

namespace twofour::train {
namespace {

constexpr uint64_t kMaxPromptBytes = 1 << 20;
constexpr int64_t kMaxTokens = 1'000'000;

/// Converts between token ids and what the user reads and writes: text, or the ids themselves.
class Transcript {
 public:
  explicit Transcript(const LoadedLanguageModel& loaded) : loaded_(loaded) {}

  std::vector<int32_t> Read(const std::string& prompt) const {
    return loaded_.vocabulary ? loaded_.vocabulary->Encode(prompt) : ReadIds(prompt);
  }

  std::string Write(int32_t id) const {
    if (!loaded_.vocabulary) return fmt::format("{} ", id);
    // An embedding may have more rows than the tokenizer has tokens. Nothing was trained on those.
    return id < loaded_.vocabulary->size() ? loaded_.vocabulary->Decode({&id, 1}) : fmt::format("<{}>", id);
  }

  /// What the model continues if there is no prompt: nothing but the token that texts begin with, or else a new line,
  /// or the first token if the vocabulary has no new line.
  std::vector<int32_t> DefaultPrompt() const {
    if (loaded_.bos_token) return {};
    if (!loaded_.vocabulary) return {0};
    try {
      return loaded_.vocabulary->Encode("\n");
    } catch (const Error&) {
      return {0};
    }
  }

 private:
  std::vector<int32_t> ReadIds(const std::string& prompt) const {
    std::vector<int32_t> ids;
    std::istringstream words(prompt);
    const int64_t size = loaded_.model->options().vocab_size;
    for (std::string word; words >> word;) {
      const std::optional<int64_t> id = ParseInteger(word);
      if (!id || *id < 0 || *id >= size) {
        throw Error(fmt::format("--prompt: {} is no token id, expected 0 to {} (the run has no vocabulary)",
                                Quoted(word), size - 1));
      }
      ids.push_back(static_cast<int32_t>(*id));
    }
    return ids;
  }

  const LoadedLanguageModel& loaded_;
};

struct Request {
  std::string run;
  std::optional<std::string> checkpoint;
  std::optional<std::string> weights;  // An exported file.
  std::optional<std::string> prompt;   // --prompt, or the contents of --prompt-file.
  std::optional<int> threads;
  std::optional<DType> activations;  // Nothing: as in training.
  bool ignore_eos = false;
  nn::GenerateOptions generate = {.tokens = 200, .sampling = {.temperature = 0.8}};
};

std::optional<Request> Parse(int argc, const char* const* argv, std::ostream& out) {
  Request request;
  Arguments arguments("sample");
  ModelArguments model(arguments);
  model.AddCheckpoint(arguments);
  std::string prompt, prompt_file, weights;
  const Argument weights_option =
      arguments
          .Add("--weights", weights,
               "Take the weights from this file, which trainer export wrote of the run; packed ones stay packed")
          .Type("FILE");
  const Argument prompt_option =
      arguments.Add("--prompt", prompt, "What to continue (default: a new line)").Type("TEXT");
  const Argument file_option =
      arguments.Add("--prompt-file", prompt_file, "A file that holds it").Type("FILE").Excludes(prompt_option);
  nn::GenerateOptions& generate = request.generate;
  arguments.Add("--tokens", generate.tokens, "How many to add").Type("N").Range(int64_t{1}, kMaxTokens).ShowDefault();
  arguments.Add("--temperature", generate.sampling.temperature, "Divides the logits; 0 takes the most likely token")
      .Type("T")
      .Range(0.0, 1e6)
      .ShowDefault();
  arguments.Add("--top-k", generate.sampling.top_k, "Draw from the K most likely tokens; 0: from all")
      .Type("K")
      .NotNegative();
  arguments
      .Add("--top-p", generate.sampling.top_p, "Draw from the most likely tokens that together reach this probability")
      .Type("P")
      .Range(1e-9, 1.0);
  arguments.Add("--seed", generate.seed, "Decides the draws").Type("S").NotNegative().ShowDefault();
  arguments.AddFlag("--ignore-eos", request.ignore_eos, "Go on where the model ends its text");
  if (!arguments.Parse(argc, argv, 1, out)) return std::nullopt;
  request.run = model.run();
  request.checkpoint = model.checkpoint();
  if (weights_option.given()) request.weights = weights;
  if (request.weights && request.checkpoint) {
    throw Error(fmt::format("--weights {}: names weights already, expected no --checkpoint", weights));
  }
  request.threads = model.threads();
  request.activations = model.activations();
  if (prompt_option.given()) request.prompt = prompt;
  if (file_option.given()) request.prompt = ReadText(FileSystem::Default(), prompt_file, kMaxPromptBytes);
  if (request.prompt && request.prompt->empty()) throw Error("the prompt is empty, expected at least one token");
  return request;
}

/// Throws Error if the model's learned positions end before the text does.
void RequirePositionsFor(const nn::Gpt& model, const std::vector<int32_t>& prompt,
                         const nn::GenerateOptions& generate) {
  // The last token is drawn, but not read.
  const int64_t positions = model.options().learned_positions, read = std::ssize(prompt) + generate.tokens - 1;
  if (model.options().positions != nn::Positions::kLearned || read <= positions) return;
  throw Error(
      fmt::format("--tokens {}: after a prompt of {} tokens, expected at most {}: the model has learned {} "
                  "positions and no more",
                  generate.tokens, prompt.size(), std::max<int64_t>(positions + 1 - std::ssize(prompt), 0), positions));
}

/// Packs weights under masks, and those with zeros in place, as they come from elsewhere. The head stays as it is,
/// because its logits are not rounded. Returns whether any are packed, here or in a file.
bool Pack(nn::Gpt& model) {
  const DType values = model.activation_dtype();
  nn::SwapSemiSparseLinearWithSparseLinear(model, values);
  nn::SwapLinearWithSparseLinear(model, {.exclude = "lm_head", .values = values});
  bool packed = false;
  model.VisitModules([&](const std::string&, nn::Module& module) {
    packed = packed || dynamic_cast<const nn::SparseLinear*>(&module) != nullptr;
  });
  return packed;
}

}  // namespace

int RunSample(int argc, const char* const* argv, const CommandContext& context) {
  const std::optional<Request> request = Parse(argc, argv, context.out);
  if (!request) return 0;
  std::ostream& out = context.out;
  const StopRequest& stop = context.stop;
  StartComputing(request->threads);
  const LoadedLanguageModel loaded = request->weights
                                         ? LoadLanguageModelWith(*request->weights, request->run, request->activations)
                                         : LoadLanguageModel(request->run, request->activations, request->checkpoint);
  const bool packed = Pack(*loaded.model);
  const Transcript transcript(loaded);
  const std::vector<int32_t> prompt = request->prompt ? transcript.Read(*request->prompt) : transcript.DefaultPrompt();
  std::vector<int32_t> context_tokens = prompt;
  if (loaded.bos_token) context_tokens.insert(context_tokens.begin(), *loaded.bos_token);
  RequirePositionsFor(*loaded.model, context_tokens, request->generate);
  const double began = Clock::Default().Seconds();
  // The prompt is printed with the first token, so that nothing is printed if the model cannot compute.
  bool begun = false;
  const std::vector<int32_t> drawn = nn::Generate(*loaded.model, context_tokens, request->generate, [&](int32_t id) {
    if (!std::exchange(begun, true)) {
      for (const int32_t given : prompt) out << transcript.Write(given);
    }
    if (!request->ignore_eos && loaded.eos_tokens.contains(id)) return false;
    out << transcript.Write(id) << std::flush;
    return out.good() && !stop.stop;
  });
  out << std::endl;
  RequireWritten(out);
  const double seconds = Clock::Default().Seconds() - began;
  const bool rounds = loaded.model->activation_dtype() == DType::kBF16;
  context.err << fmt::format("{} tokens in {:.2f} s, {:.0f} tokens/s, {}{}weights from {}\n", drawn.size(), seconds,
                             static_cast<double>(drawn.size()) / seconds, rounds ? "in bf16, " : "",
                             packed ? "packed, " : "", loaded.source.string());
  return stop.stop ? 128 + stop.signal : 0;
}

}  // namespace twofour::train
