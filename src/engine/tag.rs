//! Tag: one more name for an image.

use super::catalog::resolve::resolve_target;
use super::core::Engine;
use super::operation::Operation;
use super::publish::{Candidate, Content, Facts, Origin, Publication, RecordTerms, Report};
use crate::domain::{Digest, Error, ImageName, Kind, Result, TagName};

/// How often a tag follows an image that moves while it is decided on.
const ATTEMPTS: usize = 8;

impl Engine {
    /// Gives an image a further name. The name keeps what stands beside the one that the image was found by (its
    /// descriptor's annotations).
    ///
    /// A name that pointed elsewhere moves; if it was the last of that image, the image stays without a name. A name
    /// that points there already stays as it is.
    ///
    /// # Errors
    /// `NotFound` where there is no such image; `Denied` where it may not get the name.
    pub async fn tag(&self, image: &ImageName, name: &TagName) -> Result<()> {
        let operation = Operation::start();
        for _ in 0..ATTEMPTS {
            if let Some(digest) = self.try_tag(image, name).await? {
                operation.done("tagged", name.reference().familiar(), &digest);
                return Ok(());
            }
        }
        Err(Error::new(Kind::Unavailable, format!("image {} is being moved by others: try again", image.text())))
    }

    /// Decides and tags. Returns the digest of the image, or `None` where it moved in between, so that something else was
    /// decided on.
    async fn try_tag(&self, image: &ImageName, name: &TagName) -> Result<Option<Digest>> {
        let reference = name.reference();
        let (target, evidence) = {
            let state = self.0.catalog.state();
            let target = resolve_target(&state, image)?.record.target.clone();
            let evidence = self.0.publisher.known_evidence(&state, &[]).about(&target.digest);
            (target, evidence)
        };
        let digest = target.digest.clone();
        let candidate = Candidate {
            name: reference.into(),
            target,
            documents: [].into(),
            evidence,
            facts: Facts::default(),
            origin: Origin::Local,
        };
        let admitted = self.0.publisher.admit(vec![candidate]).await?;
        let publication = Publication {
            content: Content::default(),
            pulled_from: None,
            needs: Vec::new(),
            report: Report::Tag { image: digest.clone(), name: reference.clone() },
            record: RecordTerms::default(),
        };
        let (image, expected) = (image.clone(), digest.clone());
        let is_same = move |state: &_| Ok(resolve_target(state, &image)?.record.target.digest == expected);
        let is_done = self.0.publisher.publish_if(admitted, publication, is_same).await?;
        Ok(is_done.then_some(digest))
    }
}
