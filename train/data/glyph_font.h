#pragma once

#include <array>
#include <string_view>

namespace twofour::train {

inline constexpr int kGlyphRows = 7;
inline constexpr int kGlyphCols = 5;
inline constexpr int kGlyphVariants = 2;

/// One character of the built-in font, top row first: '#' is ink, '.' is paper. [kGlyphRows][kGlyphCols]
using GlyphBitmap = std::array<std::string_view, kGlyphRows>;

/// The shape of a digit, 0 to 9, in one of its variants, 0 to kGlyphVariants - 1.
const GlyphBitmap& DigitGlyph(int digit, int variant);

}  // namespace twofour::train
