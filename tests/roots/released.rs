//! Data roots that released versions wrote open for ever, and say the same.
//!
//! `scripts/data_root.py` makes one for each format: `tests/fixtures/data-root-<format>.tar.zst` beside the answers that its
//! own version gave about it.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::SystemTime;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::support::checking::{check, contents};
use crate::support::daemon::{Daemon, Place};
use crate::support::repository;

/// A released data root and what was recorded about it.
struct Released {
    archive: PathBuf,
    recorded: String,
}

/// One recorded line: a request and its answer, the store's identity, or what a check printed.
#[derive(Deserialize)]
struct Line<'a> {
    request: Option<String>,
    #[serde(borrow)]
    answer: Option<&'a RawValue>,
    id: Option<String>,
}

impl Released {
    fn all() -> Vec<Self> {
        let entries = fs::read_dir(repository("tests/fixtures")).unwrap().map(|entry| entry.unwrap().path());
        let is_root = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with("data-root-") && name.ends_with(".tar.zst")
        };
        let mut archives: Vec<PathBuf> = entries.filter(is_root).collect();
        archives.sort();
        assert!(!archives.is_empty(), "no released data root");
        let read = |archive: PathBuf| {
            let recorded = fs::read_to_string(archive.with_extension("").with_extension("jsonl")).unwrap();
            Self { archive, recorded }
        };
        archives.into_iter().map(read).collect()
    }

    /// The data root as it was left, in a place of its own.
    fn unpack(&self) -> Place {
        let place = Place::new();
        let plain = zstd::Decoder::new(File::open(&self.archive).unwrap()).unwrap();
        tar::Archive::new(plain).unpack(place.data_root()).unwrap();
        // A broken off download is kept for a day.
        for entry in fs::read_dir(place.data_root().join("partial")).unwrap() {
            let file = File::options().write(true).open(entry.unwrap().path()).unwrap();
            file.set_modified(SystemTime::now()).unwrap();
        }
        place
    }

    fn lines(&self) -> impl Iterator<Item = (&str, Line<'_>)> {
        self.recorded.lines().map(|line| (line, serde_json::from_str(line).unwrap()))
    }

    /// Fails where a daemon says anything else than what is recorded, byte for byte.
    #[track_caller]
    fn is_what(&self, daemon: &Daemon, when: &str) {
        let client = daemon.client();
        let mut compared = 0;
        for (_, line) in self.lines() {
            let Some(request) = line.request else { continue };
            let text = client.get(&request).expect(200).text().trim_end().to_owned();
            match (line.answer, line.id) {
                (Some(answer), _) => self.same(&format!("{request} {when}"), answer.get(), &text),
                (None, Some(id)) => assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["ID"], id, "{when}"),
                _ => panic!("neither an answer nor an identity: {request}"),
            }
            compared += 1;
        }
        assert!(compared > 10, "{}: hardly anything is recorded", self.archive.display());
    }

    #[track_caller]
    fn same(&self, what: &str, then: &str, now: &str) {
        if then == now {
            return;
        }
        let at = then.bytes().zip(now.bytes()).take_while(|(then, now)| then == now).count();
        let around = |text: &str| {
            let bytes = &text.as_bytes()[at.saturating_sub(60).min(text.len())..(at + 120).min(text.len())];
            String::from_utf8_lossy(bytes).into_owned()
        };
        panic!(
            "{}: another answer from byte {at} on: {what}\nthen: …{}…\nnow:  …{}…",
            self.archive.display(),
            around(then),
            around(now)
        );
    }

    /// Fails unless a check of everything finds what is recorded, whatever else it tells by now.
    #[track_caller]
    fn checks(&self, place: &Place, when: &str) {
        let report = check(&place.data_root(), &["--deep"]);
        assert_eq!((report.status, report.errors.as_str()), (0, ""), "{when}: {report:#?}");
        let now: Vec<Value> = report.findings.into_iter().chain([report.summary]).collect();
        let then = self.lines().filter(|(_, line)| line.request.is_none());
        let then: Vec<Value> = then.map(|(text, _)| serde_json::from_str(text).unwrap()).collect();
        assert_eq!(now.len(), then.len(), "{when}: {now:#?}");
        for (now, then) in now.iter().zip(&then) {
            for (key, value) in then.as_object().unwrap().iter().filter(|(key, _)| *key != "dataRoot") {
                assert_eq!(now[key], *value, "{}: {key} {when}", self.archive.display());
            }
        }
    }
}

#[test]
fn a_check_reads_them_and_writes_nothing() {
    for released in Released::all() {
        let place = released.unpack();
        let before = contents(&place.data_root());
        released.checks(&place, "before any start");
        assert!(contents(&place.data_root()) == before, "{}: a check wrote", released.archive.display());
    }
}

#[test]
fn they_open_and_say_what_they_said() {
    for released in Released::all() {
        let place = released.unpack();
        let partials = contents(&place.data_root().join("partial"));
        assert!(!partials.is_empty());
        let daemon = Daemon::start_in(place);
        released.is_what(&daemon, "at the first start");
        assert_eq!(contents(&daemon.data_root().join("partial")), partials, "a broken off download is gone");
        let place = daemon.stop();
        released.checks(&place, "after the first start");
        let daemon = Daemon::start_in(place);
        released.is_what(&daemon, "at the second start");
    }
}

#[test]
fn they_open_after_a_crash_of_their_version() {
    for released in Released::all() {
        let place = released.unpack();
        fs::remove_file(place.data_root().join("clean")).unwrap();
        let daemon = Daemon::start_in(place);
        released.is_what(&daemon, "after a crash");
        released.checks(&daemon.stop(), "after a crash");
    }
}

#[test]
fn they_open_after_a_start_that_was_killed() {
    for released in Released::all() {
        super::after_killed_starts(
            || released.unpack(),
            |place, when| {
                let daemon = Daemon::start_in(place);
                released.is_what(&daemon, when);
                released.checks(&daemon.stop(), when);
            },
        );
    }
}
