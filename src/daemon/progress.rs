//! How far a long piece of work is, in one line on a terminal.

use std::io::{IsTerminal, Stderr, Write};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How often the line is drawn.
const EVERY: Duration = Duration::from_millis(100);

/// Columns of the bar itself; the whole line fits into 80.
const BAR: usize = 14;

/// A line that is drawn over and over, and wiped out when it is dropped.
pub struct ProgressLine<W: Write>(Mutex<Line<W>>);

struct Line<W> {
    out: W,
    /// What is being done, and since when.
    stage: Option<(&'static str, Instant)>,
    drawn_at: Option<Instant>,
    /// Columns that are drawn now.
    width: usize,
}

impl ProgressLine<Stderr> {
    /// A line on standard error; `None` where that is no terminal.
    pub fn on_terminal() -> Option<Self> {
        let out = std::io::stderr();
        out.is_terminal().then(|| Self::new(out))
    }
}

impl<W: Write> ProgressLine<W> {
    fn new(out: W) -> Self {
        Self(Mutex::new(Line { out, stage: None, drawn_at: None, width: 0 }))
    }

    /// Shows that so many bytes of all are done. Cheap where nothing is to be drawn.
    pub fn show(&self, what: &'static str, done: u64, total: u64) {
        // Who finds another thread drawing has nothing to wait for.
        if let Some(mut line) = self.0.try_lock() {
            line.show(what, done, total, Instant::now());
        }
    }
}

impl<W: Write> Drop for ProgressLine<W> {
    fn drop(&mut self) {
        self.0.get_mut().draw("");
    }
}

impl<W: Write> Line<W> {
    fn show(&mut self, what: &'static str, done: u64, total: u64, now: Instant) {
        let since = match self.stage {
            Some((stage, since)) if stage == what => since,
            _ => {
                self.drawn_at = None;
                self.stage.insert((what, now)).1
            }
        };
        if self.drawn_at.is_some_and(|at| now.duration_since(at) < EVERY) {
            return;
        }
        self.drawn_at = Some(now);
        self.draw(&text(what, done, total, now.duration_since(since)));
    }

    /// Draws over what is there. With spaces, because not every terminal can erase.
    fn draw(&mut self, text: &str) {
        let width = text.chars().count();
        let padding = " ".repeat(self.width.saturating_sub(width));
        let back = if text.is_empty() { "\r" } else { "" };
        if self.width > 0 || width > 0 {
            // A terminal that went away takes no harm.
            let _ = write!(self.out, "\r{text}{padding}{back}").and_then(|()| self.out.flush());
        }
        self.width = width;
    }
}

fn text(what: &str, done: u64, total: u64, elapsed: Duration) -> String {
    let share = if total == 0 { 1.0 } else { (done as f64 / total as f64).min(1.0) };
    let full = (share * BAR as f64) as usize;
    let bar = format!("{}{}", "#".repeat(full), "-".repeat(BAR - full));
    let mut text = format!("{what} [{bar}] {:3.0}% of {}", (share * 100.0).floor(), size(total));
    let seconds = elapsed.as_secs_f64();
    // Before that, the rate is a guess.
    if seconds >= 1.0 {
        let rate = done as f64 / seconds;
        let left = total.saturating_sub(done) as f64 / rate.max(1.0);
        text += &format!(", {}/s, {} left", size(rate as u64), clock(left as u64));
    }
    text
}

/// Bytes as people read them.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

fn clock(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{}:{:02} min", seconds / 60, seconds % 60),
        _ => format!("{}:{:02} h", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is_and_fits_a_terminal() {
        assert_eq!(text("reading", 0, 0, Duration::ZERO), "reading [##############] 100% of 0 B");
        assert_eq!(
            text("reading", 256 << 20, 1 << 30, Duration::from_secs(2)),
            "reading [###-----------]  25% of 1.0 GiB, 128.0 MiB/s, 6 s left"
        );
        assert!(text("reading blobs", 1 << 49, 1 << 50, Duration::from_secs(7000)).len() < 80);
        assert_eq!((clock(61), clock(3700)), ("1:01 min".to_owned(), "1:01 h".to_owned()));
        assert_eq!((size(1023), size(u64::MAX)), ("1023 B".to_owned(), "16384.0 PiB".to_owned()));
    }

    #[test]
    fn it_is_drawn_now_and_then_and_leaves_nothing() {
        let mut written = Vec::new();
        let line = ProgressLine::new(&mut written);
        for done in 0..1000 {
            line.show("reading", done, 1000);
        }
        drop(line);
        let written = String::from_utf8(written).unwrap();
        assert!(written.starts_with("\rreading [") && written.ends_with(" \r"), "{written:?}");
        assert!(written.matches("reading").count() < 100, "{written:?}");
    }
}
