//! From a text to instructions: comments, directives, lines that go on, keywords and flags.

use crate::domain::{Error, Result};

/// What separates the words of an instruction.
const SPACE: [char; 5] = ['\t', '\u{b}', '\u{c}', '\r', ' '];

/// The instructions of a text.
pub(super) struct Text {
    pub(super) lines: Vec<Line>,
    /// The character that takes away the meaning of the next.
    pub(super) escape: char,
}

/// One instruction.
pub(super) struct Line {
    /// In lower case.
    pub(super) keyword: String,
    /// What begins with `--`, without quotes, before anything else.
    pub(super) flags: Vec<String>,
    /// What follows, without spaces around it.
    pub(super) rest: String,
    /// The whole instruction as it was written.
    pub(super) text: String,
}

/// Reads a text.
///
/// # Errors
/// `InvalidArgument` where it has no instructions, or a directive in its first lines is wrong.
pub(super) fn read(text: &str) -> Result<Text> {
    let mut directives = Directives { escape: '\\', seen: Vec::new(), over: false };
    let mut found = Vec::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text).split('\n');
    while let Some(first) = rest.next() {
        let first = first.trim_start();
        directives.look_at(first)?;
        if first.is_empty() || is_comment(first) {
            continue;
        }
        let mut instruction = String::new();
        let mut next = Some(first);
        while let Some(line) = next {
            let line = line.strip_suffix('\r').unwrap_or(line);
            match goes_on(line, directives.escape) {
                Some(line) => instruction.push_str(line),
                None => {
                    instruction.push_str(line);
                    break;
                }
            }
            // Comments and empty lines in between do not end an instruction.
            next = rest.by_ref().find(|line| !line.trim().is_empty() && !is_comment(line));
        }
        if !instruction.is_empty() {
            found.push(split(&instruction));
        }
    }
    if found.is_empty() {
        return Err(Error::invalid("file with no instructions"));
    }
    Ok(Text { lines: found, escape: directives.escape })
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// The line without the escape at its end that lets the next line belong to it; `None` where it has none, or one that is
/// itself escaped.
fn goes_on(line: &str, escape: char) -> Option<&str> {
    let line = line.trim_end_matches([' ', '\t']).strip_suffix(escape)?;
    (!line.ends_with(escape)).then_some(line)
}

/// The directives that a text may begin with: comments such as `# escape=X`.
struct Directives {
    escape: char,
    seen: Vec<String>,
    over: bool,
}

impl Directives {
    fn look_at(&mut self, line: &str) -> Result<()> {
        if self.over {
            return Ok(());
        }
        let Some((name, value)) = directive(line).filter(|(name, _)| ["check", "escape", "syntax"].contains(&&**name))
        else {
            self.over = true;
            return Ok(());
        };
        if self.seen.contains(&name) {
            return Err(Error::invalid(format!("only one {name} parser directive can be used")));
        }
        if name == "escape" {
            self.escape = match value {
                "\\" => '\\',
                "`" => '`',
                _ => {
                    let text = format!("invalid escape token '{value}' does not match ` or \\");
                    return Err(Error::invalid(text));
                }
            };
        }
        self.seen.push(name);
        Ok(())
    }
}

/// The name, in lower case, and the value of a directive; `None` for a line that is none.
fn directive(line: &str) -> Option<(String, &str)> {
    let (name, value) = line.strip_prefix('#')?.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.bytes().all(|c| c.is_ascii_alphanumeric());
    (named && !value.is_empty()).then(|| (name.to_ascii_lowercase(), value))
}

/// Takes an instruction apart.
pub(super) fn split(text: &str) -> Line {
    let trimmed = text.trim();
    let (keyword, rest) = trimmed.split_once(SPACE).unwrap_or((trimmed, ""));
    let (flags, rest) = flags(rest);
    Line { keyword: keyword.to_lowercase(), flags, rest: rest.trim().to_owned(), text: text.to_owned() }
}

/// The two parts that a text has around its first run of spaces; `None` where it has no spaces.
pub(super) fn cut(text: &str) -> Option<(&str, &str)> {
    let (before, after) = text.split_once(SPACE)?;
    Some((before, after.trim_start_matches(SPACE)))
}

/// The words between runs of spaces.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split(SPACE).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The words at the beginning that start with `--`, and what follows them. A word `--` ends them.
fn flags(text: &str) -> (Vec<String>, &str) {
    let mut flags = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if !rest.starts_with("--") {
            return (flags, rest);
        }
        let (word, after) = flag(rest);
        if word == "--" {
            return (flags, after);
        }
        flags.push(word);
        rest = after;
    }
}

/// One word without its quotes, and what follows it.
fn flag(text: &str) -> (String, &str) {
    let mut word = String::new();
    let mut quote = None;
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match (letter, quote) {
            ('\\', _) => word.extend(letters.next().map(|(_, escaped)| escaped)),
            (letter, Some(open)) if letter == open => quote = None,
            (letter, Some(_)) => word.push(letter),
            ('\'' | '"', None) => quote = Some(letter),
            (letter, None) if letter.is_whitespace() => return (word, &text[at..]),
            (letter, None) => word.push(letter),
        }
    }
    (word, "")
}
