//! No code but `src/engine/publish/` can commit a name.
//!
//! A name is set by a commit, and a commit is made of `store::Commit` and `store::Changes`. So nothing else above the store
//! makes one of these or calls a method named `commit`, and what was admitted is made in one place. Offline repair, which
//! works on stores that nobody uses, is not looked at.

use std::collections::BTreeSet;

use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::visit::{self, Visit};
use syn::{Ident, Token, token};

use super::layers::{Source, is_of_tests};

/// Where names are set.
const PUBLISHING: &str = "src/engine/publish/";

/// Where stores are repaired that nobody uses.
const REPAIR: &str = "src/engine/check/";

/// What only publishing makes: the parts of a commit.
const PARTS: [&str; 2] = ["Changes", "Commit"];

/// The file that says what was admitted, and the one that makes it.
const ADMISSION: &str = "src/engine/publish/admission.rs";
const ADMIT: &str = "src/engine/publish/admit.rs";

#[test]
fn only_publishing_can_commit() {
    let faults = commits(&Source::of_the_crate());
    assert!(faults.is_empty(), "names are set in {PUBLISHING} only:\n{}", faults.join("\n"));
}

#[test]
fn what_is_admitted_is_made_in_one_place() {
    assert_eq!(
        admissions(&Source::of_the_crate()),
        [format!("{ADMISSION}: Admitted {{"), format!("{ADMIT}: Admitted::new")]
    );
    let source = Source::of_the_crate();
    let file = source.syntax().find(|(file, _)| *file == ADMISSION).unwrap().1;
    let admitted = file.items.iter().find_map(|item| match item {
        syn::Item::Struct(item) if item.ident == "Admitted" => Some(item),
        _ => None,
    });
    let admitted = admitted.unwrap();
    assert!(admitted.fields.iter().all(|field| matches!(field.vis, syn::Visibility::Inherited)));
    let derived = admitted.attrs.iter().filter(|attribute| attribute.path().is_ident("derive"));
    for list in derived.map(|attribute| attribute.meta.require_list().unwrap()) {
        assert_eq!(list.tokens.to_string(), "Debug", "who has an `Admitted` could make another");
    }
}

/// Where something is committed, or a part of a commit is made, outside of publishing and repair.
fn commits(source: &Source) -> Vec<String> {
    let above_the_store =
        |file: &str| ["src/engine/", "src/api/", "src/daemon/"].iter().any(|room| file.starts_with(room));
    let is_free = |file: &str| file.starts_with(PUBLISHING) || file.starts_with(REPAIR);
    let mut faults = Vec::new();
    for (file, syntax) in source.syntax().filter(|(file, _)| above_the_store(file) && !is_free(file)) {
        let is_own =
            |part: &&str| syntax.items.iter().any(|item| matches!(item, syn::Item::Struct(own) if own.ident == part));
        let parts: Vec<&str> = PARTS.into_iter().filter(|part| !is_own(part)).collect();
        let made = Made::in_file(syntax, &parts);
        faults.extend(made.into_iter().map(|what| format!("{file}: {what}")));
    }
    faults
}

/// Where an `Admitted` is made, in the whole crate.
fn admissions(source: &Source) -> Vec<String> {
    let made = source.syntax().flat_map(|(file, syntax)| {
        let made = Made::in_file(syntax, &["Admitted"]).into_iter().filter(|what| what.starts_with("Admitted"));
        made.map(move |what| format!("{file}: {what}"))
    });
    made.collect()
}

/// Finds calls of `commit`, and where values of some types are made: by their fields or by a function of theirs.
struct Made {
    /// The types, under the names that the file knows them by, each with its own name.
    types: Vec<(String, String)>,
    /// The type whose `impl` this is.
    own: Option<String>,
    found: BTreeSet<String>,
}

impl Made {
    fn in_file(file: &syn::File, types: &[&str]) -> BTreeSet<String> {
        let types: Vec<(String, String)> = types.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect();
        let mut renamed = Renamed { types: types.clone(), found: Vec::new() };
        renamed.visit_file(file);
        let types = types.into_iter().chain(renamed.found).collect();
        let mut made = Self { types, own: None, found: BTreeSet::new() };
        made.visit_file(file);
        made.found
    }

    /// The type that a name stands for here; `None` where it is none of those that are looked for.
    fn meaning(&self, name: &Ident) -> Option<String> {
        if name == "Self" {
            return self.own.clone();
        }
        let known = self.types.iter().find(|(known, _)| name == known);
        known.map(|(_, own)| own.clone())
    }

    /// A path in an expression: a function of a type, or a call of `commit` by its path.
    fn path(&mut self, names: &[&Ident]) {
        let [.., of, last] = names else { return };
        if *last == "commit" {
            self.found.insert("commit".to_owned());
        }
        if let Some(of) = self.meaning(of) {
            self.found.insert(format!("{of}::{last}"));
        }
    }

    /// The tokens of a macro, of which only the macro knows what they are.
    fn tokens(&mut self, input: ParseStream) -> syn::Result<()> {
        while !input.is_empty() {
            let inner;
            if input.peek(Ident::peek_any) {
                let mut names = vec![input.call(Ident::parse_any)?];
                while input.peek(Token![::]) && input.peek3(Ident::peek_any) {
                    input.parse::<Token![::]>()?;
                    names.push(input.call(Ident::parse_any)?);
                }
                self.path(&names.iter().collect::<Vec<_>>());
                let last = &names[names.len() - 1];
                if last == "commit" && input.peek(token::Paren) {
                    self.found.insert("commit".to_owned());
                }
                if let Some(of) = self.meaning(last).filter(|_| input.peek(token::Brace)) {
                    self.found.insert(format!("{of} {{"));
                }
                continue;
            } else if input.peek(token::Paren) {
                syn::parenthesized!(inner in input);
            } else if input.peek(token::Bracket) {
                syn::bracketed!(inner in input);
            } else if input.peek(token::Brace) {
                syn::braced!(inner in input);
            } else {
                input.step(|cursor| {
                    let next = cursor.token_tree().map(|(_, rest)| ((), rest));
                    next.ok_or_else(|| cursor.error("a token"))
                })?;
                continue;
            }
            self.tokens(&inner)?;
        }
        Ok(())
    }
}

impl<'a> Visit<'a> for Made {
    fn visit_item(&mut self, item: &'a syn::Item) {
        if !is_of_tests(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'a syn::ItemImpl) {
        let of = match item.self_ty.as_ref() {
            syn::Type::Path(path) => path.path.segments.last().and_then(|last| self.meaning(&last.ident)),
            _ => None,
        };
        let outer = std::mem::replace(&mut self.own, of);
        visit::visit_item_impl(self, item);
        self.own = outer;
    }

    fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
        if call.method == "commit" {
            self.found.insert("commit".to_owned());
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_struct(&mut self, made: &'a syn::ExprStruct) {
        if let Some(of) = made.path.segments.last().and_then(|last| self.meaning(&last.ident)) {
            self.found.insert(format!("{of} {{"));
        }
        visit::visit_expr_struct(self, made);
    }

    fn visit_expr_path(&mut self, path: &'a syn::ExprPath) {
        let mut names: Vec<&Ident> = path.path.segments.iter().map(|segment| &segment.ident).collect();
        // `<store::Changes>::default` and `<Changes as Default>::default`.
        if let Some(syn::Type::Path(of)) = path.qself.as_ref().map(|of| of.ty.as_ref())
            && let (Some(of), Some(last)) = (of.path.segments.last(), names.last().copied())
        {
            names = vec![&of.ident, last];
        }
        self.path(&names);
        visit::visit_expr_path(self, path);
    }

    fn visit_macro(&mut self, of: &'a syn::Macro) {
        of.parse_body_with(|input: ParseStream| self.tokens(input)).unwrap();
    }
}

/// Finds the further names that a file gives some types: by `use … as …` and by `type … = …`.
struct Renamed {
    types: Vec<(String, String)>,
    found: Vec<(String, String)>,
}

impl Renamed {
    fn add(&mut self, name: &Ident, new: &Ident) {
        if let Some((_, own)) = self.types.iter().find(|(known, _)| name == known) {
            self.found.push((new.to_string(), own.clone()));
        }
    }
}

impl<'a> Visit<'a> for Renamed {
    fn visit_use_rename(&mut self, rename: &'a syn::UseRename) {
        self.add(&rename.ident, &rename.rename);
    }

    fn visit_item_type(&mut self, item: &'a syn::ItemType) {
        if let syn::Type::Path(path) = item.ty.as_ref()
            && let Some(last) = path.path.segments.last()
        {
            self.add(&last.ident, &item.ident);
        }
    }
}

mod planted {
    use super::*;

    fn source(file: &str, text: &str) -> Source {
        Source::new([(file.to_owned(), text.to_owned())])
    }

    #[test]
    fn a_planted_commit_is_found() {
        for text in [
            "fn f(store: &Stores) { store.metadata.commit(commit); }",
            "fn f(store: &Stores) { MetadataStore::commit(store, commit); }",
            "fn f() { let write = MetadataStore::commit; }",
            "fn f() { assert!(store.metadata.commit(commit).is_ok()); }",
            "fn f() { let changes = Changes { names, ..Changes::default() }; }",
            "fn f() { let changes = crate::store::Changes::default(); }",
            "fn f() { let changes = <crate::store::Changes>::default(); }",
            "fn f() { let changes = <Changes as Default>::default(); }",
            "fn f() { vec![Changes { names, ..old }] ; }",
            "fn f() { vec![store::Changes::default()] ; }",
            "use crate::store::Changes as Edits;\nfn f() { Edits { names, ..old }; }",
            "type Edits = crate::store::Changes;\nfn f() { Edits::default(); }",
            "fn f() { Commit { id, expected, changes } }",
            "struct S;\nimpl S { fn f(&self) { async { self.metadata.commit(commit).await } } }",
        ] {
            for file in ["src/engine/tag.rs", "src/api/docker/images/tag.rs", "src/daemon/wiring.rs"] {
                assert!(!commits(&source(file, text)).is_empty(), "{file}: {text}");
            }
            for file in ["src/engine/publish/writer.rs", "src/engine/check/run.rs", "src/store/memory/metadata.rs"] {
                assert_eq!(commits(&source(file, text)), [""; 0], "{file}: {text}");
            }
        }
    }

    #[test]
    fn what_is_no_commit_is_not_found() {
        for text in [
            "use crate::store::Changes;\nfn apply(changes: Changes) { let Changes { names, .. } = changes; }",
            "fn f(changes: &Changes) { changes.is_empty(); }",
            "// store.metadata.commit(commit)",
            "fn f() { let commit = 1; commit_all(commit); }",
            "#[cfg(test)]\nmod tests { fn f() { store.metadata.commit(commit); } }",
            "fn f() { tracing::info!(commit, \"Changes\"); }",
            // A type of the file's own.
            "struct Commit { id: String }\nfn f() { Commit { id } }",
        ] {
            assert_eq!(commits(&source("src/engine/catalog/state.rs", text)), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_planted_admission_is_found() {
        for text in [
            "fn f() { Admitted { images } }",
            "fn f() { Admitted::new(images) }",
            "fn f() { images.map(Admitted::new) }",
            "use super::admission::Admitted as Let;\nfn f() { Let::new(images) }",
            "impl Default for Admitted { fn default() -> Self { Self { images } } }",
            "impl Admitted { fn f() -> Self { Self::new(images) } }",
            "fn f() { vec![Admitted::new(images)]; }",
        ] {
            assert_eq!(admissions(&source("src/engine/publish/names.rs", text)).len(), 1, "{text}");
        }
        let takes = "fn f(admitted: &Admitted) -> usize { admitted.images().len() }";
        assert!(admissions(&source("src/engine/publish/names.rs", takes)).is_empty());
    }
}
