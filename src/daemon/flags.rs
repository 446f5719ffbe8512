//! The command line, in dockerd's words where dockerd has one.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::settings::Settings;

/// What stands on the command line.
#[derive(Debug, Parser)]
#[command(name = "loadline", version, about, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the binary can be told to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon until SIGTERM or SIGINT
    Serve(Box<Flags>),
    /// Verify a data root that no daemon uses: content against digests, names against content
    #[command(after_help = CHECK_HELP)]
    Check(CheckFlags),
    /// Print the OpenAPI document of an API version
    Openapi {
        /// The version, such as 1.47; the newest where absent
        #[arg(long, value_name = "VERSION")]
        api_version: Option<String>,
    },
    /// Print the version of Loadline
    Version,
}

/// The flags of `check`.
#[derive(Args, Clone, Debug)]
pub struct CheckFlags {
    /// The directory that holds the images [default: that of `serve`]
    #[arg(long, value_name = "DIR")]
    pub data_root: Option<PathBuf>,

    /// The configuration file that names the directory [default: /etc/loadline/daemon.json]
    #[arg(long, value_name = "FILE")]
    pub config_file: Option<PathBuf>,

    /// Put right what can be; without it nothing is written
    #[arg(long)]
    pub repair: bool,

    /// Compare sizes only, and do not read blobs
    #[arg(long, conflicts_with = "deep")]
    pub quick: bool,

    /// Unpack layers as well, and compare them with the diff IDs in their image's configuration
    #[arg(long)]
    pub deep: bool,

    /// How to print what is found
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
Each line is a fault or a leftover (what an interrupted daemon leaves and its next start, or a prune, sees to), its kind,
what it is about, and what is the matter. A repair removes what is corrupt, so that it can be pulled or loaded again, drops
records and names that lead to nothing, and takes nothing away that is sound and recorded.

Exit status: 0 no fault, or none is left; 1 faults are left; 2 the data root could not be checked (it is in use, it is none,
it cannot be read, or its database is damaged beyond repair).";

/// The flags of `serve`. A flag that is absent leaves the choice to the configuration file, then to the default.
#[derive(Args, Clone, Debug, Default)]
pub struct Flags {
    /// Those that are settings.
    #[command(flatten)]
    pub settings: Settings,

    /// The configuration file (JSON) [default: /etc/loadline/daemon.json]
    #[arg(long, value_name = "FILE")]
    pub config_file: Option<PathBuf>,
}
