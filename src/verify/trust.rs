//! What verification goes by.

use super::Checked;
use super::roots::TrustRoots;
use crate::domain::PublicKey;

/// The earliest time that a clock can show, in seconds since the Unix epoch: no program with this code is older. A clock
/// before it is wrong, and would take expired certificates for valid ones.
pub const EARLIEST_CLOCK: i64 = 1_793_491_200;

/// What verification goes by: nothing else is believed.
#[derive(Clone, Copy)]
pub struct Trust<'a> {
    /// Roots for certificates and logs.
    pub roots: &'a TrustRoots,
    /// The keys that a rule or a user names. No key is ever taken from what is verified.
    pub keys: &'a [PublicKey],
    /// Seconds since the Unix epoch.
    pub now: i64,
}

impl Trust<'_> {
    /// Checks that the clock can be right.
    ///
    /// # Errors
    /// The reason, where it cannot.
    pub(super) fn check_clock(&self) -> Checked<()> {
        if self.now < EARLIEST_CLOCK {
            return Err(format!(
                "the clock is wrong: it shows {} s since 1970, before this program was built",
                self.now
            ));
        }
        Ok(())
    }

    /// Checks that no verified time is in the future.
    ///
    /// # Errors
    /// The reason, where one is.
    pub(super) fn check_times(&self, times: &[i64]) -> Checked<()> {
        match times.iter().find(|time| **time > self.now) {
            Some(time) => Err(format!("it was signed in the future: at {time} s since 1970, and now is {}", self.now)),
            None => Ok(()),
        }
    }
}
