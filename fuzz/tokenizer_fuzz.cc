#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/train/data/bpe/tokenizer_file.h"

namespace {

using twofour::train::BpeTokenizer;

void Use(const BpeTokenizer& tokenizer, const std::string& text) {
  try {
    const std::vector<int32_t> ids = tokenizer.Encode(text);
    for (const int32_t id : ids) assert(id >= 0 && id < tokenizer.size());
    const std::string back = tokenizer.Decode(ids);
    assert(back == text || tokenizer.parts().add_blank);
  } catch (const twofour::Error&) {
    // The file's pattern takes too many steps.
  }
}

/// A run saves its tokenizer and must be able to read it again.
void WriteAndRead(const BpeTokenizer& tokenizer) {
  try {
    const BpeTokenizer again = twofour::train::ParseTokenizer(twofour::train::ToTokenizerJson(tokenizer), "again");
    assert(again.parts().tokens == tokenizer.parts().tokens && again.parts().special == tokenizer.parts().special);
  } catch (const twofour::Error&) {
    assert(false);
  }
}

}  // namespace

/// Any text must be a tokenizer whose ids give each text back, or give an Error. A text before a NUL byte is GPT-2's
/// vocab.json, what follows it merges.txt; without a NUL byte it is a tokenizer.json.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t end = text.find('\0');
  const std::string sample(text.substr(0, 200));
  try {
    if (end == std::string_view::npos) {
      const BpeTokenizer tokenizer = twofour::train::ParseTokenizer(text, "fuzz");
      Use(tokenizer, sample);
      WriteAndRead(tokenizer);
    } else {
      Use(twofour::train::ParseGpt2Tokenizer(text.substr(0, end), "vocab", text.substr(end + 1), "merges"), sample);
    }
  } catch (const twofour::Error&) {
  }
  return 0;
}
