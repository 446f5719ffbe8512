//! What a rule wants, as it is written.

use super::fields::Fields;
use super::yaml::{Node, at};
use crate::domain::verification::{AttestationRequirement, Identities, Identity, Requirement, Subject, Tlog};
use crate::domain::{PublicKey, Result};

/// The most identities or attestations that one rule may name.
const MOST: usize = 64;

/// Reads the requirement of a rule; `None` where it has none of the keys that make one.
pub(super) fn read(rule: &Fields<'_>) -> Result<Option<Requirement>> {
    let signers = [rule.get("keyless"), rule.get("publicKey"), rule.get("identities")];
    let attestations = attestations(rule)?;
    let tlog = rule.word("tlog", &["required", "optional"])?;
    let identities = match signers {
        [Some(node), None, None] => Identities::Any(vec![keyless(node)?]),
        [None, Some(node), None] => Identities::Any(vec![public_key(node)?]),
        [None, None, Some(node)] => identities(node)?,
        [None, None, None] => {
            return match attestations.is_empty() && tlog.is_none() {
                true => Ok(None),
                false => Err(rule.error("attestations and tlog need keyless, publicKey or identities beside them")),
            };
        }
        _ => return Err(rule.error("a rule has one of keyless, publicKey and identities")),
    };
    let tlog = match tlog {
        Some(0) => Tlog::Required,
        Some(_) => Tlog::Optional,
        // As in Talos: a key is trusted by itself, a certificate by the log that shows when it was used.
        None if identities.as_slice().iter().all(|identity| matches!(identity, Identity::Key(_))) => Tlog::Optional,
        None => Tlog::Required,
    };
    Ok(Some(Requirement { identities, tlog, attestations }))
}

fn keyless(node: &Node) -> Result<Identity> {
    let fields = Fields::of(node, "keyless", &["issuer", "subject", "subjectRegex"])?;
    let issuer = fields.needed_text("issuer")?.to_owned();
    let regex = match fields.text("subjectRegex")? {
        Some(text) => {
            let line = fields.get("subjectRegex").map_or(node.line, |node| node.line);
            Some(Subject::Regex(text.parse().map_err(|error| at(line, format!("subjectRegex: {error}")))?))
        }
        None => None,
    };
    let subject = match (fields.text("subject")?, regex) {
        // Talos wants both to match, so that the one text is all that can.
        (Some(exact), Some(regex)) if !regex.matches(exact) => {
            return Err(fields.error("subjectRegex does not match subject, so that no signature ever could"));
        }
        (Some(exact), _) => Subject::Exact(exact.to_owned()),
        (None, Some(regex)) => regex,
        (None, None) => return Err(fields.error("keyless needs subject or subjectRegex")),
    };
    Ok(Identity::Keyless { issuer, subject })
}

fn public_key(node: &Node) -> Result<Identity> {
    let fields = Fields::of(node, "publicKey", &["certificate"])?;
    let key = PublicKey::from_pem(fields.needed_text("certificate")?);
    let line = fields.get("certificate").map_or(node.line, |node| node.line);
    key.map(Identity::Key).map_err(|error| at(line, format!("certificate: {error}")))
}

fn identities(node: &Node) -> Result<Identities> {
    let fields = Fields::of(node, "identities", &["any", "all"])?;
    let (items, is_all) = match (fields.list("any")?, fields.list("all")?) {
        (Some(items), None) => (items, false),
        (None, Some(items)) => (items, true),
        _ => return Err(fields.error("identities has one of any and all, a list each")),
    };
    if items.is_empty() || items.len() > MOST {
        return Err(fields.error(format!("identities names 1 to {MOST} signers")));
    }
    let identity = |item: &Node| {
        let fields = Fields::of(item, "an identity", &["keyless", "publicKey"])?;
        match (fields.get("keyless"), fields.get("publicKey")) {
            (Some(node), None) => keyless(node),
            (None, Some(node)) => public_key(node),
            _ => Err(fields.error("an identity has one of keyless and publicKey")),
        }
    };
    let identities = items.iter().map(identity).collect::<Result<Vec<_>>>()?;
    Ok(if is_all { Identities::All(identities) } else { Identities::Any(identities) })
}

fn attestations(rule: &Fields<'_>) -> Result<Vec<AttestationRequirement>> {
    let Some(items) = rule.list("attestations")? else { return Ok(Vec::new()) };
    if items.is_empty() || items.len() > MOST {
        return Err(rule.error(format!("attestations is a list of 1 to {MOST}")));
    }
    let attestation = |item: &Node| {
        let fields = Fields::of(item, "an attestation", &["predicateType", "builderId", "sourceRepository"])?;
        Ok(AttestationRequirement {
            predicate_type: fields.needed_text("predicateType")?.to_owned(),
            builder_id: fields.text("builderId")?.map(ToOwned::to_owned),
            source_repository: fields.text("sourceRepository")?.map(ToOwned::to_owned),
        })
    };
    items.iter().map(attestation).collect()
}
