//! Rows about answers: start-up, the first and the repeated list, inspect, attestations.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::Outcome;
use crate::aims;
use crate::client::{Connection, get_request};
use crate::generate;
use crate::limits::Echo;
use crate::process::Daemon;
use crate::report::{Report, Row, Samples, Unit};

const LISTS: [(&str, &str); 2] =
    [("1.55", "/v1.55/images/json?manifests=1"), ("1.44", "/v1.44/images/json?manifests=1")];

/// Exchanges in one run of a repeated row; the run's figure is their median.
const REPEATS: u32 = 5;
const SMALL_REPEATS: u32 = 100;

const REST: Duration = Duration::from_secs(2);

/// Measures a data root that holds this many generated images.
pub fn measure(report: &mut Report, data_root: &Path, images: u32, runs: u32) -> Outcome<()> {
    let scope = format!("{images} images");
    starts(report, data_root, &scope, images, runs)?;
    let daemon = Daemon::start(data_root)?;
    let mut connection = daemon.connect()?;
    for (version, path) in LISTS {
        eprintln!("{scope}: repeated list at {version}");
        let (ours, limit) = repeated(&mut connection, |_| path.to_owned(), runs, REPEATS)?;
        report.add(
            Row::new(&scope, &format!("repeated list at {version}"), Unit::Time, ours)
                .limit(limit)
                .aim(aims::list(images)),
        );
    }
    // Every exchange asks for another image, so that no answer is the one just given.
    let name = |at: u32| generate::name(at.wrapping_mul(7919) % images);
    eprintln!("{scope}: inspect and attestations");
    let inspect = |at| format!("/v1.55/images/{}/json?manifests=1", name(at));
    let attest = |at| format!("/v1.55/images/{}/attestations?statement=1", name(at));
    check_attestations(&connection.get(&attest(0))?.success()?)?;
    let (ours, limit) = repeated(&mut connection, inspect, runs, SMALL_REPEATS)?;
    report.add(Row::new(&scope, "inspect with manifests", Unit::Time, ours).limit(limit).aim(aims::SMALL_ANSWER));
    let (ours, limit) = repeated(&mut connection, attest, runs, SMALL_REPEATS)?;
    report.add(Row::new(&scope, "attestations with statements", Unit::Time, ours).limit(limit).aim(aims::SMALL_ANSWER));
    daemon.stop()
}

/// Start-up, the first list after it and the memory then; each run and version has a daemon of its own.
fn starts(report: &mut Report, data_root: &Path, scope: &str, images: u32, runs: u32) -> Outcome<()> {
    let (mut start, mut rest) = (Samples::default(), Samples::default());
    let mut firsts = LISTS.map(|(version, path)| (version, path, Samples::default(), Samples::default()));
    for run in 0..runs {
        eprintln!("{scope}: start and first list, run {} of {runs}", run + 1);
        for (version, path, ours, limit) in &mut firsts {
            let daemon = Daemon::start(data_root)?;
            start.time(daemon.started_in);
            let mut connection = daemon.connect()?;
            let answer = connection.get(path)?;
            ours.time(answer.took);
            check_list(&answer.success()?, images, *version == "1.55")?;
            let mut echo = Echo::new(get_request(path), answer.wire.to_vec())?;
            // The first exchange grows the receive buffer, which the daemon's client has had to do as well.
            limit.time(echo.exchange()?);
            if *version == "1.55" {
                std::thread::sleep(REST);
                rest.size(daemon.memory("VmRSS")?);
            }
            daemon.stop()?;
        }
    }
    report.add(Row::new(scope, "start-up", Unit::Time, start).aim(aims::start(images)));
    report.add(Row::new(scope, "memory at rest after start and list", Unit::Memory, rest).aim(aims::rest(images)));
    for (version, _, ours, limit) in firsts {
        let what = format!("first list at {version}");
        report.add(Row::new(scope, &what, Unit::Time, ours).limit(limit).aim(aims::list(images)));
    }
    Ok(())
}

/// Alternates runs of ours and of the limit for the same bytes.
fn repeated(
    connection: &mut Connection,
    path: impl Fn(u32) -> String,
    runs: u32,
    repeats: u32,
) -> Outcome<(Samples, Samples)> {
    let first = path(0);
    let warm = connection.get(&first)?;
    warm.success()?;
    let mut echo = Echo::new(get_request(&first), warm.wire.to_vec())?;
    echo.exchange()?;
    let (mut ours, mut limit) = (Samples::default(), Samples::default());
    for run in 0..runs {
        let (mut our_run, mut limit_run) = (Samples::default(), Samples::default());
        for at in 0..repeats {
            let answer = connection.get(&path(run * repeats + at))?;
            if answer.status != 200 {
                answer.success()?;
            }
            our_run.time(answer.took);
        }
        for _ in 0..repeats {
            limit_run.time(echo.exchange()?);
        }
        ours.push(our_run.median());
        limit.push(limit_run.median());
    }
    Ok((ours, limit))
}

/// A fast wrong answer is no figure: every image must be there and, in the newest shape, its evidence.
fn check_list(body: &[u8], images: u32, with_evidence: bool) -> Outcome<()> {
    let list: Vec<Value> = serde_json::from_slice(body)?;
    if list.len() != images as usize {
        return Err(format!("the list holds {} images of {images}", list.len()).into());
    }
    for image in list.iter().filter(|_| with_evidence) {
        let manifests = image["Manifests"].as_array().ok_or("an image without manifests")?;
        let statements: usize = manifests
            .iter()
            .filter_map(|manifest| Some(manifest["AttestationData"]["Statements"].as_array()?.len()))
            .sum();
        if (manifests.len(), statements) != (6, 6) {
            let found = format!("{} manifests and {statements} statements", manifests.len());
            return Err(format!("{} shows {found} instead of 6 and 6", image["Id"]).into());
        }
    }
    Ok(())
}

fn check_attestations(body: &[u8]) -> Outcome<()> {
    let attestations: Vec<Value> = serde_json::from_slice(body)?;
    match attestations.iter().filter(|attestation| attestation["Statement"]["predicateType"].is_string()).count() {
        2 => Ok(()),
        count => Err(format!("{count} statements instead of 2").into()),
    }
}
