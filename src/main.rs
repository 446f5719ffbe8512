//! Arguments to configuration to daemon; the only place with exit codes: 0 done, 1 failed, 2 bad usage (a flag, its value or
//! the configuration file is wrong), 130 told twice to stop. For what answers a question (`check`, `verify`, …): 0 yes, 1 no,
//! 2 could not tell.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use loadline::cli;
use loadline::daemon::App;
use loadline::daemon::config::{Config, Environment};
use loadline::daemon::flags::{Cli, Command};
use loadline::daemon::{check, telemetry, wiring};
use loadline::domain::error::{Error, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// For blocking work that is under way when everything else has ended.
const LAST_WORK: Duration = Duration::from_secs(5);

const FAILED: u8 = 1;
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let environment = Environment::of_process();
    match command_line().command {
        Command::Serve(flags) => match Config::load(&flags, &environment) {
            Ok(config) => end(serve(config), FAILED),
            Err(error) => end(Err(error), USAGE),
        },
        Command::Check(flags) => match check::run(&flags, &environment) {
            Ok(sound) => ExitCode::from(u8::from(!sound)),
            Err(error) => end(Err(error), USAGE),
        },
        Command::Verify(flags) => answer(cli::verify(&flags)),
        Command::ImageVerifier(flags) => answer(cli::image_verifier(&flags)),
        Command::VerifyBundle(flags) => answer(cli::verify_bundle(&flags)),
        Command::Rules(cli::RulesCommand::Check(flags)) => answer(cli::check_rules(&flags)),
        Command::Openapi { api_version } => match wiring::openapi(api_version.as_deref()) {
            Ok(text) => end(print(&text), FAILED),
            Err(error) => end(Err(error), USAGE),
        },
        Command::Version => end(print(&format!("loadline {}\n", env!("CARGO_PKG_VERSION"))), FAILED),
    }
}

/// What stands on the command line. containerd calls this program by another name.
fn command_line() -> Cli {
    let given: Vec<OsString> = std::env::args_os().collect();
    Cli::parse_from(cli::image_verifier_arguments(&given).unwrap_or(given))
}

/// The status of what answers a question.
fn answer(answer: Result<cli::Answer>) -> ExitCode {
    match answer {
        Ok(answer) => ExitCode::from(answer.exit_status()),
        Err(error) => end(Err(error), USAGE),
    }
}

/// The status of the program; a failure is printed with every cause, since whoever starts it has to mend it.
fn end(done: Result<()>, failure: u8) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without the logger, which may not be there yet or may be silent at this level.
            let _ = writeln!(std::io::stderr(), "loadline: {}", error.chain());
            ExitCode::from(failure)
        }
    }
}

fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| Error::io("writing", error))
}

fn serve(config: Config) -> Result<()> {
    telemetry::start(config.log_level);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::internal("starting the runtime", error))?;
    let served = runtime.block_on(async {
        let mut signals = Signals::install()?;
        let (stop, stopped) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            signals.next().await;
            let _ = stop.send(());
            signals.next().await;
            std::process::exit(130);
        });
        let app = App::build(config).await?;
        app.run(async { stopped.await.unwrap_or_default() }).await
    });
    runtime.shutdown_timeout(LAST_WORK);
    served
}

/// What tells the daemon to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn install() -> Result<Self> {
        let install = |kind| signal(kind).map_err(|error| Error::internal("handling signals", error));
        Ok(Self { terminate: install(SignalKind::terminate())?, interrupt: install(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
