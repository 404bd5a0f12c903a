#include "twofour/train/data/bpe/bpe_training.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <queue>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/train/data/token_source.h"

namespace twofour::train {
namespace {

using Pair = std::pair<int32_t, int32_t>;

// Each merge visits all of a piece, so long ones are counted in parts.
constexpr size_t kMaxCountedBytes = size_t{64} << 10;

/// A piece of the text, as tokens, and how often it occurs.
struct Word {
  std::vector<int32_t> tokens;
  int64_t count = 0;
};

struct PairHash {
  size_t operator()(const Pair& pair) const {
    return std::hash<uint64_t>()(uint64_t{static_cast<uint32_t>(pair.first)} << 32 |
                                 static_cast<uint32_t>(pair.second));
  }
};

/// The words of a text, and where their pairs of tokens are.
class Words {
 public:
  explicit Words(std::string_view text) {
    std::map<std::string_view, int64_t> counts;
    const TextSplitter splitter(TextSplitter::kGpt2, "GPT-2's pattern");
    splitter.Split(text, [&](std::string_view piece) {
      for (size_t at = 0; at < piece.size(); at += kMaxCountedBytes) ++counts[piece.substr(at, kMaxCountedBytes)];
    });
    for (const auto& [piece, count] : counts) {
      Word& word = words_.emplace_back(Word{{}, count});
      for (const char c : piece) word.tokens.push_back(static_cast<unsigned char>(c));
      CountPairs(words_.size() - 1, 1);
    }
    for (const auto& [pair, count] : counts_) Push(pair);
  }

  /// The pair that occurs most often, and how often.
  std::pair<Pair, int64_t> MostFrequent() {
    while (!queue_.empty()) {
      const auto [count, left, right] = queue_.top();
      const Pair pair{-left, -right};
      if (counts_[pair] == count) return {pair, count};
      queue_.pop();  // The pair was counted again since.
    }
    return {};
  }

  /// Leaves a pair as it is: it is not returned again.
  void Forget(const Pair& pair) { counts_.erase(pair); }

  /// Makes each occurrence of the pair one token.
  void Merge(const Pair& pair, int32_t token) {
    // In rising order, although the counts do not depend on it.
    std::vector<size_t> places(words_with_[pair].begin(), words_with_[pair].end());
    std::ranges::sort(places);
    changed_.clear();
    for (const size_t at : places) {
      CountPairs(at, -1);
      std::vector<int32_t>& tokens = words_[at].tokens;
      size_t kept = 0;
      for (size_t i = 0; i < tokens.size(); ++i) {
        const bool found = i + 1 < tokens.size() && tokens[i] == pair.first && tokens[i + 1] == pair.second;
        tokens[kept++] = found ? token : tokens[i];
        i += found;
      }
      tokens.resize(kept);
      CountPairs(at, 1);
    }
    words_with_.erase(pair);
    counts_.erase(pair);
    for (const Pair& other : changed_) Push(other);
  }

 private:
  /// Adds the pairs of a word to the counts, or takes them away.
  void CountPairs(size_t at, int64_t sign) {
    const Word& word = words_[at];
    for (size_t i = 0; i + 1 < word.tokens.size(); ++i) {
      const Pair pair{word.tokens[i], word.tokens[i + 1]};
      counts_[pair] += sign * word.count;
      if (sign > 0) words_with_[pair].insert(at);
      changed_.insert(pair);
    }
  }

  void Push(const Pair& pair) {
    const auto found = counts_.find(pair);
    if (found != counts_.end() && found->second > 0) queue_.emplace(found->second, -pair.first, -pair.second);
  }

  std::vector<Word> words_;
  std::unordered_map<Pair, int64_t, PairHash> counts_;
  std::unordered_map<Pair, std::unordered_set<size_t>, PairHash> words_with_;  // May name words that lost the pair.
  std::unordered_set<Pair, PairHash> changed_;
  std::priority_queue<std::tuple<int64_t, int32_t, int32_t>> queue_;  // (count, -left, -right), also outdated ones.
};

}  // namespace

BpeTokenizer TrainBpe(std::string_view text, const BpeTrainingOptions& options) {
  constexpr int64_t kBytes = 256;
  if (options.vocab_size <= kBytes || options.vocab_size > kMaxVocabSize) {
    throw Error(
        fmt::format("a vocabulary of {} tokens, expected {} to {}", options.vocab_size, kBytes + 1, kMaxVocabSize));
  }
  if (options.min_count < 1) throw Error(fmt::format("min_count: {}, expected at least 1", options.min_count));
  if (text.empty()) throw Error("the text to find a vocabulary for is empty");
  TokenizerParts parts;
  for (int byte = 0; byte < kBytes; ++byte) {
    parts.tokens.emplace_back(1, static_cast<char>(byte));
    parts.byte_tokens.push_back(byte);
  }
  std::map<std::string, int32_t> ids;  // Of merged tokens.
  Words words(text);
  const auto stopped = [&options] { return options.stop != nullptr && *options.stop; };
  while (std::ssize(parts.tokens) + 1 < options.vocab_size && !stopped()) {
    const auto [pair, count] = words.MostFrequent();
    if (count < options.min_count) break;
    const std::string merged =
        parts.tokens[static_cast<size_t>(pair.first)] + parts.tokens[static_cast<size_t>(pair.second)];
    if (merged.size() > BpeTokenizer::kMaxTokenBytes) {
      words.Forget(pair);
      continue;
    }
    // Two pairs may make the same text, "a" "bc" and "ab" "c".
    const auto [entry, is_new] = ids.try_emplace(merged, static_cast<int32_t>(parts.tokens.size()));
    if (is_new) parts.tokens.push_back(merged);
    parts.merges.push_back({pair.first, pair.second, entry->second});
    words.Merge(pair, entry->second);
  }
  parts.special.push_back(static_cast<int32_t>(parts.tokens.size()));
  parts.tokens.emplace_back(kEndOfText);
  return {std::move(parts), "trained vocabulary"};
}

}  // namespace twofour::train
