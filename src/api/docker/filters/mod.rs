//! Filters as Docker's clients write them, and what they mean to the engine.

mod events;
mod images;
mod parameter;
mod time;

pub use events::events;
pub use images::{listed, pruned};
pub use parameter::Filters;
pub use time::{parse_duration, parse_unix_timestamp};
