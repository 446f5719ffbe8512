//! L5: the commands beside `serve` that answer a question. Each has the same three exit statuses ([`Answer`]).

mod answer;
mod daemon;
mod rules;
mod verify;
mod verify_bundle;

pub use answer::Answer;
pub use rules::{RulesCheckFlags, RulesCommand, check_rules};
pub use verify::{ImageVerifierFlags, VerifyFlags, VerifyFormat, image_verifier, image_verifier_arguments, verify};
pub use verify_bundle::{VerifyBundleFlags, verify_bundle};
