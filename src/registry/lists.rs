//! Lists that come in pages: tags and referrers.

use std::collections::HashSet;

use bytes::Bytes;
use http::header::{ACCEPT, HeaderMap, HeaderValue, LINK};
use http::{Method, StatusCode};
use reqwest::Response;
use serde::Deserialize;

use super::endpoint::{Call, Endpoint, Target};
use super::manifests::content_type;
use super::refusal::Operation;
use super::repository::Repository;
use crate::domain::error::{Error, Kind, Result};
use crate::domain::manifest::{Document, MAX_MANIFEST, object};
use crate::domain::{Descriptor, Digest, MediaType};

/// How many pages of one list are read, and how many entries.
const MAX_PAGES: usize = 1000;
const MAX_TAGS: usize = 200_000;
const MAX_REFERRERS: usize = 10_000;
/// The longest tag that the grammar allows.
const MAX_TAG: usize = 128;

impl Repository {
    /// All tags of the repository, in the registry's order.
    ///
    /// # Errors
    /// `NotFound` where the repository is not there; else as [`Repository::referrers`].
    pub async fn tags(&self) -> Result<Vec<String>> {
        self.try_each(|endpoint| self.tags_at(endpoint)).await
    }

    async fn tags_at(&self, endpoint: &Endpoint) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Page {
            #[serde(default)]
            tags: Option<Vec<String>>,
        }
        let mut tags: Vec<String> = Vec::new();
        let mut seen = HashSet::new();
        let first = self.path("tags/list?n=1000");
        let mut pages = Pages::new(Target::Path(&first));
        while let Some(response) = pages.next(self, endpoint, None).await? {
            if !response.status().is_success() {
                return Err(endpoint.refusal(response, &self.familiar(), Operation::Tags).await);
            }
            let body = pages.body(endpoint, response).await?;
            let page: Page = object(&body).map_err(|cause| unreadable(endpoint, "tags").with_cause(cause))?;
            // What is no tag cannot be asked for.
            let good = |tag: &String| !tag.is_empty() && tag.len() <= MAX_TAG && self.name().with_tag(tag).is_ok();
            tags.extend(page.tags.unwrap_or_default().into_iter().filter(good).filter(|tag| seen.insert(tag.clone())));
            if tags.len() > MAX_TAGS {
                return Err(endless(endpoint, "tags"));
            }
        }
        Ok(tags)
    }

    /// The manifests that name `subject` as theirs: from the referrers API, or else from the tag that stands in for it.
    /// Empty where there are none. A descriptor's artifact type may be absent.
    ///
    /// # Errors
    /// `ResourceExhausted` where a registry lists more than anyone can have meant; else as [`Repository::resolve`].
    pub async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>> {
        self.try_each(|endpoint| self.referrers_at(endpoint, subject)).await
    }

    /// The index or manifest that a tag stands for; `None` where there is no such tag.
    ///
    /// # Errors
    /// As [`Repository::resolve`].
    pub async fn tagged(&self, tag: &str) -> Result<Option<(Descriptor, Bytes)>> {
        match self.try_each(|endpoint| self.fetch(endpoint, tag, None, None, Operation::Referrers)).await {
            Ok((media_type, bytes, digest)) => {
                Ok(Some((Descriptor::new(media_type, digest, bytes.len() as u64), bytes)))
            }
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn referrers_at(&self, endpoint: &Endpoint, subject: &Digest) -> Result<Vec<Descriptor>> {
        let first = self.path(&format!("referrers/{subject}"));
        let mut pages = Pages::new(Target::Path(&first));
        let mut found = Referrers::default();
        while let Some(response) = pages.next(self, endpoint, Some(MediaType::OCI_INDEX.as_str())).await? {
            let status = response.status();
            let index = content_type(response.headers()).as_deref() == Some(MediaType::OCI_INDEX.as_str());
            let absent = status.is_client_error()
                && !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS);
            // Registries without the API answer 404, other refusals, or a page for people.
            if (absent || (status.is_success() && !index)) && pages.read == 1 {
                return self.tagged_referrers(endpoint, subject).await;
            }
            if !status.is_success() {
                return Err(endpoint.refusal(response, &self.familiar(), Operation::Referrers).await);
            }
            let body = pages.body(endpoint, response).await?;
            found.add(&body, &MediaType::OCI_INDEX).map_err(|error| error.context(self.familiar()))?;
            if found.descriptors.len() > MAX_REFERRERS {
                return Err(endless(endpoint, "referrers"));
            }
        }
        Ok(found.descriptors)
    }

    /// The referrers that an index lists under the tag made from the subject's digest.
    async fn tagged_referrers(&self, endpoint: &Endpoint, subject: &Digest) -> Result<Vec<Descriptor>> {
        let tag = referrers_tag(subject);
        let (media_type, bytes, digest) = match self.fetch(endpoint, &tag, None, None, Operation::Referrers).await {
            Ok(found) => found,
            Err(error) if error.kind() == Kind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut found = Referrers::default();
        if media_type.is_index() {
            found.add(&bytes, &media_type)?;
        } else if Document::decode(&bytes, &media_type)?.subject().is_some_and(|of| of.digest == *subject) {
            // Some keep the one referrer itself there. Anything else under that tag is somebody's image.
            found.descriptors.push(Descriptor::new(media_type, digest, bytes.len() as u64));
        }
        // Who keeps such a list may state a wrong type: only the manifest says the right one.
        for rare in found.descriptors.iter_mut().filter_map(|descriptor| descriptor.rare.as_mut()) {
            rare.artifact_type = None;
        }
        Ok(found.descriptors)
    }
}

/// The tag under which a registry without the referrers API has the list of what refers to a manifest: the algorithm and the
/// hash, cut to 32 and to 64 characters (OCI distribution specification, "Referrers Tag Schema").
pub fn referrers_tag(subject: &Digest) -> String {
    let text = subject.to_string();
    let (algorithm, hash) = text.split_once(':').unwrap_or((&text, ""));
    let cut = |text: &str, most: usize| -> String {
        let tag = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-');
        text.chars().take(most).map(|letter| if tag(letter) { letter } else { '-' }).collect()
    };
    format!("{}-{}", cut(algorithm, 32), cut(hash, 64))
}

/// Referrers, each once.
#[derive(Default)]
struct Referrers {
    descriptors: Vec<Descriptor>,
    known: HashSet<Digest>,
}

impl Referrers {
    fn add(&mut self, body: &[u8], media_type: &MediaType) -> Result<()> {
        if let Document::Index(index) = Document::decode(body, media_type)? {
            let new = index.manifests.into_iter().filter(|found| self.known.insert(found.digest.clone()));
            self.descriptors.extend(new);
        }
        Ok(())
    }
}

/// The pages of a list: each names the next in its `Link` header.
struct Pages<'a> {
    next: Option<Target<'a>>,
    read: usize,
}

impl<'a> Pages<'a> {
    fn new(first: Target<'a>) -> Self {
        Self { next: Some(first), read: 0 }
    }

    /// The next page's answer, of whatever status; `None` after the last.
    async fn next(
        &mut self,
        repository: &Repository,
        endpoint: &Endpoint,
        accept: Option<&'static str>,
    ) -> Result<Option<Response>> {
        let Some(target) = self.next.take() else { return Ok(None) };
        if self.read >= MAX_PAGES {
            return Err(endless(endpoint, "pages"));
        }
        self.read += 1;
        let mut call = Call::new(Method::GET, "", repository.scopes());
        call.target = target;
        if let Some(accept) = accept {
            call = call.header(ACCEPT, HeaderValue::from_static(accept));
        }
        endpoint.call(&call).await.map(Some)
    }

    /// Reads a page and notes where the next one is.
    async fn body(&mut self, endpoint: &Endpoint, response: Response) -> Result<Bytes> {
        let at = response.url().clone();
        if let Some(link) = next_link(response.headers()) {
            let next = endpoint.next_page(&at, &link)?;
            self.next = Some(next).filter(|next| *next != at).map(Target::Url);
        }
        endpoint.net.document(response, MAX_MANIFEST).await
    }
}

/// The target of the `Link` with `rel="next"`.
fn next_link(headers: &HeaderMap) -> Option<String> {
    headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok()).find_map(|value| {
        let (target, parameters) = value.trim().strip_prefix('<')?.split_once('>')?;
        let next = parameters.split(';').any(|parameter| {
            let parameter = parameter.split(',').next().unwrap_or_default().trim().replace('"', "");
            parameter.eq_ignore_ascii_case("rel=next")
        });
        next.then(|| target.to_owned())
    })
}

fn unreadable(endpoint: &Endpoint, what: &str) -> Error {
    Error::new(Kind::Unavailable, format!("{} answers with no list of {what}", endpoint.host()))
}

fn endless(endpoint: &Endpoint, what: &str) -> Error {
    Error::new(Kind::ResourceExhausted, format!("{} lists too many {what}", endpoint.host()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_in_every_form() {
        let read = |text: &str| next_link(&HeaderMap::from_iter([(LINK, text.parse().unwrap())]));
        assert_eq!(read(r#"</v2/a/tags/list?n=1&last=x>; rel="next""#).unwrap(), "/v2/a/tags/list?n=1&last=x");
        assert_eq!(read("<https://h/x>;rel=next").unwrap(), "https://h/x");
        for text in ["", "<", "</x>", r#"</x>; rel="prev""#, "/x; rel=next"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
