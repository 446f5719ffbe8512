//! Rows about loading, and pruning it all again: time, memory, and the data root the other rows go on with.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Outcome;
use crate::aims::{self, Aim};
use crate::limits;
use crate::process::Daemon;
use crate::removals;
use crate::report::{Report, Row, Samples, Unit};

/// How long a daemon is left alone before its memory is read.
const REST: Duration = Duration::from_secs(2);

/// More images than this are pruned in the first run only: to unlink a quarter of a million files may take minutes.
const PRUNED_OFTEN: u32 = 1_000;

/// What is loaded, and the project's aims for it.
pub struct Plan<'a> {
    archive: &'a Path,
    scope: String,
    runs: u32,
    load_aim: Option<Aim>,
    rest_aim: Option<Aim>,
    peak_aim: Option<Aim>,
    /// How many images are pruned after each load; none where absent.
    pruned: Option<u32>,
}

impl<'a> Plan<'a> {
    pub fn many(archive: &'a Path, images: u32, runs: u32) -> Plan<'a> {
        let scope = format!("{images} images");
        let (load_aim, rest_aim) = (aims::load(images), aims::rest(images));
        Plan { archive, scope, runs, load_aim, rest_aim, peak_aim: None, pruned: Some(images) }
    }

    pub fn large(archive: &'a Path, scope: &str, runs: u32) -> Plan<'a> {
        let scope = scope.to_owned();
        let (load_aim, peak_aim) = (Some(aims::LARGE_LOAD), Some(aims::LARGE_PEAK));
        Plan { archive, scope, runs, load_aim, rest_aim: None, peak_aim, pruned: None }
    }
}

/// Loads the archive into a fresh data root as often as planned, in turn with the limit, and returns the last data root.
pub fn measure(report: &mut Report, plan: &Plan, work: &Path) -> Outcome<PathBuf> {
    let data_root = work.join("data");
    let (mut start, mut load, mut limit) = (Samples::default(), Samples::default(), Samples::default());
    let (mut empty, mut rest, mut peak) = (Samples::default(), Samples::default(), Samples::default());
    let (mut prune, mut unlink) = (Samples::default(), Samples::default());
    for run in 0..plan.runs {
        eprintln!("{}: load, run {} of {}", plan.scope, run + 1, plan.runs);
        if data_root.exists() {
            std::fs::remove_dir_all(&data_root)?;
        }
        std::fs::create_dir(&data_root)?;
        limits::settle(plan.archive)?;
        let daemon = Daemon::start(&data_root)?;
        start.time(daemon.started_in);
        std::thread::sleep(REST);
        empty.size(daemon.memory("VmRSS")?);
        load.time(load_once(&daemon, plan.archive)?);
        peak.size(daemon.memory("VmHWM")?);
        std::thread::sleep(REST);
        rest.size(daemon.memory("VmRSS")?);
        daemon.stop()?;
        limits::settle(plan.archive)?;
        limit.time(limits::store(plan.archive, &work.join("copy"))?);
        if let Some(images) = plan.pruned.filter(|images| *images <= PRUNED_OFTEN || run == 0) {
            let copies = work.join("copies");
            std::fs::create_dir(&copies)?;
            for directory in ["blobs/sha256", "packs"] {
                removals::copy_all(&data_root.join(directory), &copies)?;
            }
            let daemon = Daemon::start(&data_root)?;
            prune.time(removals::prune_all(&daemon, images)?);
            daemon.stop()?;
            unlink.time(removals::unlink_all(&copies)?);
            std::fs::remove_dir(&copies)?;
        }
    }
    if plan.pruned.is_some() {
        let daemon = Daemon::start(&data_root)?;
        load_once(&daemon, plan.archive)?;
        daemon.stop()?;
    }
    let scope = &plan.scope;
    report.add(Row::new("empty", "start-up", Unit::Time, start));
    report.add(Row::new("empty", "memory at rest", Unit::Memory, empty).aim(aims::EMPTY_REST));
    report.add(Row::new(scope, "load", Unit::Time, load).limit(limit).aim(plan.load_aim));
    report.add(Row::new(scope, "peak memory of the load", Unit::Memory, peak).aim(plan.peak_aim));
    report.add(Row::new(scope, "memory at rest after the load", Unit::Memory, rest).aim(plan.rest_aim));
    if plan.pruned.is_some() {
        report.add(Row::new(scope, "prune of all", Unit::Time, prune).limit(unlink));
    }
    Ok(data_root)
}

/// Loads an archive; how long that took.
pub fn load_once(daemon: &Daemon, archive: &Path) -> Outcome<Duration> {
    let mut connection = daemon.connect()?;
    let answer = connection.post_file("/v1.55/images/load?quiet=1", archive)?;
    let progress = String::from_utf8(answer.success()?)?;
    // A load that fails half-way says so in its stream, under a status of 200.
    if let Some(error) = progress.lines().find(|line| line.contains("\"errorDetail\"")) {
        return Err(format!("the load failed: {error}").into());
    }
    Ok(answer.took)
}
