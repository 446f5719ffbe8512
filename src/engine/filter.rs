//! What images and events are chosen by. Facades read their clients' filters into these.

use jiff::Timestamp;

use crate::domain::event::{Action, Event};
use crate::domain::filter::{LabelTest, ReferencePattern};
use crate::domain::{ImageName, Reference};

/// Which images to list. The default is all of them; an image has to pass every part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFilter {
    /// Only images that were made before each of these.
    pub before: Vec<ImageName>,
    /// Only images that were made after each of these.
    pub since: Vec<ImageName>,
    /// Only images that got a name here before this moment.
    pub until: Option<Timestamp>,
    /// Only images that for some platform satisfy all of these. Where the list is empty but not absent, the image must
    /// have a configuration locally.
    pub labels: Option<Vec<LabelTest>>,
    /// Only images without names, or only images with names.
    pub dangling: Option<bool>,
    /// Only images with a name that one of these matches, under such names; any image where empty.
    pub references: Vec<ReferencePattern>,
}

/// Which images a prune may remove. The default is all images without a name; an image has to pass every part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneFilter {
    /// Images with names go, too.
    pub named: bool,
    /// As [`ImageFilter::until`].
    pub until: Option<Timestamp>,
    /// As [`ImageFilter::labels`].
    pub labels: Option<Vec<LabelTest>>,
}

/// Which events to report. The default is all of them; an event has to pass every part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only these actions; any where absent.
    pub actions: Option<Vec<Action>>,
    /// Only events of these images: IDs, or names with or without their tags; of any where empty.
    pub images: Vec<String>,
    /// For each list, only events whose ID or name begins with one of its texts.
    pub beginnings: Vec<Vec<String>>,
    /// Only events whose attributes satisfy all of these.
    pub labels: Vec<LabelTest>,
}

impl EventFilter {
    /// Whether an event passes.
    pub fn admits(&self, event: &Event) -> bool {
        let (id, name) = (event.id.as_str(), event.attributes.get("name").unwrap_or_default());
        let begins = |texts: &Vec<String>| texts.iter().any(|text| id.starts_with(text) || name.starts_with(text));
        self.actions.as_ref().is_none_or(|actions| actions.contains(&event.action))
            && (self.images.is_empty() || self.has_image(id) || self.has_image(name))
            && self.beginnings.iter().all(begins)
            && self.labels.iter().all(|label| label.passes(&event.attributes))
    }

    fn has_image(&self, name: &str) -> bool {
        let untagged = Reference::parse(name).map(|reference| reference.familiar_name());
        let untagged = untagged.as_deref().unwrap_or(name);
        self.images.iter().any(|image| image == name || image == untagged)
    }
}
