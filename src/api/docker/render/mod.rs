//! Answers in the form in which clients read them. The types are both what is written and what the document describes,
//! so that the two cannot part.

pub mod attestation;
pub mod binary;
pub mod config;
pub mod descriptor;
pub mod detail;
pub mod event;
pub mod grammar;
pub mod history;
pub mod identity;
pub mod manifest;
pub mod message;
mod names;
pub mod removed;
pub mod summary;
pub mod usage;
pub mod verification;

#[cfg(test)]
mod tests;
