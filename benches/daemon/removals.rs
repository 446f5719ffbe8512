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
        let mut our_run = Samples::default();
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
        later.push(our_run.median());
        limit.push(unlink_few(&work.join("few"))?.median());
    }
    report.add(Row::new(&scope, "first removal of an image", Unit::Time, first));
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

/// The times to write a record with one sync and remove as many files as an image has, again and again. What the disk has
/// to do about files that are gone is waited for by the next sync, as it is in the daemon.
fn unlink_few(directory: &Path) -> Outcome<Samples> {
    std::fs::create_dir(directory)?;
    let path = |image: u32, blob: u32| directory.join(format!("{image}-{blob}"));
    for (image, blob) in (0..REPEATS).flat_map(|image| (0..BLOBS).map(move |blob| (image, blob))) {
        std::fs::write(path(image, blob), [0; 1000])?;
    }
    let mut record = File::create(directory.join("record"))?;
    rustix::fs::sync();
    let mut times = Samples::default();
    for image in 0..REPEATS {
        let start = Instant::now();
        record.write_all(&[0; 4096])?;
        record.sync_data()?;
        for blob in 0..BLOBS {
            std::fs::remove_file(path(image, blob))?;
        }
        times.time(start.elapsed());
    }
    std::fs::remove_dir_all(directory)?;
    Ok(times)
}
