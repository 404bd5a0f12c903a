#include "twofour/train/data/csv_separator.h"
#include "twofour/train/data/token_source.h"
#include "twofour/train/program/config/validate_parts.h"

namespace twofour::train {

void CheckData(const proto::Data& data, Faults& faults) {
  constexpr int64_t kMaxGlyphs = 10'000'000;
  switch (data.kind_case()) {
    case proto::Data::kGlyphs: {
      const proto::Glyphs& glyphs = data.glyphs();
      faults.InRange("data.glyphs.train_size", glyphs.train_size(), 1, kMaxGlyphs);
      faults.InRange("data.glyphs.eval_size", glyphs.eval_size(), 1, kMaxGlyphs);
      faults.Between("data.glyphs.rotation_degrees", glyphs.rotation_degrees(), 0, 180);
      faults.Between("data.glyphs.scale", glyphs.scale(), 0, 0.9);
      faults.Between("data.glyphs.shift_pixels", glyphs.shift_pixels(), 0, 14);
      faults.Between("data.glyphs.noise", glyphs.noise(), 0, 1);
      return;
    }
    case proto::Data::kIdx: {
      const proto::Idx& idx = data.idx();
      faults.NotEmpty("data.idx.images", idx.images());
      faults.NotEmpty("data.idx.labels", idx.labels());
      faults.Expect(idx.eval_images().empty() == idx.eval_labels().empty(), "data.idx.eval_images, eval_labels",
                    fmt::format("'{}', '{}'", idx.eval_images(), idx.eval_labels()), "both or neither");
      faults.OpenFraction("data.idx.eval_fraction", idx.eval_fraction());
      faults.Expect(idx.num_classes() == 0 || (idx.num_classes() >= 2 && idx.num_classes() <= 256),
                    "data.idx.num_classes", idx.num_classes(), "0 or 2 to 256");
      return;
    }
    case proto::Data::kCsv: {
      const proto::Csv& csv = data.csv();
      faults.NotEmpty("data.csv.path", csv.path());
      faults.Expect(ParseDelimiter(csv.delimiter()).has_value(), "data.csv.delimiter",
                    fmt::format("'{}'", csv.delimiter()), "one character that is no quote and no line break, or tab");
      faults.Expect(csv.decimal() == "." || csv.decimal() == ",", "data.csv.decimal",
                    fmt::format("'{}'", csv.decimal()), "a point or a comma");
      faults.OpenFraction("data.csv.eval_fraction", csv.eval_fraction());
      return;
    }
    case proto::Data::kText: {
      const proto::Text& text = data.text();
      faults.NotEmpty("data.text.path", text.path());
      faults.OpenFraction("data.text.eval_fraction", text.eval_fraction());
      return;
    }
    case proto::Data::kTokens: {
      const proto::Tokens& tokens = data.tokens();
      faults.NotEmpty("data.tokens.path", tokens.path());
      faults.OpenFraction("data.tokens.eval_fraction", tokens.eval_fraction());
      faults.Expect(tokens.vocab_size() == 0 || (tokens.vocab_size() >= 2 && tokens.vocab_size() <= kMaxVocabSize),
                    "data.tokens.vocab_size", tokens.vocab_size(), fmt::format("0 or 2 to {}", kMaxVocabSize));
      faults.AtLeast("data.tokens.bytes_per_token", tokens.bytes_per_token(), 0);
      return;
    }
    case proto::Data::KIND_NOT_SET:
      return faults.Missing("data", "glyphs { ... }, idx { ... }, csv { ... }, text { ... } or tokens { ... }");
  }
}

}  // namespace twofour::train
