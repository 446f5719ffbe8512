//! Every route of the REST API in one table.

use axum::handler::Handler;
use http::Method;

use super::app::App;
use super::content::{content_head, content_read};
use super::images::attestations::image_attestations;
use super::images::create::image_create;
use super::images::history::image_history;
use super::images::inspect::image_inspect;
use super::images::list::image_list;
use super::images::load::image_load;
use super::images::prune::image_prune;
use super::images::push::image_push;
use super::images::remove::image_delete;
use super::images::save::{image_get, image_get_all};
use super::images::search::image_search;
use super::images::tag::image_tag;
use super::registry::auth::system_auth;
use super::registry::distribution::distribution_inspect;
use super::route::Route;
use super::system::ping::{system_ping, system_ping_head};
use super::versions::OLDEST;

/// The table. Other groups of operations bring tables of their own, `pub fn routes() -> Vec<Route>`, and the documents of
/// their operations, `#[derive(utoipa::OpenApi)] pub struct Document`.
pub fn routes() -> Vec<Route> {
    let mut routes = images();
    routes.extend(super::system::routes());
    routes.extend(super::unsupported::routes());
    routes
}

/// Images and their content.
#[rustfmt::skip]
pub(super) fn images() -> Vec<Route> {
    const DELETE: Method = Method::DELETE;
    const GET: Method = Method::GET;
    const HEAD: Method = Method::HEAD;
    const POST: Method = Method::POST;
    vec![
        // method    path                          from    handler
        route(GET,  "/_ping",                      OLDEST, system_ping),
        route(HEAD, "/_ping",                      OLDEST, system_ping_head),
        route(GET,  "/images/json",                OLDEST, image_list),
        route(GET,  "/images/{name}/json",         OLDEST, image_inspect),
        route(GET,  "/images/{name}/history",      OLDEST, image_history),
        route(GET,  "/images/{name}/attestations", 55,     image_attestations),
        route(GET,  "/images/{name}/get",          OLDEST, image_get),
        route(GET,  "/images/get",                 OLDEST, image_get_all),
        route(POST, "/images/load",                OLDEST, image_load),
        route(POST, "/images/create",              OLDEST, image_create),
        route(GET,  "/images/search",              OLDEST, image_search),
        route(POST, "/images/{name}/push",         OLDEST, image_push),
        route(GET,  "/distribution/{name}/json",   30,     distribution_inspect),
        route(POST, "/auth",                       OLDEST, system_auth),
        route(POST, "/images/{name}/tag",          OLDEST, image_tag),
        route(DELETE, "/images/{name}",            OLDEST, image_delete),
        route(POST, "/images/prune",               25,     image_prune),
        route(GET,  "/content/{digest}",           55,     content_read),
        route(HEAD, "/content/{digest}",           55,     content_head),
    ]
}

fn route<T: 'static>(method: Method, path: &'static str, first: u8, handler: impl Handler<T, App>) -> Route {
    Route { first, ..Route::new(method, path, handler) }
}
