#pragma once

#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace twofour::test {

struct XmlElement {
  std::string name;
  std::map<std::string, std::string> attributes;  ///< Entities stay as they are written.
  std::string text;                               ///< The text directly within it; entities likewise.
};

/// The elements of an XML document, in the order in which they begin. Every tag must be closed in order, every
/// attribute must be in double quotes and given once, and no '<' or '&' may stand for itself. Throws std::runtime_error
/// on anything else.
class XmlParser {
 public:
  explicit XmlParser(std::string_view text) : text_(text) {}

  std::vector<XmlElement> Parse() {
    if (text_.starts_with("<!DOCTYPE html>")) at_ = 15;
    std::vector<size_t> open;
    while (at_ < text_.size()) {
      if (text_[at_] != '<') {
        const std::string text = Until('<');
        CheckEntities(text);
        if (!open.empty()) elements_[open.back()].text += text;
        if (open.empty() && text.find_first_not_of(" \n") != std::string::npos) Fail("text outside of an element");
      } else if (text_.substr(at_, 2) == "</") {
        at_ += 2;
        const std::string name = Until('>');
        ++at_;
        if (open.empty() || elements_[open.back()].name != name) Fail("</" + name + "> closes nothing");
        open.pop_back();
      } else {
        ++at_;
        if (!ReadTag()) open.push_back(elements_.size() - 1);
      }
    }
    if (!open.empty()) Fail("<" + elements_[open.back()].name + "> stays open");
    return elements_;
  }

 private:
  /// True for a tag that closes itself.
  bool ReadTag() {
    XmlElement element;
    element.name = Word();
    if (element.name.empty()) Fail("a '<' that begins no tag");
    for (;;) {
      while (Peek() == ' ' || Peek() == '\n') ++at_;
      if (Peek() == '>' || Peek() == '/') break;
      const std::string name = Word();
      if (name.empty() || text_.substr(at_, 2) != "=\"") Fail("an attribute without a value in quotes");
      at_ += 2;
      const std::string value = Until('"');
      ++at_;
      if (value.find('<') != std::string::npos) Fail("'<' in an attribute");
      CheckEntities(value);
      if (!element.attributes.emplace(name, value).second) Fail(name + " twice");
    }
    const bool closes = Peek() == '/';
    if (closes) ++at_;
    if (Peek() != '>') Fail("a tag without end");
    ++at_;
    elements_.push_back(element);
    return closes;
  }

  std::string Word() {
    std::string word;
    while (std::isalnum(static_cast<unsigned char>(Peek())) != 0 || Peek() == '-') word += text_[at_++];
    return word;
  }

  std::string Until(char end) {
    const size_t begin = at_;
    at_ = std::min(text_.find(end, at_), text_.size());
    return std::string(text_.substr(begin, at_ - begin));
  }

  void CheckEntities(const std::string& text) {
    for (size_t at = text.find('&'); at != std::string::npos; at = text.find('&', at + 1)) {
      const std::string entity = text.substr(at, text.find(';', at) - at + 1);
      if (entity != "&amp;" && entity != "&lt;" && entity != "&gt;" && entity != "&quot;" && entity != "&#39;") {
        Fail("unknown entity " + entity.substr(0, 20));
      }
    }
    for (const char c : text) {
      if (static_cast<unsigned char>(c) < ' ' && c != '\n' && c != '\t') Fail("a control character");
    }
  }

  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  [[noreturn]] void Fail(const std::string& what) const {
    throw std::runtime_error(what + " before: " + std::string(text_.substr(std::min(at_, text_.size()), 60)));
  }

  std::string_view text_;
  size_t at_ = 0;
  std::vector<XmlElement> elements_;
};

}  // namespace twofour::test
