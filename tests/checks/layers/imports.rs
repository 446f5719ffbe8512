//! What the files of the crate take from one another.
//!
//! Counted are `use` and paths in expressions, types, patterns, macros and attributes, in whichever way they begin
//! (`crate`, `super`, `self`, a child module, an imported name). Not counted are `mod`, the `pub use` of a child, and
//! what is compiled for tests only. A name that a module passes on from a child is taken from the file that defines it; one
//! that it passes on from elsewhere is its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, Ident, Item, ItemMod, ItemUse, Token, UseTree, Visibility};

use crate::support::{repository, rust_files};

/// A module's path from the crate's root, or that of a name in it.
type Names = Vec<String>;

/// That a file takes something from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrow {
    pub from: String,
    pub to: String,
    /// The path as it stands in the file.
    pub by: String,
}

impl fmt::Display for Arrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {} ({})", self.from, self.to, self.by)
    }
}

/// The source of the crate: its files but for generated ones and those of tests.
pub struct Source {
    files: BTreeMap<String, Parsed>,
    /// The file that holds a module.
    modules: BTreeMap<Names, String>,
}

struct Parsed {
    module: Names,
    syntax: syn::File,
    /// What names stand for in the file, inline modules included.
    names: BTreeMap<String, Names>,
    /// What names stand for that the file passes on from its children.
    passed_on: BTreeMap<String, Names>,
}

impl Source {
    /// What is in `src/`.
    pub fn of_the_crate() -> Self {
        let files = rust_files("src").into_iter().filter(|file| !file.contains("/gen/") && file != "src/main.rs");
        let read = |file: String| {
            let text = std::fs::read_to_string(repository(&file)).unwrap();
            (file, text)
        };
        Self::new(files.map(read))
    }

    /// A source of files, given by path and text.
    pub fn new(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut source = Self { files: BTreeMap::new(), modules: BTreeMap::new() };
        for (file, text) in files {
            let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
            let module = module_of(&file);
            source.modules.insert(module.clone(), file.clone());
            let parsed = Parsed { module, syntax, names: BTreeMap::new(), passed_on: BTreeMap::new() };
            source.files.insert(file, parsed);
        }
        source.place_declared_modules();
        source.read_names();
        source
    }

    /// The files, by their paths from the repository's root.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The files with what stands in them. What is for tests only is still in it ([`is_of_tests`]).
    pub fn syntax(&self) -> impl Iterator<Item = (&str, &syn::File)> {
        self.files.iter().map(|(file, parsed)| (file.as_str(), &parsed.syntax))
    }

    /// Every import.
    pub fn arrows(&self) -> BTreeSet<Arrow> {
        let mut arrows = BTreeSet::new();
        for (file, parsed) in &self.files {
            let mut paths = Paths { module: parsed.module.clone(), found: Vec::new() };
            paths.visit_file(&parsed.syntax);
            for (module, path, passed_on) in paths.found {
                let Some(names) = self.resolve(parsed, &module, &path) else { continue };
                let (holder, to) = self.defined_in(&names);
                let child = passed_on && holder.len() > module.len() && holder.starts_with(&module);
                if to != file && !child {
                    arrows.insert(Arrow { from: file.clone(), to: to.to_owned(), by: path.join("::") });
                }
            }
        }
        arrows
    }

    /// Takes out the files of tests, and learns of modules whose file has another name.
    fn place_declared_modules(&mut self) {
        let mut of_tests = Vec::new();
        let mut renamed = Vec::new();
        for (file, parsed) in &self.files {
            for item in &parsed.syntax.items {
                let Item::Mod(ItemMod { attrs, ident, content: None, .. }) = item else { continue };
                let module = [parsed.module.as_slice(), &[ident.to_string()]].concat();
                let path = attrs.iter().find_map(file_of).map(|name| beside(file, &name));
                if attrs.iter().any(is_for_tests) {
                    of_tests.push((module, path));
                } else if let Some(path) = path {
                    renamed.push((module, path));
                }
            }
        }
        self.modules.extend(renamed);
        for (module, path) in of_tests {
            let is_of_test = |parsed: &Parsed| parsed.module.starts_with(&module);
            self.files.retain(|file, parsed| !is_of_test(parsed) && Some(file) != path.as_ref());
            self.modules.retain(|of, file| !of.starts_with(&module) && Some(&*file) != path.as_ref());
        }
    }

    fn read_names(&mut self) {
        let read: Vec<_> = self.files.iter().map(|(file, parsed)| (file.clone(), self.names_of(parsed))).collect();
        for (file, (names, passed_on)) in read {
            let parsed = self.files.get_mut(&file).unwrap();
            (parsed.names, parsed.passed_on) = (names, passed_on);
        }
    }

    /// What the names stand for that a file imports, and those of them that it passes on from its children.
    fn names_of(&self, parsed: &Parsed) -> (BTreeMap<String, Names>, BTreeMap<String, Names>) {
        let mut uses = Uses { module: parsed.module.clone(), found: Vec::new() };
        uses.visit_file(&parsed.syntax);
        let (mut names, mut passed_on) = (BTreeMap::new(), BTreeMap::new());
        for (module, item) in uses.found {
            for (path, name) in leaves(&item.tree) {
                let Some(target) = self.resolve(parsed, &module, &path) else { continue };
                let of_a_child = target.starts_with(&module)
                    && target.get(..=module.len()).is_some_and(|child| self.modules.contains_key(child));
                if of_a_child && !matches!(item.vis, Visibility::Inherited) {
                    passed_on.insert(name.clone(), target.clone());
                }
                names.insert(name, target);
            }
        }
        (names, passed_on)
    }

    /// The path from the crate's root that a path in a module means; `None` where it leads out of the crate, or nowhere
    /// beyond the file.
    fn resolve(&self, parsed: &Parsed, module: &[String], path: &[String]) -> Option<Names> {
        let mut base = module.to_vec();
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => {
                base.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|name| name == "super") {
                    base.pop()?;
                    rest = &rest[1..];
                }
            }
            name => {
                let child = [module, &[name.to_owned()]].concat();
                if !self.modules.contains_key(&child) {
                    base = parsed.names.get(name)?.clone();
                    rest = &rest[1..];
                }
            }
        }
        base.extend(rest.iter().cloned());
        Some(base)
    }

    /// The module that defines what a path from the crate's root names, and its file.
    fn defined_in(&self, names: &[String]) -> (Names, &str) {
        let mut names = names.to_vec();
        // More than any chain of names that are passed on.
        for _ in 0..8 {
            let (length, file) = self.holder(&names);
            let passed_on = names.get(length).and_then(|name| self.files.get(file)?.passed_on.get(name));
            match passed_on {
                Some(target) => names = target.iter().chain(&names[length + 1..]).cloned().collect(),
                None => return (names[..length].to_vec(), file),
            }
        }
        panic!("{names:?} is passed on in a circle");
    }

    /// How many of the names lead to a module, and the module's file.
    fn holder(&self, names: &[String]) -> (usize, &str) {
        let lengths = (0..=names.len()).rev();
        let held = lengths.filter_map(|length| Some((length, self.modules.get(&names[..length])?.as_str()))).next();
        held.unwrap_or((0, "src/lib.rs"))
    }
}

/// Finds paths, each with the module it stands in and whether it is passed on.
struct Paths {
    module: Names,
    found: Vec<(Names, Names, bool)>,
}

impl Paths {
    fn add(&mut self, path: Names, passed_on: bool) {
        self.found.push((self.module.clone(), path, passed_on));
    }

    /// Paths in tokens of which only a macro knows what they are.
    fn scan(&mut self, tokens: impl FnOnce(&mut Vec<Names>)) {
        let mut paths = Vec::new();
        tokens(&mut paths);
        paths.into_iter().for_each(|path| self.add(path, false));
    }
}

impl<'a> Visit<'a> for Paths {
    fn visit_item(&mut self, item: &'a Item) {
        if !is_of_tests(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'a syn::ImplItem) {
        let attributes = match item {
            syn::ImplItem::Fn(item) => item.attrs.as_slice(),
            syn::ImplItem::Const(item) => &item.attrs,
            _ => &[],
        };
        if !attributes.iter().any(is_for_tests) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'a ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        let passed_on = !matches!(item.vis, Visibility::Inherited);
        for (path, _) in leaves(&item.tree) {
            self.add(path, passed_on);
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        // A name alone is defined here, or imported by a `use` that counts.
        if path.segments.len() > 1 && path.leading_colon.is_none() {
            self.add(path.segments.iter().map(|segment| segment.ident.to_string()).collect(), false);
        }
        visit::visit_path(self, path);
    }

    fn visit_vis_restricted(&mut self, _: &'a syn::VisRestricted) {
        // To be seen in a module is not to take something from it.
    }

    fn visit_macro(&mut self, of: &'a syn::Macro) {
        self.visit_path(&of.path);
        self.scan(|found| of.parse_body_with(|input: ParseStream| scan(input, found)).unwrap());
    }

    fn visit_attribute(&mut self, attribute: &'a Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            let tokens = list.tokens.clone();
            self.scan(|found| (|input: ParseStream| scan(input, found)).parse2(tokens).unwrap());
        }
    }
}

/// Finds `use`, each with the module it stands in.
struct Uses {
    module: Names,
    found: Vec<(Names, ItemUse)>,
}

impl<'a> Visit<'a> for Uses {
    fn visit_item(&mut self, item: &'a Item) {
        if !is_of_tests(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'a ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        self.found.push((self.module.clone(), item.clone()));
    }
}

/// The paths that a `use` names, and what they are called from then on.
fn leaves(tree: &UseTree) -> Vec<(Names, String)> {
    match tree {
        UseTree::Path(path) => {
            let within = leaves(&path.tree).into_iter();
            let named = within.map(|(mut names, name)| {
                let name = if names.is_empty() && name == "self" { path.ident.to_string() } else { name };
                names.insert(0, path.ident.to_string());
                (names, name)
            });
            named.collect()
        }
        UseTree::Group(group) => group.items.iter().flat_map(leaves).collect(),
        // The module itself, or everything in it.
        UseTree::Name(name) if name.ident == "self" => vec![(Vec::new(), "self".to_owned())],
        UseTree::Rename(name) if name.ident == "self" => vec![(Vec::new(), name.rename.to_string())],
        UseTree::Glob(_) => vec![(Vec::new(), "*".to_owned())],
        UseTree::Name(name) => vec![(vec![name.ident.to_string()], name.ident.to_string())],
        UseTree::Rename(name) => vec![(vec![name.ident.to_string()], name.rename.to_string())],
    }
}

/// Reads tokens to their end and keeps what looks like a path.
fn scan(input: ParseStream, found: &mut Vec<Names>) -> syn::Result<()> {
    while !input.is_empty() {
        if input.peek(Ident::peek_any) {
            let mut path = vec![input.call(Ident::parse_any)?.to_string()];
            while input.peek(Token![::]) {
                input.parse::<Token![::]>()?;
                if !input.peek(Ident::peek_any) {
                    break;
                }
                path.push(input.call(Ident::parse_any)?.to_string());
            }
            if path.len() > 1 {
                found.push(path);
            }
        } else {
            let inner;
            if input.peek(syn::token::Paren) {
                syn::parenthesized!(inner in input);
            } else if input.peek(syn::token::Bracket) {
                syn::bracketed!(inner in input);
            } else if input.peek(syn::token::Brace) {
                syn::braced!(inner in input);
            } else {
                input.step(|cursor| {
                    let next = cursor.token_tree().map(|(_, rest)| ((), rest));
                    next.ok_or_else(|| cursor.error("a token"))
                })?;
                continue;
            }
            scan(&inner, found)?;
        }
    }
    Ok(())
}

/// Whether an item is compiled for tests only.
pub fn is_of_tests(item: &Item) -> bool {
    attributes(item).iter().any(is_for_tests)
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether an attribute is `cfg(test)`, alone or among others that must hold too.
fn is_for_tests(attribute: &Attribute) -> bool {
    let conditions = || attribute.parse_args_with(Punctuated::<syn::Meta, Token![,]>::parse_terminated);
    attribute.path().is_ident("cfg") && conditions().is_ok_and(|all| all.iter().any(needs_test))
}

fn needs_test(condition: &syn::Meta) -> bool {
    match condition {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) if list.path.is_ident("all") => list
            .parse_args_with(Punctuated::<syn::Meta, Token![,]>::parse_terminated)
            .is_ok_and(|all| all.iter().any(needs_test)),
        _ => false,
    }
}

/// The file that `#[path = "…"]` names.
fn file_of(attribute: &Attribute) -> Option<String> {
    let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
    let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(name), .. }) = &pair.value else { return None };
    pair.path.is_ident("path").then(|| name.value())
}

fn beside(file: &str, name: &str) -> String {
    Path::new(file).parent().unwrap().join(name).to_str().unwrap().to_owned()
}

/// The module whose text a file is.
fn module_of(file: &str) -> Names {
    let path = file.strip_prefix("src/").and_then(|path| path.strip_suffix(".rs")).unwrap();
    let mut names: Names = path.split('/').map(str::to_owned).collect();
    if matches!(names.last().map(String::as_str), Some("mod" | "lib")) {
        names.pop();
    }
    names
}
