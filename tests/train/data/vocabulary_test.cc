#include "twofour/train/data/vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "twofour/core/error.h"

#include "tests/train/data/bpe/small_tokenizer.h"

namespace twofour::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::testing::ThrowsMessage;

using Ids = std::vector<int32_t>;

TEST(VocabularyTest, BytesAreTheirValues) {
  const Vocabulary vocabulary = Vocabulary::Bytes();
  EXPECT_EQ(vocabulary.kind(), Vocabulary::Kind::kBytes);
  EXPECT_EQ(vocabulary.size(), 256);
  EXPECT_THAT(vocabulary.Encode(std::string_view("a\0\xff", 3)), ElementsAre('a', 0, 255));
  Ids all(256);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(vocabulary.Encode(vocabulary.Decode(all)), all);
}

TEST(VocabularyTest, CharactersAreTheirPlaces) {
  const Vocabulary vocabulary = Vocabulary::Characters({U'\n', U'a', U'\u00E9', U'\U0001F600'});
  EXPECT_EQ(vocabulary.kind(), Vocabulary::Kind::kCharacters);
  EXPECT_EQ(vocabulary.size(), 4);
  EXPECT_THAT(vocabulary.Encode("é😀a\n"), ElementsAre(2, 3, 1, 0));
  EXPECT_EQ(vocabulary.Decode(Ids{3, 1, 2, 0}), "😀aé\n");
  EXPECT_EQ(vocabulary.Encode(""), Ids());
  EXPECT_EQ(vocabulary.Decode({}), "");
}

TEST(VocabularyTest, NamesTheFirstCharacterItLacks) {
  const Vocabulary vocabulary = Vocabulary::Characters({U' ', U'a', U'\u20AC'});
  const auto expect = [&](std::string_view text, const std::string& message) {
    EXPECT_THAT([&] { vocabulary.Encode(text); }, ThrowsMessage<Error>(message));
  };
  expect("a €aaa a aé?", "character 'é' (U+00E9) at byte 12 is not in the vocabulary");
  expect("a\n", "character U+000A at byte 1 is not in the vocabulary");
  expect("😀", "character '😀' (U+1F600) at byte 0 is not in the vocabulary");
  expect("a\xff", "text: byte 1: not UTF-8: 0xff begins no character");
}

TEST(VocabularyTest, RefusesIdsOutside) {
  EXPECT_THAT(
      [] {
        Vocabulary::Bytes().Decode(Ids{1, 256});
      },
      ThrowsMessage<Error>("token 1 is 256, expected 0 to 255, the vocabulary's last"));
  const Vocabulary vocabulary = Vocabulary::Characters({U'a', U'b'});
  EXPECT_THROW(vocabulary.Decode(Ids{-1}), Error);
  EXPECT_THROW(vocabulary.Decode(Ids{2}), Error);
}

TEST(VocabularyTest, RefusesCharactersOutOfOrder) {
  const auto expect = [](const std::vector<char32_t>& characters, const std::string& message) {
    EXPECT_THAT([&] { Vocabulary::Characters(characters); }, ThrowsMessage<Error>(message));
  };
  expect({}, "a vocabulary of 0 characters, expected 1 to 65536");
  expect({U'b', U'a'},
         "character 1 of the vocabulary, 'a' (U+0061), follows 'b' (U+0062): expected rising code points");
  expect({U'a', U'a'},
         "character 1 of the vocabulary, 'a' (U+0061), follows 'a' (U+0061): expected rising code points");
  expect({U'a', 0xD800}, "character 1 of the vocabulary is 0xd800, expected a Unicode code point, no surrogate");
  expect({0x110000}, "character 0 of the vocabulary is 0x110000, expected a Unicode code point, no surrogate");
}

TEST(VocabularyJsonTest, ComesBack) {
  for (const Vocabulary& vocabulary :
       {Vocabulary::Bytes(), Vocabulary::Characters({U'a'}), Vocabulary::Bpe(BpeTokenizer(test::SmallParts(), "t")),
        Vocabulary::Characters({0, U'\n', U'"', U'\\', 0x7F, U'\u00E9', 0x2028, 0xFFFF, 0x10FFFF})}) {
    EXPECT_EQ(Vocabulary::FromJson(vocabulary.ToJson(), "v.json"), vocabulary);
  }
}

TEST(VocabularyTest, BpeIsThatOfItsTokenizer) {
  const Vocabulary vocabulary = Vocabulary::Bpe(BpeTokenizer(test::SmallParts(), "t"));
  EXPECT_EQ(vocabulary.kind(), Vocabulary::Kind::kBpe);
  EXPECT_EQ(vocabulary.size(), 259);
  EXPECT_EQ(vocabulary.Encode("the"), (Ids{257}));
  EXPECT_EQ(vocabulary.Decode(Ids{256, 'e'}), "the");
  TokenizerParts other = test::SmallParts();
  other.special.clear();
  EXPECT_NE(vocabulary, Vocabulary::Bpe(BpeTokenizer(other, "t")));
  EXPECT_NE(vocabulary, Vocabulary::Bytes());
}

TEST(VocabularyJsonTest, IsWhatItsReadersExpect) {
  EXPECT_EQ(Vocabulary::Bytes().ToJson(), "{\n  \"kind\": \"bytes\"\n}\n");
  EXPECT_EQ(Vocabulary::Characters({U'\n', U'\u00E9'}).ToJson(),
            "{\n  \"kind\": \"characters\",\n  \"characters\": \"\\né\"\n}\n");
}

TEST(VocabularyJsonTest, TheLargestComesBackHoweverItIsEscaped) {
  std::vector<char32_t> characters(kMaxVocabSize);
  std::iota(characters.begin(), characters.end(), char32_t{0x10000});
  const Vocabulary vocabulary = Vocabulary::Characters(characters);
  EXPECT_EQ(vocabulary.size(), 65536);
  EXPECT_EQ(Vocabulary::FromJson(vocabulary.ToJson(), "v.json"), vocabulary);
  const std::string escaped = nlohmann::json::parse(vocabulary.ToJson()).dump(2, ' ', /*ensure_ascii=*/true);
  EXPECT_EQ(Vocabulary::FromJson(escaped, "v.json"), vocabulary);
  characters.push_back(0x20000);
  EXPECT_THAT([&] { Vocabulary::Characters(characters); },
              ThrowsMessage<Error>("a vocabulary of 65537 characters, expected 1 to 65536"));
}

TEST(VocabularyJsonTest, RefusesHostileText) {
  const auto expect = [](std::string_view json, const std::string& message) {
    EXPECT_THAT([&] { Vocabulary::FromJson(json, "v.json"); }, ThrowsMessage<Error>("v.json: " + message)) << json;
  };
  expect("", "not valid JSON at its byte 1");
  expect("{\"kind\": \"bytes\"", "not valid JSON at its byte 17");
  expect("{\"kind\": \"bytes\"} x", "not valid JSON at its byte 19");
  expect(std::string_view("{\"kind\": \"bytes\"}\0x", 19), "byte 17: not valid JSON: a zero byte");
  expect("{\"kind\": \"\xff\"}", "not valid JSON at its byte 11");
  expect(R"({"kind": "characters", "characters": "\ud800"})", "not valid JSON at its byte 45");
  expect("3", "expected a JSON object");
  expect("null", "expected a JSON object");
  expect("{\"kind\": 1e999}", "not valid JSON: a number is out of range");
  expect("[]", "found an array or object, expected one object of strings");
  expect(R"({"kind": {"a": 1}})", "found an array or object, expected one object of strings");
  expect(R"({"kind": "bytes", "kind": "bytes"})", "key \"kind\" comes twice");
  expect(R"({"kind": "bytes", "size": "256"})", "unknown key \"size\", expected \"kind\" and \"characters\"");
  expect(R"({"kind": 3})", "\"kind\" is not a string");
  expect(R"({"kind": null})", "\"kind\" is not a string");
  expect("{}", "\"kind\" is missing");
  expect(R"({"kind": "words"})", "\"kind\" is \"words\", expected \"bytes\" or \"characters\"");
  expect(R"({"kind": "characters"})", "\"characters\" is missing for kind \"characters\"");
  expect(R"({"kind": "bytes", "characters": "a"})", "\"characters\" has no meaning for kind \"bytes\"");
  expect(R"({"kind": "characters", "characters": ""})", "a vocabulary of 0 characters, expected 1 to 65536");
  expect(R"({"kind": "characters", "characters": "aa"})",
         "character 1 of the vocabulary, 'a' (U+0061), follows 'a' (U+0061): expected rising code points");
}

TEST(VocabularyJsonTest, RefusesLongAndDeepText) {
  const std::string long_text = "{\"kind\": \"" + std::string(1 << 20, 'x') + "\"}";
  EXPECT_THAT([&] { Vocabulary::FromJson(long_text, "v.json"); },
              ThrowsMessage<Error>("v.json: 1048588 bytes, expected at most 1048576"));
  for (const char* open : {"[", "{\"a\":"}) {
    std::string deep;
    while (deep.size() < 1000000) deep += open;
    EXPECT_THAT([&] { Vocabulary::FromJson(deep, "v.json"); },
                ThrowsMessage<Error>(StartsWith("v.json: found an array")));
  }
  const std::string many = "{\"kind\": \"characters\", \"characters\": \"" + std::string(70000, 'x') + "\"}";
  EXPECT_THAT([&] { Vocabulary::FromJson(many, "v.json"); }, ThrowsMessage<Error>(HasSubstr("70000 characters")));
}

}  // namespace
}  // namespace twofour::train
