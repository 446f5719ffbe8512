//! Admission by the administrator's rules.

mod reload;
mod rules;

pub use rules::{RulesAdmission, Verify};
