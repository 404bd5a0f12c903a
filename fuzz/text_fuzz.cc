#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "twofour/core/error.h"
#include "twofour/train/data/utf8.h"
#include "twofour/train/data/vocabulary.h"

/// Any bytes must be UTF-8 that is written back as it was read, or give an Error. They must also be a vocabulary that
/// reads back from its own JSON and turns ids into text and back, or give an Error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace twofour::train;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    std::string written;
    for (Utf8Reader reader(text, "fuzz"); !reader.AtEnd();) {
      const char32_t character = reader.Next();
      assert(IsUnicodeScalar(character) && !DescribeCharacter(character).empty());
      AppendUtf8(character, written);
      assert(written.size() == reader.position());
    }
    assert(written == text);
  } catch (const twofour::Error&) {
  }
  try {
    const Vocabulary vocabulary = Vocabulary::FromJson(text, "fuzz");
    assert(vocabulary.size() > 0 && vocabulary.size() <= kMaxVocabSize);
    assert(Vocabulary::FromJson(vocabulary.ToJson(), "printed") == vocabulary);
    const std::vector<int32_t> ids = {0, static_cast<int32_t>(vocabulary.size()) - 1};
    assert(vocabulary.Encode(vocabulary.Decode(ids)) == ids);
  } catch (const twofour::Error&) {
  }
  return 0;
}
