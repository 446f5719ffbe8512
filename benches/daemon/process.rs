//! The daemon under measurement, as a process of its own.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Outcome;
use crate::client::Connection;

const START_LIMIT: Duration = Duration::from_secs(120);
const STOP_LIMIT: Duration = Duration::from_secs(30);
const START_POLL: Duration = Duration::from_micros(500);

/// A running daemon; dropped without [`Daemon::stop`] it is killed.
pub struct Daemon {
    child: Child,
    socket: PathBuf,
    // Removes the socket's directory when the daemon is gone.
    _directory: tempfile::TempDir,
    /// From before the process was made to its first answer to `_ping`.
    pub started_in: Duration,
}

impl Daemon {
    /// Starts a daemon on a data root and waits until it answers.
    pub fn start(data_root: &Path) -> Outcome<Daemon> {
        // In the temporary directory, because a socket's path must be short.
        let directory = tempfile::Builder::new().prefix("loadline-bench-").tempdir()?;
        let socket = directory.path().join("loadline.sock");
        let log = File::create(directory.path().join("log"))?;
        let mut command = Command::new(binary());
        command.arg("serve").arg("-H").arg(format!("unix://{}", socket.display()));
        command.arg("--data-root").arg(data_root);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let start = Instant::now();
        let mut daemon = Daemon { child: command.spawn()?, socket, _directory: directory, started_in: Duration::ZERO };
        while !daemon.answers_ping() {
            if let Some(status) = daemon.child.try_wait()? {
                return Err(format!("the daemon ended with {status}: {}", daemon.log()).into());
            }
            if start.elapsed() > START_LIMIT {
                return Err(format!("the daemon does not answer: {}", daemon.log()).into());
            }
            std::thread::sleep(START_POLL);
        }
        daemon.started_in = start.elapsed();
        Ok(daemon)
    }

    pub fn connect(&self) -> Outcome<Connection> {
        Ok(Connection::open(&self.socket)?)
    }

    /// A size from the kernel's account of the process, in MiB: `VmRSS` is what is resident, `VmHWM` the most that ever was.
    pub fn memory(&self, field: &str) -> Outcome<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("no such field in /proc")?;
        let kibibytes: f64 = line.trim_start_matches(':').trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes / 1024.0)
    }

    /// How long processors have worked for the daemon.
    pub fn processor_time(&self) -> Outcome<Duration> {
        processor_time(&self.child.id().to_string())
    }

    /// Asks the daemon to end and waits for it; an exit that is not clean is an error.
    pub fn stop(mut self) -> Outcome<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let start = Instant::now();
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => {
                    let how = status.signal().map_or_else(|| status.to_string(), |signal| format!("signal {signal}"));
                    return Err(format!("the daemon ended with {how}: {}", self.log()).into());
                }
                None if start.elapsed() > STOP_LIMIT => return Err("the daemon does not end".into()),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn answers_ping(&self) -> bool {
        Connection::open(&self.socket)
            .is_ok_and(|mut connection| connection.get("/_ping").is_ok_and(|answer| answer.status == 200))
    }

    fn log(&self) -> String {
        let text = std::fs::read_to_string(self.socket.with_file_name("log")).unwrap_or_default();
        text.lines().rev().take(5).collect::<Vec<_>>().join(" | ")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail only where the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How long processors have worked for a process, in its own code and in the kernel.
pub fn processor_time(process: &str) -> Outcome<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name before it may hold spaces.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks: Result<Vec<u64>, _> = fields.split_whitespace().skip(11).take(2).map(str::parse).collect();
    // Linux tells user space a hundred of a second, whatever it counts itself.
    Ok(Duration::from_millis(10 * ticks?.iter().sum::<u64>()))
}

fn binary() -> PathBuf {
    std::env::var_os("LOADLINE_BIN").map_or_else(|| env!("CARGO_BIN_EXE_loadline").into(), PathBuf::from)
}
