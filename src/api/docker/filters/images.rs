//! Which images to list and to prune.

use jiff::Timestamp;

use super::parameter::Filters;
use crate::domain::filter::LabelTest;
use crate::domain::{ImageName, Result};
use crate::engine::{ImageFilter, PruneFilter};

/// The keys that a list knows.
const LIST: [&str; 7] = ["before", "dangling", "label", "label!", "reference", "since", "until"];

/// The keys that a prune knows.
const PRUNE: [&str; 4] = ["dangling", "label", "label!", "until"];

/// What a list is filtered by. Durations in `until` count back from `now`.
///
/// # Errors
/// `InvalidArgument` for keys that a list does not know and for malformed values.
pub fn listed(filters: &Filters, now: Timestamp) -> Result<ImageFilter> {
    filters.only(&LIST)?;
    Ok(ImageFilter {
        before: names(filters, "before")?,
        since: names(filters, "since")?,
        until: filters.until(now)?,
        labels: labels(filters),
        dangling: filters.boolean("dangling")?,
        references: filters.patterns("reference")?,
    })
}

/// What a prune is filtered by. Only `dangling=false` has images with names go, too.
///
/// # Errors
/// `InvalidArgument` for keys that a prune does not know and for malformed values.
pub fn pruned(filters: &Filters, now: Timestamp) -> Result<PruneFilter> {
    filters.only(&PRUNE)?;
    Ok(PruneFilter {
        named: filters.boolean("dangling")? == Some(false),
        until: filters.until(now)?,
        labels: labels(filters),
    })
}

fn names(filters: &Filters, key: &str) -> Result<Vec<ImageName>> {
    filters.values(key).map(ImageName::parse).collect()
}

/// A key without values asks for labels that may be anything, and so for a configuration that has them.
fn labels(filters: &Filters) -> Option<Vec<LabelTest>> {
    let given = filters.contains("label") || filters.contains("label!");
    given.then(|| filters.labels("label").chain(filters.labels("label!")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Result<ImageFilter> {
        listed(&Filters::parse(text)?, Timestamp::UNIX_EPOCH)
    }

    fn prune(text: &str) -> Result<PruneFilter> {
        pruned(&Filters::parse(text)?, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_list_is_filtered_by_what_docker_has() {
        assert_eq!(list("").unwrap(), ImageFilter::default());
        let filter = list(
            r#"{"before":["app"],"since":["app:1"],"until":["-1h"],"label":["a=b"],"label!":["c"],"dangling":["0"],
                "reference":["app*"]}"#,
        )
        .unwrap();
        let label = |name: &str, value: Option<&str>, expected| LabelTest {
            name: name.to_owned(),
            value: value.map(str::to_owned),
            expected,
        };
        assert_eq!(filter.before, [ImageName::parse("app").unwrap()]);
        assert_eq!(filter.since, [ImageName::parse("app:1").unwrap()]);
        assert_eq!(filter.until, Timestamp::from_second(3600).ok());
        assert_eq!(filter.labels.unwrap(), [label("a", Some("b"), true), label("c", None, false)]);
        assert_eq!((filter.dangling, filter.references.len()), (Some(false), 1));
        assert_eq!(list(r#"{"label":[]}"#).unwrap().labels, Some(Vec::new()));
    }

    #[test]
    fn a_prune_spares_named_images_unless_it_is_told_otherwise() {
        assert_eq!(prune("").unwrap(), PruneFilter::default());
        assert!(!prune(r#"{"dangling":["true"]}"#).unwrap().named);
        assert!(prune(r#"{"dangling":["false"]}"#).unwrap().named);
    }

    #[test]
    fn what_docker_does_not_have_is_refused() {
        let refusal = |result: Result<()>| result.unwrap_err().public().to_owned();
        assert_eq!(refusal(list(r#"{"colour":["red"]}"#).map(drop)), "invalid filter 'colour'");
        assert_eq!(refusal(list(r#"{"dangling":["maybe"]}"#).map(drop)), "invalid filter 'dangling=[maybe]'");
        assert_eq!(refusal(list(r#"{"reference":["["]}"#).map(drop)), "syntax error in pattern");
        assert_eq!(refusal(list(r#"{"before":[" "]}"#).map(drop)), "image name cannot be blank");
        assert_eq!(refusal(prune(r#"{"reference":["a"]}"#).map(drop)), "invalid filter 'reference'");
    }
}
