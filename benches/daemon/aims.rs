//! What the project wants to reach on two cores. Images are counted; what has no aim says nothing.

pub const EMPTY_REST: &str = "under 20 MiB";
pub const SMALL_ANSWER: &str = "under 1 ms";
pub const LARGE_LOAD: &str = "ratio under 1.5";
pub const LARGE_PEAK: &str = "under 64 MiB";
pub const TRANSFER: &str = "ratio under 1.3";
pub const REMOVAL: &str = "under 10 ms";

pub fn load(images: u32) -> &'static str {
    if images == 1_000 { "under 8 s" } else { "" }
}

pub fn start(images: u32) -> &'static str {
    if images == 1_000 { "under 150 ms" } else { "" }
}

pub fn list(images: u32) -> &'static str {
    match images {
        1_000 => "under 15 ms",
        10_000 => "under 200 ms",
        _ => "",
    }
}

pub fn rest(images: u32) -> &'static str {
    match images {
        1_000 => "under 60 MiB",
        10_000 => "under 400 MiB",
        _ => "",
    }
}
