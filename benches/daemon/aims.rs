//! What the project wants to reach on two cores. Images are counted; what has no aim says nothing.

use std::fmt::{self, Display};

/// What a row's median is to stay below.
#[derive(Clone, Copy)]
pub enum Aim {
    Milliseconds(f64),
    Mebibytes(f64),
    /// Times the limit.
    Ratio(f64),
}

pub const EMPTY_REST: Aim = Aim::Mebibytes(20.0);
pub const SMALL_ANSWER: Aim = Aim::Milliseconds(1.0);
pub const LARGE_LOAD: Aim = Aim::Ratio(1.5);
pub const LARGE_PEAK: Aim = Aim::Mebibytes(64.0);
pub const TRANSFER: Aim = Aim::Ratio(1.3);
pub const REMOVAL: Aim = Aim::Milliseconds(10.0);
pub const TAG: Aim = Aim::Ratio(1.5);

pub fn load(images: u32) -> Option<Aim> {
    (images == 1_000).then_some(Aim::Milliseconds(8_000.0))
}

pub fn start(images: u32) -> Option<Aim> {
    (images == 1_000).then_some(Aim::Milliseconds(150.0))
}

pub fn list(images: u32) -> Option<Aim> {
    match images {
        1_000 => Some(Aim::Milliseconds(15.0)),
        10_000 => Some(Aim::Milliseconds(200.0)),
        _ => None,
    }
}

pub fn rest(images: u32) -> Option<Aim> {
    match images {
        1_000 => Some(Aim::Mebibytes(60.0)),
        10_000 => Some(Aim::Mebibytes(400.0)),
        _ => None,
    }
}

impl Aim {
    /// Whether a median, and its ratio to the limit, reach it. A figure that is not there reaches nothing.
    pub fn is_reached(self, median: f64, ratio: Option<f64>) -> bool {
        match self {
            Aim::Milliseconds(most) | Aim::Mebibytes(most) => median < most,
            Aim::Ratio(most) => ratio.is_some_and(|ratio| ratio < most),
        }
    }
}

impl Display for Aim {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Aim::Milliseconds(most) if *most >= 1e3 => write!(out, "under {} s", most / 1e3),
            Aim::Milliseconds(most) => write!(out, "under {most} ms"),
            Aim::Mebibytes(most) => write!(out, "under {most} MiB"),
            Aim::Ratio(most) => write!(out, "ratio under {most}"),
        }
    }
}
