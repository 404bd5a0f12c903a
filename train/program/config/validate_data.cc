#include <fmt/format.h>

#include <string_view>

#include "twofour/train/data/csv_separator.h"
#include "twofour/train/program/config/options.h"
#include "twofour/train/program/config/validate_parts.h"

namespace twofour::train {
namespace {

/// Checks fields that are strings in a config but characters in the options.
void CheckCharacters(const proto::Csv& csv, Faults& faults) {
  faults.Expect(ParseDelimiter(csv.delimiter()).has_value(), "data.csv.delimiter", fmt::format("'{}'", csv.delimiter()),
                "one character that is no quote and no line break, or tab");
  faults.Expect(csv.decimal() == "." || csv.decimal() == ",", "data.csv.decimal", fmt::format("'{}'", csv.decimal()),
                "a point or a comma");
  const std::string& thousands = csv.thousands();
  faults.Expect(thousands.empty() ||
                    (thousands.size() == 1 && std::string_view(",.'_ ").find(thousands[0]) != std::string_view::npos),
                "data.csv.thousands", fmt::format("'{}'", thousands), "one of the characters , . ' _ or a blank");
}

}  // namespace

void CheckData(const proto::Data& data, Faults& faults) {
  switch (data.kind_case()) {
    case proto::Data::kGlyphs:
      return Check(ToOptions(data.glyphs()), "data.glyphs", faults);
    case proto::Data::kIdx:
      return Check(ToOptions(data.idx()), "data.idx", faults);
    case proto::Data::kCsv:
      Check(ToOptions(data.csv()), "data.csv", faults);
      return CheckCharacters(data.csv(), faults);
    case proto::Data::kText:
      return Check(ToOptions(data.text()), "data.text", faults);
    case proto::Data::kTokens:
      Check(ToOptions(data.tokens()), "data.tokens", faults);
      return faults.AtLeast("data.tokens.bytes_per_token", data.tokens().bytes_per_token(), 0);
    case proto::Data::KIND_NOT_SET:
      break;  // Noted by ValidateConfig.
  }
}

}  // namespace twofour::train
