//! The daemon as Docker's clients see it.

mod attestations;
mod content;
mod disk;
mod events;
mod hostile;
mod images;
mod import;
mod inspect;
mod interrupted;
mod lifecycle;
mod list;
mod load;
mod names;
mod operations;
mod parallel;
mod prune;
mod pull;
mod push;
mod replay;
mod save;
mod search;
mod system;
mod verify;
