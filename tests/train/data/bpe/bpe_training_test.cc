#include "twofour/train/data/bpe/bpe_training.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "twofour/core/error.h"

namespace twofour::train {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// The definition: count all pairs of all pieces anew for each merge. Tokens are texts here.
std::vector<std::string> MergedSlowly(const std::string& text, size_t merges) {
  std::vector<std::vector<std::string>> words;
  TextSplitter(TextSplitter::kGpt2, "p").Split(text, [&](std::string_view piece) {
    words.emplace_back();
    for (const char c : piece) words.back().emplace_back(1, c);
  });
  std::map<std::string, int32_t> ids;
  for (int byte = 0; byte < 256; ++byte) ids[std::string(1, static_cast<char>(byte))] = byte;
  std::vector<std::string> found;
  while (found.size() < merges) {
    std::map<std::pair<int32_t, int32_t>, int64_t> counts;
    std::map<std::pair<int32_t, int32_t>, std::pair<std::string, std::string>> texts;
    for (const auto& word : words) {
      for (size_t i = 0; i + 1 < word.size(); ++i) {
        const std::pair pair(ids[word[i]], ids[word[i + 1]]);
        ++counts[pair];
        texts[pair] = {word[i], word[i + 1]};
      }
    }
    int64_t best = 1;
    std::pair<std::string, std::string> parts;
    for (const auto& [pair, count] : counts) {
      if (count > best) {
        best = count;
        parts = texts[pair];
      }
    }
    if (best < 2) break;
    const std::string merged = parts.first + parts.second;
    ids.try_emplace(merged, static_cast<int32_t>(256 + found.size()));
    found.push_back(merged);
    for (auto& word : words) {
      std::vector<std::string> next;
      for (size_t i = 0; i < word.size(); ++i) {
        const bool here = i + 1 < word.size() && word[i] == parts.first && word[i + 1] == parts.second;
        next.push_back(here ? merged : word[i]);
        i += here;
      }
      word = next;
    }
  }
  return found;
}

TEST(BpeTrainingTest, EqualsTheDefinition) {
  std::mt19937 random(5);
  for (int round = 0; round < 30; ++round) {
    std::string text;
    for (int word = 0; word < 60; ++word) {
      for (size_t i = 0, length = 1 + random() % 6; i < length; ++i) text += "abc\u00E9"[random() % 5];
      text += random() % 4 == 0 ? "\n" : " ";
    }
    constexpr int64_t kMerges = 25;
    const std::vector<std::string> expected = MergedSlowly(text, kMerges);
    const BpeTokenizer tokenizer = TrainBpe(text, {.vocab_size = 257 + kMerges});
    std::vector<std::string> tokens(tokenizer.parts().tokens.begin() + 256, tokenizer.parts().tokens.end() - 1);
    if (std::adjacent_find(expected.begin(), expected.end()) != expected.end()) continue;
    std::vector<std::string> distinct;
    for (const std::string& token : expected) {
      if (std::find(distinct.begin(), distinct.end(), token) == distinct.end()) distinct.push_back(token);
    }
    EXPECT_EQ(std::vector<std::string>(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(
                                                                            std::min(tokens.size(), distinct.size()))),
              distinct);
  }
}

TEST(BpeTrainingTest, TheMostFrequentPairComesFirst) {
  const BpeTokenizer tokenizer = TrainBpe("xy xy xy ab ab", {.vocab_size = 260});
  // " x" occurs twice and "xy" three times: the piece at the beginning has no blank.
  EXPECT_EQ(tokenizer.parts().tokens[256], "xy");
  EXPECT_EQ(tokenizer.parts().tokens.back(), kEndOfText);
  EXPECT_EQ(tokenizer.size(), 260);
  EXPECT_EQ(tokenizer.Encode("<|endoftext|>"), std::vector<int32_t>{259});
}

TEST(BpeTrainingTest, StopsWherePairsAreRare) {
  EXPECT_EQ(TrainBpe("abcdef", {.vocab_size = 1000}).size(), 257);
  EXPECT_EQ(TrainBpe("abcdef", {.vocab_size = 1000, .min_count = 1}).size(), 262);
  EXPECT_LE(TrainBpe(std::string(100'000, 'a'), {.vocab_size = 1000}).size(), 300);
}

TEST(BpeTrainingTest, NoTwoTokensHaveTheSameText) {
  std::mt19937 random(11);
  for (int round = 0; round < 20; ++round) {
    std::string text;
    while (text.size() < 2000) text += random() % 9 == 0 ? ' ' : static_cast<char>('a' + random() % 2);
    const BpeTokenizer tokenizer = TrainBpe(text, {.vocab_size = 400});
    std::map<std::string, int> counts;
    for (const std::string& token : tokenizer.parts().tokens) ++counts[token];
    for (const auto& [token, count] : counts) EXPECT_EQ(count, 1) << token;
    EXPECT_EQ(tokenizer.Decode(tokenizer.Encode(text)), text);
  }
}

TEST(BpeTrainingTest, LongTokensAreLeftOutAndLongPiecesCounted) {
  // A run of dashes becomes tokens of up to 4096 bytes, and the words after it are still found.
  std::string text;
  for (int i = 0; i < 50; ++i) text += std::string(20'000, '-') + "\nword word\n";
  text += std::string(100'000, 'x') + "\n";
  const BpeTokenizer tokenizer = TrainBpe(text, {.vocab_size = 1000});
  const std::vector<std::string>& tokens = tokenizer.parts().tokens;
  EXPECT_NE(std::ranges::find(tokens, "word"), tokens.end());
  EXPECT_NE(std::ranges::find(tokens, std::string(4096, '-')), tokens.end());
  EXPECT_NE(std::ranges::find(tokens, "xx"), tokens.end());
}

TEST(BpeTrainingTest, RefusesSizesOutOfRange) {
  EXPECT_THAT([] { TrainBpe("a", {.vocab_size = 256}); },
              ThrowsMessage<Error>(HasSubstr("256 tokens, expected 257 to 65536")));
  EXPECT_THAT([] { TrainBpe("a", {.vocab_size = 65537}); }, ThrowsMessage<Error>(HasSubstr("65537 tokens")));
  EXPECT_THAT([] { TrainBpe("", {}); }, ThrowsMessage<Error>(HasSubstr("is empty")));
  EXPECT_THAT([] { TrainBpe("a", {.min_count = 0}); }, ThrowsMessage<Error>(HasSubstr("min_count")));
}

}  // namespace
}  // namespace twofour::train
