//! The daemon as Docker's clients see it.

mod attestations;
mod content;
mod disk;
mod hostile;
mod inspect;
mod lifecycle;
mod list;
mod load;
mod pull;
mod replay;
mod system;
