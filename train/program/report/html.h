#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace twofour::train {

/// Escapes text for an element or a quoted attribute of a page. Bytes that are not UTF-8, characters that no page may
/// hold, and marks that change the direction of the text around them become U+FFFD.
std::string EscapeHtml(std::string_view text);

/// Makes the same replacements by U+FFFD as EscapeHtml, and leaves all other text as it is.
std::string ReplaceUnwanted(std::string_view text);

/// At most `max_characters` characters of a text. If it is cut, the last of them is "…".
std::string Shortened(const std::string& text, size_t max_characters);

/// A complete page that needs no other file. `body` is HTML, `title` is plain text.
std::string HtmlPage(std::string_view title, std::string_view body);

}  // namespace twofour::train
