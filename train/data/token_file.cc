#include "twofour/train/data/token_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/io/random_access_file.h"
#include "twofour/train/data/bpe/tokenizer_file.h"
#include "twofour/train/data/path_pattern.h"
#include "twofour/train/data/token_header.h"

namespace twofour::train {
namespace {

constexpr int64_t kIdBytes = sizeof(uint16_t);

struct TokenFile {
  std::string path;
  int64_t header_bytes = 0;
  std::shared_ptr<const TokenSource> ids;
};

TokenFile OpenOne(const std::string& path) {
  auto file = std::make_shared<const RandomAccessFile>(path);
  std::vector<std::byte> beginning(static_cast<size_t>(std::min(file->size(), kTokenFileBeginning)));
  file->Read(0, beginning);
  const int64_t header_bytes = TokenFileHeaderBytes(beginning, file->size(), path);
  return {path, header_bytes, std::make_shared<const U16Source>(std::move(file), header_bytes)};
}

/// Opens all files that the path means. Throws Error where some have a header and others have none: one of the kinds
/// would be read wrongly.
std::vector<TokenFile> Open(const std::string& path) {
  std::vector<TokenFile> files;
  for (const std::string& shard : FilesOf(path)) {
    const TokenFile& file = files.emplace_back(OpenOne(shard));
    if (file.header_bytes == files[0].header_bytes) continue;
    throw Error(fmt::format("{}: {} header, but {} {}, expected shards of one kind", file.path,
                            file.header_bytes == 0 ? "has no" : "has a", files[0].path,
                            file.header_bytes == 0 ? "has one" : "has none"));
  }
  return files;
}

/// All tokens of the files.
std::shared_ptr<const TokenSource> Joined(const std::vector<TokenFile>& files) {
  if (files.empty()) return nullptr;
  if (files.size() == 1) return files[0].ids;
  std::vector<std::shared_ptr<const TokenSource>> shards;
  for (const TokenFile& file : files) shards.push_back(file.ids);
  return std::make_shared<const ShardedSource>(std::move(shards));
}

/// The largest id. Throws Error on the first id that is not below `vocab_size`, unless that is 0.
int64_t CheckIds(const TokenFile& file, int64_t vocab_size) {
  constexpr int64_t kBlock = 1 << 16;
  const int64_t size = file.ids->size();
  const int64_t limit = vocab_size == 0 ? kMaxVocabSize : vocab_size;
  int64_t largest = 0;
  std::vector<int32_t> block(static_cast<size_t>(std::min(kBlock, size)));
  for (int64_t at = 0; at < size; at += kBlock) {
    const std::span<int32_t> ids(block.data(), static_cast<size_t>(std::min(kBlock, size - at)));
    file.ids->Read(at, ids);
    largest = std::max<int64_t>(largest, *std::max_element(ids.begin(), ids.end()));
    if (largest < limit) continue;
    const auto wrong = std::find_if(ids.begin(), ids.end(), [limit](int32_t id) { return id >= limit; });
    const int64_t index = at + (wrong - ids.begin());
    throw Error(fmt::format("{}: token {} (byte {}) is {}, expected 0 to {} (vocab_size is {})", file.path, index,
                            file.header_bytes + kIdBytes * index, *wrong, vocab_size - 1, vocab_size));
  }
  file.ids->CheckUnchanged();
  return largest;
}

/// The same for several files.
int64_t CheckIds(const std::vector<TokenFile>& files, int64_t vocab_size) {
  int64_t largest = 0;
  for (const TokenFile& file : files) largest = std::max(largest, CheckIds(file, vocab_size));
  return largest;
}

/// A note where the first ids look wider than 16 bits. Ids of 32 or 64 bits, read as 16 bits, have a zero (or, beyond
/// 65536, a small number) in every second place or in three of four. Real ids may look like that, too, so this is no
/// error.
std::optional<std::string> WidthNote(const TokenFile& file) {
  constexpr int64_t kFewest = 16, kMost = 1 << 12;
  constexpr int32_t kMostUpperHalf = 3;  // For vocabularies up to 262144.
  std::vector<int32_t> ids(static_cast<size_t>(std::min(kMost, file.ids->size())));
  file.ids->Read(0, ids);
  if (file.header_bytes != 0 || file.ids->size() < kFewest || file.ids->size() % 2 != 0) return std::nullopt;
  int32_t largest_lower = 0, largest_upper = 0, largest_third = 0;
  for (size_t i = 0; i + 1 < ids.size(); i += 2) {
    largest_lower = std::max(largest_lower, ids[i]);
    largest_upper = std::max(largest_upper, ids[i + 1]);
    if (i % 4 == 2) largest_third = std::max(largest_third, ids[i]);
  }
  if (largest_upper > kMostUpperHalf || largest_lower <= kMostUpperHalf) return std::nullopt;
  const bool is_64 = largest_third == 0 && file.ids->size() % 4 == 0;
  return fmt::format("{}: {} ids are {} at most: does the file hold ids of {} bits? They are read as 16 bits each",
                     file.path, is_64 ? "three of four" : "every second", largest_upper, is_64 ? 64 : 32);
}

std::optional<Vocabulary> VocabularyOf(const TokensOptions& options) {
  if (options.tokenizer.empty()) return std::nullopt;
  if (options.as_before && options.as_before->kind() == Vocabulary::Kind::kBpe) return options.as_before;
  return Vocabulary::Bpe(LoadTokenizer(FileSystem::Default(), options.tokenizer));
}

}  // namespace

void Check(const TokensOptions& options, const FieldPath& at, Faults& faults) {
  faults.NotEmpty(at("path"), options.path);
  faults.OpenFraction(at("eval_fraction"), options.eval_fraction);
  faults.Expect(options.vocab_size == 0 || (options.vocab_size >= 2 && options.vocab_size <= kMaxVocabSize),
                at("vocab_size"), options.vocab_size, fmt::format("0 or 2 to {}", kMaxVocabSize),
                fmt::format("vocab_size: got {}, expected 2 to {} (ids have 16 bits), or 0 for the largest id plus one",
                            options.vocab_size, kMaxVocabSize));
}

TokenData LoadTokens(const TokensOptions& options) {
  Checked(options, "tokens: ", ": got ");
  TokenData data;
  data.vocabulary = VocabularyOf(options);
  const int64_t vocab_size = options.vocab_size == 0 && data.vocabulary ? data.vocabulary->size() : options.vocab_size;
  if (data.vocabulary && data.vocabulary->size() > vocab_size) {
    throw Error(fmt::format("tokens: vocab_size: {}, expected at least {}, the tokens of {}", vocab_size,
                            data.vocabulary->size(), options.tokenizer));
  }
  const std::vector<TokenFile> files = Open(options.path);
  int64_t largest = CheckIds(files, vocab_size);
  if (std::optional<std::string> note = WidthNote(files[0])) data.notes.push_back(std::move(*note));
  std::vector<TokenFile> eval;
  if (!options.eval_path.empty()) {
    eval = Open(options.eval_path);
    largest = std::max(largest, CheckIds(eval, vocab_size));
    const auto both = std::ranges::find_if(eval, [&](const TokenFile& file) {
      return std::ranges::find(files, file.path, &TokenFile::path) != files.end();
    });
    if (both != eval.end() && options.path != options.eval_path) {
      data.notes.push_back(
          fmt::format("{}: is trained on, too: the evaluation says little about other data", both->path));
    }
  }
  SetParts(Joined(files), Joined(eval), options.eval_fraction, data);
  if (vocab_size == 0 && largest == 0) {
    throw Error(fmt::format("{}: every token is 0, expected at least 2 different ones", options.path));
  }
  data.vocab_size = vocab_size == 0 ? largest + 1 : vocab_size;
  if (data.vocabulary && largest < data.vocabulary->size()) {
    data.eval_bytes_per_token = BytesPerToken(data.eval, *data.vocabulary);
  }
  data.description = fmt::format("tokens {}{}: {} training and {} evaluation tokens, vocabulary of {}", options.path,
                                 files.size() > 1 ? fmt::format(" ({} files)", files.size()) : "", data.train.size(),
                                 data.eval.size(), data.vocab_size);
  return data;
}

}  // namespace twofour::train
