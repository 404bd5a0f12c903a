#include "twofour/train/data/bpe/tokenizer_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/core/io/json.h"
#include "twofour/core/io/text.h"
#include "twofour/train/data/bpe/byte_text.h"
#include "twofour/train/data/text.h"
#include "twofour/train/data/token_source.h"

namespace twofour::train {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{64} << 20;
constexpr int kMaxDepth = 16;
constexpr const char* kMergesFile = "merges.txt";

/// One file, for messages.
struct Source {
  std::string name;

  [[noreturn]] void Fail(const std::string& fault) const { throw Error(fmt::format("{}: {}", name, fault)); }
  [[noreturn]] void Unsupported(std::string_view where, const std::string& found, const char* expected) const {
    Fail(fmt::format("{}: {} is not supported, expected {}", where, found, expected));
  }
};

JsonDocument ParseJson(std::string_view text, const Source& source) {
  const JsonChecks checks{.on_begin = [&](int depth, bool) {
    if (depth >= kMaxDepth) source.Fail(fmt::format("nested more than {} levels deep", kMaxDepth));
  }};
  JsonDocument json = JsonDocument::Parse(text, source.name, checks);
  if (!json.root().is_object()) source.Fail("expected a JSON object");
  return json;
}

/// The id of each token's text, as a file holds them.
using Ids = std::map<std::string, int32_t, std::less<>>;

int32_t IdOf(const JsonValue& value, std::string_view token, const Source& source) {
  if (!value.is_integer() || value.integer() < 0 || value.integer() >= kMaxVocabSize) {
    source.Fail(
        fmt::format("the id of token {} is {}, expected 0 to {}", Quoted(token), value.ToText(), kMaxVocabSize - 1));
  }
  return static_cast<int32_t>(value.integer());
}

Ids ReadVocabulary(const JsonValue& vocab, const Source& source) {
  Ids ids;
  for (const auto& [text, id] : vocab.members()) ids.emplace(text, IdOf(id, text, source));
  if (ids.empty()) source.Fail("the vocabulary is empty");
  return ids;
}

/// Places a token at its id. Throws Error where another one is there.
void Place(const std::string& bytes, int32_t id, TokenizerParts& parts, const Source& source) {
  const auto at = static_cast<size_t>(id);
  if (at >= parts.tokens.size()) parts.tokens.resize(at + 1);
  if (!parts.tokens[at].empty() && parts.tokens[at] != bytes) {
    source.Fail(fmt::format("tokens {} and {} have the same id, {}", Quoted(parts.tokens[at]), Quoted(bytes), id));
  }
  parts.tokens[at] = bytes;
}

/// Tokens in their writing with printable characters (see byte_text.h). `plain` are those that are written as they are.
void PlaceTokens(const Ids& ids, const std::set<int32_t>& plain, TokenizerParts& parts, const Source& source) {
  for (const auto& [text, id] : ids) {
    const std::optional<std::string> bytes = plain.contains(id) ? text : ReadBytes(text);
    if (!bytes || bytes->empty()) {
      source.Fail(fmt::format("token {} (id {}) is not written in the bytes of GPT-2's tokenizer", Quoted(text), id));
    }
    Place(*bytes, id, parts, source);
  }
  for (int byte = 0; byte < 256; ++byte) {
    const auto found = ids.find(WriteBytes(std::string(1, static_cast<char>(byte))));
    if (found == ids.end()) source.Fail(fmt::format("no token for byte {}, expected one for each", byte));
    parts.byte_tokens.push_back(found->second);
  }
}

void AddMerge(const std::string& left, const std::string& right, const std::string& place, const Ids& ids,
              TokenizerParts& parts, const Source& source) {
  const auto id = [&](const std::string& text) {
    const auto found = ids.find(text);
    if (found == ids.end()) source.Fail(fmt::format("{}: token {} is not in the vocabulary", place, Quoted(text)));
    return found->second;
  };
  parts.merges.push_back({id(left), id(right), id(left + right)});
}

/// Adds the merge that "left right" names.
void AddMerge(std::string_view line, const std::string& place, const Ids& ids, TokenizerParts& parts,
              const Source& source) {
  const size_t blank = line.find(' ');
  if (blank == std::string_view::npos || blank == 0 || blank + 1 == line.size() ||
      line.find(' ', blank + 1) != std::string_view::npos) {
    source.Fail(fmt::format("{}: {}, expected two tokens with a blank between them", place, Quoted(line)));
  }
  AddMerge(std::string(line.substr(0, blank)), std::string(line.substr(blank + 1)), place, ids, parts, source);
}

/// Throws Error unless the member is missing, null, false or an empty text.
void RequireUnset(const JsonValue& object, const char* where, const char* name, const Source& source) {
  const std::optional<JsonValue> value = object.Find(name);
  if (!value || value->is_null() || (value->is_boolean() && !value->boolean())) return;
  if (value->is_string() && value->string().empty()) return;
  source.Unsupported(fmt::format("{}.{}", where, name), value->ToText(), "null or false");
}

bool Flag(const JsonValue& object, const char* name, bool otherwise) {
  const std::optional<JsonValue> value = object.Find(name);
  return value && value->is_boolean() ? value->boolean() : otherwise;
}

std::string TypeOf(const JsonValue& object) {
  const std::optional<JsonValue> type = object.Find("type");
  return type && type->is_string() ? type->string() : "";
}

/// Reads {"type": "ByteLevel"}. `splits`: it may have a pattern of its own.
void ReadByteLevel(const JsonValue& step, bool splits, TokenizerParts& parts, const Source& source) {
  if (TypeOf(step) != "ByteLevel") {
    source.Unsupported("pre_tokenizer", Quoted(TypeOf(step)), "ByteLevel, or Split and then ByteLevel");
  }
  parts.add_blank = Flag(step, "add_prefix_space", true);
  if (splits != Flag(step, "use_regex", true)) {
    source.Unsupported("pre_tokenizer", splits ? "ByteLevel without use_regex" : "ByteLevel with use_regex after Split",
                       "one pattern");
  }
}

void ReadSplit(const JsonValue& step, TokenizerParts& parts, const Source& source) {
  if (TypeOf(step) != "Split") source.Unsupported("pre_tokenizer", Quoted(TypeOf(step)), "Split before ByteLevel");
  const std::optional<JsonValue> pattern = step.Find("pattern"), behavior = step.Find("behavior");
  const std::optional<JsonValue> regex = pattern ? pattern->Find("Regex") : std::nullopt;
  if (!regex || !regex->is_string()) {
    source.Unsupported("pre_tokenizer.pattern", pattern ? pattern->ToText() : "none", "a Regex");
  }
  const bool isolated = behavior && behavior->is_string() && behavior->string() == "Isolated";
  if (!isolated || Flag(step, "invert", false)) {
    source.Unsupported("pre_tokenizer.behavior", behavior ? behavior->ToText() : "none", "Isolated, not inverted");
  }
  parts.pattern = regex->string();
}

void ReadPreTokenizer(const JsonValue& root, TokenizerParts& parts, const Source& source) {
  const std::optional<JsonValue> step = root.Find("pre_tokenizer");
  if (!step || !step->is_object()) source.Unsupported("pre_tokenizer", "none", "ByteLevel");
  if (TypeOf(*step) != "Sequence") {
    ReadByteLevel(*step, true, parts, source);
    return;
  }
  const std::optional<JsonValue> list = step->Find("pretokenizers");
  if (!list || !list->is_array() || list->elements().size() != 2) {
    source.Unsupported("pre_tokenizer.pretokenizers", list ? "another sequence" : "none", "Split and then ByteLevel");
  }
  ReadSplit(list->elements()[0], parts, source);
  ReadByteLevel(list->elements()[1], false, parts, source);
  if (parts.add_blank) source.Unsupported("pre_tokenizer", "ByteLevel with add_prefix_space after Split", "without it");
}

/// The ids and texts of added tokens.
std::map<int32_t, std::string> ReadAdded(const JsonValue& root, const Source& source) {
  std::map<int32_t, std::string> added;
  const std::optional<JsonValue> list = root.Find("added_tokens");
  if (!list || list->is_null()) return added;
  if (!list->is_array()) source.Fail("added_tokens: expected a list");
  for (const JsonValue& entry : list->elements()) {
    const std::optional<JsonValue> id = entry.Find("id"), content = entry.Find("content");
    if (!id || !content || !content->is_string() || content->string().empty()) {
      source.Fail(fmt::format("added_tokens: {}, expected an id and its content", Quoted(entry.ToText())));
    }
    for (const char* const flag : {"single_word", "lstrip", "rstrip"}) {
      if (Flag(entry, flag, false))
        source.Unsupported("added_tokens", fmt::format("{} of {}", flag, Quoted(content->string())), "false");
    }
    added[IdOf(*id, content->string(), source)] = content->string();
  }
  return added;
}

void ReadMerges(const JsonValue& model, const Ids& ids, TokenizerParts& parts, const Source& source) {
  const std::optional<JsonValue> merges = model.Find("merges");
  if (!merges || !merges->is_array()) source.Fail("model.merges: expected a list");
  size_t number = 0;
  for (const JsonValue& merge : merges->elements()) {
    const std::string place = fmt::format("merge {}", number++);
    if (merge.is_string()) {
      AddMerge(merge.string(), place, ids, parts, source);
      continue;
    }
    const std::vector<JsonValue> pair = merge.is_array() ? merge.elements() : std::vector<JsonValue>();
    if (pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string()) {
      source.Fail(fmt::format("{}: {}, expected two tokens", place, Quoted(merge.ToText())));
    }
    AddMerge(pair[0].string(), pair[1].string(), place, ids, parts, source);
  }
}

/// Throws Error if a merge occurs twice: programs differ in which of the two counts.
void RequireDifferentMerges(const TokenizerParts& parts, const Source& source) {
  std::set<std::pair<int32_t, int32_t>> pairs;
  for (const PairMerge& merge : parts.merges) {
    if (pairs.emplace(merge.left, merge.right).second) continue;
    source.Fail(fmt::format("the merge of {} and {} occurs twice",
                            Quoted(WriteBytes(parts.tokens[static_cast<size_t>(merge.left)])),
                            Quoted(WriteBytes(parts.tokens[static_cast<size_t>(merge.right)]))));
  }
}

/// Throws Error if many tokens are neither bytes nor made by a merge: some merges are missing. A few may be special.
void RequireReachable(const TokenizerParts& parts, const Source& source) {
  std::vector<bool> made(parts.tokens.size());
  for (const int32_t id : parts.byte_tokens) made[static_cast<size_t>(id)] = true;
  for (const PairMerge& merge : parts.merges) made[static_cast<size_t>(merge.result)] = true;
  size_t lost = 0;
  const std::string* example = nullptr;
  for (size_t id = 0; id < made.size(); ++id) {
    if (made[id] || parts.tokens[id].empty()) continue;
    ++lost;
    example = &parts.tokens[id];
  }
  constexpr size_t kMostSpecial = 64;
  if (lost <= kMostSpecial) return;
  source.Fail(fmt::format("{} tokens of the vocabulary, such as {}, are made by no merge: is the file cut short?", lost,
                          Quoted(*example)));
}

}  // namespace

BpeTokenizer ParseTokenizer(std::string_view json, const std::string& source_name) {
  const Source source{source_name};
  const JsonDocument document = ParseJson(json, source);
  const JsonValue root = document.root();
  const std::optional<JsonValue> model = root.Find("model");
  if (!model || !model->is_object()) source.Fail("no \"model\", expected a tokenizer.json or GPT-2's vocab.json");
  const std::string type = TypeOf(*model);
  // Old files leave the type out.
  if (!type.empty() && type != "BPE") source.Unsupported("model.type", Quoted(type), "BPE");
  RequireUnset(root, "tokenizer", "normalizer", source);
  for (const char* const name : {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
                                 "byte_fallback", "ignore_merges"}) {
    RequireUnset(*model, "model", name, source);
  }
  TokenizerParts parts;
  ReadPreTokenizer(root, parts, source);
  const std::optional<JsonValue> vocab = model->Find("vocab");
  if (!vocab || !vocab->is_object()) source.Fail("model.vocab: expected an object of ids");
  const Ids ids = ReadVocabulary(*vocab, source);
  const std::map<int32_t, std::string> added = ReadAdded(root, source);
  std::set<int32_t> plain;
  for (const auto& [id, text] : added) {
    const auto found = ids.find(text);
    if (found != ids.end() && found->second == id) plain.insert(id);
  }
  PlaceTokens(ids, plain, parts, source);
  for (const auto& [id, text] : added) {
    Place(text, id, parts, source);
    parts.special.push_back(id);
  }
  ReadMerges(*model, ids, parts, source);
  RequireDifferentMerges(parts, source);
  return {std::move(parts), source.name};
}

BpeTokenizer ParseGpt2Tokenizer(std::string_view vocab, const std::string& vocab_source, std::string_view merges,
                                const std::string& merges_source) {
  const Source source{vocab_source}, merge_source{merges_source};
  const JsonDocument json = ParseJson(vocab, source);
  const Ids ids = ReadVocabulary(json.root(), source);
  TokenizerParts parts;
  PlaceTokens(ids, {}, parts, source);
  for (size_t begin = 0, line = 1; begin < merges.size(); ++line) {
    const size_t end = std::min(merges.find('\n', begin), merges.size());
    std::string_view text = merges.substr(begin, end - begin);
    begin = end + 1;
    if (text.ends_with('\r')) text.remove_suffix(1);
    if (text.empty() || (line == 1 && text.starts_with("#version"))) continue;
    AddMerge(text, fmt::format("line {}", line), ids, parts, merge_source);
  }
  RequireDifferentMerges(parts, merge_source);
  RequireReachable(parts, merge_source);
  return {std::move(parts), source.name};
}

std::filesystem::path MergesBeside(const std::filesystem::path& vocab) {
  const std::string name = vocab.filename().string();
  const size_t at = name.rfind("vocab.json");
  return vocab.parent_path() / (at == std::string::npos ? kMergesFile : name.substr(0, at) + kMergesFile);
}

BpeTokenizer LoadTokenizer(FileSystem& files, const std::filesystem::path& path) {
  const std::string text = ReadText(files, path, kMaxFileBytes);
  const Source source{path.string()};
  // GPT-2's vocabulary has a token "model".
  const JsonDocument json = ParseJson(text, source);
  const std::optional<JsonValue> model = json.root().Find("model");
  if (model && model->is_object()) return ParseTokenizer(text, source.name);
  const std::filesystem::path merges = MergesBeside(path);
  if (!files.Exists(merges)) {
    source.Fail(fmt::format("holds no \"model\" as a tokenizer.json does, and for GPT-2's vocab.json {} is missing",
                            merges.string()));
  }
  return ParseGpt2Tokenizer(text, source.name, ReadText(files, merges, kMaxFileBytes), merges.string());
}

std::string ToTokenizerJson(const BpeTokenizer& tokenizer) {
  const TokenizerParts& parts = tokenizer.parts();
  constexpr double kNull = std::numeric_limits<double>::quiet_NaN();  // Written as null.
  const std::set<int32_t> special(parts.special.begin(), parts.special.end());
  // A special token that merges or bytes need as well is written in their way.
  std::set<int32_t> plain = special;
  for (const int32_t id : parts.byte_tokens) plain.erase(id);
  for (const PairMerge& merge : parts.merges) {
    for (const int32_t id : {merge.left, merge.right, merge.result}) plain.erase(id);
  }
  std::vector<JsonObject> added;
  std::vector<std::pair<std::string, int64_t>> ids;
  for (size_t at = 0; at < parts.tokens.size(); ++at) {
    const auto id = static_cast<int32_t>(at);
    if (parts.tokens[at].empty()) continue;
    ids.emplace_back(plain.contains(id) ? parts.tokens[at] : WriteBytes(parts.tokens[at]), id);
    if (!special.contains(id)) continue;
    added.emplace_back().Set("id", id).Set("content", parts.tokens[at]).Set("single_word", false);
    added.back().Set("lstrip", false).Set("rstrip", false).Set("normalized", false).Set("special", true);
  }
  JsonObject vocab;
  vocab.Append(ids);
  std::vector<std::string> merges;
  for (const PairMerge& merge : parts.merges) {
    merges.push_back(WriteBytes(parts.tokens[static_cast<size_t>(merge.left)]) + " " +
                     WriteBytes(parts.tokens[static_cast<size_t>(merge.right)]));
  }
  JsonObject byte_level, model, pre_tokenizer, json;
  const bool gpt2 = parts.pattern == TextSplitter::kGpt2;
  byte_level.Set("type", "ByteLevel").Set("add_prefix_space", parts.add_blank).Set("trim_offsets", true);
  JsonObject decoder = byte_level;
  decoder.Set("use_regex", true);
  byte_level.Set("use_regex", gpt2);
  if (gpt2) {
    pre_tokenizer = byte_level;
  } else {
    JsonObject split, pattern;
    pattern.Set("Regex", parts.pattern);
    split.Set("type", "Split").Set("pattern", pattern).Set("behavior", "Isolated").Set("invert", false);
    pre_tokenizer.Set("type", "Sequence").Set("pretokenizers", std::vector<JsonObject>{split, byte_level});
  }
  model.Set("type", "BPE").Set("dropout", kNull).Set("unk_token", kNull);
  model.Set("continuing_subword_prefix", kNull).Set("end_of_word_suffix", kNull).Set("fuse_unk", false);
  model.Set("byte_fallback", false).Set("vocab", vocab).Set("merges", merges);
  json.Set("version", "1.0").Set("truncation", kNull).Set("padding", kNull).Set("added_tokens", added);
  json.Set("normalizer", kNull).Set("pre_tokenizer", pre_tokenizer).Set("post_processor", kNull);
  json.Set("decoder", decoder).Set("model", model);
  return json.ToText(/*indent=*/1) + "\n";
}

}  // namespace twofour::train
