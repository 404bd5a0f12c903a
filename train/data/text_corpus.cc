#include "twofour/train/data/text_corpus.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/core/io/file_format.h"
#include "twofour/core/io/file_system.h"
#include "twofour/core/io/random_access_file.h"
#include "twofour/train/data/bpe/tokenizer_file.h"
#include "twofour/train/data/plain_text.h"
#include "twofour/train/data/utf8.h"

namespace twofour::train {
namespace {

/// Numbers characters in the order of their first occurrence, and can renumber them in sorted order at the end.
class CharacterNumbers {
 public:
  /// `known`: the only characters that are allowed.
  explicit CharacterNumbers(const std::optional<Vocabulary>& known) : closed_(known.has_value()) {
    if (!known) return;
    for (int32_t id = 0; id < known->size(); ++id) Add(Utf8Reader(known->Decode({&id, 1}), "vocabulary").Next());
  }

  /// The ids of a whole UTF-8 text, in the order of first occurrence.
  std::vector<uint16_t> Encode(const RandomAccessFile& file) {
    // If the text is UTF-8, this is the number of its characters. Growing the vector would take twice the memory.
    int64_t starts = 0;
    ForEachBlock(file, [&starts](std::string_view block) {
      starts += std::count_if(block.begin(), block.end(), [](char c) { return (c & 0xC0) != 0x80; });
    });
    std::vector<uint16_t> ids;
    ids.reserve(static_cast<size_t>(starts));
    std::string text;  // The current block, after the incomplete character that ended the block before.
    int64_t end = 0;   // End of `text` within the file.
    ForEachBlock(file, [&](std::string_view block) {
      text += block;
      end += std::ssize(block);
      Utf8Reader reader(text, file.path(), static_cast<uint64_t>(end) - text.size());
      const size_t left = end < file.size() ? kLongestCharacter - 1 : 0;
      while (reader.remaining() > left) ids.push_back(NumberOf(reader, file.path()));
      text.erase(0, text.size() - reader.remaining());
    });
    file.CheckUnchanged();
    return ids;
  }

  /// All characters that occurred, in ascending order.
  std::vector<char32_t> Sorted() const {
    std::vector<char32_t> sorted = met_;
    std::sort(sorted.begin(), sorted.end());
    return sorted;
  }

  /// Turns ids in the order of first occurrence into indices of Sorted().
  void Renumber(std::vector<uint16_t>& ids) const {
    const std::vector<char32_t> sorted = Sorted();
    std::vector<uint16_t> place_of(met_.size());
    for (size_t i = 0; i < met_.size(); ++i) {
      place_of[i] = static_cast<uint16_t>(std::lower_bound(sorted.begin(), sorted.end(), met_[i]) - sorted.begin());
    }
    for (uint16_t& id : ids) id = place_of[id];
  }

 private:
  void Add(char32_t character) {
    id_of_[character] = static_cast<int32_t>(met_.size());
    met_.push_back(character);
  }

  static constexpr size_t kLongestCharacter = 4;  // In bytes.

  template <typename Function>
  static void ForEachBlock(const RandomAccessFile& file, const Function& function) {
    constexpr int64_t kBlock = 1 << 20;
    std::string block;
    for (int64_t at = 0; at < file.size(); at += kBlock) {
      block.resize(static_cast<size_t>(std::min(kBlock, file.size() - at)));
      file.Read(at, std::as_writable_bytes(std::span(block)));
      function(block);
    }
  }

  /// The number of the reader's next character.
  uint16_t NumberOf(Utf8Reader& reader, const std::string& source) {
    const uint64_t position = reader.position();
    const char32_t character = reader.Next();
    int32_t& id = id_of_[character];
    if (id < 0) {
      if (closed_) {
        throw Error(fmt::format("{}: byte {}: character {} is not in the vocabulary that the model was made with",
                                source, position, DescribeCharacter(character)));
      }
      if (met_.size() == kMaxVocabSize) {
        throw Error(fmt::format("{}: byte {}: more than {} different characters; take bytes for such a text", source,
                                position, kMaxVocabSize));
      }
      Add(character);
    }
    return static_cast<uint16_t>(id);
  }

  bool closed_;
  std::vector<int32_t> id_of_ = std::vector<int32_t>(0x110000, -1);
  std::vector<char32_t> met_;
};

std::vector<uint16_t> EncodeFile(const std::string& path, CharacterNumbers& numbers) {
  const RandomAccessFile file(path);
  try {
    return numbers.Encode(file);
  } catch (const std::bad_alloc&) {
    throw Error(fmt::format("{}: no memory for its characters, 2 bytes each; bytes are read from the disk", path),
                ErrorKind::kRuntimeFailure);
  }
}

/// The file's format where it is a known one other than plain text. This is for the description only, because any file
/// will do. Throws Error on a Git LFS pointer, which only stands for a file.
std::string_view FormatOf(const std::string& path) {
  constexpr int64_t kBeginning = 512;
  const RandomAccessFile file(path);
  std::vector<std::byte> beginning(static_cast<size_t>(std::min(file.size(), kBeginning)));
  file.Read(0, beginning);
  const std::string_view format = WellKnownFormat(beginning);
  if (IsGitLfsPointer(beginning)) throw Error(fmt::format("{}: {}", path, format));
  return format;
}

/// The vocabulary that a model was made with, if it is of the kind.
std::optional<Vocabulary> AsBefore(const TextOptions& options, Vocabulary::Kind kind) {
  return options.as_before && options.as_before->kind() == kind ? options.as_before : std::nullopt;
}

TokenData LoadBytes(const TextOptions& options) {
  const auto source_of = [](const std::string& path) {
    return path.empty() ? nullptr : std::make_shared<const ByteSource>(std::make_shared<const RandomAccessFile>(path));
  };
  TokenData data;
  SetParts(source_of(options.path), source_of(options.eval_path), options.eval_fraction, data);
  data.vocabulary = Vocabulary::Bytes();
  data.eval_bytes_per_token = 1;
  return data;
}

TokenData LoadCharacters(const TextOptions& options) {
  CharacterNumbers numbers(AsBefore(options, Vocabulary::Kind::kCharacters));
  std::vector<uint16_t> train = EncodeFile(options.path, numbers);
  const bool has_eval = !options.eval_path.empty();
  std::vector<uint16_t> eval;
  if (has_eval) eval = EncodeFile(options.eval_path, numbers);
  numbers.Renumber(train);
  numbers.Renumber(eval);
  TokenData data;
  SetParts(std::make_shared<const InMemoryTokens>(std::move(train)),
           has_eval ? std::make_shared<const InMemoryTokens>(std::move(eval)) : nullptr, options.eval_fraction, data);
  data.vocabulary = Vocabulary::Characters(numbers.Sorted());
  data.eval_bytes_per_token = BytesPerToken(data.eval, *data.vocabulary);
  return data;
}

/// The tokens of a file's text; null where there is no path.
std::shared_ptr<const TokenSource> Tokenize(const std::string& path, const Vocabulary& vocabulary) {
  constexpr uint64_t kMaxBytes = uint64_t{1} << 30;
  if (path.empty()) return nullptr;
  const std::string text = ReadPlainText(FileSystem::Default(), path, kMaxBytes);
  const std::vector<int32_t> ids = vocabulary.Encode(text);
  return std::make_shared<const InMemoryTokens>(std::vector<uint16_t>(ids.begin(), ids.end()));
}

TokenData LoadTokenized(const TextOptions& options) {
  TokenData data;
  data.vocabulary = AsBefore(options, Vocabulary::Kind::kBpe);
  if (!data.vocabulary) data.vocabulary = Vocabulary::Bpe(LoadTokenizer(FileSystem::Default(), options.tokenizer));
  SetParts(Tokenize(options.path, *data.vocabulary), Tokenize(options.eval_path, *data.vocabulary),
           options.eval_fraction, data);
  data.eval_bytes_per_token = BytesPerToken(data.eval, *data.vocabulary);
  return data;
}

/// What tokens are, in words. `format`: that of a file of bytes.
std::string DescribeTokens(const TokenData& data, const TextOptions& options, std::string_view format) {
  switch (data.vocabulary->kind()) {
    case Vocabulary::Kind::kBytes:
      return fmt::format("bytes{}{}", format.empty() ? "" : " of ", format);
    case Vocabulary::Kind::kCharacters:
      return fmt::format("characters, {} different", data.vocab_size);
    case Vocabulary::Kind::kBpe:
      return fmt::format("{} of {}, {:.2f} bytes each", data.vocab_size, options.tokenizer, data.eval_bytes_per_token);
  }
  return "";
}

}  // namespace

void Check(const TextOptions& options, const FieldPath& at, Faults& faults) {
  faults.NotEmpty(at("path"), options.path);
  faults.OpenFraction(at("eval_fraction"), options.eval_fraction);
}

TokenData LoadText(const TextOptions& options) {
  Checked(options, "text: ", ": got ");
  const std::string_view format = FormatOf(options.path);
  if (!options.eval_path.empty()) FormatOf(options.eval_path);
  TokenData data = !options.tokenizer.empty()                            ? LoadTokenized(options)
                   : options.vocabulary == Vocabulary::Kind::kCharacters ? LoadCharacters(options)
                                                                         : LoadBytes(options);
  data.vocab_size = data.vocabulary->size();
  data.description = fmt::format("text {}: {} training and {} evaluation tokens: {}", options.path, data.train.size(),
                                 data.eval.size(), DescribeTokens(data, options, format));
  return data;
}

}  // namespace twofour::train
