//! Figures and the table they are printed in.

use std::fmt::{self, Display};
use std::time::Duration;

use crate::aims::Aim;

/// Measurements of one thing, in milliseconds or MiB.
#[derive(Default)]
pub struct Samples(Vec<f64>);

impl Samples {
    pub fn time(&mut self, took: Duration) {
        self.push(took.as_secs_f64() * 1e3);
    }

    pub fn size(&mut self, mebibytes: f64) {
        self.push(mebibytes);
    }

    pub fn push(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The middle value, or the mean of the middle two; not a number where nothing was measured.
    pub fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        match self.0[..] {
            [] => f64::NAN,
            _ if self.0.len() % 2 == 1 => self.0[middle],
            _ => (self.0[middle - 1] + self.0[middle]) / 2.0,
        }
    }

    /// The least value that so many percent of all are not above; not a number where nothing was measured.
    pub fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }

    fn spread(&self) -> (f64, f64) {
        (self.0.first().copied().unwrap_or(f64::NAN), self.0.last().copied().unwrap_or(f64::NAN))
    }
}

/// What a row's figures count.
#[derive(Clone, Copy)]
pub enum Unit {
    Time,
    Memory,
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Unit::Memory => format!("{value:.1} MiB"),
            Unit::Time if value >= 1e3 => format!("{:.2} s", value / 1e3),
            Unit::Time if value >= 10.0 => format!("{value:.1} ms"),
            Unit::Time => format!("{value:.3} ms"),
        }
    }

    fn show_all(self, samples: &Samples) -> String {
        let (least, most) = samples.spread();
        format!("{} ({} – {})", self.show(samples.median()), self.show(least), self.show(most))
    }
}

/// One line of the table.
pub struct Row {
    scope: String,
    what: String,
    unit: Unit,
    ours: Samples,
    limit: Option<Samples>,
    aim: Option<Aim>,
}

impl Row {
    pub fn new(scope: &str, what: &str, unit: Unit, ours: Samples) -> Row {
        Row { scope: scope.to_owned(), what: what.to_owned(), unit, ours, limit: None, aim: None }
    }

    pub fn limit(self, limit: Samples) -> Row {
        Row { limit: Some(limit), ..self }
    }

    /// The same with an aim, or with none.
    pub fn aim(self, aim: impl Into<Option<Aim>>) -> Row {
        Row { aim: aim.into(), ..self }
    }

    fn ratio(&self) -> Option<f64> {
        self.limit.as_ref().map(|limit| self.ours.median() / limit.median())
    }

    /// What is said of a row that does not reach its aim.
    fn missed(&self) -> Option<String> {
        let aim = self.aim.filter(|aim| !aim.is_reached(self.ours.median(), self.ratio()))?;
        let figure = match (aim, self.ratio()) {
            (Aim::Ratio(_), Some(ratio)) => format!("ratio {ratio:.2}"),
            _ => self.unit.show(self.ours.median()),
        };
        Some(format!("{}, {}: {figure} (aim: {aim})", self.scope, self.what))
    }
}

/// The table; what it displays is Markdown.
#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Adds a row. Rows about an empty daemon come with every set of images; their samples are joined in one row.
    pub fn add(&mut self, row: Row) {
        match self.rows.iter_mut().find(|other| other.scope == row.scope && other.what == row.what) {
            Some(same) => row.ours.0.into_iter().for_each(|value| same.ours.push(value)),
            None => self.rows.push(row),
        }
    }

    pub fn append(&mut self, other: Report) {
        other.rows.into_iter().for_each(|row| self.add(row));
    }
}

impl Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}\n", machine())?;
        writeln!(out, "| with | what | median (min – max) | limit: median (min – max) | ratio | aim |")?;
        writeln!(out, "| --- | --- | ---: | ---: | ---: | --- |")?;
        for row in &self.rows {
            let limit = row.limit.as_ref().map_or("–".to_owned(), |limit| row.unit.show_all(limit));
            let ratio = row.ratio().map_or("–".to_owned(), |ratio| format!("{ratio:.2}"));
            let aim = row.aim.map(|aim| aim.to_string()).unwrap_or_default();
            let ours = row.unit.show_all(&row.ours);
            writeln!(out, "| {} | {} | {ours} | {limit} | {ratio} | {aim} |", row.scope, row.what)?;
        }
        writeln!(out, "\n{NOTES}\n")?;
        let missed: Vec<String> = self.rows.iter().filter_map(Row::missed).collect();
        let aims = self.rows.iter().filter(|row| row.aim.is_some()).count();
        match missed.len() {
            0 => write!(out, "All {aims} aims are met."),
            count => write!(out, "{count} of {aims} aims are missed: {}.", missed.join("; ")),
        }
    }
}

const NOTES: &str = "\
Times are taken at the client, from sending the request to having read the whole answer on a keep-alive connection. The limit of an answer is \
the same request and the same bytes between two threads over a Unix socket; that of a load is reading the archive, hashing it with \
SHA-256 and writing it to one file with one sync, the archive in the page cache. That of a pull is a plain client that downloads the \
blobs over as many connections, hashes them and writes them to one file with one sync; that of a push, one that asks for each blob, reads it \
from the page cache and uploads it; that of a save, writing the same files to a Unix socket. The registry is a process of its own that \
sends from the page cache and throws uploads away; the daemon has asked it for something small before. The limit of a removal is writing one record with one sync and \
unlinking as many files; that of a prune, unlinking as many. That of a tag while others load is a commit of one record to a plain database while as \
many threads read, hash and write the same archives and commit as many records. Runs of ours and of the limit alternate, and the \
ratio is that of the medians. A load starts with an empty data root, a first list with a daemon that has just started; a run \
of a repeated answer is the median of many exchanges.";

/// The processor, the number of cores and the kernel, as far as the system tells.
fn machine() -> String {
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{model}, {cores} cores, Linux {}", kernel.trim())
}
