#include "twofour/train/cli/sample.h"

#include <fmt/format.h>

#include <filesystem>
#include <ostream>
#include <sstream>

#include <CLI/CLI.hpp>

#include "twofour/core/error.h"
#include "twofour/core/io/text.h"
#include "twofour/core/parallel.h"
#include "twofour/train/cli/kernel_environment.h"
#include "twofour/train/clock.h"
#include "twofour/train/config/load_model.h"
#include "twofour/train/data/text.h"

namespace twofour::train {
namespace {

constexpr uint64_t kMaxPromptBytes = 1 << 20;
constexpr int64_t kMaxTokens = 1'000'000;

/// Token ids and what stands for them outside: text, or the ids themselves.
class Transcript {
 public:
  explicit Transcript(const LoadedLanguageModel& loaded) : loaded_(loaded) {}

  std::vector<int32_t> Read(const std::string& prompt) const {
    return loaded_.vocabulary ? loaded_.vocabulary->Encode(prompt) : ReadIds(prompt);
  }

  std::string Write(int32_t id) const {
    return loaded_.vocabulary ? loaded_.vocabulary->Decode({&id, 1}) : fmt::format("{} ", id);
  }

  /// What comes after everything: a new line, which most texts begin with, or else the first token.
  std::vector<int32_t> DefaultPrompt() const {
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

}  // namespace

std::optional<SampleCommandLine> ParseSampleCommandLine(int argc, const char* const* argv, std::ostream& out) {
  SampleCommandLine line;
  CLI::App app("Prints text that a trained language model makes up.", "trainer sample");
  app.add_option("--run", line.run, "The run's folder, or one of its checkpoints")->type_name("DIR")->required();
  std::string prompt, prompt_file;
  auto* prompt_option = app.add_option("--prompt", prompt, "What to continue (default: a new line)")->type_name("TEXT");
  auto* file_option = app.add_option("--prompt-file", prompt_file, "A file that holds it")->type_name("FILE");
  file_option->excludes(prompt_option);
  nn::GenerateOptions& generate = line.generate;
  app.add_option("--tokens", generate.tokens, "How many to add")
      ->type_name("N")
      ->check(CLI::Range(int64_t{1}, kMaxTokens))
      ->capture_default_str();
  app.add_option("--temperature", generate.sampling.temperature, "Divides the logits; 0 takes the most likely token")
      ->type_name("T")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  app.add_option("--top-k", generate.sampling.top_k, "Draw from the K most likely tokens; 0: from all")
      ->type_name("K")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--top-p", generate.sampling.top_p,
                 "Draw from the most likely tokens that together reach this probability")
      ->type_name("P")
      ->check(CLI::Range(1e-9, 1.0));
  app.add_option("--seed", generate.seed, "Decides the draws")
      ->type_name("S")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--threads", line.threads, "Threads to compute with; 0: all processors")->type_name("N");
  try {
    app.parse(argc - 1, argv + 1);
  } catch (const CLI::CallForHelp&) {
    out << app.help();
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    throw Error(fmt::format("{} (see trainer sample --help)", error.what()));
  }
  if (prompt_option->count() > 0) line.prompt = prompt;
  if (file_option->count() > 0) line.prompt = ReadText(FileSystem::Default(), prompt_file, kMaxPromptBytes);
  if (line.prompt && line.prompt->empty()) throw Error("the prompt is empty, expected at least one token");
  return line;
}

int Sample(const SampleCommandLine& line, std::ostream& out, std::ostream& err, const StopRequest& stop) {
  if (line.threads) SetNumThreads(*line.threads);
  CheckKernelEnvironment();
  const LoadedLanguageModel loaded = LoadLanguageModel(line.run);
  const Transcript transcript(loaded);
  const std::vector<int32_t> prompt = line.prompt ? transcript.Read(*line.prompt) : transcript.DefaultPrompt();
  const double began = Clock::Default().Seconds();
  for (const int32_t id : prompt) out << transcript.Write(id);
  const std::vector<int32_t> drawn = nn::Generate(*loaded.model, prompt, line.generate, [&](int32_t id) {
    out << transcript.Write(id) << std::flush;
    return out.good() && !stop.stop;
  });
  out << std::endl;
  if (!out) throw Error("cannot write the text to standard output", ErrorKind::kRuntimeFailure);
  const double seconds = Clock::Default().Seconds() - began;
  err << fmt::format("{} tokens in {:.2f} s, {:.0f} tokens/s, weights from {}\n", drawn.size(), seconds,
                     static_cast<double>(drawn.size()) / seconds, loaded.source.string());
  return stop.stop ? 128 + stop.signal : 0;
}

}  // namespace twofour::train
