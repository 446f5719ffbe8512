//! The daemon as Docker's clients see it.

mod events;
mod images;
mod lifecycle;
mod names;
mod prune;
mod replay;
