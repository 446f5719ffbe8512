//! Rows about one image on its way: pulled from a registry, pushed to one, and saved.

use std::path::Path;
use std::time::Duration;

use crate::Outcome;
use crate::aims::{self, Aim};
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
    aim: Aim,
    ours: Samples,
    limit: Samples,
    peak: Samples,
}

impl Way {
    fn new(what: &'static str, aim: Aim) -> Way {
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
    unpack(&contents, &blobs)?;
    let (name, sink) = (format!("{}:{TAG}", registry.name(FULL)), registry.name(EMPTY));
    let mut push = Way::new("push", aims::TRANSFER);
    let path = format!("/v1.55/images/{sink}/push?tag={TAG}");
    let prepared = |connection: &mut Connection| -> Outcome<()> {
        let answer = connection.send("POST", &format!("/v1.55/images/{name}/tag?repo={sink}&tag={TAG}"))?;
        match answer.status {
            201 => meet(connection, &registry),
            status => Err(format!("the tag is refused with {status}").into()),
        }
    };
    let ours = |connection: &mut Connection| {
        warm(&contents, &blobs)?;
        let took = stream(connection, &path, &contents.manifest_digest)?;
        arrived(&registry, &contents).map(|()| took)
    };
    let limit = || {
        let took = plain::push(&registry, &contents, &blobs)?;
        arrived(&registry, &contents).map(|()| took)
    };
    repeat(&data_root, scope, &mut push, runs, (prepared, ours, limit))?;
    let mut save = Way::new("save", aims::TRANSFER);
    let path = format!("/v1.55/images/{name}/get");
    let ours = |connection: &mut Connection| {
        warm(&contents, &blobs)?;
        let (took, size) = connection.skim(&path)?;
        match size >= contents.size() {
            true => Ok(took),
            false => Err(format!("the archive has {size} bytes").into()),
        }
    };
    let files: Vec<_> = contents.blobs.iter().map(|blob| blobs.join(&blob.digest["sha256:".len()..])).collect();
    repeat(&data_root, scope, &mut save, runs, (|_: &mut Connection| Ok(()), ours, || limits::feed(&files)))?;
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

/// Has one daemon do the same again and again, in turns with the limit. The first time does not count: a daemon runs for long,
/// and one that has just started has yet to find its code and its memory.
fn repeat(
    data_root: &Path,
    scope: &str,
    way: &mut Way,
    runs: u32,
    (prepared, mut ours, mut limit): (
        impl FnOnce(&mut Connection) -> Outcome<()>,
        impl FnMut(&mut Connection) -> Outcome<Duration>,
        impl FnMut() -> Outcome<Duration>,
    ),
) -> Outcome<()> {
    let daemon = Daemon::start(data_root)?;
    let mut connection = daemon.connect()?;
    prepared(&mut connection)?;
    ours(&mut connection)?;
    limit()?;
    for run in 0..runs {
        let before = daemon.processor_time()?;
        let took = ours(&mut connection)?;
        let own = (took, daemon.processor_time()?.saturating_sub(before));
        let plain = timed(&mut limit)?;
        way.ours.time(own.0);
        way.limit.time(plain.0);
        tell(scope, way, run, own, plain);
    }
    way.peak.size(daemon.memory("VmHWM")?);
    daemon.stop()
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
/// Gives each blob a file of its own, as the plain clients read them: the daemon keeps small ones together.
fn unpack(contents: &Contents, blobs: &Path) -> Outcome<()> {
    for blob in &contents.blobs {
        let file = blobs.join(&blob.digest["sha256:".len()..]);
        if !file.exists() {
            let (mut bytes, _) = contents.open(&blob.digest)?.ok_or("the archive lacks one of its blobs")?;
            std::io::copy(&mut bytes, &mut std::fs::File::create(file)?)?;
        }
    }
    Ok(())
}

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
