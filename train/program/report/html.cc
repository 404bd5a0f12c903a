#include "twofour/train/program/report/html.h"

#include <fmt/format.h>

#include "twofour/core/error.h"
#include "twofour/train/data/utf8.h"

namespace twofour::train {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

/// Characters that XML 1.0 forbids or advises against, and marks that change the direction of the text after them, even
/// beyond their element.
bool IsUnwanted(char32_t c) {
  if (c < 0x20) return c != '\t' && c != '\n' && c != '\r';
  return (c >= 0x7F && c <= 0x9F) || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFFFE ||
         c == 0xFFFF;
}

void AppendEscaped(char32_t c, std::string& html) {
  switch (c) {
    case '&':
      html += "&amp;";
      return;
    case '<':
      html += "&lt;";
      return;
    case '>':
      html += "&gt;";
      return;
    case '"':
      html += "&quot;";
      return;
    case '\'':
      html += "&#39;";
      return;
    default:
      AppendUtf8(IsUnwanted(c) ? kReplacement : c, html);
  }
}

/// Calls take(c) for each character. A byte that begins no character counts as U+FFFD.
template <typename Take>
void ForEachCharacter(std::string_view text, const Take& take) {
  while (!text.empty()) {
    Utf8Reader reader(text, "text");
    char32_t c = kReplacement;
    size_t length = 1;
    try {
      c = reader.Next();
      length = reader.position();
    } catch (const Error&) {
    }
    take(c);
    text.remove_prefix(length);
  }
}

// There is no '<' or '&' in here, so that the page is also well-formed XML, which tests rely on.
constexpr const char* kStyle = R"(
:root { color-scheme: light; --ink: #1b1f24; --quiet: #57606a; --rule: #d8dee4; --soft: #f6f8fa; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.25rem .75rem 3rem; max-width: 74rem; color: var(--ink); background: #fff;
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; padding-top: .8rem; border-top: 1px solid var(--rule); }
p { margin: .4rem 0; max-width: 46rem; }
p.lead, p.note, ul.notes { color: var(--quiet); }
p.note, ul.notes { font-size: .875rem; }
ul.notes { padding-left: 1.2rem; margin: .6rem 0; max-width: 46rem; overflow-wrap: anywhere; }
ul.notes li { margin: .25rem 0; }
.name, code { unicode-bidi: isolate; overflow-wrap: anywhere; }
th .name { display: inline-block; max-width: 12rem; overflow-wrap: break-word; }
code { font: .875em ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.warning { border-left: 4px solid #d55e00; background: #fdf3ec; padding: .4rem .75rem; color: var(--ink); }
.scroll { overflow-x: auto; margin: .75rem 0; border: 1px solid var(--rule); border-radius: 6px; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; min-width: 100%; }
th, td { padding: .45rem .7rem; text-align: right; vertical-align: top; border-top: 1px solid var(--rule);
  white-space: nowrap; }
th { font-weight: 600; }
thead th { border-top: 0; background: var(--soft); white-space: normal; min-width: 6rem; vertical-align: bottom; }
th:first-child { text-align: left; position: sticky; left: 0; background: #fff; white-space: normal; min-width: 7rem;
  max-width: 14rem; border-right: 1px solid var(--rule); }
thead th.narrow { min-width: 0; }
thead th:first-child { background: var(--soft); }
th:first-child.path { min-width: 10.5rem; }
td.text, th.text { text-align: left; }
td.long { white-space: normal; overflow-wrap: anywhere; min-width: 10rem; }
td small, th small { display: block; color: var(--quiet); font-weight: 400; font-size: .8125rem; }
td small b { color: var(--ink); }
tr.off td, tr.off th { color: var(--quiet); }
.charts { display: grid; grid-template-columns: minmax(0, 1fr); gap: 1.5rem 2rem; }
figure { margin: 0; min-width: 0; break-inside: avoid; }
figcaption { font-weight: 600; margin-bottom: .25rem; }
figure svg { display: block; width: 100%; height: auto; font-family: inherit; fill: var(--ink); overflow: hidden; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .1rem 1rem; margin: 0 0 .4rem; padding: 0;
  font-size: .875rem; }
.legend li { display: flex; align-items: center; gap: .4rem; min-width: 0; }
figure svg.key { width: 2.5rem; height: .625rem; flex: none; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.band { fill-opacity: .15; }
.grid { stroke: #e3e7eb; }
.axis { stroke: #57606a; }
.break { stroke: #57606a; stroke-dasharray: 2 3; }
.dot { fill-opacity: .6; stroke: #fff; }
.mean { stroke: #1b1f24; stroke-width: 2.5; }
@media (min-width: 50rem) {
  body { padding: 2rem 1.5rem 4rem; }
  .charts { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  figure svg text { font-size: 12px; }
}
@media print {
  :root { font-size: 9.5pt; }
  body { max-width: none; padding: 0; }
  .charts { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1rem 2rem; }
  figure svg text { font-size: 12px; }
  .scroll { overflow: visible; border: 0; }
  table { font-size: 7.5pt; }
  td small, th small { font-size: 7pt; }
  th, td { padding: .25rem .35rem; }
  thead th { min-width: 0; }
  th:first-child { position: static; min-width: 6rem; }
  h2, h2 + p.note { break-after: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
)";

}  // namespace

std::string EscapeHtml(std::string_view text) {
  std::string html;
  ForEachCharacter(text, [&](char32_t c) { AppendEscaped(c, html); });
  return html;
}

std::string ReplaceUnwanted(std::string_view text) {
  std::string clean;
  ForEachCharacter(text, [&](char32_t c) { AppendUtf8(IsUnwanted(c) ? kReplacement : c, clean); });
  return clean;
}

std::string Shortened(const std::string& text, size_t max_characters) {
  std::string shown, shorter;
  size_t count = 0;
  ForEachCharacter(text, [&](char32_t c) {
    if (++count == max_characters) shorter = shown + "…";
    if (count <= max_characters) AppendUtf8(c, shown);
  });
  return count <= max_characters ? shown : shorter;
}

std::string HtmlPage(std::string_view title, std::string_view body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n{}</body>\n</html>\n",
      EscapeHtml(title), kStyle, body);
}

}  // namespace twofour::train
