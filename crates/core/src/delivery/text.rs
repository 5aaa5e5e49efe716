//! HTML to text and back, as far as mail needs it: the text part of a mail, and HTML templates on text channels.
//!
//! Not a browser: it reads the markup that mail templates are written in, keeps what a reader sees, and writes where
//! links lead. Markup that it does not understand costs layout, never words.

/// Elements whose content nobody sees.
const UNSEEN: [&str; 5] = ["head", "style", "script", "title", "template"];
/// Elements that have no content and no end.
const VOID: [&str; 8] = ["br", "hr", "img", "meta", "link", "input", "col", "wbr"];
/// Elements that stand in a paragraph of their own.
const PARAGRAPH: [&str; 10] = ["p", "h1", "h2", "h3", "h4", "table", "ul", "ol", "blockquote", "hr"];
/// Elements that stand on a line of their own.
const LINE: [&str; 9] = ["div", "tr", "li", "section", "header", "footer", "center", "br", "pre"];

/// Whether a template's text is HTML: it holds something that looks like a tag.
pub fn is_html(source: &str) -> bool {
    source.split('<').skip(1).any(|rest| {
        let rest = rest.strip_prefix(['/', '!']).unwrap_or(rest);
        rest.contains('>') && rest.starts_with(|first: char| first.is_ascii_alphabetic() || first == '-')
    })
}

/// A plain text as a small HTML document, line by line.
pub fn to_html(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(handlebars::html_escape).collect();
    format!(
        "<!doctype html><html><body style=\"font-family:sans-serif;font-size:16px;line-height:1.5\">{}</body></html>",
        lines.join("<br>")
    )
}

/// What a reader sees of an HTML document: paragraphs divided by an empty line, no line with spaces at its ends, links
/// as `words (address)`, images as their `alt`. Elements with `display:none`, `hidden` or `data-html-only` are left out.
pub fn from_html(html: &str) -> String {
    let mut reducer = Reducer::default();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let (before, after) = rest.split_at(start);
        reducer.words(before);
        rest = reducer.markup(after);
    }
    reducer.words(rest);
    reducer.text.trim_end().to_owned()
}

/// The state of one pass.
#[derive(Default)]
struct Reducer {
    text: String,
    /// What must come before the next word.
    gap: Gap,
    /// Inside an unseen element: its name, and how many of that name are open.
    unseen: Option<(String, usize)>,
    /// The open link: where it leads, and where its words begin in `text`.
    link: Option<(String, usize)>,
}

/// What divides the next word from the text so far; the larger one wins.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Space,
    Line,
    Paragraph,
}

impl Reducer {
    /// Takes text between tags: white space is one space, entities become characters.
    fn words(&mut self, raw: &str) {
        if self.unseen.is_some() {
            return;
        }
        let decoded = decode_entities(raw);
        if decoded.starts_with(is_space) {
            self.gap = self.gap.max(Gap::Space);
        }
        for word in decoded.split(is_space).filter(|word| !word.is_empty()) {
            self.write(word);
            self.gap = Gap::Space;
        }
        if !decoded.ends_with(is_space) && !decoded.is_empty() {
            self.gap = Gap::None;
        }
    }

    /// Appends a word after the gap that is due.
    fn write(&mut self, word: &str) {
        if !self.text.is_empty() {
            self.text.push_str(match self.gap {
                Gap::None => "",
                Gap::Space => " ",
                Gap::Line => "\n",
                Gap::Paragraph => "\n\n",
            });
        }
        self.gap = Gap::None;
        self.text.push_str(word);
    }

    /// Takes what begins with `<` and returns what follows it.
    fn markup<'a>(&mut self, source: &'a str) -> &'a str {
        if let Some(comment) = source.strip_prefix("<!--") {
            return comment.split_once("-->").map_or("", |(_, rest)| rest);
        }
        let Some(end) = tag_end(source) else {
            self.words(source);
            return "";
        };
        let (tag, rest) = source.split_at(end);
        let inner = tag.trim_start_matches('<').trim_end_matches('>').trim_end_matches('/');
        let closing = inner.starts_with('/');
        let inner = inner.trim_start_matches('/');
        let name: String =
            inner.chars().take_while(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        if name.is_empty() && !inner.starts_with(['!', '?']) {
            // A lone "<" that begins no tag is text.
            self.words("<");
            return source.strip_prefix('<').unwrap_or("");
        }
        if closing {
            self.close(&name);
        } else {
            self.open(&name, inner);
        }
        rest
    }

    /// Takes an opening tag; `inner` is all between its brackets.
    fn open(&mut self, name: &str, inner: &str) {
        let void = VOID.contains(&name);
        if let Some((unseen, depth)) = &mut self.unseen {
            *depth += usize::from(unseen == name);
            return;
        }
        let style = attribute(inner, "style").unwrap_or_default().replace(' ', "").to_ascii_lowercase();
        let hidden = style.contains("display:none")
            || ["hidden", "data-html-only"].iter().any(|name| attribute(inner, name).is_some());
        if !void && (hidden || UNSEEN.contains(&name)) {
            self.unseen = Some((name.to_owned(), 1));
            return;
        }
        self.divide(name);
        match name {
            "li" => {
                self.write("-");
                self.gap = Gap::Space;
            }
            "td" | "th" => self.gap = self.gap.max(Gap::Space),
            "img" => {
                if let Some(alternative) = attribute(inner, "alt") {
                    self.words(&alternative);
                }
            }
            "a" => {
                let target = attribute(inner, "href").map(|target| decode_entities(&target)).unwrap_or_default();
                self.link = Some((target, self.text.len()));
            }
            _ => {}
        }
    }

    /// Takes a closing tag.
    fn close(&mut self, name: &str) {
        if let Some((unseen, depth)) = &mut self.unseen {
            if unseen == name {
                *depth -= 1;
                if *depth == 0 {
                    self.unseen = None;
                }
            }
            return;
        }
        if name == "a"
            && let Some((target, start)) = self.link.take()
        {
            let words = self.text.get(start..).unwrap_or("").trim().to_owned();
            let leads_elsewhere = target.contains(':') && words != target && format!("mailto:{words}") != target;
            if leads_elsewhere && words.is_empty() {
                self.write(&target);
            } else if leads_elsewhere {
                for part in [" (", &target, ")"] {
                    self.text.push_str(part);
                }
            }
        }
        self.divide(name);
    }

    /// Asks for the gap that an element of this name stands in.
    fn divide(&mut self, name: &str) {
        if PARAGRAPH.contains(&name) {
            self.gap = Gap::Paragraph;
        } else if LINE.contains(&name) {
            self.gap = self.gap.max(Gap::Line);
        }
    }
}

/// White space that HTML collapses: not the non-breaking space.
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\u{c}')
}

/// The index after the `>` that ends a tag; a `>` in quotes does not.
fn tag_end(source: &str) -> Option<usize> {
    let mut quote = None;
    for (index, character) in source.char_indices() {
        match (quote, character) {
            (None, '>') => return Some(index + 1),
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            _ => {}
        }
    }
    None
}

/// An attribute's value as written, empty where it has none; `inner` is what stands between a tag's brackets.
fn attribute(inner: &str, wanted: &str) -> Option<String> {
    let mut rest = inner.split_once(is_space)?.1;
    loop {
        rest = rest.trim_start_matches(is_space);
        if rest.is_empty() {
            return None;
        }
        let name_end = rest.find(|character| is_space(character) || character == '=').unwrap_or(rest.len());
        let (name, after) = rest.split_at(name_end);
        let (value, after) = match after.trim_start_matches(is_space).strip_prefix('=') {
            None => ("", after),
            Some(value) => attribute_value(value.trim_start_matches(is_space)),
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value.to_owned());
        }
        // At least one character goes, so that a stray quote cannot hold the loop.
        rest = if after.len() == rest.len() { after.get(1..).unwrap_or("") } else { after };
    }
}

/// Divides `"value" rest` (or without quotes) into value and rest.
fn attribute_value(source: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(quoted) = source.strip_prefix(quote) {
            return quoted.split_once(quote).unwrap_or((quoted, ""));
        }
    }
    source.split_at(source.find(is_space).unwrap_or(source.len()))
}

/// The named entities that mail templates use.
const ENTITIES: [(&str, &str); 17] = [
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("zwnj", ""),
    ("shy", ""),
    ("copy", "©"),
    ("reg", "®"),
    ("trade", "™"),
    ("ndash", "–"),
    ("mdash", "—"),
    ("hellip", "…"),
    ("rsquo", "’"),
    ("middot", "·"),
    ("euro", "€"),
];

/// The longest entity, in bytes between `&` and `;`.
const LONGEST_ENTITY: usize = 10;

/// Text with its entities as characters; what is no known entity stays as it is.
fn decode_entities(raw: &str) -> String {
    let mut decoded = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(start) = rest.find('&') {
        let (before, after) = rest.split_at(start);
        decoded.push_str(before);
        let after = after.strip_prefix('&').unwrap_or(after);
        let known = after
            .split_once(';')
            .filter(|(entity, _)| entity.len() <= LONGEST_ENTITY)
            .and_then(|(entity, following)| Some((entity_text(entity)?, following)));
        if let Some((text, following)) = known {
            decoded.push_str(&text);
            rest = following;
        } else {
            decoded.push('&');
            rest = after;
        }
    }
    decoded.push_str(rest);
    decoded
}

/// What one entity stands for; `entity` is without `&` and `;`.
fn entity_text(entity: &str) -> Option<String> {
    if let Some(number) = entity.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code).map(|character| if character == '\u{a0}' { ' ' } else { character }.to_string());
    }
    ENTITIES.iter().find(|(name, _)| *name == entity).map(|(_, text)| (*text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_html_keeps_what_a_reader_sees() {
        for (html, text) in [
            ("<p>Hello <b>you</b>,</p><p>bye</p>", "Hello you,\n\nbye"),
            ("one<br>two<br/>three", "one\ntwo\nthree"),
            ("<head><title>x</title><style>p{a>b}</style></head><body>seen</body>", "seen"),
            ("<div style=\"display: none\">un<div>se</div>en</div>seen", "seen"),
            ("<p data-html-only>no</p>yes", "yes"),
            ("<!-- <p>no</p> -->yes", "yes"),
            ("<a href=\"https://x.test/?a&#x3D;1&amp;b=2\">Reset</a> now", "Reset (https://x.test/?a=1&b=2) now"),
            ("<a href=\"https://x.test\">https://x.test</a>", "https://x.test"),
            ("<a href=\"mailto:a@x.test\">a@x.test</a>", "a@x.test"),
            ("<ul><li>one</li><li>two</li></ul>after", "- one\n- two\n\nafter"),
            ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
            ("<img alt='logo' src=x>text", "logotext"),
            ("Tom &amp; Ann &lt;3 &unknown; &#8364;", "Tom & Ann <3 &unknown; €"),
            ("1 < 2 and <b title=\"a > b\">bold</b>", "1 < 2 and bold"),
            ("  \n <p>  wide \n text </p>  ", "wide text"),
            ("broken <b", "broken <b"),
        ] {
            assert_eq!(from_html(html), text, "{html}");
        }
    }

    #[test]
    fn a_template_is_html_when_it_holds_a_tag() {
        for (source, html) in [
            ("Your code is {{code}}", false),
            ("I <3 you > me", false),
            ("a < b", false),
            ("<p>{{code}}</p>", true),
            ("<!doctype html>", true),
        ] {
            assert_eq!(is_html(source), html, "{source}");
        }
    }

    #[test]
    fn text_as_html_escapes_and_keeps_lines() {
        assert!(to_html("a < b\nc").contains("a &lt; b<br>c"));
    }
}
