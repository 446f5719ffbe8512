//! Which events to report.

use super::parameter::Filters;
use crate::domain::event::Action;
use crate::engine::EventFilter;

/// Kinds of objects that Docker Engine has events of and Loadline has not. Docker Engine compares the values of such a key
/// with the beginning of any event's ID or name.
const OTHERS: [&str; 9] = ["config", "container", "daemon", "network", "node", "plugin", "secret", "service", "volume"];

/// What events are filtered by. As in Docker Engine, a key that is not known lets everything pass, and so does one without
/// values.
pub fn events(filters: &Filters) -> EventFilter {
    let given = |key: &str| filters.values(key).next().is_some();
    let excludes = |key: &str, own: &str| given(key) && filters.values(key).all(|value| value != own);
    // All events are of images, on this machine.
    let nothing = excludes("type", "image") || excludes("scope", "local");
    let actions = || Action::ALL.into_iter().filter(|action| filters.values("event").any(|name| name == action.name()));
    EventFilter {
        actions: match nothing {
            true => Some(Vec::new()),
            false => given("event").then(|| actions().collect()),
        },
        images: filters.values("image").map(str::to_owned).collect(),
        beginnings: OTHERS
            .into_iter()
            .filter(|key| given(key))
            .map(|key| filters.values(key).map(str::to_owned).collect())
            .collect(),
        labels: filters.labels("label").collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Digest;
    use crate::domain::event::Event;

    #[test]
    fn filters_choose_among_events() {
        let attributes = [("name", "app:1"), ("a", "b")].into_iter().collect();
        let id = Digest::of(b"1").to_string();
        let event = Event { action: Action::Tag, id: id.clone(), attributes, at: jiff::Timestamp::UNIX_EPOCH };
        let passes = |text: &str| events(&Filters::parse(text).unwrap()).admits(&event);
        for filters in [
            "",
            r#"{"type":["image"]}"#,
            r#"{"type":["container","image"],"event":["tag"],"scope":["local"]}"#,
            r#"{"image":["app:1"]}"#,
            r#"{"image":["app"]}"#,
            &format!(r#"{{"image":["{id}"]}}"#),
            r#"{"label":["a=b"]}"#,
            r#"{"label":["a"]}"#,
            r#"{"colour":["red"]}"#,
            r#"{"event":[]}"#,
            r#"{"container":["ap","web"]}"#,
        ] {
            assert!(passes(filters), "{filters}");
        }
        for filters in [
            r#"{"type":["container"]}"#,
            r#"{"event":["delete"]}"#,
            r#"{"event":["create"]}"#,
            r#"{"image":["ap"]}"#,
            r#"{"image":["other:1"]}"#,
            r#"{"label":["a=c"]}"#,
            r#"{"scope":["swarm"]}"#,
            r#"{"container":["web"]}"#,
            r#"{"container":["ap"],"volume":["web"]}"#,
        ] {
            assert!(!passes(filters), "{filters}");
        }
    }
    #[test]
    fn every_action_can_be_chosen() {
        for action in [Action::Deny, Action::Load, Action::Untag] {
            let filter = events(&Filters::parse(&format!(r#"{{"event":["{}"]}}"#, action.name())).unwrap());
            assert_eq!(filter.actions, Some(vec![action]));
        }
    }
}
