#include "twofour/train/data/vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/io/json.h"
#include "twofour/train/data/bpe/tokenizer_file.h"
#include "twofour/train/data/text.h"
#include "twofour/train/data/utf8.h"

namespace twofour::train {
namespace {

constexpr int64_t kNumBytes = 256;
constexpr size_t kMaxCharactersBytes = size_t{1}
                                       << 20;  // kMaxVocabSize characters, as two surrogates each, take 768 KiB.

/// Parses an object of strings. Throws Error that begins with `source`.
std::map<std::string, std::string> ParseStrings(std::string_view text, const std::string& source) {
  if (text.size() > kMaxCharactersBytes) {
    throw Error(fmt::format("{}: {} bytes, expected at most {}", source, text.size(), kMaxCharactersBytes));
  }
  std::set<std::string> keys;
  const JsonChecks checks{
      .on_begin =
          [&](int depth, bool is_array) {
            if (!is_array && depth == 0) return;
            throw Error(fmt::format("{}: found an array or object, expected one object of strings", source));
          },
      .on_name =
          [&](const std::string& key) {
            if (keys.insert(key).second) return;
            throw Error(fmt::format("{}: key {} comes twice", source, Quoted(key)));
          }};
  const JsonDocument json = JsonDocument::Parse(text, source, checks);
  if (!json.root().is_object()) throw Error(fmt::format("{}: expected a JSON object", source));
  std::map<std::string, std::string> strings;
  for (const auto& [name, value] : json.root().members()) {
    const std::string key(name);
    if (key != "kind" && key != "characters") {
      throw Error(fmt::format("{}: unknown key {}, expected \"kind\" and \"characters\"", source, Quoted(key)));
    }
    if (!value.is_string()) throw Error(fmt::format("{}: \"{}\" is not a string", source, key));
    strings[key] = value.string();
  }
  return strings;
}

}  // namespace

Vocabulary Vocabulary::Characters(std::vector<char32_t> code_points) {
  if (code_points.empty() || code_points.size() > kMaxVocabSize) {
    throw Error(fmt::format("a vocabulary of {} characters, expected 1 to {}", code_points.size(), kMaxVocabSize));
  }
  for (size_t i = 0; i < code_points.size(); ++i) {
    if (!IsUnicodeScalar(code_points[i])) {
      throw Error(fmt::format("character {} of the vocabulary is {:#x}, expected a Unicode code point, no surrogate", i,
                              static_cast<uint32_t>(code_points[i])));
    }
    if (i > 0 && code_points[i] <= code_points[i - 1]) {
      throw Error(fmt::format("character {} of the vocabulary, {}, follows {}: expected rising code points", i,
                              DescribeCharacter(code_points[i]), DescribeCharacter(code_points[i - 1])));
    }
  }
  return Vocabulary(Kind::kCharacters, std::move(code_points));
}

Vocabulary Vocabulary::Bpe(BpeTokenizer tokenizer) {
  Vocabulary vocabulary(Kind::kBpe, {});
  vocabulary.tokenizer_ = std::make_shared<const BpeTokenizer>(std::move(tokenizer));
  return vocabulary;
}

int64_t Vocabulary::size() const {
  if (kind_ == Kind::kBpe) return tokenizer_->size();
  return kind_ == Kind::kBytes ? kNumBytes : static_cast<int64_t>(characters_.size());
}

std::vector<int32_t> Vocabulary::Encode(std::string_view text) const {
  if (kind_ == Kind::kBpe) return tokenizer_->Encode(text);
  std::vector<int32_t> ids;
  if (kind_ == Kind::kBytes) {
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
    return ids;
  }
  for (Utf8Reader reader(text, "text"); !reader.AtEnd();) {
    const size_t position = reader.position();
    const char32_t character = reader.Next();
    const auto found = std::lower_bound(characters_.begin(), characters_.end(), character);
    if (found == characters_.end() || *found != character) {
      throw Error(
          fmt::format("character {} at byte {} is not in the vocabulary", DescribeCharacter(character), position));
    }
    ids.push_back(static_cast<int32_t>(found - characters_.begin()));
  }
  return ids;
}

std::string Vocabulary::Decode(std::span<const int32_t> ids) const {
  std::string text;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= size()) {
      throw Error(fmt::format("token {} is {}, expected 0 to {}, the vocabulary's last", i, ids[i], size() - 1));
    }
    if (kind_ == Kind::kBpe) {
      text += tokenizer_->Decode(ids.subspan(i, 1));
    } else if (kind_ == Kind::kBytes) {
      text += static_cast<char>(ids[i]);
    } else {
      AppendUtf8(characters_[static_cast<size_t>(ids[i])], text);
    }
  }
  return text;
}

bool Vocabulary::operator==(const Vocabulary& other) const {
  if (kind_ != other.kind_ || characters_ != other.characters_) return false;
  return kind_ != Kind::kBpe || ToJson() == other.ToJson();
}

std::string Vocabulary::ToJson() const {
  if (kind_ == Kind::kBpe) return ToTokenizerJson(*tokenizer_);
  JsonObject json;
  json.Set("kind", kind_ == Kind::kBytes ? "bytes" : "characters");
  if (kind_ == Kind::kCharacters) {
    std::string characters;
    for (const char32_t character : characters_) AppendUtf8(character, characters);
    json.Set("characters", characters);
  }
  return json.ToText(/*indent=*/2) + "\n";
}

Vocabulary Vocabulary::FromJson(std::string_view json, const std::string& source) {
  if (json.size() > kMaxJsonBytes) {
    throw Error(fmt::format("{}: {} bytes, expected at most {}", source, json.size(), kMaxJsonBytes));
  }
  if (json.find("\"model\"") != std::string_view::npos) return Bpe(ParseTokenizer(json, source));
  const std::map<std::string, std::string> fields = ParseStrings(json, source);
  if (!fields.contains("kind")) throw Error(fmt::format("{}: \"kind\" is missing", source));
  const std::string& kind = fields.at("kind");
  if (kind != "bytes" && kind != "characters") {
    throw Error(fmt::format("{}: \"kind\" is {}, expected \"bytes\" or \"characters\"", source, Quoted(kind)));
  }
  if (fields.contains("characters") != (kind == "characters")) {
    throw Error(fmt::format("{}: \"characters\" {} for kind \"{}\"", source,
                            kind == "bytes" ? "has no meaning" : "is missing", kind));
  }
  if (kind == "bytes") return Bytes();
  const std::string& characters = fields.at("characters");
  std::vector<char32_t> code_points;
  for (Utf8Reader reader(characters, source); !reader.AtEnd();) code_points.push_back(reader.Next());
  try {
    return Characters(std::move(code_points));
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", source, error.what()));
  }
}

}  // namespace twofour::train
