//! Starts the daemon as it was built, in a directory of its own.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use super::http::{Client, Request};

const START_LIMIT: Duration = Duration::from_secs(30);
const END_LIMIT: Duration = Duration::from_secs(30);

/// A daemon that answers. Dropping it kills it and removes what it left; if the test fails, its log is printed.
pub struct Daemon {
    process: Process,
    place: Place,
}

/// The directory of a daemon: its socket and its data root. Outlives the daemon across restarts.
pub struct Place {
    directory: TempDir,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

/// The running binary.
pub struct Process {
    child: Child,
    log: Arc<Mutex<String>>,
    reader: Option<std::thread::JoinHandle<()>>,
}

/// Has each blob kept in a file of its own.
pub const UNPACKED: &[&str] = &["--max-packed-blob-size", "0"];

impl Daemon {
    /// A daemon on an empty data root.
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, with each blob in a file of its own, for tests that look at files.
    #[track_caller]
    pub fn start_unpacked() -> Self {
        Self::start_with(UNPACKED)
    }

    /// The same with more arguments.
    #[track_caller]
    pub fn start_with(arguments: &[&str]) -> Self {
        Self::start_in(Place::with(arguments, &[]))
    }

    /// The same with a variable in its environment.
    #[track_caller]
    pub fn start_with_variable(name: &str, value: &str) -> Self {
        Self::start_in(Place::with(&[], &[(name, value)]))
    }

    /// A daemon on what an earlier one may have left.
    #[track_caller]
    pub fn start_in(place: Place) -> Self {
        let process = Process::spawn(&mut place.command());
        let mut daemon = Self { process, place };
        daemon.wait_until_ready();
        daemon
    }

    #[track_caller]
    fn wait_until_ready(&mut self) {
        let start = Instant::now();
        let client = self.client();
        while !client.try_send(&Request::get("/_ping")).is_ok_and(|answer| answer.status == 200) {
            assert!(self.process.status().is_none(), "the daemon ended at its start");
            assert!(start.elapsed() < START_LIMIT, "the daemon does not answer");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn client(&self) -> Client {
        Client::new(&self.socket())
    }

    pub fn socket(&self) -> PathBuf {
        self.place.socket()
    }

    pub fn data_root(&self) -> PathBuf {
        self.place.data_root()
    }

    pub fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// What the daemon has written to standard error so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The same once it holds a text. The reader of the log may be behind the daemon's answers.
    #[track_caller]
    pub fn log_with(&self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let log = self.log();
            if log.contains(text) {
                return log;
            }
            assert!(start.elapsed() < START_LIMIT, "the log never holds {text:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends the daemon as `kill -9` does; what it wrote stays.
    #[track_caller]
    pub fn kill(self) -> Place {
        let Self { mut process, place } = self;
        process.signal(Signal::KILL);
        process.wait();
        place
    }

    /// Asks the daemon to end, and expects that it does so with status 0.
    #[track_caller]
    pub fn stop(self) -> Place {
        let Self { mut process, place } = self;
        process.signal(Signal::TERM);
        let status = process.wait();
        assert!(status.success(), "the daemon ended with {status}");
        place
    }

    /// Sends a signal and leaves the rest to the test.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits for the end of a daemon that was told to end.
    #[track_caller]
    pub fn wait(self) -> (ExitStatus, Place) {
        let Self { mut process, place } = self;
        (process.wait(), place)
    }

    /// Kills the daemon and starts another one on what is left.
    #[track_caller]
    pub fn crash_and_restart(self) -> Self {
        Self::start_in(self.kill())
    }
}

impl Place {
    pub fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("loadline").tempdir().unwrap();
        Self { directory, arguments: Vec::new(), environment: Vec::new() }
    }

    /// One whose daemons get more arguments and variables.
    pub fn with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let arguments = arguments.iter().map(|argument| argument.to_string()).collect();
        let environment = environment.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Self { arguments, environment, ..Self::new() }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn socket(&self) -> PathBuf {
        self.path().join("run/loadline.sock")
    }

    pub fn data_root(&self) -> PathBuf {
        self.path().join("data")
    }

    /// Starts a daemon here and ends it as `kill -9` does after so long, whether it answers by then or not.
    #[track_caller]
    pub fn kill_start(self, after: Duration) -> Self {
        let mut process = Process::spawn(&mut self.command());
        std::thread::sleep(after);
        assert!(process.status().is_none(), "the daemon ended at its start");
        process.signal(Signal::KILL);
        process.wait();
        self
    }

    /// How long a daemon takes here from its start to its first answer.
    #[track_caller]
    pub fn start_time(self) -> Duration {
        let start = Instant::now();
        let _daemon = Daemon::start_in(self);
        start.elapsed()
    }

    /// `loadline serve` for this place. Nothing of the surroundings leaks in.
    pub fn command(&self) -> Command {
        let mut command = loadline();
        command.args(["serve", "--debug", "--host"]).arg(format!("unix://{}", self.socket().display()));
        command.arg("--data-root").arg(self.data_root()).args(&self.arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// The binary, in an empty environment.
pub fn loadline() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadline"));
    command.env_clear().stdin(Stdio::null());
    command
}

/// A command after a shell's `umask` or `ulimit`, which a process can only set for itself.
pub fn under(setting: &str, command: &Command) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(format!("{setting}; exec \"$0\" \"$@\"")).arg(command.get_program()).args(command.get_args());
    shell.env_clear().stdin(Stdio::null());
    shell
}

impl Process {
    /// Starts a command and collects what it writes to standard error.
    pub fn spawn(command: &mut Command) -> Self {
        // In a group of its own, so that an interrupt of the test run does not reach it before its test does.
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, written) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&log));
        let reader = std::thread::spawn(move || {
            for line in lines.split(b'\n').map_while(Result::ok) {
                let mut log = written.lock();
                log.push_str(&String::from_utf8_lossy(&line));
                log.push('\n');
            }
        });
        Self { child, log, reader: Some(reader) }
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// The status of a process that has ended; `None` while it runs.
    pub fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for the end.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.status() {
                self.reader.take().map(std::thread::JoinHandle::join);
                return status;
            }
            assert!(start.elapsed() < END_LIMIT, "the process does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn log(&self) -> String {
        self.log.lock().clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            self.reader.take().map(std::thread::JoinHandle::join);
            eprintln!("--- log of the daemon\n{}---", self.log());
        }
    }
}
