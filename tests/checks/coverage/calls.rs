//! What a test file asks for, read from its syntax: comments and texts that are not sent do not count.

use std::collections::BTreeSet;

use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Expr, ExprLit, Lit, Token, UseTree};

const METHODS: [&str; 5] = ["GET", "HEAD", "POST", "PUT", "DELETE"];

/// A request for a target, which may hold placeholders of `format!`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    pub method: String,
    pub target: String,
}

impl Call {
    /// A request; `None` where the target is no path.
    pub fn new(method: &str, target: &str) -> Option<Self> {
        let is_path = target.starts_with('/') || target.starts_with('{') && target.contains("}/");
        is_path.then(|| Self { method: method.to_owned(), target: target.to_owned() })
    }
}

/// What a file asks for and names.
#[derive(Default)]
pub struct Calls {
    /// Requests over REST. Where a function sends a target that it does not write out at that place, every path in the
    /// function counts as one.
    pub rest: BTreeSet<Call>,
    /// Names of methods that are called.
    pub methods: BTreeSet<String>,
    /// Paths that are imported or written out, as their segments.
    pub paths: BTreeSet<Vec<String>>,
    function: Function,
}

/// What one function sends.
#[derive(Default)]
struct Function {
    texts: BTreeSet<String>,
    /// Methods of requests whose target is not written out.
    elsewhere: BTreeSet<String>,
}

impl Calls {
    /// Reads the text of a file.
    pub fn of(text: &str) -> Self {
        let mut calls = Self::default();
        calls.visit_file(&syn::parse_file(text).unwrap());
        calls
    }

    fn sends(&mut self, method: &str, target: &Expr) {
        match text_of(target).and_then(|target| Call::new(method, &target)) {
            Some(call) => drop(self.rest.insert(call)),
            None => drop(self.function.elsewhere.insert(method.to_owned())),
        }
    }

    /// Arguments or members of which one is a method and the next a target.
    fn pairs<'a>(&mut self, of: impl Iterator<Item = &'a Expr>) {
        let of: Vec<&Expr> = of.collect();
        for pair in of.windows(2) {
            if let Some(method) = text_of(pair[0]).filter(|text| METHODS.contains(&text.as_str())) {
                self.sends(&method, pair[1]);
            }
        }
    }

    fn imports(&mut self, tree: &UseTree, before: &[String]) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.imports(&path.tree, &with(&path.ident)),
            UseTree::Name(name) => drop(self.paths.insert(with(&name.ident))),
            UseTree::Rename(renamed) => drop(self.paths.insert(with(&renamed.ident))),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.imports(tree, before)),
            UseTree::Glob(_) => {}
        }
    }

    fn in_function(&mut self, walk: impl FnOnce(&mut Self)) {
        let outer = std::mem::take(&mut self.function);
        walk(self);
        let inner = std::mem::replace(&mut self.function, outer);
        for method in &inner.elsewhere {
            self.rest.extend(inner.texts.iter().filter_map(|text| Call::new(method, text)));
        }
    }
}

impl<'a> Visit<'a> for Calls {
    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.in_function(|calls| visit::visit_item_fn(calls, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        self.in_function(|calls| visit::visit_impl_item_fn(calls, item));
    }

    fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
        let name = call.method.to_string();
        let method = name.to_uppercase();
        if let Some(target) = call.args.first().filter(|_| METHODS.contains(&method.as_str())) {
            self.sends(&method, target);
        }
        self.methods.insert(name);
        self.pairs(call.args.iter());
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_call(&mut self, call: &'a syn::ExprCall) {
        if let Expr::Path(path) = &*call.func
            && let Some(last) = path.path.segments.last()
            && path.path.segments.len() > 1
        {
            let method = last.ident.to_string().to_uppercase();
            if let Some(target) = call.args.first().filter(|_| METHODS.contains(&method.as_str())) {
                self.sends(&method, target);
            }
        }
        self.pairs(call.args.iter());
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_tuple(&mut self, tuple: &'a syn::ExprTuple) {
        self.pairs(tuple.elems.iter());
        visit::visit_expr_tuple(self, tuple);
    }

    fn visit_lit_str(&mut self, text: &'a syn::LitStr) {
        self.function.texts.insert(text.value());
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        self.imports(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        self.paths.insert(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, of: &'a syn::Macro) {
        // Arguments of `assert_eq!`, `format!` and their like are expressions; of what is no such list, nothing is known.
        for argument in arguments(of).iter().flatten() {
            // The syntax outlives this visit only; what is found is copied.
            let mut within = Calls { function: std::mem::take(&mut self.function), ..Calls::default() };
            within.visit_expr(argument);
            self.function = within.function;
            self.rest.extend(within.rest);
            self.methods.extend(within.methods);
            self.paths.extend(within.paths);
        }
    }
}

/// The text of a literal, also behind references, in `format!`, or turned into another type of text.
fn text_of(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        Expr::Reference(reference) => text_of(&reference.expr),
        Expr::Paren(parenthesized) => text_of(&parenthesized.expr),
        Expr::MethodCall(call) if call.args.is_empty() => text_of(&call.receiver),
        Expr::Macro(of) if of.mac.path.is_ident("format") => text_of(arguments(&of.mac)?.first()?),
        _ => None,
    }
}

fn arguments(of: &syn::Macro) -> Option<Punctuated<Expr, Token![,]>> {
    of.parse_body_with(Punctuated::parse_terminated).ok()
}
