//! How the daemon starts, what it refuses to take from others, and how it ends.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::daemon::{Daemon, Place, Process, loadline, under};
use crate::support::http::{Client, Open, Request};

/// What a daemon that cannot start says, with its status.
fn refusal(command: &mut Command) -> (Option<i32>, String) {
    let mut process = Process::spawn(command);
    let status = process.wait();
    (status.code(), process.log())
}

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_live_socket_is_refused() {
    let daemon = Daemon::start();
    let place = Place::new();
    let mut command = loadline();
    command.args(["serve", "--host"]).arg(format!("unix://{}", daemon.socket().display()));
    command.arg("--data-root").arg(place.data_root());
    let (status, text) = refusal(&mut command);
    assert_eq!(status, Some(1));
    assert!(text.contains(&format!("socket {} is in use by another process", daemon.socket().display())), "{text}");
    daemon.client().get("/_ping").expect(200);
}

#[test]
fn a_stale_socket_is_replaced() {
    let place = Daemon::start().kill();
    assert!(place.socket().exists());
    Daemon::start_in(place).stop();
}

#[test]
fn a_data_root_in_use_is_refused() {
    let daemon = Daemon::start();
    let place = Place::new();
    let mut command = loadline();
    command.args(["serve", "--host"]).arg(format!("unix://{}", place.socket().display()));
    command.arg("--data-root").arg(daemon.data_root());
    let (status, text) = refusal(&mut command);
    assert_eq!(status, Some(1));
    assert!(
        text.contains(&format!("data root {} is in use by another process", daemon.data_root().display())),
        "{text}"
    );
    assert!(!place.socket().exists());
}

#[test]
fn a_refusal_gives_its_reason_once() {
    let place = Place::new();
    let socket = format!("unix://{}", place.socket().display());
    let (status, text) = refusal(loadline().args(["serve", "--host", &socket, "--data-root", "/dev/null/data"]));
    assert_eq!(status, Some(1));
    assert_eq!(text.matches("Not a directory").count(), 1, "{text}");
    let (status, text) = refusal(loadline().args(["serve", "--host", "unix:///dev/null/s", "--data-root", "/tmp"]));
    assert_eq!(status, Some(1));
    assert_eq!(text.matches("Not a directory").count(), 1, "{text}");
}

#[test]
fn a_place_that_cannot_be_written_is_named_with_what_to_do() {
    let place = Place::new();
    let socket = format!("unix://{}", place.socket().display());
    let data = place.data_root();
    let (_, text) = refusal(loadline().args(["serve", "--host", "unix:///dev/null/s", "--data-root"]).arg(&data));
    assert!(text.contains("socket /dev/null/s cannot be made: directory /dev/null cannot be used"), "{text}");
    assert!(text.contains("give --host"), "{text}");
    // Even root cannot make a directory here.
    let (_, text) = refusal(loadline().args(["serve", "--host", &socket, "--data-root", "/proc/loadline"]));
    assert!(text.contains("data root /proc/loadline cannot be used"), "{text}");
    assert!(text.contains("give --data-root") && text.contains("creating /proc/loadline failed: "), "{text}");
}

#[test]
fn help_is_a_command_and_shows_the_defaults_that_matter() {
    let help = |arguments: &[&str]| {
        let output = loadline().args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(help(&["help"]).contains("serve"));
    for arguments in [&["help", "serve"][..], &["serve", "--help"]] {
        let text = help(arguments);
        for default in ["unix:///run/loadline.sock", "/var/lib/loadline", "$XDG_RUNTIME_DIR", "export DOCKER_HOST="] {
            assert!(text.contains(default), "{arguments:?} lacks {default}");
        }
    }
}

#[test]
fn a_start_after_a_crash_says_what_it_removed() {
    let daemon = Daemon::start().crash_and_restart();
    daemon.log_with("did not shut down cleanly; removed 0 unreferenced blobs (0 bytes)");
}

#[test]
fn sigterm_and_sigint_end_with_status_0_and_leave_no_socket() {
    for signal in [Signal::TERM, Signal::INT] {
        let daemon = Daemon::start();
        daemon.signal(signal);
        let (status, place) = daemon.wait();
        assert_eq!(status.code(), Some(0), "{signal:?}");
        assert_eq!(std::fs::read_dir(place.socket().parent().unwrap()).unwrap().count(), 0);
    }
}

#[test]
fn a_running_request_ends_before_the_daemon() {
    let daemon = Daemon::start();
    let request = Request::post("/images/load?quiet=1").header("content-type", "application/x-tar").body(vec![0; 1024]);
    let mut stream = daemon.client().connect().unwrap();
    stream.write_all(request.head().as_bytes()).unwrap();
    // The daemon has the head, or will find it waiting, when it is told to stop.
    std::thread::sleep(Duration::from_millis(200));
    daemon.signal(Signal::TERM);
    std::thread::sleep(Duration::from_millis(200));
    stream.write_all(&[0; 1024]).unwrap();
    let mut answer = Open::read(stream, "POST").unwrap();
    answer.body.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(daemon.wait().0.code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let daemon = Daemon::start();
    let request = Request::post("/images/load?quiet=1").header("content-type", "application/x-tar").body(vec![0; 1024]);
    let mut stream = daemon.client().connect().unwrap();
    stream.write_all(request.head().as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let start = Instant::now();
    daemon.signal(Signal::TERM);
    std::thread::sleep(Duration::from_millis(200));
    daemon.signal(Signal::TERM);
    assert_ne!(daemon.wait().0.code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn modes_do_not_depend_on_the_umask() {
    for umask in ["000", "077"] {
        let place = Place::new();
        let mut process = Process::spawn(&mut under(&format!("umask {umask}"), &place.command()));
        let start = Instant::now();
        while !place.socket().exists() || !place.data_root().exists() || !process.log().contains("listening") {
            assert!(process.status().is_none() && start.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(mode(&place.socket()), 0o660, "socket under umask {umask}");
        assert_eq!(mode(&place.data_root()), 0o700, "data root under umask {umask}");
        for entry in std::fs::read_dir(place.data_root()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                assert_eq!(mode(&path), 0o700, "{} under umask {umask}", path.display());
            }
        }
    }
}

#[test]
fn a_flood_of_connections_does_no_harm() {
    let place = Place::new();
    let mut process = Process::spawn(&mut under("ulimit -n 64", &place.command()));
    let client = Client::new(&place.socket());
    let ping = || client.try_send(&Request::get("/_ping")).is_ok_and(|answer| answer.status == 200);
    let answers = |process: &mut Process| {
        let start = Instant::now();
        while !ping() {
            assert!(process.status().is_none() && start.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    answers(&mut process);
    let silent: Vec<_> = (0..200).map(|_| client.connect().unwrap()).collect();
    std::thread::sleep(Duration::from_millis(300));
    drop(silent);
    answers(&mut process);
    let failed = process.log().matches("cannot be accepted").count();
    assert!(failed < 20, "{failed} failed attempts");
}

#[test]
fn several_sockets_serve_one_daemon() {
    let second = tempfile::tempdir().unwrap();
    let path = second.path().join("b.sock");
    let daemon = Daemon::start_with(&["-H", &format!("unix://{}", path.display())]);
    Client::new(&path).get("/_ping").expect(200);
    daemon.stop();
    assert!(!path.exists());
}

#[test]
fn an_unknown_key_is_named() {
    let place = Place::new();
    let file = place.path().join("daemon.json");
    std::fs::write(&file, r#"{"storage-drivers": "overlay2"}"#).unwrap();
    let (status, text) = refusal(place.command().arg("--config-file").arg(&file));
    assert_eq!(status, Some(2));
    assert!(text.contains(r#"unknown key: "storage-drivers""#) && text.contains("daemon.json"), "{text}");
}

#[test]
fn bad_usage_has_a_status_of_its_own() {
    for (arguments, part) in [
        (&["serve", "--colour", "red"][..], "--colour"),
        (&["serve", "--max-concurrent-downloads", "many"], "max-concurrent-downloads"),
        (&["serve", "--max-concurrent-downloads", "0"], "must be at least 1"),
        (&["serve", "--log-level", "loud"], "invalid log level"),
        (&["serve", "--host", "tcp://127.0.0.1:2375"], "tcp:// is not supported yet"),
        (&["serve", "--config-file", "/nonexistent/daemon.json"], "no such configuration file"),
        (&["check", "--config-file", "/nonexistent/daemon.json"], "no such configuration file"),
        (&["openapi", "--api-version", "0.1"], "is not served"),
    ] {
        let (status, text) = refusal(loadline().args(arguments));
        assert_eq!(status, Some(2), "{arguments:?}: {text}");
        assert!(text.contains(part), "{arguments:?}: {text}");
    }
}

#[test]
fn requests_are_logged_without_their_query() {
    let daemon = Daemon::start();
    daemon.client().get("/_ping?token=geheim").expect(200);
    super::pull::eventually("nothing is logged", || daemon.log().matches("/_ping").count() >= 2);
    assert!(!daemon.log().contains("geheim"), "{}", daemon.log());
}
