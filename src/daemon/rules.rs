//! The file of verification rules: read at the start, and again when it changes or on SIGHUP.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::domain::error::{Error, Result};
use crate::engine::{Engine, Rules};

/// More than any rules need; what is larger is refused.
const SIZE_LIMIT: u64 = 1 << 20;

/// How often the file is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// A file of rules that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct RulesFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub rules: Rules,
    stamp: Stamp,
}

/// What changes when a file does. A link to another file, as Kubernetes replaces a ConfigMap, is another file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl RulesFile {
    /// Reads a file.
    ///
    /// # Errors
    /// `InvalidArgument` that names the file, and the line where one is wrong.
    pub fn read(path: &Path) -> Result<Self> {
        let unreadable = |error| Error::invalid(format!("reading the verification rules {}: {error}", path.display()));
        // Before the text: a change in between is then seen as one.
        let stamp = Stamp::of(path).map_err(unreadable)?;
        let mut text = String::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(SIZE_LIMIT + 1).read_to_string(&mut text).map_err(unreadable)?;
        if text.len() as u64 > SIZE_LIMIT {
            return Err(Error::invalid(format!("{}: larger than {SIZE_LIMIT} bytes", path.display())));
        }
        let rules = Rules::parse(&text).map_err(|error| error.context(path.display()))?;
        Ok(Self { path: path.to_owned(), rules, stamp })
    }
}

impl Stamp {
    fn of(path: &Path) -> std::io::Result<Self> {
        let file = std::fs::metadata(path)?;
        Ok(Self {
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            seconds: file.ctime(),
            nanoseconds: file.ctime_nsec(),
        })
    }
}

/// Follows a file for as long as the engine serves. It is read on SIGHUP, and when it has changed and then stayed as it is
/// for one interval, so that one that is being written is not taken for whole. Polling works on every file system.
///
/// # Errors
/// Where SIGHUP cannot be handled.
pub fn follow(engine: &Engine, file: &RulesFile) -> Result<()> {
    let mut hangup = signal(SignalKind::hangup()).map_err(|error| Error::internal("handling signals", error))?;
    let (engine, path, mut known) = (engine.clone(), file.path.clone(), Some(file.stamp));
    for warning in engine.warnings() {
        tracing::warn!(path = %path.display(), "{warning}");
    }
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut changed = None;
        loop {
            let is_told = tokio::select! {
                told = hangup.recv() => told.is_some(),
                _ = ticks.tick() => false,
            };
            let at = path.clone();
            let Ok(now) = tokio::task::spawn_blocking(move || Stamp::of(&at).ok()).await else { return };
            if !is_told {
                if now == known {
                    changed = None;
                    continue;
                }
                if changed.replace(now) != Some(now) {
                    continue;
                }
            }
            (known, changed) = (now, None);
            let at = path.clone();
            let Ok(read) = tokio::task::spawn_blocking(move || RulesFile::read(&at)).await else { return };
            take(&engine, read).await;
        }
    });
    Ok(())
}

async fn take(engine: &Engine, read: Result<RulesFile>) {
    match read {
        Ok(RulesFile { path, rules, .. }) => {
            let count = rules.rules().len();
            if let Err(error) = engine.replace_rules(rules).await {
                tracing::warn!(
                    error = error.chain(),
                    "could not wait for changes that were decided by the rules before"
                );
            }
            tracing::info!(path = %path.display(), rules = count, "verification rules are in force");
            for warning in engine.warnings() {
                tracing::warn!(path = %path.display(), "{warning}");
            }
        }
        Err(error) => {
            tracing::error!(error = error.chain(), "the verification rules are refused; those before stay in force");
            engine.refuse_rules(format!("refused, those before stay in force: {}", error.public()));
        }
    }
}
