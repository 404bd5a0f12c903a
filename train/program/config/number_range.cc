#include "twofour/train/program/config/number_range.h"

#include <fmt/format.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <limits>
#include <string_view>

#include "twofour/train/data/text.h"

namespace twofour::train {
namespace {

using google::protobuf::io::Tokenizer;

/// Ignores errors: the text has been parsed before, so there are none.
class NoErrors : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int, int, const std::string&) override {}
};

}  // namespace

std::optional<NumberOutOfRange> FindNumberOutOfRange(const std::string& text) {
  google::protobuf::io::ArrayInputStream input(text.data(), static_cast<int>(text.size()));
  NoErrors errors;
  Tokenizer tokenizer(&input, &errors);
  // The same settings as in the parser of protobuf text.
  tokenizer.set_allow_f_after_float(true);
  tokenizer.set_comment_style(Tokenizer::SH_COMMENT_STYLE);
  tokenizer.set_require_space_after_number(false);
  tokenizer.set_allow_multiline_strings(true);
  while (tokenizer.Next()) {
    const Tokenizer::Token& token = tokenizer.current();
    if (token.type != Tokenizer::TYPE_FLOAT && token.type != Tokenizer::TYPE_INTEGER) continue;
    std::string_view number = token.text;
    if (token.type == Tokenizer::TYPE_FLOAT && (number.ends_with('f') || number.ends_with('F'))) {
      number.remove_suffix(1);
    }
    if (!IsOutOfRange(number)) continue;
    constexpr size_t kMostShown = 40;
    return NumberOutOfRange{
        token.line, token.column,
        fmt::format("found {}{}, expected 0 or a number from {:.2g} to {:.2g}, which a 64-bit float "
                    "can hold",
                    number.substr(0, kMostShown), number.size() > kMostShown ? "..." : "",
                    std::numeric_limits<double>::denorm_min(), std::numeric_limits<double>::max())};
  }
  return std::nullopt;
}

}  // namespace twofour::train
