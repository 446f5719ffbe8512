//! How a change is told: events, derived from what was committed.

use std::collections::HashMap;

use super::event_log::Events;
use crate::domain::event::Action;
use crate::domain::{Descriptor, Digest, ImageName, NameKey, Reference, StringMap};
use crate::engine::catalog::State;
use crate::engine::catalog::resolve::resolve;
use crate::engine::catalog::tree::Tree;

/// How many bytes of labels one event may hold. An image with more has them left out: so many events are kept that what
/// strangers put into their images must not fill the memory.
const MAX_LABELS: usize = 64 << 10;

/// What happened, as far as events tell it.
#[derive(Clone, Debug)]
pub(in crate::engine) enum Report {
    /// Nothing that is told.
    Nothing,
    /// Images came out of an archive: their targets, in order, one for each name.
    Load(Vec<Descriptor>),
    /// A root file system became an image.
    Import { image: Digest, name: Option<Reference> },
    /// An image got a further name, or has it already.
    Tag { image: Digest, name: Reference },
    /// A record of a name was made, or points elsewhere now.
    Named { image: Digest, name: NameKey },
    /// A name was pulled.
    Pull(Reference),
    /// A name was pushed.
    Push(Reference),
    /// An image was saved.
    Save(Digest),
    /// Names of an image are gone, in their familiar form, and perhaps the image.
    Remove { image: Digest, names: Vec<String>, is_gone: bool },
    /// Images are gone: each with its names in their familiar form.
    Gone(Vec<(Digest, Vec<String>)>),
    /// A prune has ended, and made so many bytes free.
    Pruned { reclaimed: u64 },
    /// An image was not let in.
    Denied { digest: Digest, name: String, rule: String, reason: String },
}

/// Tells listeners of a change, on the state that it led to.
pub(super) fn tell(events: &Events, state: &State, report: &Report) {
    let telling = Telling { events, state };
    match report {
        Report::Nothing => {}
        Report::Load(targets) => telling.loaded(targets),
        Report::Import { image, name } => {
            if let Some(name) = name {
                telling.image(Action::Tag, &image.to_string(), &name.familiar());
            }
            telling.digest(Action::Import, image);
        }
        Report::Tag { image, name } => telling.image(Action::Tag, &image.to_string(), &name.familiar()),
        // An image without a name got none.
        Report::Named { name, .. } if name.is_unnamed() => {}
        Report::Named { image, name } => telling.image(Action::Tag, &image.to_string(), &name.shown()),
        Report::Pull(name) => telling.image(Action::Pull, &name.familiar(), &name.familiar_name()),
        Report::Push(name) => telling.image(Action::Push, &name.familiar(), &name.familiar_name()),
        Report::Save(image) => telling.digest(Action::Save, image),
        Report::Remove { image, names, is_gone } => telling.removed(image, names, *is_gone),
        Report::Gone(images) => images.iter().for_each(|(image, names)| telling.removed(image, names, true)),
        Report::Pruned { reclaimed } => {
            let attributes = [("reclaimed", reclaimed.to_string())].into_iter().collect();
            events.publish(Action::Prune, String::new(), attributes);
        }
        Report::Denied { digest, name, rule, reason } => {
            let attributes = [("name", name), ("rule", rule), ("reason", reason)];
            let attributes = attributes.into_iter().map(|(key, value)| (key, value.as_str())).collect();
            events.publish(Action::Deny, digest.to_string(), attributes);
        }
    }
}

struct Telling<'a> {
    events: &'a Events,
    state: &'a State,
}

impl Telling<'_> {
    /// One event: `id` is what the action names the image by, `name` the name that is concerned.
    fn image(&self, action: Action, id: &str, name: &str) {
        let labels = match action.tells_labels() {
            true => {
                let image = ImageName::parse(id).and_then(|name| resolve(self.state, &name));
                image.map(|image| labels(self.state, &image.record.target)).unwrap_or_default()
            }
            false => StringMap::default(),
        };
        self.events.publish(action, id.to_owned(), with_name(&labels, name));
    }

    /// The same for an action whose images are named by their digest alone.
    fn digest(&self, action: Action, digest: &Digest) {
        let id = digest.to_string();
        self.image(action, &id, &id);
    }

    /// An archive may give one image thousands of names, so its labels are looked up once.
    fn loaded(&self, targets: &[Descriptor]) {
        let mut known: HashMap<&Digest, StringMap> = HashMap::new();
        for target in targets {
            let labels = known.entry(&target.digest).or_insert_with(|| labels(self.state, target));
            let id = target.digest.to_string();
            self.events.publish(Action::Load, id.clone(), with_name(labels, &id));
        }
    }

    fn removed(&self, image: &Digest, names: &[String], is_gone: bool) {
        let id = image.to_string();
        names.iter().for_each(|name| self.image(Action::Untag, &id, name));
        if is_gone {
            self.digest(Action::Delete, image);
        }
    }
}

/// The labels of an image as the host sees it; none where they are not here, or too many.
fn labels(state: &State, target: &Descriptor) -> StringMap {
    let tree = Tree::new(state, target);
    let labels = tree.best().and_then(|best| best.config.as_ref()).map(|config| &config.labels);
    let size = |labels: &StringMap| labels.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
    labels.filter(|labels| size(labels) <= MAX_LABELS).cloned().unwrap_or_default()
}

fn with_name(labels: &StringMap, name: &str) -> StringMap {
    labels.iter().chain([("name", name)]).collect()
}
