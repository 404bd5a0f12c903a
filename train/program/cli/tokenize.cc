#include "twofour/train/program/cli/tokenize.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/train/data/bpe/bpe_training.h"
#include "twofour/train/data/bpe/tokenizer_file.h"
#include "twofour/train/data/plain_text.h"
#include "twofour/train/data/token_header.h"
#include "twofour/train/data/token_source.h"
#include "twofour/train/program/cli/arguments.h"
#include "twofour/train/program/cli/output.h"
#include "twofour/train/program/cli/result_output.h"

namespace twofour::train {
namespace {

constexpr uint64_t kMaxTextBytes = uint64_t{1} << 30;

struct Request {
  std::string input, output;
  std::optional<int64_t> vocab;  // Find a vocabulary of this size, ...
  std::string tokenizer;         // ... or write the ids of this one.
};

std::optional<Request> Parse(int argc, const char* const* argv, std::ostream& out) {
  Request request;
  Arguments arguments("tokenize");
  arguments.Add("--input", request.input, "The text, up to 1 GiB").Type("FILE").Required();
  arguments
      .Add("--output", request.output,
           "With --vocab a tokenizer.json, with --tokenizer 16-bit token ids behind llm.c's header; - for the standard "
           "output")
      .Type("FILE")
      .Required();
  const Argument vocab = arguments.Add("--vocab", request.vocab, "How many tokens to find, <|endoftext|> among them")
                             .Type("N")
                             .Range(int64_t{257}, kMaxVocabSize);
  const Argument tokenizer =
      arguments
          .Add("--tokenizer", request.tokenizer, "A tokenizer.json, or GPT-2's vocab.json with merges.txt beside it")
          .Type("FILE")
          .Excludes(vocab);
  if (!arguments.Parse(argc, argv, 1, out)) return std::nullopt;
  if (!vocab.given() && !tokenizer.given()) {
    throw Error("expected --vocab, to find a vocabulary, or --tokenizer, to write token ids");
  }
  return request;
}

/// llm.c's file of 16-bit ids, which data.tokens.path reads.
std::string TokenFile(const std::vector<int32_t>& ids) {
  static_assert(std::endian::native == std::endian::little);
  const std::array<int32_t, 256> header = TokenFileHeader(static_cast<int32_t>(ids.size()));
  const std::vector<uint16_t> narrow(ids.begin(), ids.end());
  std::string file(reinterpret_cast<const char*>(header.data()), sizeof(header));
  return file.append(reinterpret_cast<const char*>(narrow.data()), narrow.size() * sizeof(uint16_t));
}

/// What is read: the result may take the place of none of these.
std::vector<std::string> FilesReadBy(const Request& request) {
  std::vector<std::string> files = {request.input};
  if (request.tokenizer.empty()) return files;
  files.push_back(request.tokenizer);
  files.push_back(MergesBeside(request.tokenizer).string());
  return files;
}

/// "1115394 bytes, 338025 tokens, 3.30 bytes each"
std::string DescribeLengths(size_t bytes, size_t tokens) {
  return fmt::format("{} bytes, {} tokens, {:.2f} bytes each", bytes, tokens,
                     static_cast<double>(bytes) / static_cast<double>(tokens));
}

}  // namespace

int RunTokenize(int argc, const char* const* argv, const CommandContext& context) {
  const std::optional<Request> request = Parse(argc, argv, context.out);
  if (!request) return 0;
  FileSystem& files = FileSystem::Default();
  const std::atomic<bool>* const stop = &context.stop.stop;
  std::optional<BpeTokenizer> tokenizer;
  if (!request->vocab) tokenizer.emplace(LoadTokenizer(files, request->tokenizer));
  const std::string text = ReadPlainText(files, request->input, kMaxTextBytes);
  if (text.empty()) throw Error(fmt::format("{}: is empty, expected a text", request->input));
  ResultOutput output(files, request->output, FilesReadBy(*request), context.out);
  if (request->vocab) tokenizer.emplace(TrainBpe(text, {.vocab_size = *request->vocab, .stop = stop}));
  const std::vector<int32_t> ids = tokenizer->Encode(text, stop);
  if (*stop) return EndWithoutResult(context);
  output.Write(request->vocab ? ToTokenizerJson(*tokenizer) : TokenFile(ids));
  output.Finish();
  if (request->vocab && tokenizer->size() < *request->vocab) {
    PrintNotes({fmt::format("only {} tokens were found: no other pair occurs twice", tokenizer->size())}, context.err);
  }
  std::ostream& said = request->output == "-" ? context.err : context.out;
  said << fmt::format("{}: {}; vocabulary of {}\n", request->output, DescribeLengths(text.size(), ids.size()),
                      tokenizer->size());
  RequireWritten(said);
  return 0;
}

}  // namespace twofour::train
