#include "twofour/train/data/bpe/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <unordered_map>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/train/data/text.h"
#include "twofour/train/data/token_source.h"

namespace twofour::train {
namespace {

constexpr size_t kMaxMerges = size_t{1} << 20;
constexpr size_t kMaxKnownPieces = 1 << 16;

[[noreturn]] void Fail(const std::string& source, const std::string& fault) {
  throw Error(fmt::format("{}: {}", source, fault));
}

TokenizerParts CheckedParts(TokenizerParts parts, const std::string& source) {
  const auto count = static_cast<int64_t>(parts.tokens.size());
  if (count < 1 || count > kMaxVocabSize) {
    Fail(source, fmt::format("{} tokens, expected 1 to {}", count, kMaxVocabSize));
  }
  if (parts.merges.size() > kMaxMerges) {
    Fail(source, fmt::format("{} merges, expected at most {}", parts.merges.size(), kMaxMerges));
  }
  for (const std::string& token : parts.tokens) {
    if (token.size() > BpeTokenizer::kMaxTokenBytes) {
      Fail(source, fmt::format("a token of {} bytes, expected at most {}", token.size(), BpeTokenizer::kMaxTokenBytes));
    }
  }
  const auto token = [&](int32_t id) -> const std::string& {
    if (id < 0 || id >= count) Fail(source, fmt::format("token {}, expected 0 to {}", id, count - 1));
    return parts.tokens[static_cast<size_t>(id)];
  };
  if (parts.byte_tokens.size() != 256) {
    Fail(source, fmt::format("tokens of {} bytes, expected one for each of 256", parts.byte_tokens.size()));
  }
  for (size_t byte = 0; byte < parts.byte_tokens.size(); ++byte) {
    if (token(parts.byte_tokens[byte]) != std::string(1, static_cast<char>(byte))) {
      Fail(source, fmt::format("token {} is not byte {}", parts.byte_tokens[byte], byte));
    }
  }
  for (const PairMerge& merge : parts.merges) {
    if (token(merge.left).empty() || token(merge.right).empty() ||
        token(merge.left) + token(merge.right) != token(merge.result)) {
      Fail(source, fmt::format("the merge of {} and {} does not give token {}", Quoted(token(merge.left)),
                               Quoted(token(merge.right)), merge.result));
    }
  }
  for (const int32_t id : parts.special) {
    if (token(id).empty()) Fail(source, fmt::format("special token {} is empty", id));
  }
  return parts;
}

/// The text as a pattern that matches nothing but it.
std::string Literally(std::string_view text) {
  std::string pattern;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && std::isalnum(byte) == 0) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

/// A pattern of all special tokens, the longest first.
std::string PatternOf(std::vector<std::pair<std::string, int32_t>> special) {
  std::ranges::stable_sort(special, std::greater<>(), [](const auto& entry) { return entry.first.size(); });
  std::string pattern;
  for (const auto& [text, id] : special) {
    if (!pattern.empty()) pattern += '|';
    pattern += Literally(text);
  }
  return pattern;
}

}  // namespace

BpeTokenizer::BpeTokenizer(TokenizerParts parts, const std::string& source)
    : parts_(CheckedParts(std::move(parts), source)),
      merges_(parts_.byte_tokens, parts_.merges),
      splitter_(parts_.pattern, source) {
  for (const int32_t id : parts_.special) special_.emplace_back(parts_.tokens[static_cast<size_t>(id)], id);
  std::ranges::sort(special_);
  if (!special_.empty()) special_splitter_.emplace(PatternOf(special_), source);
}

void BpeTokenizer::EncodePlain(std::string_view text, const std::atomic<bool>* stop, std::vector<int32_t>& ids) const {
  std::string with_blank;
  if (parts_.add_blank && !text.empty() && text.front() != ' ') {
    with_blank = fmt::format(" {}", text);
    text = with_blank;
  }
  // Most pieces of a text are words that came before.
  std::unordered_map<std::string_view, std::pair<size_t, size_t>> known;  // A piece's place and length in `ids`.
  splitter_.Split(text, [&](std::string_view piece) {
    if (stop != nullptr && *stop) return;
    const auto found = known.find(piece);
    const size_t begin = ids.size();
    if (found == known.end()) {
      merges_.Encode(piece, ids);
      if (known.size() < kMaxKnownPieces) known.emplace(piece, std::pair(begin, ids.size() - begin));
      return;
    }
    const auto [at, count] = found->second;
    ids.resize(begin + count);
    std::copy_n(ids.begin() + static_cast<std::ptrdiff_t>(at), count, ids.begin() + static_cast<std::ptrdiff_t>(begin));
  });
}

std::vector<int32_t> BpeTokenizer::Encode(std::string_view text, const std::atomic<bool>* stop) const {
  std::vector<int32_t> ids;
  if (!special_splitter_) {
    EncodePlain(text, stop, ids);
    return ids;
  }
  special_splitter_->Split(text, [&](std::string_view part) {
    const auto found =
        std::ranges::lower_bound(special_, part, {}, [](const auto& entry) -> std::string_view { return entry.first; });
    if (found != special_.end() && found->first == part) {
      ids.push_back(found->second);
    } else {
      EncodePlain(part, stop, ids);
    }
  });
  return ids;
}

std::string BpeTokenizer::Decode(std::span<const int32_t> ids) const {
  std::string text;
  for (const int32_t id : ids) {
    if (id < 0 || id >= size()) throw Error(fmt::format("token {}, expected 0 to {}", id, size() - 1));
    text += parts_.tokens[static_cast<size_t>(id)];
  }
  return text;
}

}  // namespace twofour::train
