//! Rows about taking images away again: one of many, and all at once.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Outcome;
use crate::aims;
use crate::client::Connection;
use crate::generate;
use crate::process::Daemon;
use crate::report::{Report, Row, Samples, Unit};

/// Images that one run removes; its figure is their median.
const REPEATS: u32 = 10;

/// Blobs that only one image has.
const BLOBS: u32 = 25;

/// Removes some of the images that a data root holds, one by one.
pub fn measure(report: &mut Report, data_root: &Path, images: u32, runs: u32, work: &Path) -> Outcome<()> {
    let scope = format!("{images} images");
    let [mut first, mut later, mut limit] = [(); 3].map(|()| Samples::default());
    let mut number = 0;
    for run in 0..runs.min(images / (REPEATS + 1)) {
        eprintln!("{scope}: removal, run {} of {runs}", run + 1);
        let daemon = Daemon::start(data_root)?;
        let mut connection = daemon.connect()?;
        let [mut our_run, mut limit_run] = [(); 2].map(|()| Samples::default());
        for at in 0..=REPEATS {
            let took = remove(&mut connection, &generate::name(number))?;
            number += 1;
            if at == 0 { first.time(took) } else { our_run.time(took) }
        }
        let list: Vec<Value> = serde_json::from_slice(&connection.get("/v1.55/images/json")?.success()?)?;
        if list.len() != (images - number) as usize {
            return Err(format!("{} images are left of {images} after {number} were removed", list.len()).into());
        }
        daemon.stop()?;
        for _ in 0..REPEATS {
            limit_run.time(unlink_few(&work.join("few"))?);
        }
        later.push(our_run.median());
        limit.push(limit_run.median());
    }
    report.add(Row::new(&scope, "first removal of an image", Unit::Time, first).aim(aims::REMOVAL));
    report.add(Row::new(&scope, "removal of an image", Unit::Time, later).limit(limit).aim(aims::REMOVAL));
    Ok(())
}

/// Prunes all images.
pub fn prune_all(daemon: &Daemon, images: u32) -> Outcome<Duration> {
    let mut connection = daemon.connect()?;
    // {"dangling":["false"]}
    let answer = connection.send("POST", "/v1.55/images/prune?filters=%7B%22dangling%22%3A%5B%22false%22%5D%7D")?;
    let pruned: Value = serde_json::from_slice(&answer.success()?)?;
    let names = pruned["ImagesDeleted"].as_array().into_iter().flatten().filter(|item| item["Untagged"].is_string());
    match names.count() {
        count if count == images as usize => Ok(answer.took),
        count => Err(format!("{count} images of {images} are pruned").into()),
    }
}

/// The time to remove every file of a directory, with one sync at the end.
pub fn unlink_all(directory: &Path) -> Outcome<Duration> {
    let start = Instant::now();
    std::fs::remove_dir_all(directory)?;
    std::fs::create_dir(directory)?;
    File::open(directory)?.sync_all()?;
    Ok(start.elapsed())
}

/// Copies every file of a directory to a new one, and has the copies reach the disk.
pub fn copy_all(from: &Path, to: &Path) -> Outcome<()> {
    std::fs::create_dir(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    rustix::fs::sync();
    Ok(())
}

fn remove(connection: &mut Connection, name: &str) -> Outcome<Duration> {
    let answer = connection.send("DELETE", &format!("/v1.55/images/{name}"))?;
    let body = String::from_utf8(answer.success()?)?;
    match body.contains("\"Deleted\"") {
        true => Ok(answer.took),
        false => Err(format!("{name} was not deleted: {body}").into()),
    }
}

/// The time to remove as many files as an image has, and to write a record of it with one sync.
fn unlink_few(directory: &Path) -> Outcome<Duration> {
    std::fs::create_dir(directory)?;
    let path = |number: u32| directory.join(number.to_string());
    for number in 0..BLOBS {
        std::fs::write(path(number), [0; 1000])?;
    }
    let mut record = File::create(directory.join("record"))?;
    record.sync_all()?;
    File::open(directory)?.sync_all()?;
    let start = Instant::now();
    record.write_all(&[0; 4096])?;
    record.sync_data()?;
    for number in 0..BLOBS {
        std::fs::remove_file(path(number))?;
    }
    let took = start.elapsed();
    std::fs::remove_dir_all(directory)?;
    Ok(took)
}
