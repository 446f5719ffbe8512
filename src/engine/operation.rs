//! The log line that an operation leaves when it has ended well.

use std::fmt;
use std::time::Instant;

use crate::domain::Digest;

/// How many names one line shows.
const SHOWN: usize = 3;

/// An operation that is under way. Who asked for it is in the log's present span, so a verb that goes on in another task
/// takes its span along.
pub(super) struct Operation {
    start: Instant,
}

impl Operation {
    pub(super) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Logs what was done to an image, such as `pulled`.
    pub(super) fn done(&self, done: &'static str, name: impl fmt::Display, digest: &Digest) {
        let duration_ms = self.milliseconds();
        tracing::info!(image.name = %name, image.digest = %digest, duration_ms, "{done} an image");
    }

    /// Logs what was done to an archive's images: names with their digests, in order.
    pub(super) fn loaded(&self, images: &[(String, &Digest)]) {
        let names = listed(images.iter().map(|(name, _)| name.as_str()));
        let digests = listed(images.iter().map(|(_, digest)| digest.to_string()));
        let (count, duration_ms) = (images.len(), self.milliseconds());
        tracing::info!(images = count, image.name = names, image.digest = digests, duration_ms, "loaded an archive");
    }

    /// Logs a prune, which may have removed nothing.
    pub(super) fn pruned(&self, images: usize, bytes: u64) {
        tracing::info!(images, bytes, duration_ms = self.milliseconds(), "pruned");
    }

    fn milliseconds(&self) -> f64 {
        // Whole microseconds, so that the line stays short.
        self.start.elapsed().as_micros() as f64 / 1000.0
    }
}

/// `a, b, c and 2 more`; `<none>` where there are none.
pub(super) fn listed<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let mut names = names.into_iter();
    let shown: Vec<T> = names.by_ref().take(SHOWN).collect();
    let shown: Vec<&str> = shown.iter().map(AsRef::as_ref).collect();
    let mut text = if shown.is_empty() { "<none>".to_owned() } else { shown.join(", ") };
    let more = names.count();
    if more > 0 {
        text += &format!(" and {more} more");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn a_line_shows_a_few_names() {
        assert_eq!(listed([""; 0]), "<none>");
        assert_eq!(listed(["a", "b", "c"]), "a, b, c");
        assert_eq!(listed(["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
    }
}
