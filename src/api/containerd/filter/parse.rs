//! From the text of one filter to its selectors.

use super::selector::{Selector, Test, compile};
use crate::domain::{Error, Result};

/// The selectors of a filter that is not empty.
pub(super) fn selectors(input: &str) -> Result<Vec<Selector>> {
    let mut parser = Parser { input, at: 0 };
    let mut selectors = vec![parser.selector()?];
    loop {
        match parser.peek() {
            None => return Ok(selectors),
            Some(',') => {
                parser.at += 1;
                selectors.push(parser.selector()?);
            }
            Some(_) => return Err(parser.error("expected a comma or the end")),
        }
    }
}

struct Parser<'a> {
    input: &'a str,
    /// Always on a character boundary.
    at: usize,
}

impl Parser<'_> {
    fn selector(&mut self) -> Result<Selector> {
        let path = self.path()?;
        if matches!(self.peek(), None | Some(',')) {
            return Ok(Selector { path, test: Test::Present });
        }
        self.skip_space();
        let start = self.at;
        let test = match self.take_while(|c| matches!(c, '=' | '!' | '~')) {
            "==" => Test::Equal(self.value(false)?),
            "!=" => Test::NotEqual(self.value(false)?),
            "~=" => {
                self.skip_space();
                let start = self.at;
                let pattern = self.value(true)?;
                Test::Matches(compile(&pattern).map_err(|problem| error_at(self.input, start, problem))?)
            }
            _ => return Err(error_at(self.input, start, "expected an operator (==, != or ~=)")),
        };
        Ok(Selector { path, test })
    }

    fn path(&mut self) -> Result<Vec<String>> {
        let mut path = vec![self.field()?];
        while self.peek() == Some('.') {
            self.at += 1;
            path.push(self.field()?);
        }
        Ok(path)
    }

    fn field(&mut self) -> Result<String> {
        self.skip_space();
        if self.peek() == Some('"') {
            return self.quoted();
        }
        match self.take_while(|c| matches!(c, '-' | '_') || c.is_ascii_alphanumeric()) {
            "" => Err(self.error("expected a field")),
            name => Ok(name.to_owned()),
        }
    }

    fn value(&mut self, pattern: bool) -> Result<String> {
        self.skip_space();
        match self.peek() {
            Some('"') => return self.quoted(),
            Some('/' | '|') if pattern => return self.quoted(),
            Some('/' | '|') => return Err(self.error("this quote is for regular expressions only")),
            // These may stand within a bare value, not at its start.
            Some('.' | '=' | '!' | '~') => return Err(self.error("expected a value")),
            _ => {}
        }
        match self.take_while(|c| c != ',' && !c.is_whitespace() && !c.is_control()) {
            "" => Err(self.error("expected a value")),
            value => Ok(value.to_owned()),
        }
    }

    /// Text between two equal quotes, the first of which comes next, with its escapes resolved.
    fn quoted(&mut self) -> Result<String> {
        let start = self.at;
        let Some(quote) = self.next() else { return Err(self.error("expected a quote")) };
        // Bytes, because one character may be escaped as several.
        let mut text = Vec::new();
        loop {
            match self.next() {
                None | Some('\n' | '\0') => return Err(error_at(self.input, start, "the quote does not end")),
                Some('\\') => self.escape(quote, &mut text)?,
                Some(c) if c == quote => break,
                Some(c) => text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        String::from_utf8(text).map_err(|_| error_at(self.input, start, "the escapes do not make UTF-8"))
    }

    /// One escape, after its backslash.
    fn escape(&mut self, quote: char, text: &mut Vec<u8>) -> Result<()> {
        let start = self.at - 1;
        let illegal = || error_at(self.input, start, "illegal escape");
        match self.next().ok_or_else(illegal)? {
            'a' => text.push(7),
            'b' => text.push(8),
            't' => text.push(b'\t'),
            'n' => text.push(b'\n'),
            'v' => text.push(11),
            'f' => text.push(12),
            'r' => text.push(b'\r'),
            '\\' => text.push(b'\\'),
            c if c == quote => text.push(quote as u8),
            'x' => text.push(u8::try_from(self.digits(16, 2).ok_or_else(illegal)?).map_err(|_| illegal())?),
            length @ ('u' | 'U') => {
                let code = self.digits(16, if length == 'u' { 4 } else { 8 }).ok_or_else(illegal)?;
                let c = char::from_u32(code).ok_or_else(illegal)?;
                text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            '0'..='7' => {
                self.at -= 1;
                text.push(u8::try_from(self.digits(8, 3).ok_or_else(illegal)?).map_err(|_| illegal())?);
            }
            _ => return Err(illegal()),
        }
        Ok(())
    }

    /// A number of exactly so many digits; `None` where they are fewer.
    fn digits(&mut self, radix: u32, count: usize) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            // Eight hexadecimal digits are the most, which fill 32 bits exactly.
            value = value * radix + self.next()?.to_digit(radix)?;
        }
        Some(value)
    }

    fn peek(&self) -> Option<char> {
        self.input[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn skip_space(&mut self) {
        self.take_while(char::is_whitespace);
    }

    fn take_while(&mut self, accept: impl Fn(char) -> bool) -> &str {
        let rest = &self.input[self.at..];
        let len = rest.find(|c| !accept(c)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    fn error(&self, problem: &str) -> Error {
        error_at(self.input, self.at, problem)
    }
}

/// The error that `input` makes no sense from a character on, showing the surroundings only, however long the input.
fn error_at(input: &str, at: usize, problem: impl std::fmt::Display) -> Error {
    const SHOWN: usize = 64;
    let (before, after) = input.split_at(at);
    let shown_from = before.char_indices().rev().nth(SHOWN - 1).map_or(0, |(index, _)| index);
    let mut place = before[shown_from..].to_owned();
    let mut rest = after.chars();
    if let Some(c) = rest.next() {
        place.push_str(&format!(" >|{c}|< "));
        place.extend(rest.take(SHOWN));
    }
    Error::invalid(format!("filters: parse error: [{place}]: {problem}"))
}
