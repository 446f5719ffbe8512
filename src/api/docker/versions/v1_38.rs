//! API 1.38. What is not known of the host is called so.

use super::record::Record;

pub(super) const RECORD: Record = Record {
    minor: 38,
    note: "changes to swarm and secrets only",
    parameters: &[],
    step: |shape| shape.system.to_v1_38(),
    document: |_| {},
};
