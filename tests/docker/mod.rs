//! The daemon as Docker's clients see it.

mod lifecycle;
mod replay;
