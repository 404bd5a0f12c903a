#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/train/data/token_file.h"
#include "twofour/train/data/token_header.h"

/// Any file must hold tokens below the vocabulary's size, all of which can be read, or give an Error. The first byte
/// chooses the options.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace twofour::train;
  if (size == 0) return 0;
  constexpr int64_t kVocabSizes[] = {0, 256, 50257, 65536};
  TokensOptions options;
  options.vocab_size = kVocabSizes[data[0] % 4];
  options.eval_fraction = (1 + data[0] / 4) / 65.0;
  const std::span<const uint8_t> bytes(data + 1, size - 1);

  // On these bytes the sanitizer notices reads beyond the end.
  try {
    const auto file_size = static_cast<int64_t>(bytes.size());
    const int64_t header_bytes = TokenFileHeaderBytes(std::as_bytes(bytes), file_size, "fuzz");
    assert(header_bytes >= 0 && header_bytes <= static_cast<int64_t>(bytes.size()));
  } catch (const twofour::Error&) {
  }

  static const int fd = ::memfd_create("tokens", MFD_CLOEXEC);  // A file in memory.
  const bool is_written =
      ::ftruncate(fd, 0) == 0 && ::pwrite(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
  if (!is_written) return 0;
  options.path = "/proc/self/fd/" + std::to_string(fd);
  try {
    const TokenData tokens = LoadTokens(options);
    assert(tokens.vocab_size >= 2 && tokens.vocab_size <= 65536);
    assert(tokens.train.size() > 0 && tokens.eval.size() > 0 && tokens.train.end == tokens.eval.begin);
    assert(tokens.eval.end * 2 <= static_cast<int64_t>(bytes.size()));
    for (const TokenSpan& span : {tokens.train, tokens.eval}) {
      std::vector<int32_t> ids(static_cast<size_t>(span.size()));
      span.source->Read(span.begin, ids);
      assert(std::all_of(ids.begin(), ids.end(), [&](int32_t id) { return id >= 0 && id < tokens.vocab_size; }));
    }
  } catch (const twofour::Error&) {
  }
  return 0;
}
