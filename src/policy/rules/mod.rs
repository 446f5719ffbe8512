//! Rules: which images may come in, and by whose signature.
//!
//! The document is Talos' `ImageVerificationConfig`, in YAML or JSON, with keys of our own. Rules are tried from the top;
//! the first whose pattern matches decides.
//!
//! ```yaml
//! apiVersion: v1alpha1
//! kind: ImageVerificationConfig
//! rules:
//!   - image: registry.example/team/*
//!     keyless: {issuer: "https://issuer.example", subject: someone@example.org}
//!   - {image: "*", deny: true}
//! ```

mod document;
mod fields;
mod pattern;
mod requirement;
mod rule;
mod yaml;

pub use pattern::Pattern;
pub use rule::{Action, Decision, Platforms, Rule, Rules};

#[cfg(test)]
mod tests;
