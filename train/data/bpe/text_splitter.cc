#define PCRE2_CODE_UNIT_WIDTH 8

#include "twofour/train/data/bpe/text_splitter.h"

#include <fmt/format.h>
#include <pcre2.h>

#include <array>
#include <new>
#include <utility>

#include "twofour/core/error.h"
#include "twofour/train/data/text.h"
#include "twofour/train/data/utf8.h"

namespace twofour::train {
namespace {

// Enough for any real text. A pattern from a file may be one that takes a number of steps that doubles with each
// character.
constexpr uint32_t kMaxSteps = 10'000'000;
constexpr size_t kMaxPatternBytes = 64 << 10;
constexpr const char* kBlanks = R"(\p{Z}\x{9}-\x{d}\x{85})";

std::string MessageOf(int code) {
  std::array<PCRE2_UCHAR, 256> message{};
  pcre2_get_error_message(code, message.data(), message.size());
  return reinterpret_cast<const char*>(message.data());
}

}  // namespace

const char* const TextSplitter::kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

struct TextSplitter::Compiled {
  struct Freer {
    void operator()(pcre2_code* freed) const { pcre2_code_free(freed); }
    void operator()(pcre2_match_data* freed) const { pcre2_match_data_free(freed); }
    void operator()(pcre2_match_context* freed) const { pcre2_match_context_free(freed); }
  };

  std::unique_ptr<pcre2_code, Freer> code;
  std::unique_ptr<pcre2_match_context, Freer> limits;
};

std::string WithUnicodeBlanks(std::string_view pattern) {
  std::string written;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c != '\\' || i + 1 == pattern.size()) {
      // "[]" and "[^]" begin a class that holds a bracket.
      if (c == '[' && !in_class) {
        in_class = true;
        written += c;
        if (i + 1 < pattern.size() && pattern[i + 1] == '^') written += pattern[++i];
        if (i + 1 < pattern.size() && pattern[i + 1] == ']') written += pattern[++i];
        continue;
      }
      // "[:alpha:]" within a class.
      if (in_class && pattern.substr(i).starts_with("[:")) {
        const size_t end = pattern.find(":]", i);
        if (end != std::string_view::npos) {
          written += pattern.substr(i, end + 2 - i);
          i = end + 1;
          continue;
        }
      }
      if (c == ']') in_class = false;
      written += c;
      continue;
    }
    const char escaped = pattern[++i];
    if (escaped == 's') {
      written += in_class ? kBlanks : fmt::format("[{}]", kBlanks);
    } else if (escaped == 'S' && !in_class) {
      written += fmt::format("[^{}]", kBlanks);
    } else {
      written += c;
      written += escaped;
    }
  }
  return written;
}

TextSplitter::TextSplitter(std::string pattern, const std::string& source)
    : pattern_(std::move(pattern)), compiled_(std::make_unique<Compiled>()) {
  if (pattern_.size() > kMaxPatternBytes) {
    throw Error(
        fmt::format("{}: a pattern of {} bytes, expected at most {}", source, pattern_.size(), kMaxPatternBytes));
  }
  const std::string written = WithUnicodeBlanks(pattern_);
  int code = 0;
  PCRE2_SIZE at = 0;
  constexpr uint32_t kOptions = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C;
  compiled_->code.reset(
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(written.data()), written.size(), kOptions, &code, &at, nullptr));
  if (compiled_->code == nullptr) {
    throw Error(fmt::format("{}: the pattern {} is faulty: {}", source, Quoted(pattern_), MessageOf(code)));
  }
  pcre2_jit_compile(compiled_->code.get(), PCRE2_JIT_COMPLETE);  // If it fails, matching is slower.
  compiled_->limits.reset(pcre2_match_context_create(nullptr));
  if (compiled_->limits == nullptr) throw std::bad_alloc();
  pcre2_set_match_limit(compiled_->limits.get(), kMaxSteps);
}

TextSplitter::~TextSplitter() = default;
TextSplitter::TextSplitter(TextSplitter&&) noexcept = default;

void TextSplitter::Split(std::string_view text, const std::function<void(std::string_view)>& piece) const {
  while (!text.empty()) {
    size_t valid = 0;
    for (size_t length = 1; length > 0; valid += length) length = FirstCharacterLength(text.substr(valid));
    SplitValid(text.substr(0, valid), piece);
    size_t faulty = valid;
    while (faulty < text.size() && FirstCharacterLength(text.substr(faulty)) == 0) ++faulty;
    if (faulty > valid) piece(text.substr(valid, faulty - valid));
    text.remove_prefix(faulty);
  }
}

void TextSplitter::SplitValid(std::string_view text, const std::function<void(std::string_view)>& piece) const {
  const std::unique_ptr<pcre2_match_data, Compiled::Freer> match(pcre2_match_data_create(1, nullptr));
  if (match == nullptr) throw std::bad_alloc();
  const auto* const subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  size_t done = 0;  // What was handed out.
  size_t from = 0;
  while (from < text.size()) {
    // The text was checked. PCRE2 would check all that follows for each match.
    const int found = pcre2_match(compiled_->code.get(), subject, text.size(), from, PCRE2_NO_UTF_CHECK, match.get(),
                                  compiled_->limits.get());
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0) {
      throw Error(
          fmt::format("the pattern {} fails at byte {} of the text: {}", Quoted(pattern_), from, MessageOf(found)));
    }
    const PCRE2_SIZE* const range = pcre2_get_ovector_pointer(match.get());
    const size_t begin = range[0], end = range[1];
    if (begin > end || begin < from) throw Error(fmt::format("the pattern {} matches backwards", Quoted(pattern_)));
    if (begin > done) piece(text.substr(done, begin - done));
    if (end > begin) piece(text.substr(begin, end - begin));
    done = end;
    from = end;
    if (end == begin) from += FirstCharacterLength(text.substr(from));  // An empty match: go on behind what follows.
  }
  if (done < text.size()) piece(text.substr(done));
}

}  // namespace twofour::train
