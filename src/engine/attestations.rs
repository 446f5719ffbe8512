//! Attestations: the in-toto statements about one platform of an image.

use std::io::{self, BufReader, Read};

use super::blobs::Blob;
use super::catalog::resolve::resolve;
use super::catalog::tree::Tree;
use super::core::{Engine, Inner};
use super::inspect::lacks_platform;
use crate::domain::attestation::{self, Statement};
use crate::domain::platform::Matcher;
use crate::domain::{Descriptor, Detail, Digest, Error, ImageName, Kind, Platform, Result};
use crate::store;
use crate::store::blocking::wait;

/// Which statements to find.
#[derive(Clone, Debug, Default)]
pub struct AttestationQuery {
    /// The platform that the statements are about; the host's where absent.
    pub platform: Option<Platform>,
    /// Predicate types to keep, compared to the letter; all where empty.
    pub types: Vec<String>,
}

impl Engine {
    /// The statements about a platform, as the manifests that hold them describe them: those of every attestation manifest
    /// in the image's index (nested ones included), in order, then those of referrers of the platform's manifest. Empty
    /// where there are none. [`attestation::statement`] tells what each claims.
    ///
    /// # Errors
    /// `NotFound` where there is no such image, no manifest for the platform, or an attestation manifest's blob is not
    /// here; the texts tell which.
    pub async fn attestations(&self, name: &ImageName, query: &AttestationQuery) -> Result<Vec<Descriptor>> {
        // In memory only, and short.
        self.0.attestations(name, query)
    }

    /// The same with every statement's blob opened, and checked to be one JSON value: its bytes can stand in an answer.
    ///
    /// # Errors
    /// Besides those of [`Engine::attestations`]: `NotFound` where a statement's blob is not here, `DataLoss` where it
    /// is not valid JSON.
    pub async fn attestation_bodies(
        &self,
        name: &ImageName,
        query: &AttestationQuery,
    ) -> Result<Vec<(Descriptor, Blob)>> {
        let (name, query) = (name.clone(), query.clone());
        self.blocking(move |inner| {
            let statements = inner.attestations(&name, &query)?;
            statements.into_iter().map(|statement| inner.open_statement(statement)).collect()
        })
        .await
    }
}

impl Inner {
    fn attestations(&self, name: &ImageName, query: &AttestationQuery) -> Result<Vec<Descriptor>> {
        let state = self.catalog.state();
        let image = resolve(&state, name)?;
        let target = &image.record.target;
        let tree = Tree::new(&state, target);
        let subject = if target.media_type.is_index() {
            let host;
            let matcher = match &query.platform {
                Some(platform) => &Matcher::only(platform),
                None => {
                    host = Matcher::host();
                    &host
                }
            };
            // Evidence can be read without the content it is about, so what is missing counts as well.
            let branch = tree
                .matching(matcher)
                .ok_or_else(|| lacks_platform(name.text(), &query.platform.clone().unwrap_or_else(Platform::host)))?;
            &branch.descriptor.digest
        } else {
            &target.digest
        };
        let mut found = Vec::new();
        for branch in tree.attestations_of(subject) {
            let manifest = branch.manifest().ok_or_else(|| {
                Error::not_found(Detail::MissingAttestation { manifest: branch.descriptor.digest.clone() })
            })?;
            found.extend(attestation::statements(manifest));
        }
        // BuildKit's attestation manifests name their subject as well; those in the index were read above.
        let listed = |digest: &Digest| tree.manifests.iter().any(|branch| branch.descriptor.digest == *digest);
        for (_, manifest) in state.attesting_referrers(subject).filter(|(digest, _)| !listed(digest)) {
            found.extend(attestation::statements(manifest));
        }
        let wanted = |statement: &Statement<'_>| {
            query.types.is_empty() || query.types.iter().any(|wanted| wanted == statement.predicate_type)
        };
        Ok(found.into_iter().filter(wanted).map(|statement| statement.descriptor.clone()).collect())
    }

    fn open_statement(&self, statement: Descriptor) -> Result<(Descriptor, Blob)> {
        let digest = &statement.digest;
        let blob = wait(self.open_blob(digest)).map_err(|e| match e.kind() {
            Kind::NotFound => {
                Error::not_found(format!("attestation statement {digest} is not available locally")).with_cause(e)
            }
            _ => e,
        })?;
        let text = BufReader::with_capacity(64 << 10, Utf8::new(blob.reader()));
        serde_json::from_reader::<_, serde::de::IgnoredAny>(text).map_err(|e| {
            Error::new(Kind::DataLoss, format!("attestation statement {digest} is not valid JSON")).with_cause(e)
        })?;
        Ok((statement, blob))
    }
}

/// Reads a blob from its start and fails where it is not UTF-8, which a parser that skips strings would not notice.
struct Utf8<'a> {
    blob: &'a dyn store::Blob,
    offset: u64,
    /// The start of a character whose rest comes with the next bytes.
    carry: Vec<u8>,
}

impl<'a> Utf8<'a> {
    fn new(blob: &'a dyn store::Blob) -> Self {
        Self { blob, offset: 0, carry: Vec::new() }
    }
}

impl Read for Utf8<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = wait(self.blob.read_at(buffer, self.offset)).map_err(io::Error::other)?;
        self.offset += read as u64;
        self.carry.extend_from_slice(&buffer[..read]);
        let invalid = || io::Error::new(io::ErrorKind::InvalidData, "not UTF-8");
        let rest = match std::str::from_utf8(&self.carry) {
            Ok(_) => Vec::new(),
            Err(e) if e.error_len().is_none() && read > 0 => self.carry[e.valid_up_to()..].to_vec(),
            Err(_) => return Err(invalid()),
        };
        self.carry = rest;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn check(bytes: &[u8], step: usize) -> bool {
        let blob: Arc<[u8]> = bytes.into();
        let mut reader = Utf8::new(&blob);
        let mut buffer = vec![0; step];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }

    #[test]
    fn characters_may_be_split_between_reads_but_not_broken() {
        for step in 1..6 {
            assert!(check("añb€c🦀".as_bytes(), step));
            assert!(!check(b"a\xff", step));
            assert!(!check(&"🦀".as_bytes()[..3], step), "cut short, read by {step}");
        }
    }
}
