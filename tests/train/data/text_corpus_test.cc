#include "twofour/train/data/text_corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/train/data/bpe/tokenizer_file.h"
#include "twofour/train/data/utf8.h"

#include "tests/support/temp_dir.h"
#include "tests/train/data/bpe/small_tokenizer.h"
#include "tests/train/data/test_files.h"
#include "tests/train/data/token_test_data.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class LoadTextTest : public ::testing::Test {
 protected:
  TextOptions Options(Vocabulary::Kind kind, std::string_view text) {
    TextOptions options;
    options.path = WriteTestFile(dir_ / "text", text);
    options.vocabulary = kind;
    options.eval_fraction = 0.25;
    return options;
  }
  TextOptions Bytes(std::string_view text) { return Options(Vocabulary::Kind::kBytes, text); }
  TextOptions Characters(std::string_view text) { return Options(Vocabulary::Kind::kCharacters, text); }

  void ExpectError(const TextOptions& options, const std::string& message) {
    EXPECT_THAT([&] { LoadText(options); }, ThrowsMessage<Error>(message));
  }

  test::TempDir dir_;
};

TEST_F(LoadTextTest, BytesHoldOutTheEnd) {
  const TokenData data = LoadText(Bytes("abcd\xff\x01gh"));  // Not UTF-8, but bytes take anything.
  EXPECT_THAT(TokensOf(data.train), ElementsAre('a', 'b', 'c', 'd', 255, 1));
  EXPECT_THAT(TokensOf(data.eval), ElementsAre('g', 'h'));
  EXPECT_EQ(data.vocab_size, 256);
  ASSERT_TRUE(data.vocabulary.has_value());
  EXPECT_EQ(*data.vocabulary, Vocabulary::Bytes());
  EXPECT_EQ(data.eval_bytes_per_token, 1);
  EXPECT_EQ(data.description, "text " + (dir_ / "text").string() + ": 6 training and 2 evaluation tokens: bytes");
}

TEST_F(LoadTextTest, ATokenizersTokens) {
  TextOptions options = Bytes("the the th the");
  options.tokenizer = WriteTestFile(dir_ / "t.json", ToTokenizerJson(BpeTokenizer(test::SmallParts(), "t")));
  const TokenData data = LoadText(options);
  EXPECT_THAT(TokensOf(data.train), ElementsAre(257, ' ', 257, ' ', 256));
  EXPECT_THAT(TokensOf(data.eval), ElementsAre(' ', 257));
  EXPECT_EQ(data.vocab_size, 259);
  EXPECT_EQ(data.eval_bytes_per_token, 2);
  EXPECT_THAT(data.description, HasSubstr("259 of " + options.tokenizer + ", 2.00 bytes each"));
  // The vocabulary that a model was made with takes the place of the file.
  options.as_before = data.vocabulary;
  options.tokenizer = (dir_ / "none.json").string();
  EXPECT_EQ(TokensOf(LoadText(options).train), TokensOf(data.train));
  options.as_before = Vocabulary::Bytes();
  ExpectError(options, "cannot read " + options.tokenizer + ": No such file or directory");
}

TEST_F(LoadTextTest, WhatIsNoPlainTextIsTakenAndNamedButForWhatStandsInPlaceOfAFile) {
  EXPECT_THAT(LoadText(Bytes(std::string("\x1f\x8b\x08") + "abcdefgh")).description,
              HasSubstr("tokens: bytes of a gzip file"));
  EXPECT_THAT(LoadText(Characters("<!DOCTYPE html><html>")).description, HasSubstr("characters, 15 different"));
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n";
  for (const auto kind : {Vocabulary::Kind::kBytes, Vocabulary::Kind::kCharacters}) {
    TextOptions options = Options(kind, "abcdefgh");
    options.eval_path = WriteTestFile(dir_ / "eval", pointer);
    ExpectError(options,
                (dir_ / "eval").string() + ": a git-lfs pointer in place of the file, which git lfs pull fetches");
    ExpectError(Options(kind, pointer),
                (dir_ / "text").string() + ": a git-lfs pointer in place of the file, which git lfs pull fetches");
  }
}

TEST_F(LoadTextTest, BytesTakeASecondFile) {
  TextOptions options = Bytes("abcd");
  options.eval_path = WriteTestFile(dir_ / "eval", "xy");
  const TokenData data = LoadText(options);
  EXPECT_THAT(TokensOf(data.train), ElementsAre('a', 'b', 'c', 'd'));
  EXPECT_THAT(TokensOf(data.eval), ElementsAre('x', 'y'));
}

TEST_F(LoadTextTest, CharactersAreNumberedInOrderOfCodePoints) {
  const TokenData data = LoadText(Characters("é€a😀\nbé€"));
  EXPECT_THAT(TokensOf(data.train), ElementsAre(3, 4, 1, 5, 0, 2));
  EXPECT_THAT(TokensOf(data.eval), ElementsAre(3, 4));
  EXPECT_EQ(data.vocab_size, 6);
  ASSERT_TRUE(data.vocabulary.has_value());
  EXPECT_EQ(data.vocabulary->Decode(TokensOf(data.train)), "é€a😀\nb");
  EXPECT_EQ(data.vocabulary->Decode(TokensOf(data.eval)), "é€");
  EXPECT_EQ(data.eval_bytes_per_token, 2.5);
  EXPECT_EQ(data.description,
            "text " + (dir_ / "text").string() + ": 6 training and 2 evaluation tokens: characters, 6 different");
}

TEST_F(LoadTextTest, CharactersOfBothFilesMakeOneVocabulary) {
  TextOptions options = Characters("bcb");
  options.eval_path = WriteTestFile(dir_ / "eval", "aéd");
  const TokenData data = LoadText(options);
  EXPECT_THAT(TokensOf(data.train), ElementsAre(1, 2, 1));
  EXPECT_THAT(TokensOf(data.eval), ElementsAre(0, 4, 3));
  EXPECT_EQ(data.vocabulary->Decode(TokensOf(data.eval)), "aéd");
  EXPECT_EQ(data.eval_bytes_per_token, 4.0 / 3);
}

TEST_F(LoadTextTest, LongTextsComeBack) {
  // The text is longer than the blocks in which the evaluation part's bytes are counted.
  std::string text;
  for (int i = 0; i < 100000; ++i) text += i % 7 == 0 ? "é" : i % 5 == 0 ? "€" : "x";
  TextOptions options = Characters("ab");
  options.eval_path = WriteTestFile(dir_ / "eval", text);
  const TokenData data = LoadText(options);
  EXPECT_EQ(data.vocabulary->Decode(TokensOf(data.eval)), text);
  EXPECT_EQ(data.eval_bytes_per_token, static_cast<double>(text.size()) / 100000);
}

TEST_F(LoadTextTest, CharactersMayLieAcrossTheBlocksInWhichAFileIsRead) {
  // Blocks are powers of two. With three bytes for each character, and 0 to 2 bytes before them, blocks end at every
  // place within a character.
  for (const std::string beginning : {"", "a", "ab"}) {
    std::string text = beginning;
    constexpr int64_t kCount = 1'100'000;
    for (int64_t i = 0; i < kCount; ++i) text += i % 3 == 0 ? "\u20AC" : "\u20AD";
    const TokenData data = LoadText(Characters(text));
    const auto first = static_cast<int64_t>(beginning.size());
    ASSERT_EQ(data.train.size() + data.eval.size(), first + kCount);
    std::vector<int32_t> tokens = TokensOf({data.train.source, first, first + kCount});
    for (int64_t i = 0; i < kCount; ++i) ASSERT_EQ(tokens[static_cast<size_t>(i)], first + (i % 3 == 0 ? 0 : 1)) << i;
    ExpectError(Characters(text + "\xE2\x82"), (dir_ / "text").string() + ": byte " + std::to_string(text.size()) +
                                                   ": not UTF-8: the text ends within a character");
  }
}

TEST_F(LoadTextTest, TakesAsManyCharactersAsIdsCanNumber) {
  std::string text;
  for (char32_t c = 0x20000; c > 0x10000; --c) AppendUtf8(c, text);
  const TokenData data = LoadText(Characters(text));
  EXPECT_EQ(data.vocab_size, 65536);
  EXPECT_EQ(TokensOf(data.train).front(), 65535);
  EXPECT_EQ(TokensOf(data.eval).back(), 0);
  ExpectError(Characters(text + "€€"), (dir_ / "text").string() +
                                           ": byte 262144: more than 65536 different characters; take bytes for such "
                                           "a text");
}

TEST_F(LoadTextTest, CharactersMustBeUtf8) {
  ExpectError(Characters("ab\u00E9\xff"), (dir_ / "text").string() + ": byte 4: not UTF-8: 0xff begins no character");
  TextOptions options = Characters("abcd");
  options.eval_path = WriteTestFile(dir_ / "eval", "a\xE2\x82");
  ExpectError(options, (dir_ / "eval").string() + ": byte 1: not UTF-8: the text ends within a character");
}

TEST_F(LoadTextTest, Errors) {
  for (const auto kind : {Vocabulary::Kind::kBytes, Vocabulary::Kind::kCharacters}) {
    TextOptions options = Options(kind, "abcdefgh");
    options.eval_fraction = 0.01;
    EXPECT_THAT([&] { LoadText(options); }, ThrowsMessage<Error>(HasSubstr("0.01 of 8 tokens leaves 8 to train on")));
    options.eval_path = (dir_ / "nothing").string();
    ExpectError(options, "cannot read " + options.eval_path + ": No such file or directory");
    options.eval_path = "";
    options.path = "";
    ExpectError(options, "text: path: expected the path of a file");
    ExpectError(Options(kind, ""), "cannot read " + (dir_ / "text").string() + ": it is empty");
  }
}

}  // namespace
}  // namespace twofour::train
