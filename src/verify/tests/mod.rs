//! Signatures by real signers and by the conformance suite, whole and spoilt.

mod conformance;

use std::time::{SystemTime, UNIX_EPOCH};

/// The clock as it is: `sigstore-verify` reads it too.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}
