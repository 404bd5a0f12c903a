#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace twofour::train {

/// Text as it may stand in an element or in an attribute's quotes of a page. Bytes that are no UTF-8, and characters
/// that no page may hold or that would turn the text around it, become U+FFFD.
std::string EscapeHtml(std::string_view text);

/// Bytes that are no UTF-8 and characters that EscapeHtml replaces as U+FFFD; the rest as it is.
std::string ReplaceUnwanted(std::string_view text);

/// At most `max_characters` of a text, the last of them "…" where more is left out.
std::string Shortened(const std::string& text, size_t max_characters);

/// A whole page that needs nothing but itself: `body` is HTML, `title` text.
std::string HtmlPage(std::string_view title, std::string_view body);

}  // namespace twofour::train
