//! Reading indexes and manifests.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde::Deserialize;

use super::endpoint::{Call, Endpoint};
use super::refusal::{self, Operation};
use super::repository::Repository;
use crate::domain::error::{Error, Kind, Result};
use crate::domain::manifest::{Document, MAX_MANIFEST, object};
use crate::domain::{Descriptor, Digest, MediaType, Reference};

pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// Every type that is understood; without the list, registries convert to Docker's first schema.
const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json, \
    */*";

/// What a tag or digest stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// Of the index or manifest: its type, digest and size, nothing else.
    pub descriptor: Descriptor,
    /// The document itself, where finding its digest took fetching it. It is what `descriptor` says.
    pub bytes: Option<Bytes>,
}

impl Repository {
    /// What a reference's digest, or else its tag, or else `latest`, stands for in this repository.
    ///
    /// # Errors
    /// `NotFound` with Docker's text (`failed to resolve reference …: not found`), `Unauthenticated` or
    /// `PermissionDenied` (`pull access denied for …`), `InvalidArgument` for what is no image document (schema 1
    /// included), `DataLoss` where bytes and digest differ, `ResourceExhausted` for too many requests or too large a
    /// document, `Unavailable` for everything that may pass.
    pub async fn resolve(&self, reference: &Reference) -> Result<Resolved> {
        let name = reference.clone().with_default_tag();
        let wanted = name.digest();
        let text = wanted.map(Digest::to_string);
        let by = text.as_deref().or(name.tag()).unwrap_or("latest");
        let shown = name.to_string();
        let resolved =
            self.try_each(|endpoint| self.resolve_at(endpoint, by, wanted, Operation::Resolve(&shown))).await;
        resolved.map_err(|error| match error.kind() {
            // A token service that gives nobody a token speaks of a password that was never sent.
            Kind::Unauthenticated if self.origin().is_anonymous() && !refusal::is_pull_denied(&error) => {
                Error::new(Kind::Unauthenticated, refusal::pull_denied(&self.familiar())).with_cause(error)
            }
            _ => error,
        })
    }

    /// An index or manifest by its digest: its media type and its exact bytes, checked against the digest, against
    /// `expected` and against the type that its own body names.
    ///
    /// # Errors
    /// As [`Repository::resolve`].
    pub async fn manifest(&self, digest: &Digest, expected: Option<&MediaType>) -> Result<(MediaType, Bytes)> {
        let by = digest.to_string();
        let (media_type, bytes, _) = self
            .try_each(|endpoint| self.fetch(endpoint, &by, Some(digest), expected, Operation::Manifest(&by)))
            .await?;
        Ok((media_type, bytes))
    }

    async fn resolve_at(
        &self,
        endpoint: &Endpoint,
        by: &str,
        wanted: Option<&Digest>,
        operation: Operation<'_>,
    ) -> Result<Resolved> {
        let path = self.path(&format!("manifests/{by}"));
        let call = Call::new(Method::HEAD, &path, self.scopes()).header(ACCEPT, HeaderValue::from_static(ACCEPTED));
        let response = endpoint.call(&call).await?;
        match response.status() {
            status if status.is_success() => {
                if let Some(descriptor) = described(response.headers(), wanted)? {
                    return Ok(Resolved { descriptor, bytes: None });
                }
            }
            // It has been answered, and the answer has no body to take a text from.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => {
                // An answer to HEAD has no body: what the registry says is asked for once, with nothing more to let it in.
                let mut again = Call {
                    method: Method::GET,
                    headers: call.headers.clone(),
                    ..Call::new(Method::GET, &path, self.scopes())
                };
                (again.repeat, again.challenge) = (false, false);
                let response = match endpoint.call(&again).await {
                    // Some registries let nobody ask by HEAD.
                    Ok(said) if said.status().is_success() && response.status() != StatusCode::TOO_MANY_REQUESTS => {
                        None
                    }
                    Ok(said) if !said.status().is_success() => Some(said),
                    _ => Some(response),
                };
                if let Some(response) = response {
                    return Err(endpoint.refusal(response, &self.familiar(), operation).await);
                }
            }
            // Not every registry knows HEAD.
            _ => {}
        }
        let (media_type, bytes, digest) = self.fetch(endpoint, by, wanted, None, operation).await?;
        Ok(Resolved { descriptor: Descriptor::new(media_type, digest, bytes.len() as u64), bytes: Some(bytes) })
    }

    pub(super) async fn fetch(
        &self,
        endpoint: &Endpoint,
        by: &str,
        wanted: Option<&Digest>,
        expected: Option<&MediaType>,
        operation: Operation<'_>,
    ) -> Result<(MediaType, Bytes, Digest)> {
        let path = self.path(&format!("manifests/{by}"));
        let call = Call::new(Method::GET, &path, self.scopes()).header(ACCEPT, HeaderValue::from_static(ACCEPTED));
        let response = endpoint.call(&call).await?;
        if !response.status().is_success() {
            return Err(endpoint.refusal(response, &self.familiar(), operation).await);
        }
        let said = content_type(response.headers());
        let header_digest = digest_header(response.headers());
        let bytes = endpoint.net.document(response, MAX_MANIFEST).await?;
        let digest = match wanted.or(header_digest.as_ref()) {
            Some(stated) => Digest::compute(stated.algorithm(), &bytes),
            None => Digest::of(&bytes),
        };
        if let Some(stated) = wanted.or(header_digest.as_ref()).filter(|stated| **stated != digest) {
            let text = format!("{}: the manifest's bytes have the digest {digest}, not {stated}", self.familiar());
            return Err(Error::new(Kind::DataLoss, text));
        }
        let media_type = typed(&bytes, said.as_deref(), expected).map_err(|error| error.context(self.familiar()))?;
        Ok((media_type, bytes, digest))
    }
}

/// The descriptor that an answer to HEAD amounts to; `None` where it leaves something out.
fn described(headers: &HeaderMap, wanted: Option<&Digest>) -> Result<Option<Descriptor>> {
    let said = content_type(headers);
    refuse_first_schema(said.as_deref())?;
    let media_type = said.map(|said| MediaType::new(&said)).filter(|said| said.is_index() || said.is_manifest());
    let size = headers.get(CONTENT_LENGTH).and_then(|size| size.to_str().ok()?.parse::<u64>().ok());
    let digest = digest_header(headers);
    if let (Some(wanted), Some(digest)) = (wanted, &digest)
        && wanted.algorithm() == digest.algorithm()
        && wanted != digest
    {
        return Err(Error::new(Kind::DataLoss, format!("the registry answers with {digest} for {wanted}")));
    }
    Ok(match (media_type, wanted.cloned().or(digest), size) {
        (Some(media_type), Some(digest), Some(size)) if (1..=MAX_MANIFEST).contains(&size) => {
            Some(Descriptor::new(media_type, digest, size))
        }
        _ => None,
    })
}

/// The type of a document. The header, the descriptor that led here and the body must agree on whether it is a manifest or
/// an index, as far as they say something; registries that send all JSON as `application/json` say nothing.
pub(super) fn typed(bytes: &[u8], said: Option<&str>, expected: Option<&MediaType>) -> Result<MediaType> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct TypeHints {
        #[serde(default)]
        media_type: Option<String>,
        #[serde(default)]
        manifests: Option<serde::de::IgnoredAny>,
    }
    refuse_first_schema(said)?;
    let hints: TypeHints = object(bytes).map_err(|cause| Error::invalid("not a manifest").with_cause(cause))?;
    let own = hints.media_type.filter(|own| !own.is_empty());
    refuse_first_schema(own.as_deref())?;
    let said = said.map(MediaType::new).filter(|said| said.is_index() || said.is_manifest());
    if let (Some(said), Some(expected)) = (&said, expected)
        && !said.is_same_kind(expected)
    {
        return Err(Error::invalid(format!("the registry sends a manifest as {said}, its descriptor says {expected}")));
    }
    let inferred = || if hints.manifests.is_some() { MediaType::OCI_INDEX } else { MediaType::OCI_MANIFEST };
    let media_type =
        said.or_else(|| expected.cloned()).or_else(|| own.as_deref().map(MediaType::new)).unwrap_or_else(inferred);
    // Refuses a body that contradicts the type, is of the first schema, or can be read in two ways.
    Document::decode(bytes, &media_type)?;
    Ok(media_type)
}

fn refuse_first_schema(media_type: Option<&str>) -> Result<()> {
    match media_type {
        Some(old) if old.starts_with("application/vnd.docker.distribution.manifest.v1+") => Err(Error::invalid(
            "manifests of Docker's schema 1 are not supported: push the image again with a newer client",
        )),
        _ => Ok(()),
    }
}

/// A `Content-Type` without its parameters, in lower case.
pub(super) fn content_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

fn digest_header(headers: &HeaderMap) -> Option<Digest> {
    headers.get(CONTENT_DIGEST)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn manifest(media_type: Option<&MediaType>) -> Vec<u8> {
        let mut manifest = json!({"schemaVersion": 2, "layers": [],
            "config": {"mediaType": "application/x", "digest": Digest::of(b"c").to_string(), "size": 1}});
        if let Some(media_type) = media_type {
            manifest["mediaType"] = json!(media_type.as_str());
        }
        manifest.to_string().into_bytes()
    }

    #[test]
    fn header_descriptor_and_body_must_agree() {
        const OCI: &MediaType = &MediaType::OCI_MANIFEST;
        const DOCKER: &MediaType = &MediaType::DOCKER_MANIFEST;
        for (own, said, expected, result) in [
            (None, Some(OCI), None, Some(OCI)),
            (Some(OCI), Some(OCI), Some(OCI), Some(OCI)),
            (Some(OCI), None, None, Some(OCI)),
            (Some(DOCKER), None, None, Some(DOCKER)),
            (None, None, None, Some(OCI)),
            (None, None, Some(DOCKER), Some(DOCKER)),
            (Some(DOCKER), Some(OCI), None, Some(OCI)),
            (Some(OCI), Some(OCI), Some(DOCKER), Some(OCI)),
            (Some(OCI), None, Some(DOCKER), Some(DOCKER)),
            (Some(&MediaType::OCI_INDEX), Some(OCI), None, None),
            (None, Some(&MediaType::OCI_INDEX), None, None),
            (None, None, Some(&MediaType::OCI_INDEX), None),
        ] {
            let typed = typed(&manifest(own), said.map(MediaType::as_str), expected);
            assert_eq!(typed.as_ref().ok(), result, "{own:?} {said:?} {expected:?}: {typed:?}");
        }
        assert_eq!(typed(&manifest(Some(OCI)), Some("application/json"), None).unwrap(), *OCI);
        assert_eq!(typed(br#"{"manifests":[]}"#, Some("text/plain"), None).unwrap(), MediaType::OCI_INDEX);
    }

    #[test]
    fn the_first_schema_is_refused_by_name() {
        let old = br#"{"schemaVersion":1,"fsLayers":[]}"#;
        for (body, said) in [
            (&old[..], None),
            (&old[..], Some("application/vnd.docker.distribution.manifest.v1+prettyjws")),
            (&manifest(None)[..], Some("application/vnd.docker.distribution.manifest.v1+json")),
        ] {
            let error = typed(body, said, None).unwrap_err();
            assert!(error.public().contains("schema 1"), "{error}");
        }
    }
}
