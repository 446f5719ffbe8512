use super::*;

#[test]
fn missing_things_are_missing_in_dockers_words() {
    for (thing, text) in [
        (Thing::Container, "No such container: nope"),
        (Thing::Exec, "No such exec instance: nope"),
        (Thing::Volume, "get nope: no such volume"),
        (Thing::Network, "network nope not found"),
        (Thing::Plugin, "plugin \"nope\" not found"),
    ] {
        let error = thing.missing("nope");
        assert_eq!((error.kind(), error.public()), (Kind::NotFound, text));
    }
    assert!(MISSING.iter().all(|(_, path, _)| path.contains('{')));
}
