//! From what the parser says back to the text: positions, and keywords, which the tree does not place.

use boa_ast::Position;
use std::ops::Range;

/// A source, and the same with everything blanked that is not code.
pub(crate) struct Text<'s> {
    source: &'s str,
    lines: Vec<usize>,
    code: Vec<u8>,
}

impl<'s> Text<'s> {
    /// `regexes`: where regular expressions begin, which only a parser can tell.
    pub(crate) fn new(source: &'s str, regexes: &[Position]) -> Self {
        let lines = std::iter::once(0).chain(source.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let mut text = Self { source, lines, code: Vec::new() };
        let mut begins: Vec<usize> = regexes.iter().map(|position| text.offset(*position)).collect();
        begins.sort_unstable();
        text.code = blanked(source.as_bytes(), &begins);
        text
    }

    /// The byte at a position.
    pub(crate) fn offset(&self, position: Position) -> usize {
        let line = (position.line_number() as usize).saturating_sub(1);
        let start = self.lines.get(line).copied().unwrap_or(self.source.len());
        let rest = self.source.get(start..).unwrap_or_default();
        let column = (position.column_number() as usize).saturating_sub(1);
        start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at)
    }

    /// The source from a byte on.
    pub(crate) fn from(&self, at: usize) -> &'s str {
        self.source.get(at..).unwrap_or_default()
    }

    /// The last of these words that begins before `at`.
    pub(crate) fn before(&self, at: usize, words: &[&str]) -> Option<Range<usize>> {
        let found = words.iter().filter_map(|word| {
            self.words(word).take_while(|start| *start < at).last().map(|start| start..start + word.len())
        });
        found.max_by_key(|range| range.start)
    }

    /// The first place of this punctuation in code, from `at` on.
    pub(crate) fn after(&self, at: usize, punctuation: &str) -> Option<Range<usize>> {
        let code = self.code.get(at..)?;
        let found = code.windows(punctuation.len()).position(|window| window == punctuation.as_bytes())?;
        Some(at + found..at + found + punctuation.len())
    }

    /// Where a keyword stands: not as the name of a property.
    pub(crate) fn words(&self, word: &str) -> impl Iterator<Item = usize> {
        let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'\\') || !byte.is_ascii();
        let length = word.len();
        let code = &self.code;
        let is_word = move |start: &usize| {
            let (before, after) = (&code[..*start], &code[start + length..]);
            let free = !before.last().is_some_and(part) && !after.first().is_some_and(part);
            let blank = |byte: &&u8| !byte.is_ascii_whitespace();
            let property = before.iter().rev().find(blank) == Some(&b'.') && !before.trim_ascii_end().ends_with(b"...");
            free && !property && after.iter().find(blank) != Some(&b':')
        };
        let starts = code.windows(length).enumerate().filter(move |(_, window)| *window == word.as_bytes());
        starts.map(|(start, _)| start).filter(is_word).collect::<Vec<_>>().into_iter()
    }

    /// The first byte from `at` on that is no blank.
    pub(crate) fn next(&self, at: usize) -> Option<u8> {
        self.code.get(at..)?.iter().copied().find(|byte| !byte.is_ascii_whitespace())
    }
}

/// The source with comments, strings, templates and regular expressions as blanks.
fn blanked(source: &[u8], regexes: &[usize]) -> Vec<u8> {
    let mut code = source.to_vec();
    let mut at = 0;
    while at < source.len() {
        let end = match (source[at], source.get(at + 1)) {
            (b'/', Some(b'/')) => source[at..].iter().position(|byte| *byte == b'\n').map_or(source.len(), |n| at + n),
            (b'/', Some(b'*')) => {
                let close = source[at + 2..].windows(2).position(|pair| pair == b"*/");
                close.map_or(source.len(), |n| at + 2 + n + 2)
            }
            (b'/', _) if regexes.binary_search(&at).is_ok() => regex_end(source, at),
            (quote @ (b'"' | b'\''), _) => string_end(source, at, quote),
            (b'`', _) => template_end(source, at),
            _ => {
                at += 1;
                continue;
            }
        };
        for byte in &mut code[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    code
}

/// Behind the quote that ends what begins at `at`.
fn string_end(source: &[u8], mut at: usize, quote: u8) -> usize {
    at += 1;
    while at < source.len() && source[at] != quote {
        at += if source[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(source.len())
}

fn template_end(source: &[u8], mut at: usize) -> usize {
    at += 1;
    while at < source.len() && source[at] != b'`' {
        at = match (source[at], source.get(at + 1)) {
            (b'\\', _) => at + 2,
            (b'$', Some(b'{')) => placeholder_end(source, at + 2),
            _ => at + 1,
        };
    }
    (at + 1).min(source.len())
}

/// Behind the brace that ends a placeholder of a template.
fn placeholder_end(source: &[u8], mut at: usize) -> usize {
    let mut depth = 1;
    while at < source.len() && depth > 0 {
        at = match source[at] {
            b'`' => template_end(source, at),
            quote @ (b'"' | b'\'') => string_end(source, at, quote),
            brace => {
                depth += usize::from(brace == b'{');
                depth -= usize::from(brace == b'}');
                at + 1
            }
        };
    }
    at.min(source.len())
}

fn regex_end(source: &[u8], mut at: usize) -> usize {
    let mut class = false;
    at += 1;
    while at < source.len() && (class || source[at] != b'/') && source[at] != b'\n' {
        class = matches!(source[at], b'[') || (class && source[at] != b']');
        at += if source[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(source.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blank(source: &str, regexes: &[usize]) -> String {
        String::from_utf8(blanked(source.as_bytes(), regexes)).unwrap()
    }

    #[test]
    fn only_code_remains() {
        assert_eq!(blank("a // b\nc", &[]), "a     \nc");
        assert_eq!(blank("a /* b\n */ c", &[]), "a     \n    c");
        assert_eq!(blank("a('b\\'c') + \"//\" + d", &[]), "a(      ) +      + d");
        assert_eq!(blank("`a${b(`}`)}c` + d", &[]), "              + d");
        assert_eq!(blank("x = /[/'\\/]/g.test(a) / 2", &[4]), "x =         g.test(a) / 2");
        assert_eq!(blank("'never ends", &[]), "           ");
        assert_eq!(blank("`never ${ends", &[]), "             ");
    }

    #[test]
    fn keywords_are_not_properties_or_parts_of_names() {
        let text = Text::new("p.catch(f); catches; {catch: 1}; try {} catch {} ...of", &[]);
        assert_eq!(text.words("catch").collect::<Vec<_>>(), [40]);
        assert_eq!(text.words("of").count(), 1);
        assert_eq!(text.before(50, &["catch", "try"]), Some(40..45));
    }

    #[test]
    fn positions_count_characters() {
        let text = Text::new("ä\n  ö = 1", &[]);
        assert_eq!(text.offset(Position::new(2, 3)), 5);
        assert_eq!(text.from(text.offset(Position::new(2, 5))), "= 1");
        assert_eq!(text.offset(Position::new(9, 9)), 11);
    }
}
