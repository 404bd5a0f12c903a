#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "twofour/core/io/file_system.h"
#include "twofour/train/data/bpe/tokenizer.h"

namespace twofour::train {

/// Reads a tokenizer file, which need not be trustworthy:
///  - Hugging Face's tokenizer.json (github.com/huggingface/tokenizers), if it is a byte-level BPE: no normalizer, the
///    pre-tokenizer ByteLevel, or a Split by a regular expression and then ByteLevel; the model BPE without dropout,
///    unknown token, affixes and byte_fallback; added tokens that match as they are.
///  - GPT-2's vocab.json, with the path of merges.txt beside it. Its "<|endoftext|>" is no special token: text that
///    holds it is split like any other.
/// Throws Error, which names the file, on anything else: it says which part is not supported.
BpeTokenizer LoadTokenizer(FileSystem& files, const std::filesystem::path& path);

/// Where merges.txt is for GPT-2's vocab.json: beside it, under the same prefix ("gpt2-vocab.json").
std::filesystem::path MergesBeside(const std::filesystem::path& vocab);

/// The same for the text of a tokenizer.json.
BpeTokenizer ParseTokenizer(std::string_view json, const std::string& source);
/// The same for the texts of GPT-2's two files.
BpeTokenizer ParseGpt2Tokenizer(std::string_view vocab, const std::string& vocab_source, std::string_view merges,
                                const std::string& merges_source);

/// The tokenizer as the text of a tokenizer.json, which Hugging Face's library reads as well.
std::string ToTokenizerJson(const BpeTokenizer& tokenizer);

}  // namespace twofour::train
