//! Measures the daemon as a client meets it, each figure beside the physical limit of the same machine in the same minute.
//!
//! `cargo bench --bench daemon -- small` measures 1,000 images of three platforms with attestations, `large` 10,000, `1g` one image of a
//! gibibyte and one of forty layers, `transfers` only their pull, push and save, `tags` tags while others load, `all` everything; `generate` writes the images to a file and
//! measures nothing. The table goes to standard output as Markdown, progress to standard error. The binary measured is the one cargo built
//! for this bench, or the one `LOADLINE_BIN` names.

mod aims;
mod answers;
mod client;
mod contents;
mod generate;
mod layout;
mod limits;
mod loads;
mod plain;
mod process;
mod registry;
mod removals;
mod report;
mod statements;
mod tags;
mod transfers;

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::generate::ManyImages;
use crate::report::Report;

/// Any failure ends the run: a figure measured around an error would be worse than none.
type Outcome<T> = Result<T, Box<dyn Error>>;

#[derive(Parser)]
#[command(name = "bench", about = "Measure the Loadline daemon beside the limits of the machine")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// 1,000 images of three platforms with attestations
    Small(Effort),
    /// 10,000 images of three platforms with attestations
    Large(Effort),
    /// One image of 1 GiB in four layers and one of forty small ones: load, pull, push, save
    #[command(name = "1g")]
    OneGibibyte(Effort),
    /// Of the same two images, pull, push and save only
    Transfers(Effort),
    /// Tags while eight clients load images
    Tags(Effort),
    /// Everything
    All(Effort),
    /// Write an OCI layout of synthetic images to a tar file
    Generate(Generate),
    /// Serve the image of an archive as a registry does, for the rows about pull and push
    #[command(hide = true)]
    Registry { archive: PathBuf },
}

/// Layers of the large image.
const LARGE_LAYERS: u64 = 4;

/// Layers of the image that has many, each of one MiB.
const MANY_LAYERS: u64 = 40;

/// How much is measured, and how often.
#[derive(Args, Clone)]
struct Effort {
    /// Alternated runs of ours and of the limit
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Measure with this many images instead of 1,000 or 10,000
    #[arg(long)]
    images: Option<u32>,
    /// Size of the large image
    #[arg(long, default_value_t = 1024)]
    mib: u64,
}

#[derive(Args)]
struct Generate {
    /// The file to write
    #[arg(long)]
    out: PathBuf,
    #[arg(long, default_value_t = 10)]
    images: u32,
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=generate::PLATFORMS.len() as i64))]
    platforms: u8,
    /// One image of --mib MiB of random data in --layers layers, without attestations, instead of many small ones
    #[arg(long)]
    large: bool,
    #[arg(long, default_value_t = 1024)]
    mib: u64,
    #[arg(long, default_value_t = LARGE_LAYERS)]
    layers: u64,
}

fn main() -> Outcome<()> {
    // `cargo bench` adds this flag to what the user wrote.
    let arguments = Arguments::parse_from(std::env::args().filter(|argument| argument != "--bench"));
    let report = match arguments.command {
        Command::Generate(wanted) => return write_archive(&wanted),
        Command::Registry { archive } => return registry::serve(&archive),
        Command::Small(effort) => many_images(&effort, &[1_000])?,
        Command::Large(effort) => many_images(&effort, &[10_000])?,
        Command::OneGibibyte(effort) => large_images(&effort, true)?,
        Command::Transfers(effort) => large_images(&effort, false)?,
        Command::Tags(effort) => tags(&effort)?,
        Command::All(effort) => {
            let mut report = many_images(&effort, &[1_000, 10_000])?;
            report.append(large_images(&effort, true)?);
            report.append(tags(&effort)?);
            report
        }
    };
    println!("{report}");
    Ok(())
}

fn write_archive(wanted: &Generate) -> Outcome<()> {
    if wanted.large {
        return generate::layered_image(&wanted.out, wanted.mib, wanted.layers);
    }
    let blobs =
        ManyImages { first: 0, images: wanted.images, platforms: wanted.platforms.into() }.write(&wanted.out)?;
    eprintln!("{} images, {blobs} blobs: {}", wanted.images, wanted.out.display());
    Ok(())
}

fn many_images(effort: &Effort, usual: &[u32]) -> Outcome<Report> {
    let chosen = effort.images.map(|images| vec![images]);
    let mut report = Report::default();
    for &images in chosen.as_deref().unwrap_or(usual) {
        let work = work_directory()?;
        let archive = work.path().join("images.tar");
        eprintln!("generating {images} images");
        ManyImages { first: 0, images, platforms: 3 }.write(&archive)?;
        let loaded = loads::measure(&mut report, &loads::Plan::many(&archive, images, effort.runs), work.path())?;
        answers::measure(&mut report, &loaded, images, effort.runs)?;
        removals::measure(&mut report, &loaded, images, effort.runs, work.path())?;
    }
    Ok(report)
}

fn large_images(effort: &Effort, with_load: bool) -> Outcome<Report> {
    let mut report = Report::default();
    for (mib, layers) in [(effort.mib, LARGE_LAYERS), (MANY_LAYERS, MANY_LAYERS)] {
        let work = work_directory()?;
        let archive = work.path().join("image.tar");
        eprintln!("generating an image of {mib} MiB in {layers} layers");
        generate::layered_image(&archive, mib, layers)?;
        let scope = format!("1 image of {mib} MiB in {layers} layers");
        if with_load && layers == LARGE_LAYERS {
            loads::measure(&mut report, &loads::Plan::large(&archive, &scope, effort.runs), work.path())?;
        }
        transfers::measure(&mut report, &archive, &scope, effort.runs, work.path())?;
    }
    Ok(report)
}

fn tags(effort: &Effort) -> Outcome<Report> {
    let mut report = Report::default();
    let work = work_directory()?;
    tags::measure(&mut report, effort.runs, work.path())?;
    Ok(report)
}

/// A directory on the disk that holds the build, because `/tmp` may be memory, where a sync costs nothing.
fn work_directory() -> Outcome<tempfile::TempDir> {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(parent)?;
    Ok(tempfile::Builder::new().prefix("bench-").tempdir_in(parent)?)
}
