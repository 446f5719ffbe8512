//! Rows about naming an image while eight clients load others: how long a tag takes, beside a commit of one record among eight writers of a
//! plain database.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use redb::{Database, TableDefinition};
use sha2::{Digest, Sha256};

use crate::Outcome;
use crate::aims;
use crate::generate::{self, ManyImages};
use crate::limits;
use crate::loads;
use crate::process::Daemon;
use crate::report::{Report, Row, Samples, Unit};

/// Clients that load, and threads that commit as much.
const WRITERS: usize = 8;

/// Images that one run loads at most, each in a request of its own.
const IMAGES: u32 = 1_200;

/// When a run ends that has images left.
const LONGEST: Duration = Duration::from_secs(12);

/// Between one tag and the next, so that slow moments count as much as quick ones.
const PAUSE: Duration = Duration::from_millis(5);

/// What a load of one image records: how many records of how many bytes in which table.
const RECORDS: [(&str, u8, usize); 4] =
    [("blobs", 25, 14), ("documents", 7, 700), ("configs", 6, 150), ("names", 1, NAME)];

/// Bytes of the record of a name.
const NAME: usize = 250;

/// What a writer does for one image.
type Write<'a> = &'a (dyn Fn(usize) -> Outcome<()> + Sync);

/// Measures daemons on data roots of their own, in turn with the limit.
pub fn measure(report: &mut Report, runs: u32, work: &Path) -> Outcome<()> {
    eprintln!("tags: generating {IMAGES} images");
    let archives: Vec<PathBuf> = (0..IMAGES).map(|number| work.join(format!("{number}.tar"))).collect();
    for (number, archive) in (0..).zip(&archives) {
        ManyImages { first: number, images: 1, platforms: 3 }.write(archive)?;
    }
    let mut rows = [50, 99].map(|percent| (percent, Samples::default(), Samples::default()));
    for run in 0..runs {
        let ours = tag_during_loads(&archives, &work.join("data"))?;
        let limit = commit_among_writers(&archives, &work.join("plain"))?;
        for (percent, our_run, limit_run) in &mut rows {
            our_run.push(ours.percentile(*percent));
            limit_run.push(limit.percentile(*percent));
        }
        let told = |run: &Samples| format!("{:.1} ms, {} tries", run.percentile(99), run.count());
        eprintln!("tags: run {} of {runs}: percentile 99: {}; limit {}", run + 1, told(&ours), told(&limit));
    }
    for (percent, ours, limit) in rows {
        let what = format!("tag, percentile {percent}");
        let row = Row::new("8 clients that load", &what, Unit::Time, ours).limit(limit);
        report.add(if percent == 99 { row.aim(aims::TAG) } else { row });
    }
    Ok(())
}

/// How long tags take while clients load one image after the other.
fn tag_during_loads(archives: &[PathBuf], data_root: &Path) -> Outcome<Samples> {
    start_anew(data_root)?;
    let daemon = Daemon::start(data_root)?;
    loads::load_once(&daemon, &archives[0])?;
    let mut connection = daemon.connect()?;
    let times =
        beside_writers(archives.len(), &|number| loads::load_once(&daemon, &archives[number]).map(drop), |number| {
            let name = generate::name(0);
            let path = format!("/v1.55/images/{name}/tag?repo=bench.example/tagged&tag=t{number}");
            let answer = connection.send("POST", &path)?;
            match answer.status {
                201 => Ok(answer.took),
                status => Err(format!("a tag is refused with {status}").into()),
            }
        })?;
    daemon.stop()?;
    Ok(times)
}

/// How long commits of one record take in a plain database while threads write the same archives and commit as many records.
fn commit_among_writers(archives: &[PathBuf], directory: &Path) -> Outcome<Samples> {
    start_anew(directory)?;
    let database = Database::builder().set_cache_size(4 << 20).create(directory.join("plain.redb"))?;
    commit(&database, 0)?;
    beside_writers(
        archives.len(),
        &|number| {
            limits::store(&archives[number], &directory.join(number.to_string()))?;
            commit(&database, number)
        },
        |number| {
            let start = Instant::now();
            let write = begin(&database)?;
            write
                .open_table(definition("names"))?
                .insert(format!("tagged:t{number}").as_bytes(), [1; NAME].as_slice())?;
            write.commit()?;
            Ok(start.elapsed())
        },
    )
}

/// Repeats what is timed for as long as all writers are busy. Each write has a number of its own, from 1 to below `count`. The writers stop at
/// a time limit.
fn beside_writers(count: usize, write: Write, mut timed: impl FnMut(u32) -> Outcome<Duration>) -> Outcome<Samples> {
    let (next, start) = (AtomicUsize::new(1), Instant::now());
    let work = || -> Result<(), String> {
        loop {
            match next.fetch_add(1, Ordering::Relaxed) {
                number if number < count && start.elapsed() < LONGEST => {
                    write(number).map_err(|error| error.to_string())?
                }
                _ => return Ok(()),
            }
        }
    };
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(work)).collect();
        let mut times = Samples::default();
        let mut number = 0;
        while !writers.iter().any(ScopedJoinHandle::is_finished) {
            times.time(timed(number)?);
            number += 1;
            std::thread::sleep(PAUSE);
        }
        for writer in writers {
            writer.join().map_err(|_| "a writer panicked")??;
        }
        Ok(times)
    })
}

/// Commits what a load of one image records.
fn commit(database: &Database, image: usize) -> Outcome<()> {
    let write = begin(database)?;
    for (table, count, size) in RECORDS {
        let mut table = write.open_table(definition(table))?;
        for at in 0..count {
            let key = Sha256::digest([image.to_le_bytes().as_slice(), &[at]].concat());
            table.insert(key.as_slice(), vec![at; size].as_slice())?;
        }
    }
    Ok(write.commit()?)
}

fn definition(table: &str) -> TableDefinition<'_, &'static [u8], &'static [u8]> {
    TableDefinition::new(table)
}

fn begin(database: &Database) -> Outcome<redb::WriteTransaction> {
    let mut write = database.begin_write()?;
    // As the daemon has it.
    write.set_quick_repair(true);
    Ok(write)
}

fn start_anew(directory: &Path) -> Outcome<()> {
    if directory.exists() {
        std::fs::remove_dir_all(directory)?;
    }
    std::fs::create_dir(directory)?;
    rustix::fs::sync();
    Ok(())
}
