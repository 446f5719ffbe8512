//! Words: what quotes, escapes and variables come to.

use std::iter::Peekable;
use std::str::Chars;

use regex::Regex;

use crate::domain::{Error, Result};

/// How many bytes all instructions together may come to, and how much work may go into that.
const MAX_WORK: usize = 2 << 20;

/// How deep substitutions may be nested.
const MAX_DEPTH: usize = 32;

/// The longest pattern of a substitution, in bytes.
const MAX_PATTERN: usize = 1 << 10;

/// The words of an assignment, separated by spaces, with their quotes and escapes still in them.
pub(super) fn assignments(text: &str, escape: char) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quote, mut started) = (None, false);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match quote {
            None if letter.is_whitespace() => {
                if started {
                    words.push(std::mem::take(&mut word));
                }
                started = false;
                continue;
            }
            None if letter == '\'' || letter == '"' => quote = Some(letter),
            Some(open) if letter == open => quote = None,
            _ => {}
        }
        if letter == escape && quote != Some('\'') {
            // An escape at the end says nothing.
            let Some(next) = letters.next() else { break };
            word.extend([letter, next]);
        } else {
            word.push(letter);
        }
        started = true;
    }
    if started {
        words.push(word);
    }
    words
}

/// Takes away quotes and escapes and puts in variables.
pub(super) struct Shell {
    pub(super) escape: char,
    /// What is left of the work that all words together may make.
    work: usize,
}

impl Shell {
    pub(super) fn new(escape: char) -> Self {
        Self { escape, work: MAX_WORK }
    }

    /// The word that a text comes to.
    ///
    /// # Errors
    /// `InvalidArgument` for quotes that are not closed and malformed substitutions.
    pub(super) fn word(&mut self, text: &str, variables: &[String]) -> Result<String> {
        Ok(self.expand(text, variables)?.text)
    }

    /// The words that a text comes to where spaces of variables separate words, too.
    pub(super) fn words(&mut self, text: &str, variables: &[String]) -> Result<Vec<String>> {
        Ok(self.expand(text, variables)?.finish())
    }

    fn expand(&mut self, text: &str, variables: &[String]) -> Result<Expanded> {
        let mut expansion = Expansion { shell: self, variables, rest: text.chars().peekable(), depth: 0 };
        expansion.until(None, false).map_err(|error| error.context(format_args!("failed to process {text:?}")))
    }

    fn charge(&mut self, bytes: usize) -> Result<()> {
        match self.work.checked_sub(bytes) {
            Some(left) => self.work = left,
            None => return Err(Error::invalid("the instructions come to too much text")),
        }
        Ok(())
    }
}

/// What a text came to: as one word, and as words.
#[derive(Default)]
struct Expanded {
    text: String,
    words: Vec<String>,
    word: String,
    in_word: bool,
}

impl Expanded {
    /// Adds what is part of a word whatever it is.
    fn quoted(&mut self, text: &str) {
        self.text.push_str(text);
        self.word.push_str(text);
        self.in_word = true;
    }

    /// Adds what may separate words.
    fn plain(&mut self, text: &str) {
        self.text.push_str(text);
        for letter in text.chars() {
            if !letter.is_whitespace() {
                self.word.push(letter);
                self.in_word = true;
            } else if self.in_word && !self.word.is_empty() {
                self.words.push(std::mem::take(&mut self.word));
                self.in_word = false;
            }
        }
    }

    fn finish(mut self) -> Vec<String> {
        if !self.word.is_empty() {
            self.words.push(self.word);
        }
        self.words
    }
}

/// One text being expanded.
struct Expansion<'a> {
    shell: &'a mut Shell,
    variables: &'a [String],
    rest: Peekable<Chars<'a>>,
    depth: usize,
}

impl Expansion<'_> {
    /// Reads up to a character, which is taken too, or to the end where none is given. `keep_escapes` leaves them in.
    fn until(&mut self, stop: Option<char>, keep_escapes: bool) -> Result<Expanded> {
        let mut found = Expanded::default();
        while let Some(letter) = self.rest.next() {
            let mut buffer = [0; 4];
            match letter {
                letter if Some(letter) == stop => return Ok(found),
                '\'' => found.quoted(&self.single_quoted()?),
                '"' => found.quoted(&self.double_quoted(keep_escapes)?),
                '$' => found.plain(&self.variable()?),
                letter if letter == self.shell.escape => {
                    if keep_escapes {
                        found.quoted(letter.encode_utf8(&mut buffer));
                    }
                    if let Some(escaped) = self.rest.next() {
                        found.quoted(escaped.encode_utf8(&mut buffer));
                    }
                }
                letter => found.plain(letter.encode_utf8(&mut buffer)),
            }
            self.shell.charge(1)?;
        }
        match stop {
            None => Ok(found),
            Some(stop) => Err(Error::invalid(format!("syntax error: missing '{stop}'"))),
        }
    }

    fn single_quoted(&mut self) -> Result<String> {
        let mut text = String::new();
        loop {
            match self.rest.next() {
                Some('\'') => return Ok(text),
                Some(letter) => text.push(letter),
                None => return Err(unclosed("single-quote")),
            }
        }
    }

    fn double_quoted(&mut self, keep_escapes: bool) -> Result<String> {
        let mut text = String::new();
        loop {
            match self.rest.next() {
                Some('"') => return Ok(text),
                Some('$') => text.push_str(&self.variable()?),
                Some(letter) if letter == self.shell.escape => {
                    if keep_escapes {
                        text.push(letter);
                    }
                    // Between these quotes an escape takes the meaning of few characters; before others it stays.
                    match self.rest.peek() {
                        None => {}
                        Some(&next) if next == '"' || next == '$' || next == self.shell.escape => {
                            text.push(next);
                            self.rest.next();
                        }
                        Some(_) => text.push(letter),
                    }
                }
                Some(letter) => text.push(letter),
                None => return Err(unclosed("double-quote")),
            }
        }
    }

    /// What stands after a `$`.
    fn variable(&mut self) -> Result<String> {
        let value = if self.rest.next_if_eq(&'{').is_some() {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(Error::invalid("substitutions are nested too deep"));
            }
            let value = self.substitution()?;
            self.depth -= 1;
            value
        } else {
            match self.name() {
                name if name.is_empty() => "$".to_owned(),
                name => self.value(&name).unwrap_or_default(),
            }
        };
        self.shell.charge(value.len())?;
        Ok(value)
    }

    /// What stands after a `${`.
    fn substitution(&mut self) -> Result<String> {
        match self.rest.peek() {
            None => return Err(Error::invalid("syntax error: missing '}'")),
            Some('{' | '}' | ':') => return Err(Error::invalid("syntax error: bad substitution")),
            Some(_) => {}
        }
        let name = self.name();
        let value = self.value(&name);
        let Some(mut operator) = self.rest.next() else {
            return Err(Error::invalid("syntax error: missing '}'"));
        };
        let or_empty = operator == ':';
        if or_empty {
            operator = self.rest.next().ok_or_else(|| Error::invalid("syntax error: missing '}'"))?;
        }
        let is_set = value.as_ref().is_some_and(|value| !(or_empty && value.is_empty()));
        match operator {
            '}' if !or_empty => Ok(value.unwrap_or_default()),
            '-' => {
                let word = self.until(Some('}'), false)?.text;
                Ok(value.filter(|_| is_set).unwrap_or(word))
            }
            '+' => {
                let word = self.until(Some('}'), false)?.text;
                Ok(if is_set { word } else { String::new() })
            }
            '?' => {
                let word = self.until(Some('}'), false)?.text;
                let why = match (&value, word.is_empty()) {
                    (_, false) => word,
                    (None, true) => "is not allowed to be unset".to_owned(),
                    (Some(_), true) => "is not allowed to be empty".to_owned(),
                };
                value.filter(|_| is_set).ok_or_else(|| Error::invalid(format!("{name}: {why}")))
            }
            '#' | '%' => {
                let word = self.until(Some('}'), true)?.text;
                let (longest, pattern) = match word.strip_prefix(operator) {
                    Some(pattern) => (true, pattern),
                    None => (false, word.as_str()),
                };
                let value = value.unwrap_or_default();
                self.charge_pattern(pattern, &value)?;
                if operator == '#' {
                    without_prefix(&value, pattern, longest)
                } else {
                    without_suffix(&value, pattern, longest)
                }
            }
            '/' if !or_empty => {
                let all = self.rest.next_if_eq(&'/').is_some();
                let pattern = self.until(Some('/'), true)?.text;
                let replacement = self.until(Some('}'), true)?.text;
                let value = value.unwrap_or_default();
                self.charge_pattern(&pattern, &value)?;
                let pattern = regex(&pattern, "", "")?;
                let matches = pattern.find_iter(&value).take(if all { usize::MAX } else { 1 });
                let (mut replaced, mut end) = (String::new(), 0);
                for found in matches {
                    self.shell.charge(replacement.len())?;
                    replaced.push_str(&value[end..found.start()]);
                    replaced.push_str(&replacement);
                    end = found.end();
                }
                replaced.push_str(&value[end..]);
                Ok(replaced)
            }
            other => {
                let colon = if or_empty { ":" } else { "" };
                Err(Error::invalid(format!("unsupported modifier ({colon}{other}) in substitution")))
            }
        }
    }

    /// A name: letters, digits and underscores, or one special character of a shell, or digits alone.
    fn name(&mut self) -> String {
        let mut name = String::new();
        match self.rest.peek() {
            Some(first) if first.is_numeric() => {
                while let Some(digit) = self.rest.next_if(|letter| letter.is_numeric()) {
                    name.push(digit);
                }
            }
            Some('@' | '*' | '#' | '?' | '-' | '$' | '!') => name.extend(self.rest.next()),
            _ => {
                while let Some(letter) = self.rest.next_if(|letter| letter.is_alphanumeric() || *letter == '_') {
                    name.push(letter);
                }
            }
        }
        name
    }

    /// The value of a variable; `None` where it is not set. The last of several counts.
    fn value(&self, name: &str) -> Option<String> {
        let variables = self.variables.iter().rev();
        variables
            .filter_map(|variable| variable.split_once('='))
            .find(|(own, _)| *own == name)
            .map(|(_, value)| value.to_owned())
    }

    fn charge_pattern(&mut self, pattern: &str, value: &str) -> Result<()> {
        if pattern.len() > MAX_PATTERN {
            return Err(Error::invalid(format!("a pattern in a substitution is longer than {MAX_PATTERN} bytes")));
        }
        // Making a matcher costs far more than reading a text of that length.
        self.shell.charge(value.len() + 64 * pattern.len())
    }
}

fn unclosed(what: &str) -> Error {
    Error::invalid(format!("unexpected end of statement while looking for matching {what}"))
}

/// The value without the shortest, or longest, beginning that a pattern matches.
fn without_prefix(value: &str, pattern: &str, longest: bool) -> Result<String> {
    // A lazy pattern in a lazy group: the first end that fits is the nearest.
    let found = if longest { regex(pattern, "^", "")? } else { regex(pattern, "(?U)^", "")? };
    Ok(found.find(value).map_or(value, |found| &value[found.end()..]).to_owned())
}

/// The same for its end.
fn without_suffix(value: &str, pattern: &str, longest: bool) -> Result<String> {
    let found = regex(pattern, if longest { "^(?s:(?<kept>.*?))" } else { "^(?s:(?<kept>.*))" }, "$")?;
    let kept = found.captures(value).and_then(|found| found.name("kept"));
    Ok(kept.map_or(value, |kept| kept.as_str()).to_owned())
}

/// A shell's pattern, where `*` is any run of characters and `?` any one, between two pieces of a regular expression.
fn regex(pattern: &str, before: &str, after: &str) -> Result<Regex> {
    let refused = |why: &str| Error::invalid(format!("invalid pattern ({pattern}) in substitution: {why}"));
    let mut expression = before.to_owned();
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            '\\' => match letters.next() {
                // These end a part of the substitution, so they are escaped without being special in a pattern.
                Some(literal @ ('}' | '/' | '*' | '?' | '\\')) => {
                    expression.push_str(&regex::escape(literal.encode_utf8(&mut [0; 4])));
                }
                Some(other) => return Err(refused(&format!("invalid escape '\\{other}'"))),
                None => return Err(refused("it ends with an escape")),
            },
            literal => expression.push_str(&regex::escape(literal.encode_utf8(&mut [0; 4]))),
        }
    }
    expression.push_str(after);
    Regex::new(&expression).map_err(|cause| refused("it is too large").with_cause(cause))
}
