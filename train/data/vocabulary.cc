#include "twofour/train/data/vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "twofour/core/error.h"
#include "twofour/train/data/text.h"
#include "twofour/train/data/utf8.h"

namespace twofour::train {
namespace {

constexpr int64_t kNumBytes = 256;
constexpr size_t kMaxJsonBytes = size_t{1} << 20;  // kMaxVocabSize, each escaped as two surrogates, take 768 KiB.

/// Parses an object of strings. Throws Error that begins with `source`.
nlohmann::json ParseStrings(std::string_view text, const std::string& source) {
  using Json = nlohmann::json;
  if (text.size() > kMaxJsonBytes) {
    throw Error(fmt::format("{}: {} bytes, expected at most {}", source, text.size(), kMaxJsonBytes));
  }
  // The JSON parser takes a zero byte for the end of its input and would ignore what follows.
  if (const size_t zero = text.find('\0'); zero != std::string_view::npos) {
    throw Error(fmt::format("{}: byte {}: not valid JSON: a zero byte", source, zero));
  }
  std::set<std::string> keys;
  const auto check = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::array_start || (event == Json::parse_event_t::object_start && depth > 0)) {
      throw Error(fmt::format("{}: found an array or object, expected one object of strings", source));
    }
    if (event == Json::parse_event_t::key && !keys.insert(parsed.get<std::string>()).second) {
      throw Error(fmt::format("{}: key {} comes twice", source, Quoted(parsed.get<std::string>())));
    }
    return true;
  };
  Json json;
  try {
    json = Json::parse(text, check);
  } catch (const Json::parse_error& error) {
    throw Error(fmt::format("{}: not valid JSON at its byte {}", source, error.byte));
  } catch (const Json::exception&) {
    throw Error(fmt::format("{}: not valid JSON: a number is out of range", source));
  }
  if (!json.is_object()) throw Error(fmt::format("{}: expected a JSON object", source));
  for (const auto& [key, value] : json.items()) {
    if (key != "kind" && key != "characters") {
      throw Error(fmt::format("{}: unknown key {}, expected \"kind\" and \"characters\"", source, Quoted(key)));
    }
    if (!value.is_string()) throw Error(fmt::format("{}: \"{}\" is not a string", source, key));
  }
  return json;
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

int64_t Vocabulary::size() const {
  return kind_ == Kind::kBytes ? kNumBytes : static_cast<int64_t>(characters_.size());
}

std::vector<int32_t> Vocabulary::Encode(std::string_view text) const {
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
    if (kind_ == Kind::kBytes) {
      text += static_cast<char>(ids[i]);
    } else {
      AppendUtf8(characters_[static_cast<size_t>(ids[i])], text);
    }
  }
  return text;
}

std::string Vocabulary::ToJson() const {
  nlohmann::ordered_json json{{"kind", kind_ == Kind::kBytes ? "bytes" : "characters"}};
  if (kind_ == Kind::kCharacters) {
    std::string characters;
    for (const char32_t character : characters_) AppendUtf8(character, characters);
    json["characters"] = characters;
  }
  return json.dump(2) + "\n";
}

Vocabulary Vocabulary::FromJson(std::string_view json, const std::string& source) {
  const nlohmann::json fields = ParseStrings(json, source);
  if (!fields.contains("kind")) throw Error(fmt::format("{}: \"kind\" is missing", source));
  const auto kind = fields["kind"].get<std::string>();
  if (kind != "bytes" && kind != "characters") {
    throw Error(fmt::format("{}: \"kind\" is {}, expected \"bytes\" or \"characters\"", source, Quoted(kind)));
  }
  if (fields.contains("characters") != (kind == "characters")) {
    throw Error(fmt::format("{}: \"characters\" {} for kind \"{}\"", source,
                            kind == "bytes" ? "has no meaning" : "is missing", kind));
  }
  if (kind == "bytes") return Bytes();
  const auto characters = fields["characters"].get<std::string>();
  std::vector<char32_t> code_points;
  for (Utf8Reader reader(characters, source); !reader.AtEnd();) code_points.push_back(reader.Next());
  try {
    return Characters(std::move(code_points));
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}", source, error.what()));
  }
}

}  // namespace twofour::train
