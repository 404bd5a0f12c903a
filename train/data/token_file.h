#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "twofour/train/data/token_data.h"

namespace twofour::train {

/// Where token ids are. A file is either nothing but little-endian unsigned 16-bit ids (as nanoGPT writes them), or
/// begins with llm.c's header of 256 32-bit numbers: 20240520, version 1, the number of ids. The first two numbers
/// tell which.
struct TokensOptions {
  std::string path;
  std::string eval_path;       ///< A second file to evaluate on. Without it, the end of the first is held out.
  double eval_fraction = 0.1;  ///< The part held out.
  int64_t vocab_size = 0;      ///< 2 to 65536; 0 means the largest id plus one.
};

/// The size of the header at the start of a token file of `size` bytes: 0 where there is none. `bytes` are its first
/// ones, 1024 or all where there are fewer; `source` names the file in messages. Throws Error when the bytes that
/// follow are not as many as the header asks for, and on llm.c's files of 32-bit ids.
int64_t TokenFileHeaderBytes(std::span<const std::byte> bytes, int64_t size, const std::string& source);

/// Loads token ids, which stay on the disk until they are needed: the files may be larger than memory. All of them are
/// read once to check them. Throws Error on a file of another format or an odd size, and on an id that is not below
/// vocab_size.
TokenData LoadTokens(const TokensOptions& options);

}  // namespace twofour::train
