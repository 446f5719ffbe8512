//! Rows about one image on its way: pulled from a registry, pushed to one, and saved.

use std::path::Path;
use std::time::Duration;

use crate::Outcome;
use crate::aims;
use crate::client::Connection;
use crate::contents::Contents;
use crate::limits;
use crate::plain;
use crate::process::{Daemon, processor_time};
use crate::registry::{EMPTY, FULL, Registry, TAG};
use crate::report::{Report, Row, Samples, Unit};

/// One of the ways: its samples, and how they become rows.
struct Way {
    what: &'static str,
    aim: &'static str,
    ours: Samples,
    limit: Samples,
    peak: Samples,
}

impl Way {
    fn new(what: &'static str, aim: &'static str) -> Way {
        let [ours, limit, peak] = [(); 3].map(|()| Samples::default());
        Way { what, aim, ours, limit, peak }
    }

    fn add_to(self, report: &mut Report, scope: &str) {
        let memory = format!("peak memory of the {}", self.what);
        report.add(Row::new(scope, self.what, Unit::Time, self.ours).limit(self.limit).aim(self.aim));
        report.add(Row::new(scope, &memory, Unit::Memory, self.peak).aim(aims::LARGE_PEAK));
    }
}

/// Pulls, pushes and saves the image of an archive.
pub fn measure(report: &mut Report, archive: &Path, scope: &str, runs: u32, work: &Path) -> Outcome<()> {
    let contents = Contents::of(archive)?;
    let registry = Registry::start(archive)?;
    let (data_root, copy) = (work.join("pulled"), work.join("copy"));
    let mut pull = Way::new("pull", aims::TRANSFER);
    for run in 0..runs {
        if data_root.exists() {
            std::fs::remove_dir_all(&data_root)?;
        }
        std::fs::create_dir(&data_root)?;
        limits::settle(archive)?;
        let path = format!("/v1.55/images/create?fromImage={}&tag={TAG}", registry.name(FULL));
        let ours = with_daemon(&data_root, &mut pull.peak, |connection| {
            meet(connection, &registry)?;
            stream(connection, &path, "Status: Downloaded newer image")
        })?;
        pull.ours.time(ours.0);
        limits::settle(archive)?;
        let limit = timed(|| plain::pull(&registry, &contents, &copy))?;
        pull.limit.time(limit.0);
        tell(scope, &pull, run, ours, limit);
    }
    let blobs = data_root.join("blobs/sha256");
    let (name, sink) = (format!("{}:{TAG}", registry.name(FULL)), registry.name(EMPTY));
    with_daemon(&data_root, &mut Samples::default(), |connection| {
        let answer = connection.send("POST", &format!("/v1.55/images/{name}/tag?repo={sink}&tag={TAG}"))?;
        match answer.status {
            201 => Ok(answer.took),
            status => Err(format!("the tag is refused with {status}").into()),
        }
    })?;
    let mut push = Way::new("push", aims::TRANSFER);
    for run in 0..runs {
        warm(&contents, &blobs)?;
        let path = format!("/v1.55/images/{sink}/push?tag={TAG}");
        let ours = with_daemon(&data_root, &mut push.peak, |connection| {
            meet(connection, &registry)?;
            stream(connection, &path, &contents.manifest_digest)
        })?;
        arrived(&registry, &contents)?;
        push.ours.time(ours.0);
        let limit = timed(|| plain::push(&registry, &contents, &blobs))?;
        arrived(&registry, &contents)?;
        push.limit.time(limit.0);
        tell(scope, &push, run, ours, limit);
    }
    let mut save = Way::new("save", aims::TRANSFER);
    for run in 0..runs {
        warm(&contents, &blobs)?;
        let path = format!("/v1.55/images/{name}/get");
        let ours = with_daemon(&data_root, &mut save.peak, |connection| {
            let (took, size) = connection.skim(&path)?;
            match size >= contents.size() {
                true => Ok(took),
                false => Err(format!("the archive has {size} bytes").into()),
            }
        })?;
        save.ours.time(ours.0);
        let files: Vec<_> = contents.blobs.iter().map(|blob| blobs.join(&blob.digest["sha256:".len()..])).collect();
        let limit = timed(|| limits::feed(&files))?;
        save.limit.time(limit.0);
        tell(scope, &save, run, ours, limit);
    }
    for way in [pull, push, save] {
        way.add_to(report, scope);
    }
    Ok(())
}

/// A time, and how much of the processor went into it.
type Taken = (Duration, Duration);

/// Has a daemon of its own do one thing; takes the peak of its memory.
fn with_daemon(
    data_root: &Path,
    peak: &mut Samples,
    act: impl FnOnce(&mut Connection) -> Outcome<Duration>,
) -> Outcome<Taken> {
    let daemon = Daemon::start(data_root)?;
    let before = daemon.processor_time()?;
    let took = act(&mut daemon.connect()?)?;
    let processor = daemon.processor_time()?.saturating_sub(before);
    peak.size(daemon.memory("VmHWM")?);
    daemon.stop()?;
    Ok((took, processor))
}

fn timed(limit: impl FnOnce() -> Outcome<Duration>) -> Outcome<Taken> {
    let before = processor_time("self")?;
    let took = limit()?;
    Ok((took, processor_time("self")?.saturating_sub(before)))
}

/// Has the daemon ask the registry for something small: the first connection of a process waits for randomness once.
fn meet(connection: &mut Connection, registry: &Registry) -> Outcome<()> {
    connection.get(&format!("/v1.55/distribution/{}:{TAG}/json", registry.name(FULL)))?.success().map(drop)
}

/// Follows a pull or push to its end; what fails half-way says so in the stream, under a status of 200.
fn stream(connection: &mut Connection, path: &str, proof: &str) -> Outcome<Duration> {
    let answer = connection.send("POST", path)?;
    let progress = String::from_utf8(answer.success()?)?;
    match progress.contains(proof) && !progress.contains("errorDetail") {
        true => Ok(answer.took),
        false => Err(format!("it failed: {}", progress.lines().last().unwrap_or_default()).into()),
    }
}

fn arrived(registry: &Registry, contents: &Contents) -> Outcome<()> {
    match registry.received()? {
        bytes if bytes == contents.size() => Ok(()),
        bytes => Err(format!("{bytes} bytes of {} were pushed", contents.size()).into()),
    }
}

/// Reads what is to be sent once, so that it lies in the page cache.
fn warm(contents: &Contents, blobs: &Path) -> Outcome<()> {
    for blob in &contents.blobs {
        limits::settle(&blobs.join(&blob.digest["sha256:".len()..]))?;
    }
    Ok(())
}

fn tell(scope: &str, way: &Way, run: u32, ours: Taken, limit: Taken) {
    eprintln!(
        "{scope}: {}, run {}: {:.2?} (processor {:.2?}), limit {:.2?} (processor {:.2?})",
        way.what,
        run + 1,
        ours.0,
        ours.1,
        limit.0,
        limit.1
    );
}
