#include "twofour/train/data/bpe/tokenizer_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

#include "twofour/core/error.h"
#include "twofour/train/data/bpe/byte_text.h"

#include "tests/support/temp_dir.h"
#include "tests/support/text_file.h"
#include "tests/train/data/bpe/small_tokenizer.h"

namespace twofour::train {
namespace {

using nlohmann::json;
using test::SmallParts;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

json SmallJson() { return json::parse(ToTokenizerJson(BpeTokenizer(SmallParts(), "t"))); }

void ExpectFault(const json& file, const std::string& fault) {
  EXPECT_THAT([&] { ParseTokenizer(file.dump(), "t.json"); },
              ThrowsMessage<Error>(testing::AllOf(testing::StartsWith("t.json: "), HasSubstr(fault))));
}

TEST(TokenizerFileTest, ReadsWhatItWrites) {
  for (const char* pattern : {TextSplitter::kGpt2, R"(\p{N}{1,3}|\p{L}+|[^\p{L}\p{N}]+)"}) {
    TokenizerParts parts = SmallParts();
    parts.pattern = pattern;
    parts.add_blank = parts.pattern == TextSplitter::kGpt2;
    const BpeTokenizer read = ParseTokenizer(ToTokenizerJson(BpeTokenizer(parts, "t")), "t.json");
    EXPECT_EQ(read.parts().tokens, parts.tokens);
    EXPECT_EQ(read.parts().byte_tokens, parts.byte_tokens);
    EXPECT_EQ(read.parts().merges, parts.merges);
    EXPECT_EQ(read.parts().special, parts.special);
    EXPECT_EQ(read.parts().pattern, parts.pattern);
    EXPECT_EQ(read.parts().add_blank, parts.add_blank);
  }
}

TEST(TokenizerFileTest, SpecialTokensMayAlsoBePartsOfOthers) {
  TokenizerParts parts = SmallParts();
  parts.special = {'a', 256, 258};  // A byte, and what a merge gives.
  const BpeTokenizer read = ParseTokenizer(ToTokenizerJson(BpeTokenizer(parts, "t")), "t.json");
  EXPECT_EQ(read.parts().tokens, parts.tokens);
  EXPECT_EQ(read.parts().merges, parts.merges);
  EXPECT_EQ(read.parts().special, parts.special);
}

TEST(TokenizerFileTest, MergesMayBePairs) {
  json file = SmallJson();
  file["model"]["merges"] = json::array({json::array({"t", "h"}), json::array({"th", "e"})});
  EXPECT_EQ(ParseTokenizer(file.dump(), "t.json").parts().merges, SmallParts().merges);
}

TEST(TokenizerFileTest, AddedTokensMayBeInTheVocabulary) {
  json file = SmallJson();
  file["added_tokens"][0]["content"] = "<end of text>";  // Holds a blank, which no token is written with.
  file["model"]["vocab"].erase("<|end|>");
  file["model"]["vocab"]["<end of text>"] = 258;
  const BpeTokenizer tokenizer = ParseTokenizer(file.dump(), "t.json");
  EXPECT_THAT(tokenizer.Encode("the<end of text>"), ElementsAre(257, 258));
}

TEST(TokenizerFileTest, SaysWhatIsNotSupported) {
  const auto fault = [](const json::json_pointer& at, const json& value, const std::string& message) {
    json file = SmallJson();
    file[at] = value;
    ExpectFault(file, message);
  };
  using Pointer = json::json_pointer;
  fault(Pointer("/model/type"), "Unigram", "model.type: \"Unigram\" is not supported, expected BPE");
  fault(Pointer("/model/dropout"), 0.1, "model.dropout: 0.1 is not supported");
  fault(Pointer("/model/unk_token"), "<unk>", "model.unk_token");
  fault(Pointer("/model/byte_fallback"), true, "model.byte_fallback: true is not supported");
  fault(Pointer("/model/ignore_merges"), true, "model.ignore_merges");
  fault(Pointer("/model/end_of_word_suffix"), "</w>", "model.end_of_word_suffix");
  fault(Pointer("/normalizer"), json{{"type", "NFC"}}, "tokenizer.normalizer");
  fault(Pointer("/pre_tokenizer"), nullptr, "pre_tokenizer: none is not supported, expected ByteLevel");
  fault(Pointer("/pre_tokenizer/type"), "Metaspace", "pre_tokenizer: \"Metaspace\" is not supported");
  fault(Pointer("/pre_tokenizer/use_regex"), false, "ByteLevel without use_regex");
  fault(Pointer("/pre_tokenizer"), json{{"type", "Sequence"}, {"pretokenizers", json::array()}}, "another sequence");
  fault(Pointer("/pre_tokenizer"), json::parse(R"({"type": "Sequence", "pretokenizers": [
          {"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Isolated"},
          {"type": "ByteLevel", "add_prefix_space": true, "use_regex": false}]})"),
        "add_prefix_space after Split");
  fault(Pointer("/added_tokens/0/lstrip"), true, "lstrip of \"<|end|>\" is not supported");
}

TEST(TokenizerFileTest, RefusesFaultyFiles) {
  const auto fault = [](const json::json_pointer& at, const json& value, const std::string& message) {
    json file = SmallJson();
    file[at] = value;
    ExpectFault(file, message);
  };
  using Pointer = json::json_pointer;
  fault(Pointer("/model"), 1, "no \"model\"");
  fault(Pointer("/model/vocab"), json::array(), "model.vocab: expected an object of ids");
  fault(Pointer("/model/vocab"), json::object(), "the vocabulary is empty");
  fault(Pointer("/model/vocab/th"), 70000, "the id of token \"th\" is 70000, expected 0 to 65535");
  fault(Pointer("/model/vocab/th"), -1, "the id of token \"th\" is -1");
  fault(Pointer("/model/vocab/th"), "x", "the id of token \"th\"");
  fault(Pointer("/model/vocab/th"), 257, "tokens \"th\" and \"the\" have the same id, 257");
  fault(Pointer("/model/vocab/a b"), 259, "token \"a b\" (id 259) is not written in the bytes");
  fault(Pointer("/model/merges"), 5, "model.merges: expected a list");
  fault(Pointer("/model/merges/0"), "t", "merge 0: \"t\", expected two tokens");
  fault(Pointer("/model/merges/0"), "t h e", "merge 0: \"t h e\"");
  fault(Pointer("/model/merges/0"), json{"t", 1}, "merge 0:");
  fault(Pointer("/model/merges/0"), "t x", "merge 0: token \"tx\" is not in the vocabulary");
  fault(Pointer("/added_tokens/0/id"), 70000, "the id of token \"<|end|>\" is 70000");
  fault(Pointer("/added_tokens"), 5, "added_tokens: expected a list");
  fault(Pointer("/added_tokens/0"), 5, "expected an id and its content");
  json file = SmallJson();
  file["model"]["vocab"].erase("a");
  ExpectFault(file, "no token for byte 97");
  EXPECT_THAT([] { ParseTokenizer("[]", "t.json"); }, ThrowsMessage<Error>("t.json: expected a JSON object"));
  EXPECT_THAT([] { ParseTokenizer("{\"model\": ", "t.json"); }, ThrowsMessage<Error>(HasSubstr("t.json")));
  EXPECT_THAT([] { ParseTokenizer("{\"model\": " + std::string(100, '['), "t.json"); },
              ThrowsMessage<Error>("t.json: nested more than 16 levels deep"));
}

class Gpt2FilesTest : public ::testing::Test {
 protected:
  /// vocab.json of the 256 bytes, "th" and "the".
  static std::string Vocab() {
    json vocab;
    const TokenizerParts parts = SmallParts();
    for (size_t id = 0; id < 258; ++id) vocab[WriteBytes(parts.tokens[id])] = id;
    vocab["model"] = 258;  // As GPT-2's own has.
    return vocab.dump();
  }

  test::TempDir dir_;
};

TEST_F(Gpt2FilesTest, ReadsBothFiles) {
  for (const char* prefix : {"", "gpt2-"}) {
    const std::string vocab = (dir_ / (prefix + std::string("vocab.json"))).string();
    test::WriteTextFile(vocab, Vocab());
    EXPECT_THAT([&] { LoadTokenizer(FileSystem::Default(), vocab); },
                ThrowsMessage<Error>(HasSubstr(std::string(prefix) + "merges.txt is missing")));
    test::WriteTextFile(dir_ / (prefix + std::string("merges.txt")), "#version: 0.2\nt h\r\nth e\n\n");
    EXPECT_THAT(LoadTokenizer(FileSystem::Default(), vocab).Encode("the th"), ElementsAre(257, ' ', 256));
  }
}

TEST_F(Gpt2FilesTest, NamesTheLineOfAFault) {
  const auto parse = [](const std::string& merges) {
    return [merges] { ParseGpt2Tokenizer(Vocab(), "vocab.json", merges, "merges.txt"); };
  };
  EXPECT_THAT(parse("#version: 0.2\nt h\nthe\n"),
              ThrowsMessage<Error>(HasSubstr("merges.txt: line 3: \"the\", expected two tokens")));
  EXPECT_THAT(parse("t h\nth e\nt h\n"),
              ThrowsMessage<Error>(HasSubstr("merges.txt: the merge of \"t\" and \"h\" occurs twice")));
  EXPECT_THAT(parse("q q\n"),
              ThrowsMessage<Error>(HasSubstr("merges.txt: line 1: token \"qq\" is not in the vocabulary")));
}

TEST_F(Gpt2FilesTest, ACutListOfMergesIsRefused) {
  json vocab = json::parse(Vocab());
  std::string merges = "t h\nth e\n";
  for (char c = '0'; c <= 'z'; ++c) {
    if (std::isalnum(c) == 0) continue;
    vocab[std::string(2, c)] = vocab.size();
    merges += std::string(1, c) + " " + c + "\n";
  }
  for (char c = '0'; c <= 'z'; ++c) {
    if (std::isalnum(c) == 0) continue;
    vocab[std::string(4, c)] = vocab.size();
    merges += std::string(2, c) + " " + std::string(2, c) + "\n";
  }
  EXPECT_NO_THROW(ParseGpt2Tokenizer(vocab.dump(), "vocab.json", merges, "merges.txt"));
  EXPECT_THAT([&] { ParseGpt2Tokenizer(vocab.dump(), "vocab.json", merges.substr(0, 17), "merges.txt"); },
              ThrowsMessage<Error>(HasSubstr("are made by no merge: is the file cut short?")));
}

/// GPT-2's own files. Its ids of these texts are widely known.
TEST_F(Gpt2FilesTest, EncodesAsGpt2) {
  const char* const data = std::getenv("TWOFOUR_DATA_DIR");
  const std::filesystem::path vocab = std::filesystem::path(data == nullptr ? "" : data) / "gpt2-vocab.json";
  if (data == nullptr || !std::filesystem::exists(vocab)) GTEST_SKIP() << "needs TWOFOUR_DATA_DIR with gpt2-vocab.json";
  const BpeTokenizer tokenizer = LoadTokenizer(FileSystem::Default(), vocab);
  EXPECT_EQ(tokenizer.size(), 50257);
  EXPECT_THAT(tokenizer.Encode("Hello world"), ElementsAre(15496, 995));
  EXPECT_THAT(tokenizer.Encode("Hello, I'm a language model,"), ElementsAre(15496, 11, 314, 1101, 257, 3303, 2746, 11));
  EXPECT_EQ(tokenizer.Decode(std::vector<int32_t>{15496, 995}), "Hello world");
  const BpeTokenizer again = ParseTokenizer(ToTokenizerJson(tokenizer), "again");
  EXPECT_EQ(again.parts().tokens, tokenizer.parts().tokens);
  EXPECT_EQ(again.parts().merges, tokenizer.parts().merges);
}

}  // namespace
}  // namespace twofour::train
