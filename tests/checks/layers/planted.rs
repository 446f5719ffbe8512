//! The check of layers and circles, on sources with faults planted in them.

use super::graph::circles;
use super::imports::Source;
use super::upward;

fn source(files: &[(&str, &str)]) -> Source {
    Source::new(files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())))
}

/// The imports of a source, as `from -> to`.
fn imports(files: &[(&str, &str)]) -> Vec<String> {
    let arrows = source(files).arrows();
    let mut pairs: Vec<String> = arrows.iter().map(|arrow| format!("{} -> {}", arrow.from, arrow.to)).collect();
    pairs.dedup();
    pairs
}

const A: &str = "src/engine/a.rs";
const B: &str = "src/engine/b.rs";
const ENGINE: (&str, &str) = ("src/engine/mod.rs", "mod a;\nmod b;\npub use a::Left;\npub use b::Right;");

#[test]
fn imports_are_found_in_every_form() {
    let store = ("src/store/mod.rs", "pub struct Store;");
    for text in [
        "use crate::store::Store;",
        "use super::super::store::Store;",
        "use crate::{engine, store::{self, Store}};",
        "fn f() -> crate::store::Store { todo!() }",
        "fn f() { use crate::store; }",
        "fn f() { let text = \"// not a comment\"; crate::store::f(); }",
        "fn f() { vec![crate::store::Store] ; }",
        "fn f() { assert!(matches!(x, Some(crate::store::Store))); }",
        "#[derive(x(crate::store::Store))]\nstruct S;",
        "mod inner { use super::super::super::store::Store; }",
        "impl S { fn f(x: impl Fn(&dyn crate::store::T)) {} }",
        "macro_rules! m { () => { crate::store::f() } }",
    ] {
        let found = imports(&[ENGINE, store, (A, text), (B, "")]);
        assert!(found.contains(&format!("{A} -> src/store/mod.rs")), "{text}: {found:?}");
    }
}

#[test]
fn what_is_not_an_import_is_not_found() {
    for text in [
        "// use crate::engine::b::Right;",
        "const TEXT: &str = \"crate::engine::b::Right\";",
        "#[cfg(test)]\nuse crate::engine::b::Right;",
        "#[cfg(test)]\nmod tests { use super::super::b::Right; }",
        "#[cfg(all(test, unix))]\nfn f() { super::b::f(); }",
        "impl S { #[cfg(test)] fn f() { super::b::f(); } }",
        "use std::b::Right;",
        "pub(in crate::engine::b) fn f() {}",
    ] {
        let found = imports(&[ENGINE, (A, text), (B, "")]);
        assert!(found.is_empty(), "{text}: {found:?}");
    }
}

#[test]
fn files_of_tests_do_not_count() {
    let declared = "#[cfg(test)]\nmod tests;\n#[cfg(test)]\n#[path = \"a_test.rs\"]\nmod more;";
    let tests =
        [("src/engine/a/tests.rs", "use super::super::b::Right;"), ("src/engine/a_test.rs", "use crate::engine::b;")];
    let found = imports(&[ENGINE, (A, declared), (B, "use super::a::Left;"), tests[0], tests[1]]);
    assert_eq!(found, [format!("{B} -> {A}")]);
}

#[test]
fn a_planted_circle_is_found() {
    let found = |a: &str, b: &str| circles(&source(&[ENGINE, (A, a), (B, b)]).arrows()).len();
    assert_eq!(found("use super::b::Right;", "fn f() { super::a::f(); }"), 1);
    // Names that the module above passes on come from where they are defined.
    assert_eq!(found("use super::Right;", "use crate::engine::Left;"), 1);
    assert_eq!(found("use super::b;\nfn f() { b::f(); }", "use super::super::engine::a::Left;"), 1);
    assert_eq!(found("use super::b::Right;", ""), 0);
    // To list a child and to pass its names on ties nothing; to use it does.
    assert_eq!(found("use super::b::Right;", "use super::other;"), 0);
    let uses = ("src/engine/mod.rs", "mod a;\npub fn f() { a::f(); }");
    assert_eq!(circles(&source(&[uses, (A, "use super::f;")]).arrows()).len(), 1);
    let lists = ("src/engine/mod.rs", "mod a;\npub use a::Left;\npub fn f() {}");
    assert_eq!(circles(&source(&[lists, (A, "use super::f;")]).arrows()).len(), 0);
}

#[test]
fn a_planted_arrow_upwards_is_found() {
    for (file, text, refused) in [
        ("src/api/docker/ping.rs", "use super::super::super::store::Store;", true),
        ("src/api/docker/ping.rs", "fn f() { super::super::containerd::f(); }", true),
        ("src/api/docker/ping.rs", "use super::super::error_table::codes;", false),
        // What the engine passes on from below is the engine's own.
        ("src/api/docker/ping.rs", "use crate::engine::Stored;", false),
        ("src/api/grpc/mod.rs", "use crate::engine::Engine;", true),
        ("src/store/memory.rs", "fn f() { let x: crate::engine::Engine; }", true),
        ("src/store/memory.rs", "use super::super::domain::Digest;", false),
        ("src/domain/digest.rs", "mod inner { use super::super::super::store::Store; }", true),
    ] {
        let modules = ["domain", "store", "engine", "api/docker", "api/containerd", "api/error_table", "api/grpc"];
        let mut files: Vec<(String, String)> =
            modules.iter().map(|module| (format!("src/{module}/mod.rs"), String::new())).collect();
        files.retain(|(known, _)| known != file && known != "src/engine/mod.rs");
        files.push(("src/engine/mod.rs".to_owned(), "pub use crate::store::Stored;".to_owned()));
        files.push((file.to_owned(), text.to_owned()));
        let faults = upward(&Source::new(files).arrows());
        assert_eq!(!faults.is_empty(), refused, "{file}: {text}: {faults:?}");
    }
}
