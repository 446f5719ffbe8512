//! In-toto statements of an image.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::descriptor::OciDescriptor;
use crate::domain::attestation::{self, Statement};
use crate::domain::descriptor::{Descriptor, DescriptorJson};

/// An in-toto statement about an image.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct AttestationStatement<'a> {
    /// The descriptor of the statement's blob, from the attestation manifest.
    #[schema(value_type = OciDescriptor)]
    descriptor: DescriptorJson<'a>,
    /// The type of the statement's predicate, as a URI.
    #[schema(example = "https://slsa.dev/provenance/v1")]
    predicate_type: &'a str,
    /// The statement, byte for byte: the hash of the text of this value is the digest in `Descriptor`. Present only if
    /// requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    statement: Option<&'a RawValue>,
}

impl<'a> AttestationStatement<'a> {
    /// The entry of a statement without the statement itself; `None` for a descriptor of anything else.
    pub fn listed(descriptor: &'a Descriptor) -> Option<Self> {
        let Statement { predicate_type, .. } = attestation::statement(descriptor)?;
        Some(Self { descriptor: descriptor.json(), predicate_type, statement: None })
    }
}

/// A statement in an attestation manifest: its descriptor and its predicate type.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct StatementDescriptor<'a> {
    /// The descriptor of the statement's blob.
    #[schema(value_type = OciDescriptor)]
    descriptor: DescriptorJson<'a>,
    /// The type of the statement's predicate, as a URI.
    #[schema(example = "https://spdx.dev/Document")]
    predicate_type: &'a str,
}

impl<'a> From<Statement<'a>> for StatementDescriptor<'a> {
    fn from(statement: Statement<'a>) -> Self {
        Self { descriptor: statement.descriptor.json(), predicate_type: statement.predicate_type }
    }
}
