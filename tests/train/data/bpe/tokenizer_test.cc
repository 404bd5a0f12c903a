#include "twofour/train/data/bpe/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "twofour/core/error.h"

#include "tests/train/data/bpe/small_tokenizer.h"

namespace twofour::train {
namespace {

using test::SmallParts;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

void ExpectFault(void (*change)(TokenizerParts&), const char* fault) {
  TokenizerParts parts = SmallParts();
  change(parts);
  EXPECT_THAT([&] { BpeTokenizer(parts, "t.json"); }, ThrowsMessage<Error>(HasSubstr(fault)));
}

TEST(TokenizerTest, MergesWithinPiecesOnly) {
  const BpeTokenizer tokenizer(SmallParts(), "t");
  EXPECT_THAT(tokenizer.Encode("the the"), ElementsAre(257, ' ', 257));
  EXPECT_THAT(tokenizer.Encode("t he"), ElementsAre('t', ' ', 'h', 'e'));
}

TEST(TokenizerTest, SpecialTokensStandForTheirText) {
  const BpeTokenizer tokenizer(SmallParts(), "t");
  EXPECT_THAT(tokenizer.Encode("the<|end|>the"), ElementsAre(257, 258, 257));
  EXPECT_THAT(tokenizer.Encode("<|end|><|end|>"), ElementsAre(258, 258));
  EXPECT_EQ(tokenizer.Decode(std::vector<int32_t>{257, 258}), "the<|end|>");
  TokenizerParts longer = SmallParts();
  longer.tokens.emplace_back("<|end|>>");
  longer.special.push_back(259);
  EXPECT_THAT(BpeTokenizer(longer, "t").Encode("<|end|>><|end|>"), ElementsAre(259, 258));
}

TEST(TokenizerTest, AnyBytesComeBack) {
  const BpeTokenizer tokenizer(SmallParts(), "t");
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    std::string text;
    for (size_t length = random() % 60; text.size() < length;) {
      text += random() % 2 == 0 ? std::string(1, static_cast<char>(random())) : std::string("the \u00E9<|end|>");
    }
    EXPECT_EQ(tokenizer.Decode(tokenizer.Encode(text)), text);
  }
}

TEST(TokenizerTest, PutsABlankBeforeTextOnRequest) {
  TokenizerParts parts = SmallParts();
  parts.add_blank = true;
  const BpeTokenizer tokenizer(parts, "t");
  EXPECT_THAT(tokenizer.Encode("a"), ElementsAre(' ', 'a'));
  EXPECT_THAT(tokenizer.Encode(" a"), ElementsAre(' ', 'a'));
  EXPECT_THAT(tokenizer.Encode(""), ElementsAre());
}

TEST(TokenizerTest, IdsThatNoTokenHasAreNothing) {
  TokenizerParts parts = SmallParts();
  parts.tokens.resize(300);
  const BpeTokenizer tokenizer(parts, "t");
  EXPECT_EQ(tokenizer.size(), 300);
  EXPECT_EQ(tokenizer.Decode(std::vector<int32_t>{257, 299}), "the");
  EXPECT_THAT([&] { tokenizer.Decode(std::vector<int32_t>{300}); },
              ThrowsMessage<Error>("token 300, expected 0 to 299"));
}

TEST(TokenizerTest, RefusesPartsThatDoNotFit) {
  ExpectFault([](TokenizerParts& parts) { parts.tokens.clear(); }, "t.json: 0 tokens");
  ExpectFault([](TokenizerParts& parts) { parts.tokens.resize(65537); }, "65537 tokens, expected 1 to 65536");
  ExpectFault([](TokenizerParts& parts) { parts.tokens[256] = std::string(5000, 'x'); }, "a token of 5000 bytes");
  ExpectFault([](TokenizerParts& parts) { parts.byte_tokens.pop_back(); }, "tokens of 255 bytes");
  ExpectFault([](TokenizerParts& parts) { parts.byte_tokens[65] = 66; }, "token 66 is not byte 65");
  ExpectFault([](TokenizerParts& parts) { parts.byte_tokens[65] = -1; }, "token -1, expected 0 to 258");
  ExpectFault([](TokenizerParts& parts) { parts.merges[1].right = 'x'; },
              "the merge of \"th\" and \"x\" does not give token 257");
  ExpectFault([](TokenizerParts& parts) { parts.merges[0].result = 999; }, "token 999, expected 0 to 258");
  ExpectFault([](TokenizerParts& parts) { parts.special[0] = 5000; }, "token 5000, expected 0 to 258");
  ExpectFault([](TokenizerParts& parts) { parts.pattern = "["; }, "is faulty");
}

}  // namespace
}  // namespace twofour::train
