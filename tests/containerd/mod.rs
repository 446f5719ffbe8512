//! The daemon as containerd clients see it.

pub mod content;
