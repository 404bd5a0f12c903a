#include "twofour/train/data/token_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/error.h"

#include "tests/support/temp_dir.h"
#include "tests/train/data/test_files.h"
#include "tests/train/data/token_test_data.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// A little-endian number of `bytes` bytes.
std::string Number(uint32_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> 8 * i & 0xFF);
  return text;
}

std::string Ids(const std::vector<uint32_t>& ids) {
  std::string text;
  for (const uint32_t id : ids) text += Number(id, 2);
  return text;
}

std::string Header(uint32_t magic, uint32_t version, uint32_t count) {
  std::string header = Number(magic, 4) + Number(version, 4) + Number(count, 4);
  header.resize(1024);
  return header;
}

std::string WithHeader(const std::vector<uint32_t>& ids) {
  return Header(20240520, 1, static_cast<uint32_t>(ids.size())) + Ids(ids);
}

class LoadTokensTest : public ::testing::Test {
 protected:
  std::string Path() const { return (dir_ / "ids.bin").string(); }

  TokensOptions Options(std::string_view contents) {
    TokensOptions options;
    options.path = WriteTestFile(dir_ / "ids.bin", contents);
    options.eval_fraction = 0.25;
    return options;
  }
  void ExpectError(const TokensOptions& options, const std::string& message) {
    EXPECT_THAT([&] { LoadTokens(options); }, ThrowsMessage<Error>(message));
  }
  /// All ids of a file.
  std::vector<int32_t> Load(std::string_view contents) {
    const TokenData data = LoadTokens(Options(contents));
    std::vector<int32_t> all = TokensOf(data.train);
    for (const int32_t id : TokensOf(data.eval)) all.push_back(id);
    return all;
  }

  test::TempDir dir_;
};

TEST_F(LoadTokensTest, RawIdsHoldOutTheEnd) {
  const TokenData data = LoadTokens(Options(Ids({5, 0, 50256, 3})));
  EXPECT_THAT(TokensOf(data.train), ElementsAre(5, 0, 50256));
  EXPECT_THAT(TokensOf(data.eval), ElementsAre(3));
  EXPECT_EQ(data.vocab_size, 50257);
  EXPECT_FALSE(data.vocabulary.has_value());
  EXPECT_EQ(data.eval_bytes_per_token, 0);
  EXPECT_EQ(data.description, "tokens " + Path() + ": 3 training and 1 evaluation tokens, vocabulary of 50257");
}

TEST_F(LoadTokensTest, IdsAfterAHeader) {
  EXPECT_THAT(Load(WithHeader({5, 0, 65535, 3})), ElementsAre(5, 0, 65535, 3));
}

TEST_F(LoadTokensTest, TakesASecondFile) {
  TokensOptions options = Options(WithHeader({1, 2}));
  options.eval_path = WriteTestFile(dir_ / "eval.bin", Ids({9}));
  const TokenData data = LoadTokens(options);
  EXPECT_THAT(TokensOf(data.train), ElementsAre(1, 2));
  EXPECT_THAT(TokensOf(data.eval), ElementsAre(9));
  EXPECT_EQ(data.vocab_size, 10);
}

TEST_F(LoadTokensTest, TakesMoreIdsThanOccur) {
  TokensOptions options = Options(Ids({1, 2, 3, 4}));
  options.vocab_size = 50304;
  EXPECT_EQ(LoadTokens(options).vocab_size, 50304);
  options.vocab_size = 5;
  EXPECT_EQ(LoadTokens(options).vocab_size, 5);
}

TEST_F(LoadTokensTest, RefusesIdsOutside) {
  TokensOptions options = Options(Ids({1, 2, 7, 8}));
  options.vocab_size = 7;
  ExpectError(options, Path() + ": token 2 (byte 4) is 7, expected 0 to 6 (vocab_size is 7)");
  options = Options(WithHeader({1, 2, 7, 8}));
  options.vocab_size = 8;
  ExpectError(options, Path() + ": token 3 (byte 1030) is 8, expected 0 to 7 (vocab_size is 8)");
  options = Options(Ids({1, 2}));
  options.eval_path = WriteTestFile(dir_ / "eval.bin", Ids({300, 3}));
  options.vocab_size = 256;
  ExpectError(options, options.eval_path + ": token 0 (byte 0) is 300, expected 0 to 255 (vocab_size is 256)");
}

TEST_F(LoadTokensTest, ChecksEveryId) {
  // Wrong ids around the borders of the blocks that are checked at once, and at both ends.
  constexpr size_t kSize = 3 * 65536 + 10;
  for (const size_t wrong : {size_t{0}, size_t{65535}, size_t{65536}, size_t{196607}, size_t{196608}, kSize - 1}) {
    std::vector<uint32_t> ids(kSize, 99);
    ids[wrong] = 100;
    TokensOptions options = Options(Ids(ids));
    EXPECT_EQ(LoadTokens(options).vocab_size, 101);
    options.vocab_size = 100;
    EXPECT_THAT([&] { LoadTokens(options); },
                ThrowsMessage<Error>(
                    HasSubstr("token " + std::to_string(wrong) + " (byte " + std::to_string(2 * wrong) + ") is 100")));
  }
}

TEST_F(LoadTokensTest, RefusesOddSizes) {
  ExpectError(Options(Ids({1, 2}) + "x"), Path() + ": 5 bytes, expected an even number: 2 for each token");
  ExpectError(Options("x"), Path() + ": 1 bytes, expected an even number: 2 for each token");
}

TEST_F(LoadTokensTest, RefusesHeadersThatLie) {
  const std::string ids = Ids({1, 2, 3});
  const auto expect = [&](uint32_t count, const std::string& rest, const std::string& message) {
    ExpectError(Options(Header(20240520, 1, count) + rest), Path() + ": the header announces " + message);
  };
  expect(4, ids, "4 tokens of 2 bytes and 6 bytes follow it (from byte 1024)");
  expect(2, ids, "2 tokens of 2 bytes and 6 bytes follow it (from byte 1024)");
  expect(3, ids + "x", "3 tokens of 2 bytes and 7 bytes follow it (from byte 1024)");
  expect(0x7FFFFFFF, ids, "2147483647 tokens of 2 bytes and 6 bytes follow it (from byte 1024)");
  expect(0x80000003, ids, "-2147483645 tokens of 2 bytes and 6 bytes follow it (from byte 1024)");
  ExpectError(Options(Header(20240520, 1, 0).substr(0, 1023)),
              Path() + ": 1023 bytes, too short for llm.c's header of 1024");
  ExpectError(Options(Header(20240520, 1, 0).substr(0, 8)), Path() + ": 8 bytes, too short for llm.c's header of 1024");
}

TEST_F(LoadTokensTest, NotesIdsThatLookWider) {
  const auto notes = [this](int bytes, uint32_t step) {
    std::string text;
    for (uint32_t i = 0; i < 40; ++i)
      text += Number(i * step % 60000, std::min(bytes, 4)) + std::string(bytes > 4 ? 4 : 0, '\0');
    return LoadTokens(Options(text)).notes;
  };
  EXPECT_THAT(notes(2, 1501), ElementsAre());
  EXPECT_THAT(notes(4, 1501), ElementsAre(Path() + ": every second ids are 0 at most: does the file hold ids of 32 "
                                                   "bits? They are read as 16 bits each"));
  EXPECT_THAT(notes(8, 1501), ElementsAre(HasSubstr("three of four ids are 0 at most: does the file hold ids of 64")));
  // No note on zeros and ones, which may be a vocabulary of two.
  EXPECT_THAT(LoadTokens(Options(Ids(std::vector<uint32_t>(40, 1)))).notes, ElementsAre());
}

TEST_F(LoadTokensTest, Errors) {
  TokensOptions options = Options(Ids({1, 2, 3, 4}));
  for (const int64_t size : {-1, 1, 65537}) {
    options.vocab_size = size;
    ExpectError(options, "tokens: vocab_size: got " + std::to_string(size) +
                             ", expected 2 to 65536 (ids have 16 bits), or 0 for the largest id plus one");
  }
  options.vocab_size = 0;
  options.eval_fraction = 0.9;
  EXPECT_THAT([&] { LoadTokens(options); }, ThrowsMessage<Error>(HasSubstr("0.9 of 4 tokens leaves 0 to train on")));
  ExpectError(Options(Ids({0, 0, 0, 0})), Path() + ": every token is 0, expected at least 2 different ones");
  ExpectError(Options(""), "cannot read " + Path() + ": it is empty");
  EXPECT_THAT([&] { LoadTokens(Options(WithHeader({}))); },
              ThrowsMessage<Error>(HasSubstr("of 0 tokens leaves 0 to train on")));
  options.path = "";
  ExpectError(options, "tokens: path: expected the path of a file");
}

TEST_F(LoadTokensTest, ShardsFollowEachOther) {
  WriteTestFile(dir_ / "shard_01.bin", WithHeader({3, 4}));
  WriteTestFile(dir_ / "shard_00.bin", WithHeader({0, 1, 2}));
  WriteTestFile(dir_ / "shard_10.bin", WithHeader({5, 6, 7}));
  WriteTestFile(dir_ / "other.bin", WithHeader({9}));
  TokensOptions options;
  options.path = (dir_ / "shard_*.bin").string();
  options.eval_fraction = 0.25;
  const TokenData data = LoadTokens(options);
  EXPECT_THAT(TokensOf(data.train), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(TokensOf(data.eval), ElementsAre(6, 7));
  EXPECT_EQ(data.vocab_size, 8);
  EXPECT_THAT(data.description, HasSubstr("(3 files)"));
  // Every part of it, across borders.
  for (int64_t begin = 0; begin < 6; ++begin) {
    for (int64_t end = begin; end <= 6; ++end) {
      std::vector<int32_t> tokens(static_cast<size_t>(end - begin)), expected;
      for (int64_t token = begin; token < end; ++token) expected.push_back(static_cast<int32_t>(token));
      data.train.source->Read(begin, tokens);
      EXPECT_EQ(tokens, expected);
    }
  }
  std::vector<int32_t> beyond(9);
  EXPECT_THROW(data.train.source->Read(0, beyond), Error);
}

TEST_F(LoadTokensTest, ShardsMustBeOfOneKind) {
  WriteTestFile(dir_ / "a0.bin", WithHeader({0, 1, 2}));
  WriteTestFile(dir_ / "a1.bin", Ids({3, 4}));
  TokensOptions options;
  options.path = (dir_ / "a?.bin").string();
  ExpectError(options, (dir_ / "a1.bin").string() + ": has no header, but " + (dir_ / "a0.bin").string() +
                           " has one, expected shards of one kind");
  WriteTestFile(dir_ / "a1.bin", WithHeader({3, 70, 1}));
  options.vocab_size = 60;
  ExpectError(options, (dir_ / "a1.bin").string() + ": token 1 (byte 1026) is 70, expected 0 to 59 (vocab_size is 60)");
  options.path = (dir_ / "b?.bin").string();
  ExpectError(options, options.path + ": no file matches");
}

}  // namespace
}  // namespace twofour::train
