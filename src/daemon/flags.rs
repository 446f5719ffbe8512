//! The command line, in dockerd's words where dockerd has one.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::settings::Settings;
use crate::cli::{ImageVerifierFlags, RulesCommand, VerifyBundleFlags, VerifyFlags};

/// What stands on the command line.
#[derive(Debug, Parser)]
#[command(name = "loadline", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the binary can be told to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon until SIGTERM or SIGINT
    #[command(after_help = SERVE_HELP)]
    Serve(Box<Flags>),
    /// Verify a data root that no daemon uses: blobs against digests, names against blobs
    #[command(after_help = CHECK_HELP)]
    Check(CheckFlags),
    /// Verify that an image that the daemon has is signed
    #[command(after_help = VERIFY_HELP)]
    Verify(Box<VerifyFlags>),
    /// Answer containerd whether an image may be pulled, by the daemon's rules
    #[command(after_help = IMAGE_VERIFIER_HELP)]
    ImageVerifier(ImageVerifierFlags),
    /// Verify that a file is signed, by a Sigstore bundle; needs no daemon and no network
    #[command(after_help = VERIFY_BUNDLE_HELP)]
    VerifyBundle(VerifyBundleFlags),
    /// Look at verification rules; needs no daemon
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Print the OpenAPI document of an API version
    Openapi {
        /// The version, such as 1.47 [default: the newest]
        #[arg(long, value_name = "VERSION")]
        api_version: Option<String>,
    },
    /// Print the version of Loadline
    Version,
}

/// The flags of `check`.
#[derive(Args, Clone, Debug)]
pub struct CheckFlags {
    /// Directory of the images [default: that of `serve`]
    #[arg(long, value_name = "DIR")]
    pub data_root: Option<PathBuf>,

    /// Configuration file that names the directory [default: /etc/loadline/daemon.json]
    #[arg(long, value_name = "FILE")]
    pub config_file: Option<PathBuf>,

    /// Repair what can be repaired; without it, nothing is written
    #[arg(long)]
    pub repair: bool,

    /// Compare sizes only; do not read blobs
    #[arg(long, conflicts_with = "deep")]
    pub quick: bool,

    /// Also unpack layers and compare them with the diff IDs in the image's configuration
    #[arg(long)]
    pub deep: bool,

    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A line for each finding, then a summary
    Text,
    /// A JSON object for each finding, then one for the summary
    Json,
}

const CHECK_HELP: &str = "\
Each line: fault or leftover, kind, subject, details. Leftovers come from an interrupted daemon; its next start or a prune
removes them. A repair removes corrupt blobs, so that they can be pulled or loaded again, and drops records and names that
point at nothing. Intact content that is recorded is never removed.

Exit status: 0 no faults, or all repaired; 1 faults remain; 2 the data root could not be checked (it is in use, is not a
data root, cannot be read, or its database is damaged beyond repair).";

const VERIFY_HELP: &str = "\
Exit status: 0 verified; 1 not verified; 2 it could not be told (the daemon does not answer, or has no such image).";

const IMAGE_VERIFIER_HELP: &str = "\
containerd calls it as a verifier plugin, by the name loadline-image-verifier. The daemon is the one at DOCKER_HOST.

Exit status: 0 the image may be pulled; 1 it may not; 2 it could not be told, and containerd refuses it.";

const VERIFY_BUNDLE_HELP: &str = "\
Exit status: 0 verified; 1 not verified; 2 it could not be told (a file cannot be read, a key is malformed).";

const SERVE_HELP: &str = "\
Each setting may be given here or in the configuration file, but not in both. To reach the daemon:

  export DOCKER_HOST=unix:///run/loadline.sock    (docker CLI and SDKs)
  ctr --address /run/loadline.sock content ls     (containerd's client)";

/// The flags of `serve`. A flag that is absent leaves the choice to the configuration file, then to the default.
#[derive(Args, Clone, Debug, Default)]
pub struct Flags {
    /// Those that are settings.
    #[command(flatten)]
    pub settings: Settings,

    /// Configuration file, JSON with the keys of daemon.json [default: /etc/loadline/daemon.json]
    #[arg(long, value_name = "FILE")]
    pub config_file: Option<PathBuf>,
}
