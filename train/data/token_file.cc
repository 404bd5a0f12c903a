#include "twofour/train/data/token_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/random_access_file.h"

namespace twofour::train {
namespace {

constexpr int64_t kHeaderBytes = 256 * sizeof(int32_t);
constexpr int32_t kMagic = 20240520, kVersion = 1;
constexpr int32_t kMagicOf32Bits = 20240801, kVersionOf32Bits = 7;  // llm.c's files for Llama 3.
constexpr int64_t kIdBytes = sizeof(uint16_t);

/// Number `index` of the header.
int32_t HeaderNumber(std::span<const std::byte> bytes, size_t index) {
  int32_t number;
  std::memcpy(&number, bytes.data() + index * sizeof(number), sizeof(number));
  return number;
}

struct TokenFile {
  std::string path;
  int64_t header_bytes = 0;
  std::shared_ptr<const TokenSource> ids;
};

TokenFile Open(const std::string& path) {
  auto file = std::make_shared<const RandomAccessFile>(path);
  std::vector<std::byte> beginning(static_cast<size_t>(std::min(file->size(), kHeaderBytes)));
  file->Read(0, beginning);
  const int64_t header_bytes = TokenFileHeaderBytes(beginning, file->size(), path);
  return {path, header_bytes, std::make_shared<const U16Source>(std::move(file), header_bytes)};
}

/// The largest id. Throws Error on the first of `vocab_size` and above, unless that is 0.
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

void CheckOptions(const TokensOptions& options) {
  if (options.path.empty()) throw Error("tokens: path: expected the path of a file");
  if (options.vocab_size != 0 && (options.vocab_size < 2 || options.vocab_size > kMaxVocabSize)) {
    throw Error(
        fmt::format("tokens: vocab_size: got {}, expected 2 to {} (ids have 16 bits), or 0 for the largest id "
                    "plus one",
                    options.vocab_size, kMaxVocabSize));
  }
}

}  // namespace

int64_t TokenFileHeaderBytes(std::span<const std::byte> bytes, int64_t size, const std::string& source) {
  const auto begins_with = [&](int32_t magic, int32_t version) {
    constexpr size_t kNeeded = 2 * sizeof(int32_t);
    return bytes.size() >= kNeeded && HeaderNumber(bytes, 0) == magic && HeaderNumber(bytes, 1) == version;
  };
  if (begins_with(kMagicOf32Bits, kVersionOf32Bits)) {
    throw Error(fmt::format("{}: llm.c's header says version {}, 32 bits for each token; expected version {}, 16 bits",
                            source, kVersionOf32Bits, kVersion));
  }
  if (!begins_with(kMagic, kVersion)) return 0;
  if (size < kHeaderBytes) {
    throw Error(fmt::format("{}: {} bytes, too short for llm.c's header of {}", source, size, kHeaderBytes));
  }
  const int64_t count = HeaderNumber(bytes, 2), held = size - kHeaderBytes;
  if (held != count * kIdBytes) {
    throw Error(fmt::format("{}: the header announces {} tokens of {} bytes and {} bytes follow it (from byte {})",
                            source, count, kIdBytes, held, kHeaderBytes));
  }
  return kHeaderBytes;
}

TokenData LoadTokens(const TokensOptions& options) {
  CheckOptions(options);
  const TokenFile file = Open(options.path);
  int64_t largest = CheckIds(file, options.vocab_size);
  TokenData data;
  TokenFile eval;
  if (!options.eval_path.empty()) {
    eval = Open(options.eval_path);
    largest = std::max(largest, CheckIds(eval, options.vocab_size));
  }
  SetParts(file.ids, eval.ids, options.eval_fraction, data);
  if (options.vocab_size == 0 && largest == 0) {
    throw Error(fmt::format("{}: every token is 0, expected at least 2 different ones", options.path));
  }
  data.vocab_size = options.vocab_size == 0 ? largest + 1 : options.vocab_size;
  data.description = fmt::format("tokens {}: {} training and {} evaluation tokens, vocabulary of {}", options.path,
                                 data.train.size(), data.eval.size(), data.vocab_size);
  return data;
}

}  // namespace twofour::train
